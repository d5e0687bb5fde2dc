"""One map from all tests that answer on local edits: the expert's, and above its threshold what the clues support.

Of the ends of a copy, which look alike to the copy-move test, the one that the expert marks more is taken for the part
that was put in. On forged calibration photographs it mostly is, and marking that end of every copy alone,
beside whatever else the expert marks, gives a higher IoU than marking all ends or none (`results/marks.json`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ifdl.signal.regions import mask_of
from ifdl.types import Finding, Map, Prediction, Question, Region, State

HALF = np.uint16(32768)
COPIES = ("copymove",)  # tests whose regions are the two ends of a copy, and of the next


def together(findings: Sequence[Finding], predictions: Sequence[Prediction]) -> Map | None:
    """The map, on the grid of the first prediction that has one; None without any.

    A supported region gets 0.5 and half of what the expert gives, so that it lies above the expert's threshold and
    the expert still orders its pixels. Where no clue supports an edit, it is the expert's map itself.
    """
    heat = next((p.heat for p in predictions if p.heat is not None), None)
    experts = {p.expert for p in predictions}
    held = [
        f
        for f in findings
        if f.question == Question.LOCAL_EDIT
        and f.state == State.SUPPORTED
        and not f.experimental
        and f.clue not in experts
        and f.regions
    ]
    if heat is None or not held:
        return heat
    levels = heat.values.copy()
    for finding in held:
        regions = put_in(finding.regions, heat) if finding.clue in COPIES else finding.regions
        marked = _cells(regions, heat)
        levels[marked] = HALF + heat.values[marked] // 2
    return Map(levels, heat.size, heat.stride, heat.origin, heat.valid)


def put_in(ends: Sequence[Region], heat: Map) -> tuple[Region, ...]:
    """Of every copy's two ends, which follow one another, that with the higher mean in the expert's map; the first
    where they are level."""
    return tuple(max(ends[n : n + 2], key=lambda end: _mean(end, heat)) for n in range(0, len(ends), 2))


def _mean(region: Region, heat: Map) -> float:
    marked = _cells((region,), heat)
    return float(heat.values[marked].mean()) if marked.any() else 0.0


def _cells(regions: Sequence[Region], heat: Map) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Cells of the map whose middle lies in one of the regions."""
    full = mask_of(tuple(regions), heat.size)
    rows, columns = (
        np.clip(start + heat.stride * np.arange(count) + heat.stride // 2, 0, most - 1)
        for start, count, most in zip(heat.origin[::-1], heat.values.shape, heat.size, strict=True)
    )
    return full[np.ix_(rows, columns)]
