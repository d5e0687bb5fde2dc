"""Which of two pictures that show the same may be the earlier one: what the facts of both files speak for.

Laid over each other, two pictures show where they differ, never which of them was changed. Their files may: by date,
by size, by how much of the scene they show, by the camera that they name. These are the files' own words, and can be
false.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import cv2
import numpy as np

from ifdl.signal import points
from ifdl.trace.index import camera, dated
from ifdl.trace.query import Hit
from ifdl.types import Picture

SMALLER = 0.9  # of the other's size, or of what it shows, from which the smaller counts as made from the larger
_DATE = re.compile(r"(\d{4})\D(\d\d)\D(\d\d)(?:\D(\d\d)\D(\d\d)\D(\d\d))?")


class Earlier(StrEnum):
    """Whose picture a fact speaks for as the earlier one."""

    ARCHIVE = "archive"
    EXAMINED = "examined"


@dataclass(frozen=True)
class Fact:
    """One fact: "dated 2019-03-01 against 2022-05-04" of the picture that it speaks for."""

    earlier: Earlier
    words: str


def facts(picture: Picture, hit: Hit) -> tuple[Fact, ...]:
    """What speaks for either of `picture` and the archive's as the earlier one; nothing where the two are the same."""
    if hit.identical or hit.proof.matrix is None:
        return ()
    found = (_dates(picture, hit), _size(hit), _extent(picture, hit), _camera(picture, hit))
    return tuple(fact for fact in found if fact is not None)


def sentence(told: tuple[Fact, ...]) -> str:
    """The facts in words; empty where there are none."""
    sides = {side: [f.words for f in told if f.earlier is side] for side in Earlier}
    archive, examined = ("; ".join(sides[side]) for side in (Earlier.ARCHIVE, Earlier.EXAMINED))
    if archive and examined:
        return (
            f"The files' own facts disagree on the earlier one: the archive's is {archive}; the examined is {examined}."
        )
    if archive or examined:
        named = "the archive's picture" if archive else "the examined picture"
        return f"The files' own facts speak for {named} as the earlier one: it is {archive or examined}."
    return ""


def _dates(picture: Picture, hit: Hit) -> Fact | None:
    ours, theirs = _moment(dated(picture.item)), _moment(hit.entry.dated)
    if ours is None or theirs is None or ours == theirs:
        return None
    side, first, last = (
        (Earlier.ARCHIVE, theirs, ours) if theirs < ours else (Earlier.EXAMINED, ours, theirs)
    )  # fmt: skip
    return Fact(side, f"dated {first:%Y-%m-%d %H:%M} against {last:%Y-%m-%d %H:%M}")


def _size(hit: Hit) -> Fact | None:
    scale = hit.proof.scale
    if SMALLER < scale < 1 / SMALLER:
        return None
    side = Earlier.ARCHIVE if scale < 1 else Earlier.EXAMINED
    return Fact(side, f"larger ({max(scale, 1 / scale):.2f} times as many pixels a side for the same thing)")


def _extent(picture: Picture, hit: Hit) -> Fact | None:
    """Which shows more of the scene: a crop is made from the whole."""
    matrix, width, height = hit.proof.matrix, hit.entry.width, hit.entry.height
    assert matrix is not None
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    theirs = points.apply(matrix, corners).astype(np.float32)
    ours = np.array(
        [[0, 0], [picture.width, 0], [picture.width, picture.height], [0, picture.height]], np.float32
    )  # fmt: skip
    if not np.isfinite(theirs).all():
        return None
    shared, _ = cv2.intersectConvexConvex(cv2.convexHull(theirs), ours)
    seen_of_theirs = shared / max(1.0, float(cv2.contourArea(theirs)))
    seen_of_ours = shared / (picture.width * picture.height)
    if (seen_of_theirs < SMALLER) == (seen_of_ours < SMALLER):
        return None
    if seen_of_theirs < SMALLER:
        return Fact(Earlier.ARCHIVE, f"wider (the other shows {seen_of_theirs:.0%} of it)")
    return Fact(Earlier.EXAMINED, f"wider (the other shows {seen_of_ours:.0%} of it)")


def _camera(picture: Picture, hit: Hit) -> Fact | None:
    ours, theirs = camera(picture.item), hit.entry.camera
    if bool(ours) == bool(theirs):
        return None
    return Fact(Earlier.ARCHIVE if theirs else Earlier.EXAMINED, "the only one that names a camera")


def _moment(text: str) -> datetime | None:
    """The moment that a file names, without its zone; None where that is no date."""
    found = _DATE.match(text.strip())
    if found is None:
        return None
    try:
        return datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
