"""Does this part of the picture differ? Every test answers for the part, against places like it in the same picture.

A test says supports, against or cannot tell, and why. Tests share data and traces, so their answers stand side by side
and are never multiplied or counted into one number. Nothing here changes the verdict on the picture as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ifdl.ask._background import Comparison, cells_of, compare, inside
from ifdl.signal.regions import mask_of, region_of
from ifdl.types import Finding, Map, Number, Picture, Prediction, Question, Region, State

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

CHANCE = 0.025  # share of draws that lie as high, at most, for "supports"
RANK = 0.7  # share of matched cells that the part's cells exceed, at least, for "supports"
ALIKE = 0.8  # share of draws below the part up to which it is like them
FEWEST = 6  # cells
SAME = 0.995  # share of one value from which a map says nothing
TRUST = 0.5  # mean reliability below which an expert's map is as likely wrong as right
LOOKED_AT = ("ela",)  # layers for the eye, never scored
ONCE_IN = 20  # random parts of untouched pictures, of which at most one is "supports", by test


class Say(StrEnum):
    """What one test says of a part: that it differs from places like it, that it does not, or neither."""

    SUPPORTS = "supports"
    AGAINST = "against"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Testimony:
    """One test's answer. `numbers` hold rank, draws and cells where the part could be compared."""

    test: str
    say: Say
    sentence: str
    numbers: dict[str, Number] = field(default_factory=dict)
    experimental: bool = False


@dataclass(frozen=True)
class Asked:
    """The part asked about, and what every test says of it, those that say most first."""

    region: Region
    sentence: str
    tests: tuple[Testimony, ...]


def part(
    picture: Picture,
    box: Box | None = None,
    polygon: Sequence[tuple[int, int]] | None = None,
    mask: Mask | None = None,
) -> Mask:
    """The part as a mask bool H×W: exactly one of a box (x, y, width, height), a polygon (x, y) or a mask.

    Stored pixels; what lies beyond the picture is cut off. Raises ValueError that says what is wrong.
    """
    size = (picture.height, picture.width)
    if sum(given is not None for given in (box, polygon, mask)) != 1:
        raise ValueError("name one part: a box, a polygon or a mask")
    drawn = np.zeros(size, np.uint8)
    if mask is not None:
        if mask.shape != size:
            raise ValueError(f"the mask is {mask.shape[1]}×{mask.shape[0]}, the picture {size[1]}×{size[0]} pixels")
        drawn = mask.astype(np.uint8)
    elif box is not None:
        x, y, width, height = box
        if width <= 0 or height <= 0:
            raise ValueError("a box is at least one pixel wide and high")
        drawn[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = 1
    elif polygon is not None:
        if len(polygon) < 3:
            raise ValueError("a polygon has at least three corners")
        corners = np.clip(np.asarray(polygon, np.float64), -(2.0**15), 2.0**20).astype(np.int32)
        cv2.fillPoly(drawn, [corners], (1,))
    if not drawn.any():
        raise ValueError(f"the part lies outside the picture of {size[1]}×{size[0]} pixels, or is empty")
    return drawn > 0


def ask(picture: Picture, findings: Sequence[Finding], predictions: Sequence[Prediction], mask: Mask) -> Asked:
    """What every test that ran says of the part under `mask` (bool H×W, stored pixels)."""
    trust = {p.expert: p.reliability for p in predictions}
    told = [_told(finding, picture, mask, trust.get(finding.clue)) for finding in _one_each(findings)]
    known = {t.test for t in told}
    for prediction in predictions:
        if prediction.expert not in known:
            told.append(_of_map(prediction.expert, prediction.heat, prediction.reliability, picture, mask, False))
    order = list(Say)
    told.sort(key=lambda t: (order.index(t.say), t.experimental))
    return Asked(region_of(mask, picture.item.orientation), _summary(told), tuple(told))


def _one_each(findings: Sequence[Finding]) -> list[Finding]:
    """One finding for each clue: the one with a map, else on local edits, else its first."""
    best: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda f: (f.map is None, f.question != Question.LOCAL_EDIT)):
        best.setdefault(finding.clue, finding)
    return [best[clue] for clue in dict.fromkeys(f.clue for f in findings)]


