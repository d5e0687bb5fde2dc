"""Claims of place and size: position words, boxes, borders, order of two places, share of the picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ifdl.explain import _claims_words as words
from ifdl.explain._claims_facts import Claim, Clause, Facts, Mode, places_of
from ifdl.types import Region, State

LEAST = 0.5  # of a region's pixels, for it to lie in a part of the picture; or its centre does
HALF = 0.6
BORDER = 0.05  # of the side, for a region to reach the picture's border
IOU = 0.6
_ROWS = {"upper": 0, "top": 0, "topmost": 0, "uppermost": 0, "lower": 2, "bottom": 2, "lowermost": 2}
_COLUMNS = {"left": 0, "leftmost": 0, "right": 2, "rightmost": 2}
_MIDDLE = ("middle", "centre", "center", "central", "centrally")
_WORD = "|".join([*_ROWS, *_COLUMNS, *_MIDDLE])
PLACE = re.compile(rf"\b({_WORD})(?:-hand)?(?:[\s-]+({_WORD})(?:-hand)?)?\b(?! no| behind| trace| out| in the file)")
HALVES = re.compile(r"\b(left|right|upper|top|lower|bottom)(?:-hand|most)? half\b")
EDGE = re.compile(
    rf"\b(?:({_WORD})(?:-hand)?|(?:the|its|an|near|at|along|touch\w*)) (?:edge|border|margin|side)s?\b"
    r"(?= of the (?:picture|image|photo|frame)|$| |,)"
)
NUMBER = r"(\d+(?:\.\d+)?)"
_BETWEEN = r"\s*(?:-|to|and|,|\.\.)\s*"
RANGES = re.compile(rf"\bx\s*[=:]?\s*{NUMBER}{_BETWEEN}{NUMBER}\D{{0,8}}\by\s*[=:]?\s*{NUMBER}{_BETWEEN}{NUMBER}")
BOX = re.compile(
    rf"[\[(]?\s*{NUMBER}\s*,\s*{NUMBER}\s*[\])]?\s*(?:,|-|to|;)\s*[\[(]?\s*{NUMBER}\s*,\s*{NUMBER}\s*[\])]?"
)
POINT = re.compile(
    rf"\(\s*{NUMBER}\s*,\s*{NUMBER}\s*\)|\bx\s*[=:]?\s*{NUMBER}\s*,?\s*(?:and )?y\s*[=:]?\s*{NUMBER}\b(?!\s*-)"
)
_RELATION = re.compile(r"\b(above|below|beneath|underneath|over|under)\b(?= the (?:first|second|other|original)| it\b)")


def position(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Position words against the masks of the findings that the clause is about, as displayed."""
    if clause.mode != Mode.FOUND:
        return
    groups = [g for f in clause.subjects if f.state == State.SUPPORTED and (g := f.regions)]
    for match in (*HALVES.finditer(clause.text), *PLACE.finditer(HALVES.sub(" . ", clause.text))):
        named = [word for word in match.groups() if word]
        half = match.re is HALVES
        held = [[r for r in group if _lies(facts.shown(r), named, half)] for group in groups]
        fits = bool(held) and (all(held) if clause.cues else any(held))
        yield _claim("position", match[0], fits, held, "no region of these findings lies there")
    for match in EDGE.finditer(clause.text):
        if re.search(r"side", match[0]) or (not match[1] and "of the" not in clause.text[match.end() :][:8]):
            continue
        held = [[r for r in group if _reaches(facts.shown(r), match[1])] for group in groups]
        yield _claim("position", match[0], bool(held) and all(held), held, "no region reaches that border")
    for match in _RELATION.finditer(clause.text):
        boxes = [r.box for r in places_of(clause.subjects)]
        apart = any(abs(a[1] - b[1]) >= max(a[3], b[3]) / 2 for a, b in pairwise(boxes))
        yield _claim("position", match[0], apart, groups, "no two regions lie so")


