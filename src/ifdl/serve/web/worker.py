"""The child process that examines: a crash, a hang or a leak in it costs one picture, never the service.

It is the package's own code and trusted as such; strangers' bytes are decoded in a further child under limits.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from ifdl import intake, spine
from ifdl.types import Event, Picture, Report

Tell = Callable[[str, Any], None]


@dataclass(frozen=True)
class Task:
    """What is asked about a file: an examination, `deep` or not, or where it comes from (`trace`).

    `box` (x, y, width, height in stored pixels) is the suspected part to trace; `origin` says in words how the file
    came here, if not from the caller's hands, and goes into the custody log; `drawn` wants a trace's pictures too.
    """

    name: str = "picture"
    deep: bool = False
    trace: bool = False
    box: tuple[int, int, int, int] | None = None
    origin: str = ""
    drawn: bool = False


def main(connection: Connection, limits: intake.Limits, index: Path | None = None) -> None:
    """Serve pictures as (bytes, Task) until the other end closes. Messages are (kind, what); see `answered`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    # A parent that ends, even while this warms up, is no error of ours.
    with contextlib.suppress(EOFError, ConnectionError), intake.Decoder(limits) as decoder:
        _warm(decoder)
        connection.send(("ready", None))
        while True:
            data, task = connection.recv()
            answered(decoder, data, task, lambda kind, what: connection.send((kind, what)), index)


def answered(decoder: intake.Decoder, data: bytes, task: Task, tell: Tell, index: Path | None = None) -> None:
    """Do one task. Tells "picture", each "step", what was "heard", and at the end "report", "traced" or "refused"."""
    began = time.perf_counter()
    try:
        picture = decoder.decode(data, task.name)
    except intake.IntakeError as error:
        tell("refused", (error.kind, error.reason))
        return
    spent = {"intake": time.perf_counter() - began}
    if task.trace:
        _trace(picture, task, tell, index)
        return
    tell("picture", picture)
    report = spine.examine_picture(
        picture,
        progress=lambda step: tell("step", step),
        seconds=spent,
        deep=task.deep,
        heard=lambda row, answers: tell("heard", (row, answers)),
    )
    if task.origin:
        report = noted(report, task.origin)
    tell("report", replace(report, picture=None))  # the other end has the pixels


def noted(report: Report, what: str) -> Report:
    """The report with one more entry in its custody log, chained to the last."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    previous = report.run.custody[-1].sha256
    digest = hashlib.sha256(f"{previous}\n{at}\n{what}".encode()).hexdigest()
    log = (*report.run.custody, Event(at, what, digest, previous))
    return replace(report, run=replace(report.run, custody=log))


def _trace(picture: Picture, task: Task, tell: Tell, index: Path | None) -> None:
    from ifdl.report import trace as told
    from ifdl.trace import query
    from ifdl.trace.index import Index

    part = None
    if task.box is not None:
        x, y, width, height = task.box
        part = np.zeros((picture.height, picture.width), bool)
        part[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = True
        if not part.any():
            tell(
                "refused", ("bad_part", f"the box lies outside the picture of {picture.width}×{picture.height} pixels.")
            )
            return
    tell("step", "comparing with the archive")
    try:
        assert index is not None
        with Index(index) as held:
            found = query.trace(picture, held, part)
            if task.drawn:
                tell("drawn", told.views(picture, found))
            tell("traced", told.to_dict(picture, found, len(held)))
    except (OSError, ValueError) as error:
        tell("refused", ("bad_index", f"{error}."))


def _warm(decoder: intake.Decoder) -> None:
    """Start the decoding child and load the experts, so that the first picture does not wait for them."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 40).convert("RGB").save(buffer, "PNG")
    spine.examine_picture(decoder.decode(buffer.getvalue(), "warm"))
