"""The marked area as data: a picture of black and white, and COCO run lengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ifdl.report.parts import card_of, edited_regions, local_edit
from ifdl.signal import rle
from ifdl.signal.orientation import to_display
from ifdl.signal.regions import mask_of
from ifdl.types import Report


def union(report: Report) -> NDArray[np.uint8] | None:
    """All regions of the local-edit answer as uint8 H×W in stored pixels, 255 = marked; None without any."""
    regions = edited_regions(report)
    if not regions:
        return None
    marked = mask_of(regions, (report.item.height, report.item.width))
    return np.where(marked, np.uint8(255), np.uint8(0))


def displayed(report: Report) -> NDArray[np.uint8] | None:
    """`union` turned as a viewer shows the picture."""
    mask = union(report)
    return None if mask is None else to_display(mask, report.item.orientation)


def to_coco(report: Report) -> dict[str, object] | None:
    """`union` as COCO run lengths in stored pixels, with the threshold in words; None without regions."""
    mask = union(report)
    if mask is None:
        return None
    runs = rle.encode(mask)
    return {"size": list(runs.size), "counts": runs.counts, "space": "stored", "threshold": threshold(report)}


def threshold(report: Report) -> str:
    """What a pixel had to exceed to be marked, in the words of the clues that the answer rests on."""
    answer = local_edit(report)
    named = answer.findings if answer is not None else ()
    clues = dict.fromkeys(f.clue for f in report.verdict.findings if f.id in named and f.regions)
    rules = [f"{clue}: {card.threshold}" for clue in clues if (card := card_of(clue)) and card.threshold]
    return "union of the answer's regions" + (f"; {'; '.join(rules)}" if rules else "")