def boxes(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Boxes (corner and size, or two corners) against regions by overlap, points by lying inside; stored pixels."""
    regions = places_of(clause.subjects)
    text = clause.text
    for match in RANGES.finditer(text):
        x0, x1, y0, y1 = map(float, match.groups())
        yield _box(match[0], [(x0, y0, x1, y1)], regions)
    text = RANGES.sub(" . ", text)
    for match in BOX.finditer(text):
        a, b, c, d = map(float, match.groups())
        yield _box(match[0], [(a, b, c, d), (a, b, a + c, b + d)], regions)
    for match in POINT.finditer(BOX.sub(" . ", text)):
        x, y = (float(n) for n in match.groups() if n)
        held = [r for r in regions if r.box[0] <= x <= r.box[0] + r.box[2] and r.box[1] <= y <= r.box[1] + r.box[3]]
        yield _claim("position", match[0], bool(held), [held], "no region holds that point")


def without_boxes(text: str) -> str:
    return POINT.sub(" . ", BOX.sub(" . ", RANGES.sub(" . ", text)))


def size(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Size words ("small", "half of") against each region's share of the picture, or that of all together."""
    if clause.mode != Mode.FOUND:
        return
    regions = places_of(clause.subjects)
    whole_file = bool(clause.cues) and not regions  # "the whole picture was saved again" is no claim of a region
    for pattern, least, most in words.SIZE:
        for match in pattern.finditer(clause.text):
            if whole_file and least >= 0.9:
                continue
            held = [r for r in regions if least <= r.area <= most]
            together = least <= sum(r.area for r in regions) <= most and least > 0
            yield _claim("size", match[0], bool(held) or together, [held or regions], "no region is of that size")


def _lies(mask: NDArray[np.bool_], named: list[str], half: bool) -> bool:
    height, width = mask.shape
    ys, xs = np.nonzero(mask)
    v, u = (ys + 0.5) / height, (xs + 0.5) / width
    inside, centred = np.ones(ys.size, bool), True
    parts = 2 if half else 3
    rows = [1 if _ROWS[w] and half else _ROWS[w] for w in named if w in _ROWS]
    columns = [1 if _COLUMNS[w] and half else _COLUMNS[w] for w in named if w in _COLUMNS]
    if any(w in _MIDDLE for w in named):
        rows, columns = rows or [1], columns or [1]
    for wanted, place in ((rows, v), (columns, u)):
        if wanted:
            inside &= np.isin((place * parts).astype(int), wanted)
            centred &= int(place.mean() * parts) in wanted
    return bool(inside.mean() >= HALF) if half else bool(inside.mean() >= LEAST or centred)


def _reaches(mask: NDArray[np.bool_], side: str | None) -> bool:
    height, width = mask.shape
    strips = {
        "upper": mask[: max(1, int(BORDER * height))],
        "lower": mask[-max(1, int(BORDER * height)) :],
        "left": mask[:, : max(1, int(BORDER * width))],
        "right": mask[:, -max(1, int(BORDER * width)) :],
    }
    side = {"top": "upper", "bottom": "lower", "rightmost": "right", "leftmost": "left"}.get(side or "", side)
    return bool(strips[side].any()) if side in strips else any(bool(s.any()) for s in strips.values())


def _box(text: str, readings: list[tuple[float, float, float, float]], regions: tuple[Region, ...]) -> Claim:
    held = [r for r in regions if any(_iou(corners, r.box) >= IOU for corners in readings)]
    return _claim("position", text, bool(held), [held], "no region lies in that box")


def _iou(corners: tuple[float, float, float, float], box: tuple[int, int, int, int]) -> float:
    x, y, width, height = box
    across = min(corners[2], x + width) - max(corners[0], x)
    down = min(corners[3], y + height) - max(corners[1], y)
    if across <= 0 or down <= 0:
        return 0.0
    common = across * down
    return common / ((corners[2] - corners[0]) * (corners[3] - corners[1]) + width * height - common)


def _claim(kind: str, text: str, supported: bool, held: object, why: str) -> Claim:
    groups = held if isinstance(held, list) else []
    ids = tuple(dict.fromkeys(r.id for group in groups for r in group)) if supported else ()
    return Claim(kind, text, supported, "" if supported else why, regions=ids)
