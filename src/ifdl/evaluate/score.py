"""One picture under a protocol: its output against its truth, as plain numbers, without a look at any other picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ifdl.evaluate import pixel
from ifdl.evaluate.pixel import PixelRule
from ifdl.evaluate.protocol import RANKED, Number, Protocol, Size
from ifdl.evaluate.systems import Output
from ifdl.evaluate.tally import Tally
from ifdl.types import State

COARSE = 256  # levels kept of each picture for pooled curves in plots; numbers use all 65,536
Levels = NDArray[np.uint16]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """`values` by number name (NaN where a number says nothing of this picture), `counts` (tp, fp, fn, tn) of pooled
    ones, `curve` int64 2×256: pixels inside and outside the mask by coarse level."""

    values: dict[str, float] = field(default_factory=dict)
    counts: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    curve: NDArray[np.int64] | None = None


def of_picture(protocol: Protocol, output: Output, truth: Mask, label: str, threshold: float | None) -> Scores:
    """All pixel numbers of one picture; `truth` bool H×W at stored size, `threshold` the system's own.

    Raises ValueError where a number wants the system's own threshold and it has neither that nor marks.
    """
    wanted = {name: n for name, n in protocol.numbers.items() if n.pixel and counts_for(n, label)}
    if not wanted:
        return Scores()
    levels = np.zeros(truth.shape, np.uint16) if output.heat is None else output.heat.at_full_size()
    failed = np.zeros(truth.shape, bool) if output.state == State.FAILED else None
    levels, marked, truth = fitted(levels, output.marked if failed is None else failed, truth, protocol.size)
    valid = pixel.band(truth, *protocol.band) if any(protocol.band) and truth.any() else None
    heat = Tally.of(levels, truth, valid)
    marks = None if marked is None else Tally.of(marked.astype(np.uint16) * np.uint16(65535), truth, valid)
    silence = Tally.of(np.zeros_like(levels), truth, valid)
    silent = {True: not says_edited(output), False: False}
    values: dict[str, float] = {}
    counts: dict[str, tuple[int, int, int, int]] = {}
    for name, number in wanted.items():
        tally, share = heat, number.at
        if number.threshold == "own" and number.metric not in RANKED:
            tally, share = (heat, threshold) if marks is None else (marks, 0.5)
            if share is None:
                raise ValueError("this protocol wants the system's own threshold; give one (--threshold)")
        if silent[number.gated]:
            tally, share = silence, 0.5 if share is None else share
        if number.averaging == "pooled":
            turned = tally.inverted() if number.polarity == "inverted" else tally
            c = turned.counts(pixel.level_of(0.5 if share is None else share))
            counts[name] = (c.tp, c.fp, c.fn, c.tn)
        else:
            values[name] = _value(number, tally, share)
    inside, outside = (t.reshape(COARSE, -1).sum(axis=1) for t in (heat.inside, heat.outside))
    return Scores(values, counts, np.stack([inside, outside]))


def counts_for(number: Number, label: str) -> bool:
    """Whether a picture of that label enters the number; synthetic ones have no mask and enter none."""
    return label != "synthetic" and number.pictures in ("all", label)


def says_edited(output: Output) -> bool:
    """The system's own answer: the class it names, else whether it supports an edit."""
    return output.said == "edited" if output.said is not None else output.state == State.SUPPORTED


def fitted(levels: Levels, marked: Mask | None, truth: Mask, size: Size) -> tuple[Levels, Mask | None, Mask]:
    """Map, marks and truth at the protocol's size, interpolated linearly; marks and truth are cut again at one half."""
    height, width = truth.shape
    if size.policy == "native" or size.side is None:
        return levels, marked, truth
    if size.policy == "resize":
        to = (size.side, size.side)
    else:
        factor = size.side / max(height, width)
        factor = min(factor, 1.0) if size.policy == "pad" else factor
        to = (max(1, round(width * factor)), max(1, round(height * factor)))
    if to == (width, height):
        return levels, marked, truth
    small, cut = pixel.resized(levels, truth, to[::-1])
    return small, None if marked is None else pixel.resized(levels, marked, to[::-1])[1], cut


def _value(number: Number, tally: Tally, share: float | None) -> float:
    if number.metric == "auc":
        return tally.auc()
    if number.metric == "average_precision":
        return tally.average_precision()
    if number.metric == "area":
        c = tally.counts(pixel.level_of(0.5 if share is None else share))
        return float((c.tp + c.fp) / max(1, c.tp + c.fp + c.fn + c.tn))
    best = number.threshold == "best_per_picture"
    rule = PixelRule(
        threshold="best_per_picture" if best else "fixed",
        level=None if best else share,
        polarity=number.polarity,
        empty=number.empty,
    )
    return pixel.per_picture(tally, rule)[number.metric]
