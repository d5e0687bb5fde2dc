"""Counters of the service in Prometheus's text format (prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

import threading
from collections import Counter

BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 180.0)  # seconds


class Metrics:
    """Requests by route and status, examinations by outcome, and how long they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0

    def request(self, method: str, route: str, status: int) -> None:
        """Count one answer; `route` is the pattern, so that no visitor can make new series."""
        with self._lock:
            self._requests[method, route, status] += 1

    def examined(self, outcome: str, seconds: float) -> None:
        """Count one examination."""
        with self._lock:
            self._outcomes[outcome] += 1
            self._seconds += seconds
            for bucket in BUCKETS:
                self._buckets[bucket] += seconds <= bucket

    def text(self, depth: int, held: int) -> str:
        """Everything, with `depth` pictures in the queue or in work and `held` in memory."""
        with self._lock:
            count = self._outcomes.total()
            lines = ["# HELP ifdl_requests_total Answers by route and status.", "# TYPE ifdl_requests_total counter"]
            lines += [
                f'ifdl_requests_total{{method="{method}",route="{route}",status="{status}"}} {n}'
                for (method, route, status), n in sorted(self._requests.items())
            ]
            lines += ["# HELP ifdl_examinations_total Examinations by outcome."]
            lines += ["# TYPE ifdl_examinations_total counter"]
            lines += [f'ifdl_examinations_total{{outcome="{o}"}} {n}' for o, n in sorted(self._outcomes.items())]
            lines += ["# HELP ifdl_examination_seconds Time of one examination, without its time in the queue."]
            lines += ["# TYPE ifdl_examination_seconds histogram"]
            lines += [f'ifdl_examination_seconds_bucket{{le="{b:g}"}} {self._buckets[b]}' for b in BUCKETS]
            lines += [f'ifdl_examination_seconds_bucket{{le="+Inf"}} {count}']
            lines += [f"ifdl_examination_seconds_sum {self._seconds:.6g}", f"ifdl_examination_seconds_count {count}"]
        lines += ["# HELP ifdl_open Pictures waiting or in work.", "# TYPE ifdl_open gauge", f"ifdl_open {depth}"]
        lines += ["# HELP ifdl_held Pictures in memory.", "# TYPE ifdl_held gauge", f"ifdl_held {held}"]
        return "\n".join(lines) + "\n"
