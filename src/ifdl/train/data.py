"""Training pictures, forged while training runs, and the fixed set that validates it.

A batch depends only on (photographs, recipe, seed, its number): any number of workers makes the same stream, and
a resumed run goes on at the number where it stopped. An edited picture and its untouched sibling come from the
same scene and the same laundering, and are put into the same batch as far as the shares allow, so that nothing
but the edit tells the classes apart. Photographs are divided by source: training forges of split TRAIN alone,
validation of CALIBRATE alone, and nothing here ever opens a TEST photograph.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice, tee
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl import intake
from ifdl.data.manifest import Split, split_of
from ifdl.forge import material, produce
from ifdl.forge.material import Photograph, Sources
from ifdl.forge.recipe import Recipe as ForgeRecipe
from ifdl.nets.runtime import one_thread_each
from ifdl.train.recipe import Data

AUTHENTIC, EDITED = 0, 1
BLOCK = 16  # pixels of a JPEG block of 4:2:0 colour
AHEAD = 2  # batches waiting for each worker's process
Pixels = NDArray[np.uint8]
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Batch:
    """N pictures uint8 H×W×3 RGB with masks bool N×H×W, labels int64 N, and the photographs they show.

    `grades` uint8 N×H×W: inside the mask, by how many grey levels the edit changed each pixel.
    """

    number: int
    pictures: tuple[Pixels, ...]
    masks: NDArray[np.bool_]
    labels: NDArray[np.int64]
    sources: tuple[str, ...]
    grades: NDArray[np.uint8]


# ---------------------------------------------------------------- photographs


def photographs(places: Sequence[Path], split: Split) -> list[Photograph]:
    """The photographs of these folders and manifests that belong to the split, in a stable order.

    Sources that are no hexadecimal ids are divided by their hash. Raises ValueError where there are none.
    """
    found = [p for place in places for p in material.find(place, (split,)) if divided(p.source) is split]
    if not found:
        raise ValueError(f"{', '.join(map(str, places))}: no photographs of split {split}")
    return found


def divided(source: str) -> Split:
    """The split of a photograph, whatever its source is called."""
    try:
        return split_of(source)
    except ValueError:
        return split_of(hashlib.sha256(source.encode()).hexdigest()[:10])


def data_hash(found: Sequence[Photograph], recipe: ForgeRecipe) -> str:
    """sha256 of what training forges with: every photograph's bytes and source, and the forge's recipe."""
    files = sorted((p.source, p.sha256 or hashlib.sha256(p.path.read_bytes()).hexdigest()) for p in found)
    return hashlib.sha256(json.dumps([files, asdict(recipe)], sort_keys=True).encode()).hexdigest()


# ---------------------------------------------------------------- the stream


def batches(found: list[Photograph], data: Data, seed: int, numbers: Iterable[int]) -> Generator[Batch]:
    """The batches of these numbers, in order, by `data.workers` processes (0: in this one).

    With `data.kept` what an earlier run of this stream made is read, and what is made is kept.
    """
    if data.kept:
        yield from _kept(found, data, seed, numbers, data.kept)
        return
    recipe = data.forging()
    if data.workers == 0:
        sources = _sources(found, recipe, data)
        for number in numbers:
            yield make(sources, recipe, data, seed, number)
        return
    # Spawned, never forked: a forked child can inherit a lock that a thread of OpenCV's or BLAS's held.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(data.workers, spawn, _start, (found, recipe, data, seed))
    coming: deque[Future[Batch]] = deque()
    left = iter(numbers)
    try:
        with one_thread_each():
            coming.extend(pool.submit(_work, number) for number in islice(left, AHEAD * data.workers))
        while coming:
            done = coming.popleft().result()
            coming.extend(pool.submit(_work, number) for number in islice(left, 1))
            yield done
    finally:
        pool.shutdown(cancel_futures=True)


def _kept(found: list[Photograph], data: Data, seed: int, numbers: Iterable[int], folder: Path) -> Generator[Batch]:
    """The same, through a folder that holds this stream under a name that says all a batch rests on."""
    told = [data_hash(found, data.forging()), data.batch, data.authentic, data.flips, seed]
    place = folder / hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    wanted, asked = tee(numbers)
    there: dict[int, bool] = {}  # decided once: another run may write meanwhile

    def path(number: int) -> Path:
        return place / f"{number:08d}.npz"

    def missing(number: int) -> bool:
        return not there.setdefault(number, path(number).is_file())

    fresh = batches(found, replace(data, kept=None), seed, filter(missing, asked))
    with contextlib.closing(fresh):
        for number in wanted:
            if missing(number):
                made = next(fresh)
                part = place / f".{number:08d}.{os.getpid()}.npz"  # there whole or not at all
                arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(made).items()}
                np.savez(part, **arrays)
                part.replace(path(number))
            with np.load(path(number), allow_pickle=False) as kept:
                yield Batch(
                    number,
                    tuple(kept["pictures"]),
                    kept["masks"],
                    kept["labels"],
                    tuple(kept["sources"].tolist()),
                    kept["grades"],
                )
            del there[number]


def ahead(items: Iterable[Given], work: Callable[[Given], Made]) -> Generator[Made]:
    """`work` done on each item in a thread, one ahead of whoever asks."""
    left = iter(items)
    with ThreadPoolExecutor(1) as thread:
        coming: deque[Future[list[Made]]] = deque()

        def next_one() -> list[Made]:
            return [work(item) for item in islice(left, 1)]

        coming.append(thread.submit(next_one))
        while done := coming.popleft().result():
            coming.append(thread.submit(next_one))
            yield done[0]


def make(sources: Sources, recipe: ForgeRecipe, data: Data, seed: int, number: int) -> Batch:
    """The batch of that number."""
    rng = np.random.default_rng([seed, 1, number])
    authentic = int(data.authentic * data.batch + rng.random())  # the share holds on average
    edited = data.batch - authentic
    needed = max(edited, authentic)
    pairs = [_pair(sources, recipe, seed, number * data.batch + n) for n in range(needed)]
    chosen = [(p.edited, p.mask, EDITED, p) for p in pairs[:edited]]
    chosen += [(p.sibling, np.zeros_like(p.mask), AUTHENTIC, p) for p in pairs[:authentic]]
    pictures, masks, grades = [], [], []
    order = rng.permutation(len(chosen))
    for n in order:
        file, mask, _, made = chosen[n]
        own = intake.decode(file).pixels
        grade = graded(intake.decode(made.sibling).pixels if mask.any() else own, own, mask)
        pixels, mask, grade = _flipped((own, mask, grade), data.flips, rng)
        pictures.append(pixels)
        masks.append(mask)
        grades.append(grade)
    labels = np.array([chosen[n][2] for n in order], np.int64)
    sources_shown = tuple(chosen[n][3].sources[0] for n in order)
    return Batch(number, tuple(pictures), np.stack(masks), labels, sources_shown, np.stack(grades))


def graded(before: Pixels, after: Pixels, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Absolute difference of two states of a picture in grey levels, uint8 H×W, 0 outside the mask.

    What both went through afterwards differs a little everywhere; only the edit counts.
    """
    grey = cv2.cvtColor(cv2.absdiff(before, after), cv2.COLOR_RGB2GRAY)
    return np.where(mask, grey, 0).astype(np.uint8)


