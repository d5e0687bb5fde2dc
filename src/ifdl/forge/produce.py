"""From photographs and a recipe to finished pairs: an edited file, its untouched sibling, mask and record.

Every pair depends only on (recipe, sources, seed, index): any number of workers, in any order, make the
same bytes. Edited and sibling start from the same scene and go through the same laundering chain, so
that nothing but the edit tells them apart.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl import forge
from ifdl.forge._operations import KERNELS, Resize, Scan
from ifdl.forge.camera import Camera
from ifdl.forge.caption import Caption, caption
from ifdl.forge.launder import Chain
from ifdl.forge.material import Detector, Photograph, Sources, crop
from ifdl.forge.recipe import Recipe
from ifdl.forge.record import Box, Material, Step, Thing, box_of, filled
from ifdl.intake.errors import IntakeError

Rng = np.random.Generator
# Grey levels: below these a scene is a lens cap or a plain wall, and an edit changes nothing anybody could find.
LEAST_CONTENT, LEAST_CHANGE = 10.0, 0.75


class Unforgeable(RuntimeError):
    """No engine could make a forgery of any host tried."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A finished forgery and its sibling, both as file bytes of `suffix` ("jpg", "png", "webp").

    `mask` bool H×W fits both files. `steps` have their boxes in the scene before laundering; `box` is
    the mask's (x, y, width, height) in the finished file, as are the `caption`'s places. `sources` are
    the photographs used, the host first.
    """

    index: int
    edited: bytes
    sibling: bytes
    suffix: str
    mask: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    engine: str
    sources: tuple[str, ...]
    steps: tuple[Step, ...]
    shot_by: str | None
    laundered: str
    caption: Caption


def pair(sources: Sources, recipe: Recipe, seed: int, index: int) -> Pair:
    """The pair of that index. Raises Unforgeable if nothing worked within the recipe's tries."""
    rng = np.random.default_rng([seed, index])
    for _ in range(recipe.tries):
        engine = str(rng.choice(list(recipe.engines), p=_shares(recipe.engines)))
        made = _try(sources, recipe, engine, rng)
        if made is not None:
            return replace(made, index=index)
    raise Unforgeable(f"pair {index} of seed {seed}: no engine could edit any of {recipe.tries} pictures")


def pairs(
    photographs: list[Photograph], recipe: Recipe, seed: int, indices: range | list[int], workers: int = 1
) -> Iterator[Pair]:
    """Pairs in the order of `indices`, made by `workers` processes (1: in this one)."""
    if workers <= 1:
        sources = _sources(photographs, recipe)
        for index in indices:
            yield pair(sources, recipe, seed, index)
        return
    if recipe.objects:
        _detector()  # a missing one is said here, not by a worker that dies
    # Spawned, never forked: a forked child can inherit a lock that a thread of OpenCV's or BLAS's held.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _start, (photographs, recipe, seed)) as pool:
        yield from pool.map(_work, indices, chunksize=8)


def _try(sources: Sources, recipe: Recipe, engine: str, rng: Rng) -> Pair | None:
    """One attempt: a scene, an engine, a chain; None if the engine declined or the edit got lost on the way."""
    try:
        host, shot_by = _scene(sources.draw(rng), recipe, rng)
        if host.pixels.std() < LEAST_CONTENT:
            return None

        def donors(generator: Rng) -> Material:
            return _scene(sources.draw(generator, other_than=host.source), recipe, generator, 1.6)[0]

        forgery = forge.load(engine).forge(host, donors, rng)
    except IntakeError:
        return None
    if forgery is None:
        return None
    untouched = host.pixels if forgery.untouched is None else forgery.untouched
    if cv2.absdiff(forgery.pixels, untouched)[forgery.mask].mean() < LEAST_CHANGE:
        return None
    chain = Chain.draw(rng, str(rng.choice(list(recipe.strata), p=_shares(recipe.strata))))
    boxes = tuple(filled(step.target_box, forgery.mask.shape) for step in forgery.steps)
    edited = chain.apply(forgery.pixels, (forgery.mask, *boxes), size=recipe.size)
    sibling = chain.apply(untouched, (), size=recipe.size)
    mask = edited.masks[0]
    if not recipe.least_area <= mask.mean() <= recipe.most_area:
        return None
    moved = zip(forgery.steps, edited.masks[1:], strict=True)
    shown = [replace(step, target_box=box_of(box)) for step, box in moved if box.any()]
    donors_used = tuple(dict.fromkeys(s.donor for s in forgery.steps if s.donor))
    return Pair(
        index=-1,
        edited=edited.data,
        sibling=sibling.data,
        suffix=edited.suffix,
        mask=mask,
        box=box_of(mask),
        engine=engine,
        sources=(host.source, *donors_used),
        steps=forgery.steps,
        shot_by=shot_by,
        laundered=edited.words,
        caption=caption(shown, mask.shape, rng),
    )


