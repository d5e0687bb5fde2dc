"""Pixel counts by level: all that a pixel score ever needs of a map and its truth, in 2 × 65,536 integers.

Maps are uint16, so the counts of edited and unedited pixels at each level hold the whole ROC curve: every
threshold, AUC and average precision follow from them exactly, ties included, without sorting a pixel.
Tallies add up, so a set is measured picture by picture, in any order and on any number of machines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 65536


@dataclass(frozen=True)
class Counts:
    """Pixels (or pictures) by truth and answer: true and false positives, false and true negatives.

    Integers for one threshold, or int64 arrays of one shape for many.
    """

    tp: Any
    fp: Any
    fn: Any
    tn: Any

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)


@dataclass(frozen=True, eq=False)
class Tally:
    """How many pixels `inside` and `outside` the truth have each level: two int64 arrays of 65,536."""

    inside: NDArray[np.int64]
    outside: NDArray[np.int64]

    @classmethod
    def of(cls, levels: NDArray[np.uint16], truth: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None) -> Tally:
        """Count a map of levels H×W against its truth H×W; pixels where `valid` is False are not counted.

        Raises ValueError if the shapes differ or the map is not uint16.
        """
        if levels.dtype != np.uint16:
            raise ValueError(f"a map is uint16 levels, not {levels.dtype}")
        if levels.shape != truth.shape or (valid is not None and valid.shape != truth.shape):
            shapes = [levels.shape, truth.shape] + ([] if valid is None else [valid.shape])
            raise ValueError(f"map, truth and valid must have one shape, not {', '.join(map(str, shapes))}")
        edited = np.asarray(truth, bool)
        if valid is not None:
            known = np.asarray(valid, bool)
            levels, edited = levels[known], edited[known]
        everywhere = np.bincount(levels.ravel(), minlength=LEVELS)
        inside = np.bincount(levels[edited], minlength=LEVELS)
        return cls(inside, everywhere - inside)

    @classmethod
    def empty(cls) -> Tally:
        """Of no pixel at all: what a sum starts from."""
        return cls(np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64))

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.inside + other.inside, self.outside + other.outside)

    def inverted(self) -> Tally:
        """The tally of the inverted map, 65535 − level."""
        return Tally(self.inside[::-1], self.outside[::-1])

    def counts(self, level: int) -> Counts:
        """Where pixels of `level` and above are marked; 65536 marks none."""
        tp, fp = int(self.inside[level:].sum()), int(self.outside[level:].sum())
        return Counts(tp, fp, int(self.inside.sum()) - tp, int(self.outside.sum()) - fp)

    def at_every_level(self) -> Counts:
        """Counts as arrays of 65,537, indexed by the threshold level 0 to 65536."""
        tp, fp = _at_and_above(self.inside), _at_and_above(self.outside)
        return Counts(tp, fp, tp[0] - tp, fp[0] - fp)

    def auc(self) -> float:
        """Chance that an edited pixel has a higher level than an unedited one, ties counting half.

        Exact up to the rounding of a double; nan if there are no edited or no unedited pixels.
        """
        edited, unedited = int(self.inside.sum()), int(self.outside.sum())
        if not edited or not unedited:
            return math.nan
        twice_below = 2 * np.cumsum(self.outside) - self.outside  # twice those below, once those level
        # In doubles: the integer product of the two classes overflows at a few thousand megapixels.
        return float(self.inside.astype(np.float64) @ twice_below) / (2.0 * edited * unedited)

    def average_precision(self) -> float:
        """Precision at each level, weighted by the recall gained there (as scikit-learn defines it, no interpolation).

        nan if there are no edited or no unedited pixels.
        """
        edited, unedited = int(self.inside.sum()), int(self.outside.sum())
        if not edited or not unedited:
            return math.nan
        gained = np.flatnonzero(self.inside)
        tp, fp = _at_and_above(self.inside)[gained], _at_and_above(self.outside)[gained]
        return float(self.inside[gained] @ (tp / (tp + fp))) / edited

    def roc(self, points: int = 200) -> list[list[float]]:
        """False-alarm rate and detection rate [x, y] from (0, 0) to (1, 1); [] if a class is missing."""
        c = self.at_every_level()
        if not c.tp[0] or not c.fp[0]:
            return []
        return _thinned((c.fp / c.fp[0])[::-1], (c.tp / c.tp[0])[::-1], points)

    def pr(self, points: int = 200) -> list[list[float]]:
        """Recall and precision [x, y], from the highest level that occurs down; [] if a class is missing."""
        c = self.at_every_level()
        if not c.tp[0] or not c.fp[0]:
            return []
        marked = c.tp + c.fp
        some = marked > 0
        return _thinned((c.tp[some] / c.tp[0])[::-1], (c.tp[some] / marked[some])[::-1], points)


def _at_and_above(count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels at each level 0 to 65536 and above."""
    above = np.zeros(LEVELS + 1, np.int64)
    np.cumsum(count[::-1], out=above[1:])
    return above[::-1]


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64], points: int) -> list[list[float]]:
    """At most `points` of a curve, evenly spaced along its length, ends kept."""
    length = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    chosen = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], points)))
    return [[round(float(x[i]), 5), round(float(y[i]), 5)] for i in chosen]