def _pair(sources: Sources, recipe: ForgeRecipe, seed: int, index: int) -> produce.Pair:
    """The pair of that index, or of another far away where nothing worked."""
    for attempt in range(4):
        with contextlib.suppress(produce.Unforgeable):
            return produce.pair(sources, recipe, seed, index + attempt * 10**9)
    return produce.pair(sources, recipe, seed, index + 10**10)


def _flipped(arrays: tuple[Any, ...], how: str, rng: np.random.Generator) -> tuple[Any, ...]:
    """Arrays H×W(×C) that belong together, each axis turned round by chance where `how` allows it.

    A JPEG that starts on its grid still does when turned along a side of whole blocks.
    """
    for axis in (0, 1):
        turned = rng.random() < 0.5
        if turned and (how == "any" or (how == "phase" and arrays[0].shape[axis] % BLOCK == 0)):
            arrays = tuple(np.flip(array, axis) for array in arrays)
    return tuple(np.ascontiguousarray(array) for array in arrays)


# ---------------------------------------------------------------- validation


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """Forgeries `edited` and their siblings `untouched`, uint8 N×H×W×3 each, and the masks bool N×H×W."""

    edited: Pixels
    untouched: Pixels
    masks: NDArray[np.bool_]


def validation_set(found: list[Photograph], data: Data, seed: int, count: int, cache: Path) -> ValidationSet:
    """The fixed set of that seed, made once and kept in the folder `cache` under a name that says all it rests on."""
    said = f"{data_hash(found, data.forging())} {seed} {count}"
    path = cache / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.npz"
    if not path.is_file():
        pairwise = replace(data, batch=2, authentic=0.5, flips="none")
        sides: tuple[list[Pixels], list[Pixels]] = ([], [])
        masks = []
        for batch in batches(found, pairwise, seed, range(count)):
            for picture, label, mask in zip(batch.pictures, batch.labels, batch.masks, strict=True):
                sides[label].append(picture)
                if label == EDITED:
                    masks.append(mask)
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.stem}.{os.getpid()}.npz")  # there whole or not at all
        np.savez(part, edited=np.stack(sides[EDITED]), untouched=np.stack(sides[AUTHENTIC]), masks=np.stack(masks))
        part.replace(path)
    with np.load(path, allow_pickle=False) as kept:
        return ValidationSet(kept["edited"], kept["untouched"], kept["masks"])


# ---------------------------------------------------------------- workers

_state: dict[str, tuple[Sources, ForgeRecipe, Data, int]] = {}


def _start(found: list[Photograph], recipe: ForgeRecipe, data: Data, seed: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who trains says what an interruption means
    cv2.setNumThreads(1)
    _state["own"] = (_sources(found, recipe, data), recipe, data, seed)


def _work(number: int) -> Batch:
    return make(*_state["own"], number)


def _sources(found: list[Photograph], recipe: ForgeRecipe, data: Data) -> Sources:
    detector = None
    if recipe.objects:
        from ifdl.nets.objects import ObjectDetector

        detector = ObjectDetector()
    return Sources(found, data.cache_mb * 1024**2, detector)
