"""Counters of the service in Prometheus's text format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 180.0)  # seconds
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Answers by route and status, refusals by kind, examinations by outcome and how long they took, and the queue."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._all = CollectorRegistry()
        self._requests = Counter(
            "ifdl_requests", "Answers by route and status.", ("method", "route", "status"), registry=self._all
        )
        self._refusals = Counter("ifdl_refusals", "Refused requests by kind.", ("kind",), registry=self._all)
        self._outcomes = Counter("ifdl_examinations", "Examinations by outcome.", ("outcome",), registry=self._all)
        self._seconds = Histogram(
            "ifdl_examination_seconds",
            "Time of one examination, without its time in the queue.",
            buckets=BUCKETS,
            registry=self._all,
        )

    def request(self, method: str, route: str, status: int) -> None:
        """Count one answer; `route` is the pattern, so that no visitor can make new series."""
        self._requests.labels(method, route, str(status)).inc()

    def refused(self, kind: str) -> None:
        """Count one refusal; kinds are the service's own words, never a visitor's."""
        self._refusals.labels(kind).inc()

    def examined(self, outcome: str, seconds: float) -> None:
        """Count one examination."""
        self._outcomes.labels(outcome).inc()
        self._seconds.observe(seconds)

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """A gauge that is read when the counters are."""
        Gauge(name, what, registry=self._all).set_function(value)

    def text(self) -> str:
        """Everything counted so far."""
        return generate_latest(self._all).decode()
