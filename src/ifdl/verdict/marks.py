"""One map from all tests that answer on local edits: the expert's, and above its threshold what the clues support.

Of two places that repeat each other, the one that the expert marks more is taken for the part that was put in. That
is done already where likeness and mark are together too weak to be spoken of (`ifdl.joint.marked_copy`): the map says
where an edit would be, the answer whether there is one. How weak was chosen on forged calibration photographs
(`results/copies.json`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ifdl.joint import marked_copy
from ifdl.signal import rle
from ifdl.signal.regions import mask_of
from ifdl.types import Finding, Map, Prediction, Question, State

HALF = np.uint16(32768)


def together(findings: Sequence[Finding], predictions: Sequence[Prediction]) -> Map | None:
    """The map, on the grid of the first prediction that has one; None without any.

    A supported region, and of a likeness the likelier copy, gets 0.5 and half of what the expert gives, so that it lies
    above the expert's threshold and the expert still orders its pixels. Where there is none, it is the expert's map.
    """
    heat = next((p.heat for p in predictions if p.heat is not None), None)
    if heat is None:
        return None
    own = [f for f in findings if f.question == Question.LOCAL_EDIT and not f.experimental]
    copied = [likeness for f in own if f.clue == marked_copy.CARD.id for likeness in f.alike]
    # Experts have marked it already, and copies are marked at one end where that is known.
    left = {p.expert for p in predictions} | {marked_copy.CARD.id} | ({"copymove"} if copied else set())
    regions = [r for f in own if f.state == State.SUPPORTED and f.clue not in left for r in f.regions]
    masks = [rle.decode(likeness.ends[0]) for likeness in copied] + (
        [mask_of(tuple(regions), heat.size)] if regions else []
    )
    if not masks:
        return heat
    levels = heat.values.copy()
    marked = np.logical_or.reduce([marked_copy.on_cells(mask, heat) for mask in masks])
    levels[marked] = HALF + heat.values[marked] // 2
    return Map(levels, heat.size, heat.stride, heat.origin, heat.valid)
