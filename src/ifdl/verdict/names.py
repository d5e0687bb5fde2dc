"""Names for marked parts: what an object detector takes them for, where its weights are on this machine.

A name is a guess for the reader ("perhaps a cup"); no answer and no word of certainty rests on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ifdl.nets.objects import YOLOX_NANO, Detection, name_regions
from ifdl.nets.weights import path_of
from ifdl.types import Finding, Picture, Region, Verdict

PLURAL = ("skis", "scissors", "broccoli")  # names that take no article
Detector = Callable[[NDArray[Any]], list[Detection]]


def named(picture: Picture, verdict: Verdict, detector: Detector | None = None) -> Verdict:
    """The verdict with the regions it points at named, in its list and in its findings; as it is without weights.

    A region that its test named ("copy A") keeps that name. `detector` stands in for YOLOX-Nano of
    `ifdl models fetch yolox_nano`.
    """
    bare = tuple(r for r in verdict.regions if r.name is None)
    called = {r.id: replace(r, name=guess(r.name)) for r in name_regions(picture, bare, detector) if r.name}
    if not called:
        return verdict

    def own(regions: tuple[Region, ...]) -> tuple[Region, ...]:
        return tuple(called.get(r.id, r) for r in regions)

    def told(finding: Finding) -> Finding:
        return replace(finding, regions=own(finding.regions))

    return replace(verdict, regions=own(verdict.regions), findings=tuple(told(f) for f in verdict.findings))


def guess(name: str) -> str:
    """ "perhaps a cup" """
    article = "" if name in PLURAL else "an " if name[0] in "aeiou" else "a "
    return f"perhaps {article}{name}"


def weights() -> dict[str, str]:
    """sha256 of the detector's weights, by name; empty without them."""
    place = path_of(YOLOX_NANO)
    return {} if place is None else {YOLOX_NANO.name: hashlib.sha256(place.read_bytes()).hexdigest()}
