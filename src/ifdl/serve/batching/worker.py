"""A process that examines pictures, and its parent's side: a death or a hang costs one row, never the run.

Encoded bytes go in, a row comes out. The worker is the package's own code; strangers' bytes are decoded in a further
child of its own, under limits (`ifdl.intake`).
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from ifdl import intake
from ifdl.nets.runtime import one_thread_each
from ifdl.serve.batching import cascade
from ifdl.serve.batching.cascade import Plan
from ifdl.serve.batching.table import Row, error_row

START_SECONDS = 120.0
READY = "ready"


@dataclass(frozen=True)
class Task:
    """One picture to examine. `alone` stops before the expert if it is wanted; `half` goes on from there."""

    uri: str
    sha256: str
    data: bytes = field(repr=False)
    seconds: float = 0.0
    alone: bool = False
    half: str = ""

    def failed(self, kind: str, reason: str, stage: str) -> Row:
        """The row that says what went wrong."""
        return error_row(self.uri, kind, reason, stage, self.sha256, len(self.data))


Answer = Row | str  # a row, or a packed half


def examine(decoder: intake.Decoder, task: Task, plan: Plan) -> Answer:
    """The row of one picture; a packed half where the task stops before the expert."""
    stage, began = "decode", time.perf_counter()
    try:
        picture = decoder.decode(task.data, task.uri)
        spent = time.perf_counter() - began
        if task.half:
            stage, half = "expert", cascade.unpacked(task.half)
            half.seconds["decode"] += spent  # decoded twice
        else:
            stage = "clues"
            half = cascade.first(picture, plan, {"read": task.seconds, "decode": spent})
            if task.alone and half.wanted:
                return cascade.packed(half)
        return cascade.second(picture, half, plan, task.uri)
    except intake.IntakeError as error:
        row = task.failed(error.kind, error.reason, stage)
    except Exception as error:  # one picture must never cost the others their row
        row = task.failed("failed", f"{type(error).__name__}: {error}", stage)
    return row | {"pipeline": plan.pipeline}


Main = Callable[[Connection, Plan], None]


def main(connection: Connection, plan: Plan) -> None:
    """Serve tasks until the other end closes, which it does when its process dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    import cv2

    cv2.setNumThreads(1)
    with contextlib.suppress(EOFError, ConnectionError), intake.Decoder(plan.limits) as decoder:
        assert plan.pipeline  # reads every version and hash before the first picture waits for it
        connection.send(READY)
        while True:
            connection.send(examine(decoder, connection.recv(), plan))


class Worker:
    """The parent's side of one process. It is `idle`, or starting, or busy with a task until `deadline`."""

    def __init__(self, plan: Plan, seconds: float, serve: Main = main) -> None:
        self.plan, self.seconds, self._serve = plan, seconds, serve
        self._process: Any = None
        self.idle = False
        self.start()

    def start(self) -> None:
        """Start the process; its first message says that it is ready."""
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=self._serve, args=(other, self.plan), daemon=True)
        with one_thread_each():
            self._process.start()
        other.close()
        self._task: Task | None = None
        self.idle, self.deadline = False, time.monotonic() + START_SECONDS

    @property
    def busy(self) -> bool:
        """Whether it has a task."""
        return self._task is not None

    def give(self, task: Task) -> None:
        """Hand an idle worker a task."""
        assert self.idle
        self._task, self.idle, self.deadline = task, False, time.monotonic() + self.seconds
        with contextlib.suppress(OSError):  # it has died: `take` finds the pipe closed
            self.pipe.send(task)

    def take(self) -> Answer | None:
        """What a worker says whose pipe can be read or whose time is over; None if it only became ready.

        A worker that died or is late is replaced. Raises RuntimeError for one that cannot start.
        """
        late = not self.pipe.poll() and time.monotonic() >= self.deadline
        try:
            said = None if late else self.pipe.recv()
        except (EOFError, OSError):
            said = None
        task = self._task
        if said is not None:
            self._task, self.idle, self.deadline = None, True, float("inf")
            return None if task is None else said
        code = self.close()
        if task is None:
            raise RuntimeError(f"a worker process does not start (exit code {code}); run `ifdl doctor`")
        self.start()
        if late:
            return self._lost(task, "hung", f"the examination took longer than {self.seconds:g} s and was ended.")
        return self._lost(task, "died", f"the examining process died on this file (exit code {code}).")

    def ask(self, task: Task) -> Answer:
        """Give a task and wait for the answer."""
        while not self.idle:
            self._wait()
            self.take()
        self.give(task)
        self._wait()
        answer = self.take()
        assert answer is not None
        return answer

    def close(self) -> int | None:
        """End the process, and with it its decoder; returns its exit code."""
        self.pipe.close()  # an idle one leaves by itself
        self._process.join(0.2)
        self._process.kill()
        self._process.join()
        return self._process.exitcode  # type: ignore[no-any-return]

    def _wait(self) -> None:
        self.pipe.poll(max(0.0, self.deadline - time.monotonic()))

    def _lost(self, task: Task, kind: str, reason: str) -> Row:
        stage = "expert" if task.half else "decode" if kind == "died" else "clues"
        return task.failed(kind, reason, stage) | {"pipeline": self.plan.pipeline}
