"""The engine for one machine: a few worker processes, and one loop that gives each its next picture."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import wait

from ifdl.serve.batching.cascade import Plan
from ifdl.serve.batching.table import Row
from ifdl.serve.batching.worker import Main, Task, Worker, main


def rows(tasks: Iterable[Task], plan: Plan, workers: int, seconds: float, serve: Main = main) -> Iterator[Row]:
    """A row for each task, in the order in which they are finished.

    `seconds` bind one examination. One task is read ahead; a worker takes the next when it is done with its last.
    """
    crew = [Worker(plan, seconds, serve) for _ in range(workers)]
    try:
        coming = iter(tasks)
        waiting = next(coming, None)
        while True:
            for worker in crew:
                if waiting is not None and worker.idle:
                    worker.give(waiting)
                    waiting = next(coming, None)
            busy = [w for w in crew if not w.idle]
            if waiting is None and not any(w.busy for w in crew):
                return
            until = min(w.deadline for w in busy) - time.monotonic()
            ready = wait([w.pipe for w in busy], max(0.0, until))
            for worker in busy:
                if worker.pipe in ready or time.monotonic() >= worker.deadline:
                    answer = worker.take()
                    if isinstance(answer, dict):
                        yield answer
    finally:
        for worker in crew:
            worker.close()