def _scene(material: Material, recipe: Recipe, rng: Rng, wider: float = 1.0) -> tuple[Material, str | None]:
    """A part of a photograph to work on, sometimes taken by the virtual camera first.

    `wider` makes it larger than a host would be: whole objects seldom fit into a training crop.
    """
    if recipe.size is None:
        side = (recipe.longest, recipe.longest)
    else:
        # Room for the chain to reduce, shift and cut.
        room = float(rng.uniform(1.1, 1.7)) * wider
        side = (round(recipe.size[0] * room), round(recipe.size[1] * room))
    part = _part(material, side, recipe.whole, rng)
    if rng.random() >= recipe.camera:
        if rng.random() >= recipe.scan:
            return part, None
        scan = Scan.draw(rng)
        return Material(scan.apply(part.pixels), part.source, part.name, None, part.things), scan.words
    camera = Camera.draw(rng)
    file = camera.shoot(part.pixels, rng)
    decoded = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    return Material(np.asarray(decoded, np.uint8), part.source, part.name, (0, 0), part.things), camera.words


def _part(material: Material, side: tuple[int, int], whole: float, rng: Rng) -> Material:
    """A crop of (height, width) `side`; with the chance `whole`, one up to four times as wide reduced to it."""
    if rng.random() >= whole:
        return crop(material, side, rng)
    wider = float(np.exp(rng.uniform(np.log(1.2), np.log(4.0))))
    part = crop(material, (round(side[0] * wider), round(side[1] * wider)), rng)
    high, wide = part.pixels.shape[:2]
    factor = max(side[0] / high, side[1] / wide)
    if factor >= 1:
        return part
    size = (round(high * factor), round(wide * factor))
    kernel = str(rng.choice(KERNELS))
    things = tuple(Thing(_scaled(t.box, factor), t.name) for t in part.things)
    return Material(Resize(factor, kernel, size).apply(part.pixels), part.source, part.name, None, things)


def _scaled(box: Box, factor: float) -> Box:
    x, y, width, height = (int(value * factor) for value in box)
    return x, y, width, height


def _shares(weights: dict[str, float]) -> NDArray[np.float64]:
    values = np.array(list(weights.values()), float)
    return np.asarray(values / values.sum())


# ---------------------------------------------------------------- workers

_state: dict[str, tuple[Sources, Recipe, int]] = {}


def _start(photographs: list[Photograph], recipe: Recipe, seed: int) -> None:
    cv2.setNumThreads(1)
    _state["own"] = (_sources(photographs, recipe), recipe, seed)


def _sources(photographs: list[Photograph], recipe: Recipe) -> Sources:
    return Sources(photographs, detector=_detector() if recipe.objects else None)


def _detector() -> Detector:
    """Raises ImportError or FileNotFoundError, with the cure, where it is not here."""
    from ifdl.nets.objects import ObjectDetector

    return ObjectDetector()


def _work(index: int) -> Pair:
    return pair(*_state["own"], index)
