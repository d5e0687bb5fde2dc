"""Pictures that were handed in: a bounded queue, worker processes with a time limit, and the last few results.

Everything lives in memory; what is old or large goes first. Events reach waiting requests on the event loop, workers
are driven by one thread each.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import multiprocessing
import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

from ifdl import report as reports
from ifdl.serve.web import recording, worker
from ifdl.serve.web.metrics import Metrics
from ifdl.serve.web.settings import Settings
from ifdl.serve.web.worker import Task
from ifdl.types import Answer, Coverage, Picture, Report

START_SECONDS = 120.0
RETRY_SECONDS = 5


class Busy(Exception):
    """The queue is full; try again later."""


@dataclass(eq=False)
class Job:
    """One picture handed in. Changes only on the event loop; `events` counts the changes, `users` need its pixels."""

    id: str
    task: Task
    sha256: str
    data: bytes = field(repr=False)
    picture: Picture | None = None
    rows: tuple[Coverage, ...] = ()
    early: tuple[Answer, ...] = ()
    step: str = ""
    report: Report | None = None
    traced: dict[str, Any] | None = None
    drawn: tuple[dict[str, Any], ...] = ()
    error: tuple[str, str] | None = None
    events: int = 0
    users: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def done(self) -> bool:
        return self.report is not None or self.traced is not None or self.error is not None

    def tell(self, kind: str, what: Any) -> None:
        """Take one message of the worker."""
        if self.done:
            return
        if kind == "picture":
            self.picture = what
        elif kind == "heard":
            row, self.early = what
            self.rows = (*self.rows, row)
        elif kind == "step":
            self.step = what
        elif kind == "report":
            self.report = replace(what, picture=self.picture)
        elif kind == "drawn":
            self.drawn = tuple(what)
        elif kind == "traced":
            self.traced = what
        elif kind == "refused":
            self.error = what
        if self.done:
            self.data = b""
        self.events += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def after(self, seen: int) -> int:
        """Wait until more than `seen` events came; their number."""
        while self.events <= seen and not self.done:
            await self._changed.wait()
        return self.events

    async def finished(self) -> None:
        """Wait for the end."""
        while not self.done:
            await self._changed.wait()

    def forget(self) -> None:
        """Let go of the pixels, unless somebody needs them still."""
        if self.done and not self.users:
            self.picture = None
            self.report = replace(self.report, picture=None) if self.report else None


class Desk:
    """Takes pictures in, has them examined, and holds the last results."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._waiting: queue.Queue[Job | None] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = 0  # arriving, waiting or in work
        metrics.watch("ifdl_open", "Pictures arriving, waiting or in work.", lambda: self._open)
        metrics.watch("ifdl_queue_depth", "Pictures waiting for a worker.", self._waiting.qsize)
        metrics.watch("ifdl_held", "Results in memory.", lambda: len(self._jobs))

    def start(self) -> None:
        """Start the workers, from inside the event loop."""
        self._loop = asyncio.get_running_loop()
        for _ in range(self.settings.workers):
            thread = threading.Thread(target=self._serve, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the workers; a picture in work is given up when its worker's process ends."""
        for _ in self._threads:
            self._waiting.put(None)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue while a file arrives, so that no more arrive than may wait. Raises Busy."""
        if self._open >= self.settings.queue + self.settings.workers:
            raise Busy
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def submit(self, data: bytes, task: Task, pixels: bool = False) -> Job:
        """Hand in one file; the same task on the very same file is not done twice. Raises Busy.

        `pixels` wants the picture as well: it may have been let go already.
        """
        digest = hashlib.sha256(data).hexdigest()
        for earlier in self._jobs.values():
            usable = not earlier.done or earlier.picture is not None or not pixels
            if (earlier.sha256, earlier.task) == (digest, task) and earlier.error is None and usable:
                return earlier
        if self._open >= self.settings.queue + self.settings.workers:
            raise Busy
        job = Job(secrets.token_urlsafe(12), task, digest, data)
        self._jobs[job.id] = job
        self._open += 1
        self._waiting.put(job)
        return job

    @contextlib.contextmanager
    def using(self, job: Job) -> Iterator[None]:
        """Keep the pixels of that job meanwhile."""
        job.users += 1
        try:
            yield
        finally:
            job.users -= 1
            self._tidy(job)

    def get(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def of_hash(self, sha256: str) -> Job | None:
        """The newest examined picture with that hash."""
        return next((j for j in reversed(self._jobs.values()) if j.sha256 == sha256 and j.report), None)

    def latest(self) -> Iterator[Job]:
        """Examinations, newest first."""
        yield from (job for job in reversed(self._jobs.values()) if not job.task.trace)

    def _serve(self) -> None:
        """One worker's thread: a picture at a time, in a process that is replaced when it fails or takes too long."""
        crew = _Worker(self.settings)
        try:
            while (job := self._waiting.get()) is not None:
                began = time.perf_counter()
                crew.examine(job.data, job.task, lambda kind, what, job=job: self._pass_on(job, kind, what))  # type: ignore[misc]
                self._on_loop(self._closed, job, time.perf_counter() - began)
        finally:
            crew.close()

    def _pass_on(self, job: Job, kind: str, what: Any) -> None:
        if kind == "report" and self.settings.keep is not None:
            reports.write(what, self.settings.keep / job.sha256[:16])
        if kind == "report" and self.settings.case is not None:
            recording.record(self.settings.case, what, job.data if self.settings.keep_pictures else None)
        self._on_loop(job.tell, kind, what)

    def _on_loop(self, what: Any, *arguments: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)

    def _closed(self, job: Job, seconds: float) -> None:
        self._open -= 1
        self.metrics.examined(job.error[0] if job.error else "traced" if job.traced else "examined", seconds)
        self._tidy(job)
        done = [j for j in self._jobs.values() if j.done]
        held = sum(j.picture.pixels.nbytes for j in done if j.picture)
        while done and (len(done) > self.settings.held or held > self.settings.held_bytes) and done[0] is not job:
            old = done.pop(0)
            held -= old.picture.pixels.nbytes if old.picture else 0
            del self._jobs[old.id]

    def _tidy(self, job: Job) -> None:
        """Only the page shows pixels again; where there is none, no picture outlives its examination."""
        if not self.settings.local:
            job.forget()


class _Worker:
    """The parent's side of one worker process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: Any = None
        self._pipe: Connection | None = None
        self._start()

    def examine(self, data: bytes, task: Task, tell: worker.Tell) -> None:
        """Pass on what the worker tells until it is done; every end is told, a failure as "refused"."""
        until = time.monotonic() + self.settings.seconds
        try:
            if self._pipe is None:
                self._start()
            assert self._pipe is not None
            if not self._ready():
                raise EOFError
            self._pipe.send((data, task))
            while True:
                if not self._pipe.poll(max(0.0, until - time.monotonic())):
                    self.close()
                    tell("refused", ("timed_out", f"the examination took longer than {self.settings.seconds:g} s."))
                    return
                kind, what = self._pipe.recv()
                tell(kind, what)
                if kind in ("report", "traced", "refused"):
                    return
        except (EOFError, OSError):
            self.close()
            tell("refused", ("crashed", "the examining process broke down on this file; treat it as hostile."))

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None
        self._is_ready = False

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=worker.main, args=(other, self.settings.limits, self.settings.index), daemon=True
        )
        self._process.start()
        other.close()
        self._is_ready = False

    def _ready(self) -> bool:
        """Whether the worker has warmed up, waiting for it if need be."""
        assert self._pipe is not None
        if not self._is_ready:
            self._is_ready = bool(self._pipe.poll(START_SECONDS)) and self._pipe.recv()[0] == "ready"
        return self._is_ready
