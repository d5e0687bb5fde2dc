"""Graded maps against a graded truth: how much each pixel was changed, not only whether.

Both are uint16 H×W levels (0-65535 stand for 0-1). The usual graded truth is the grey difference between the edited
picture and its untouched sibling, 0 on authentic pictures: Huang et al., "FakeLocator", IEEE TIFS 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ifdl.evaluate.pixel import level_of

Levels = NDArray[np.uint16]
FULL = 65535
DEGREES = (0.1, 0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Graded:
    """One picture: errors in units of 0-1, correlations, and intersection over union by degree.

    A correlation is nan where either side is constant; an intersection over union is nan where neither side
    reaches that degree; everything is nan without a valid pixel.
    """

    mae: float
    rmse: float
    pearson: float
    spearman: float
    iou: dict[float, float]
    pixels: int


def compare(
    levels: Levels, degree: Levels, valid: NDArray[np.bool_] | None = None, degrees: Sequence[float] = DEGREES
) -> Graded:
    """A map against its truth, on the valid pixels (None: all). Raises ValueError if shapes or types do not fit."""
    if levels.dtype != np.uint16 or degree.dtype != np.uint16:
        raise ValueError("a graded map and its truth are uint16 levels")
    if levels.shape != degree.shape or (valid is not None and valid.shape != degree.shape):
        raise ValueError("map, truth and valid pixels have one shape")
    said, true = (levels.ravel(), degree.ravel()) if valid is None else (levels[valid], degree[valid])
    if not said.size:
        return Graded(math.nan, math.nan, math.nan, math.nan, dict.fromkeys(degrees, math.nan), 0)
    error = (said.astype(np.float64) - true) / FULL
    return Graded(
        mae=float(np.abs(error).mean()),
        rmse=float(np.sqrt(np.square(error).mean())),
        pearson=pearson(said.astype(np.float64), true.astype(np.float64)),
        spearman=pearson(ranks(said), ranks(true)),
        iou={t: iou_at(said, true, t) for t in degrees},
        pixels=int(said.size),
    )


def iou_at(said: Levels, true: Levels, degree: float) -> float:
    """Intersection over union of what reaches `degree` (in [0, 1]) on either side; level 0 never does."""
    level = level_of(degree)
    a, b = said >= level, true >= level
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else math.nan


def pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's correlation; nan where either is constant."""
    if (a == a[0]).all() or (b == b[0]).all():
        return math.nan
    x, y = a - a.mean(), b - b.mean()
    return float(np.clip((x @ y) / math.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def ranks(levels: Levels) -> NDArray[np.float64]:
    """Rank of each value from 1, ties sharing their mean rank, by counting levels instead of sorting pixels."""
    counts = np.bincount(levels, minlength=FULL + 1)
    return (np.cumsum(counts) - (counts - 1) / 2)[levels]
