"""The loop: every picture of a set through one system, a row each, failures as rows, in any number of processes."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl import data, intake
from ifdl.data import Record, WrongMask
from ifdl.evaluate import score, systems
from ifdl.evaluate.predictions import Predictions
from ifdl.evaluate.protocol import Protocol
from ifdl.evaluate.systems import Named, Output, Spec, SystemFailed
from ifdl.forge.change import Change
from ifdl.types import Picture, State


@dataclass(frozen=True)
class Row:
    """One picture: what is true of it, what the system said, and its numbers under the protocol.

    `score` None: the system gave none. `error` says why a picture has no prediction; it then counts as one
    on which the system marked nothing, and is counted in the result.
    """

    image: str
    label: str
    source: str
    sha256: str = ""
    kind: str | None = None
    state: str = State.FAILED
    said: str | None = None
    edited: bool = False
    score: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    counts: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    seconds: float = 0.0
    cached: bool = False
    reason: str = ""
    error: str | None = None
    curve: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)

    @property
    def in_domain(self) -> bool:
        return self.state not in (State.OUT_OF_DOMAIN, State.NOT_RUN, State.FAILED)

    def to_json(self) -> dict[str, Any]:
        """Without the curve, which only plots need; numbers that say nothing are null."""
        kept = {k: v for k, v in asdict(self).items() if k != "curve"}
        kept["values"] = {k: None if v != v else round(v, 6) for k, v in self.values.items()}
        return kept


@dataclass(frozen=True)
class Job:
    """All that a worker needs. `change` alters every picture, authentic and edited alike, before it is examined."""

    spec: Spec
    protocol: Protocol
    cache: Path | None = None
    change: Change | None = None


def rows(job: Job, records: Sequence[Record], workers: int = 1) -> Iterator[Row]:
    """A row for each record, in order. Raises what building the system raises, before any picture is read."""
    system = job.spec.build()
    if workers <= 1 or len(records) < 2:
        worker = Worker(job, system)
        yield from map(worker, records)
        return
    # Spawned, never forked: a forked child can inherit a lock that a thread of OpenCV's or BLAS's held.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (job,)) as pool:
        yield from pool.map(_work, records, chunksize=4)


class Worker:
    """One process's share of the work: its own system, decoder and cache."""

    def __init__(self, job: Job, system: Named) -> None:
        self.job, self.system = job, system
        self.decoder = intake.Decoder()
        self.kept = Predictions(job.cache, system.identity) if job.cache else None
        self.parts: dict[str, Predictions] = {}

    def __call__(self, record: Record) -> Row:
        row = Row(record.shown, record.label, record.source, kind=record.kind)
        try:
            picture, truth = self._read(record)
        except (intake.IntakeError, WrongMask) as refused:
            return replace(row, error=str(refused))
        output, seconds, cached, error = self._predict(picture, record.shown)
        found = score.of_picture(self.job.protocol, output, truth, record.label, self.system.threshold)
        return Row(
            image=row.image,
            label=row.label,
            source=row.source,
            sha256=picture.item.sha256,
            kind=row.kind,
            state=output.state,
            said=output.said,
            edited=score.says_edited(output),
            score=output.score,
            probabilities=output.probabilities,
            values=found.values,
            counts=found.counts,
            seconds=round(seconds, 4),
            cached=cached,
            reason=output.reason,
            error=error,
            curve=found.curve,
        )

    def _part(self, name: str) -> Predictions:
        """Where the predictions of a clue that the verdict ran anyway are kept."""
        if name not in self.parts:
            assert self.job.cache is not None
            self.parts[name] = Predictions(self.job.cache, systems.part(name).identity)
        return self.parts[name]

    def _read(self, record: Record) -> tuple[Picture, NDArray[np.bool_]]:
        """The picture and its mask, after the job's change. Pictures whose bytes are vouched for need no child."""
        if record.sha256 is not None:
            picture = intake.load(record.image, isolated=False, sha256=record.sha256)
            mask = data.mask_of(record)
        else:
            picture = self.decoder.decode(*intake.read_source(record.image, self.decoder.limits))
            mask = data.mask_of(record, self.decoder)
        size = (picture.height, picture.width)
        if mask is None:
            if record.label == "edited":
                raise WrongMask(f"{record.shown}: an edited picture without a mask cannot be scored")
            mask = np.zeros(size, bool)
        if mask.shape != size:
            raise WrongMask(
                f"{record.shown}: its mask is {mask.shape[1]}×{mask.shape[0]}, the picture {size[1]}×{size[0]}"
            )
        return (picture, mask) if self.job.change is None else self.job.change.apply(picture, mask)

    def _predict(self, picture: Picture, shown: str) -> tuple[Output, float, bool, str | None]:
        kept = self.kept.get(picture.item.sha256) if self.kept else None
        if kept is not None:
            return *kept, True, None
        began = time.perf_counter()
        try:
            # A system that looks a picture up needs its path in the set: several may share a file name.
            output = self.system(replace(picture, item=replace(picture.item, name=shown)))
        except Exception as error:  # one picture must never cost the others their row
            said = str(error) if isinstance(error, SystemFailed) else f"{type(error).__name__}: {error}"
            return Output(State.FAILED, reason=said), time.perf_counter() - began, False, said
        seconds = time.perf_counter() - began
        if self.kept:
            self.kept.put(picture.item.sha256, output, seconds)
            for name, part in output.parts.items():
                self._part(name).put(picture.item.sha256, part, seconds / len(output.parts))
        return output, seconds, False, None


def data_hash(records: Sequence[Record]) -> str:
    """One hash over all pictures and masks of a set, by their bytes where no hash is stated."""
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda r: r.shown):
        for path, known in ((record.image, record.sha256), (record.mask, None)):
            if path is not None:
                try:
                    digest.update((known or hashlib.sha256(path.read_bytes()).hexdigest()).encode())
                except OSError:
                    digest.update(b"unreadable")
    return digest.hexdigest()


# ---------------------------------------------------------------- workers

_own: dict[str, Worker] = {}


def _start(job: Job) -> None:
    cv2.setNumThreads(1)
    _own["worker"] = Worker(job, job.spec.build())


def _work(record: Record) -> Row:
    return _own["worker"](record)