def _told(finding: Finding, picture: Picture, mask: Mask, trust: Map | None) -> Testimony:
    if finding.state in (State.OUT_OF_DOMAIN, State.FAILED, State.NOT_RUN):
        why = "out of domain" if finding.state == State.OUT_OF_DOMAIN else str(finding.state).lower().replace("_", " ")
        return _silent(finding.clue, f"{why}: {finding.sentence}", finding.experimental)
    if finding.map is None:
        return _silent(finding.clue, "no map: it speaks of the file as a whole.", finding.experimental)
    if finding.clue in LOOKED_AT:
        return _silent(finding.clue, "a layer to look at, which is never scored.", finding.experimental)
    besides = mask_of(finding.regions, mask.shape) if finding.regions else None
    return _of_map(finding.clue, finding.map, trust, picture, mask, finding.experimental, besides)


def _of_map(
    test: str,
    map: Map,
    trust: Map | None,
    picture: Picture,
    mask: Mask,
    experimental: bool,
    besides: Mask | None = None,
) -> Testimony:
    cells = cells_of(map, picture)
    values = cells.values[cells.valid]
    if not values.size or np.unique(values, return_counts=True)[1].max() >= SAME * values.size:
        return _silent(test, "it measured the same everywhere in this picture.", experimental)
    count = int(np.count_nonzero(inside(cells, mask)))
    if count < FEWEST:
        return _silent(test, f"too few cells: it measured {count} in this part, and {FEWEST} are needed.", experimental)
    found = compare(cells, mask, besides)
    if found is None:
        return _silent(test, "too little background of the part's shape is left beside it.", experimental)
    if found.cells < max(FEWEST, found.unmatched):
        return _silent(test, "no background: nothing of like texture and brightness lies elsewhere.", experimental)
    if trust is not None and (share := _mean_inside(trust, picture, mask)) < TRUST:
        return _silent(test, f"it does not trust its own map here (reliability {share:.2f} of 1).", experimental)
    say, sentence = _judged(found)
    numbers: dict[str, Number] = {
        "rank": round(found.rank, 3),
        "share_of_draws_below": round(found.below, 3),
        "draws": found.draws,
        "cells": found.cells,
    }
    return Testimony(test, say, sentence, numbers, experimental)


def _judged(found: Comparison) -> tuple[Say, str]:
    """Words for a comparison. Counts, not percentages: none of this is a probability of an edit."""
    lower = int(found.below * found.draws)
    shown = (
        f"it lies above {lower} of {found.draws} places of like texture and brightness, and its cells exceed "
        f"{100 * found.rank:.0f} of 100 such cells"
    )
    if found.chance <= CHANCE and found.rank >= RANK:
        return Say.SUPPORTS, f"This part stands out from the rest: {shown}."
    if found.below <= ALIKE:
        rest = "An edit that this test cannot see remains possible."
        return Say.AGAINST, f"This part is like the rest: {shown}. {rest}"
    return Say.CANNOT_TELL, f"This part is somewhat higher than the rest, as some places always are: {shown}."


def _silent(test: str, reason: str, experimental: bool) -> Testimony:
    return Testimony(test, Say.CANNOT_TELL, reason[0].upper() + reason[1:], {}, experimental)


def _mean_inside(map: Map, picture: Picture, mask: Mask) -> float:
    cells = cells_of(map, picture)
    weight = cells.cover(mask) * cells.valid
    return float((cells.values * weight).sum() / max(float(weight.sum()), 1e-6))


def _summary(told: Sequence[Testimony]) -> str:
    counted = [t for t in told if not t.experimental]
    count = {say: sum(t.say == say for t in counted) for say in Say}
    trial = sum(t.experimental and t.say == Say.SUPPORTS for t in told)
    judged = count[Say.SUPPORTS] + count[Say.AGAINST]
    if not judged:
        lead = "No test can tell whether this part differs from the rest."
    else:
        tests = "test supports" if count[Say.SUPPORTS] == 1 else "tests support"
        lead = (
            f"{count[Say.SUPPORTS]} {tests} that this part differs from places like it, {count[Say.AGAINST]} against, "
            f"{count[Say.CANNOT_TELL]} cannot tell."
        )
    if trial:
        lead += f" {trial} experimental {'test' if trial == 1 else 'tests'} beside, not counted: supports."
    if count[Say.SUPPORTS] or trial:
        lead += (
            f" Each test says so of at most 1 in {ONCE_IN} parts picked at random in untouched pictures; tests share "
            "traces, so their answers are not multiplied."
        )
    return lead


def to_dict(asked: Asked, picture: Picture) -> dict[str, Any]:
    """The answers as plain JSON values, with the picture's name, hash and stored size."""
    item = picture.item
    about = {"name": item.name, "sha256": item.sha256, "width": item.width, "height": item.height}
    plain: dict[str, Any] = TypeAdapter(Asked).dump_python(asked, mode="json")
    plain["region"]["area"] = float(f"{asked.region.area:.6g}")
    return {"item": about, **plain}
