"""Many pictures from Python: reports in order, as they come, in as little memory as one report at a time needs."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ifdl.intake import Limits
    from ifdl.types import Report

S = TypeVar("S")
R = TypeVar("R")
Source = str | Path | bytes
AHEAD = 2  # pictures in work or waiting, for each worker


@dataclass(frozen=True)
class Options:
    """What `ifdl.examine` is asked for, the same for every picture."""

    limits: Limits | None = None
    clues: tuple[str, ...] | None = None
    calibration: Path | None = None
    deep: bool = False
    index: Path | None = None


def examine_many(
    sources: Iterable[Source],
    workers: int = 1,
    *,
    limits: Limits | None = None,
    clues: Iterable[str] | None = None,
    calibration: Path | None = None,
    deep: bool = False,
    index: Path | None = None,
) -> Iterator[Report | dict[str, Any]]:
    """The report of each file, or of its bytes, in the order given; `sources` is read as the results are taken.

    A picture that cannot be examined gives a dict instead, {"schema_version", "item": {"name"}, "error": {"kind",
    "reason"}}, and costs the others nothing. `workers` are processes; the results do not depend on their number, and
    at most two pictures for each are held at a time. A script that asks for several must guard its own start with
    `if __name__ == "__main__":`, as multiprocessing does. The other options are those of `ifdl.examine`.
    Raises ValueError or KeyError for an option that is wrong before anything is examined.
    """
    options = Options(limits, None if clues is None else tuple(clues), calibration, deep, index)
    _check(options, workers)
    if workers == 1:
        return _here(sources, options)
    share = max(1, (os.cpu_count() or 1) // workers)
    return ordered(_Worker(options), sources, workers, _lost, (_start, (share,)))


def ordered(
    work: Callable[[S], R],
    items: Iterable[S],
    workers: int,
    lost: Callable[[S], R],
    begin: tuple[Callable[..., None], tuple[Any, ...]] | None = None,
) -> Iterator[R]:
    """`work(item)` for every item, in order, in spawned processes; `lost(item)` where an item ends its process.

    At most AHEAD items for each worker are in work. A process that dies takes those beside it along: each of them is
    tried again, alone, so that only the one to blame is lost.
    """
    supply, waiting, pool = iter(items), deque[tuple[S, Future[R]]](), _pool(workers, begin)
    try:
        while True:
            for item in islice(supply, AHEAD * workers - len(waiting)):
                waiting.append((item, _submitted(pool, work, item)))
            if not waiting:
                return
            first, future = waiting.popleft()
            try:
                result = future.result()
            except BrokenProcessPool:
                yield from _alone(work, [first, *(item for item, _ in waiting)], lost, begin)
                waiting.clear()
                pool = _pool(workers, begin)
            else:
                yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, work: Callable[[S], R], item: S) -> Future[R]:
    try:
        return pool.submit(work, item)
    except BrokenProcessPool as error:  # an item before this one ended its process
        broken: Future[R] = Future()
        broken.set_exception(error)
        return broken


def _alone(
    work: Callable[[S], R],
    items: list[S],
    lost: Callable[[S], R],
    begin: tuple[Callable[..., None], tuple[Any, ...]] | None,
) -> Iterator[R]:
    for item in items:
        with _pool(1, begin) as pool:
            try:
                result = pool.submit(work, item).result()
            except BrokenProcessPool:
                result = lost(item)
        yield result


def _pool(workers: int, begin: tuple[Callable[..., None], tuple[Any, ...]] | None) -> ProcessPoolExecutor:
    # Spawned, never forked: a forked child can inherit a lock that a thread of OpenCV's or BLAS's held.
    start, given = begin or (None, ())
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), start, given)


def _start(threads: int) -> None:
    """Share the cores before the first library counts them."""
    from ifdl.nets.runtime import THREADS

    for name in THREADS:
        os.environ.setdefault(name, str(threads))


@dataclass(frozen=True)
class _Worker:
    """What a process does with one source."""

    options: Options

    def __call__(self, source: Source) -> Report | dict[str, Any]:
        return next(_here([source], self.options))


def _here(sources: Iterable[Source], options: Options) -> Iterator[Report | dict[str, Any]]:
    """In this process; the next pictures are decoded while one is examined."""
    from ifdl import intake, spine
    from ifdl.report.json import error_row

    pool = intake.Pool(options.limits or intake.Limits())
    for loaded in pool.load_many(sources):
        if isinstance(loaded, intake.IntakeError):
            yield error_row(loaded.name, loaded.kind, loaded.reason)
            continue
        try:
            report = spine.examine_picture(
                loaded,
                clues=options.clues,
                calibration=options.calibration,
                deep=options.deep,
                index=options.index,
            )
        except Exception as error:  # one picture must never cost the others theirs
            yield error_row(loaded.item.name, "failed", f"{type(error).__name__}: {error}")
        else:
            yield report


def _lost(source: Source) -> dict[str, Any]:
    from ifdl.report.json import error_row

    name = "picture" if isinstance(source, bytes) else Path(source).name
    return error_row(name, "crashed", "examining it ended the process; examine it alone, or with more memory.")


def _check(options: Options, workers: int) -> None:
    from ifdl.verdict import battery, calibration

    if workers < 1:
        raise ValueError(f"workers is {workers}; it is at least 1")
    calibration.load(options.calibration)
    for clue in options.clues or ():
        battery.card(clue)
    if options.index is not None:
        battery.archive(options.index)
