"""Boxes against boxes: intersection over union, matching, precision and recall, average precision, pointing hits.

A box is (x, y, width, height) in stored pixels, edges real numbers: no pixel is added to width or height. Several
boxes are a float array N×4; an empty list of boxes is allowed everywhere.

Sources: Lin et al., "Microsoft COCO", ECCV 2014, with the rules of its evaluation server (average precision);
Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016 (the pointing game).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

Pair = tuple[int, int]
COCO_THRESHOLDS = tuple(round(0.5 + 0.05 * n, 2) for n in range(10))
RECALLS = np.linspace(0.0, 1.0, 101)  # where COCO reads the precision-recall curve
MOST = 100  # boxes a picture, the best ones


@dataclass(frozen=True)
class Found:
    """How many boxes were right (`tp`), wrong (`fp`) and missed (`fn`), of one picture or of many added up.

    A share without any box to count is nan.
    """

    tp: int
    fp: int
    fn: int

    def __add__(self, other: Found) -> Found:
        return Found(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return _share(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)


@dataclass(frozen=True, eq=False)
class Detections:
    """One picture for `average_precision`: `boxes` N×4 with `scores` N (higher is surer), and `truth` M×4."""

    boxes: ArrayLike
    scores: ArrayLike
    truth: ArrayLike


def iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of every box of `a` with every box of `b`, N×M; 0 where both have no area."""
    left, right = _boxes(a)[:, None, :], _boxes(b)[None, :, :]
    starts = np.maximum(left[..., :2], right[..., :2])
    ends = np.minimum(left[..., :2] + left[..., 2:], right[..., :2] + right[..., 2:])
    shared = np.clip(ends - starts, 0.0, None).prod(axis=-1)
    union = left[..., 2:].prod(axis=-1) + right[..., 2:].prod(axis=-1) - shared
    return np.asarray(shared / np.where(union > 0, union, 1.0), np.float64)


def greedy(overlap: NDArray[np.float64], threshold: float = 0.5) -> list[Pair]:
    """Pairs (row, column), best overlap first, each row and column once, none below the threshold."""
    pairs: list[Pair] = []
    rows, columns = np.nonzero(overlap >= threshold)
    order = np.argsort(-overlap[rows, columns], kind="stable")
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if all(row != r and column != c for r, c in pairs):
            pairs.append((row, column))
    return pairs


def hungarian(overlap: NDArray[np.float64], threshold: float = 0.5) -> list[Pair]:
    """Pairs (row, column) as in `greedy`, but as many as there can be, and of those the largest total overlap."""
    good = overlap >= threshold
    # One more pair outweighs any sum of overlaps, so that a good pair is never given up for a closer fit elsewhere.
    rows, columns = linear_sum_assignment(np.where(good, min(overlap.shape) + 1 + overlap, 0.0), maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if good[r, c]]


def found(
    said: ArrayLike, truth: ArrayLike, threshold: float = 0.5, matching: Literal["hungarian", "greedy"] = "hungarian"
) -> Found:
    """Right, wrong and missed boxes of one picture; on an authentic picture every box said is wrong."""
    overlap = iou(said, truth)
    pairs = (greedy if matching == "greedy" else hungarian)(overlap, threshold)
    return Found(len(pairs), overlap.shape[0] - len(pairs), overlap.shape[1] - len(pairs))


def average_precision(pictures: Iterable[Detections], threshold: float = 0.5) -> float:
    """COCO's average precision of one class: mean over 101 recalls of the best precision at that recall or above.

    Boxes of all pictures are ranked together; in each picture the surest box takes the free true box that it
    overlaps most. nan without any true box. No sizes are told apart and no crowds left out.
    """
    scores: list[float] = []
    hits: list[bool] = []
    wanted = 0
    for picture in pictures:
        own = np.asarray(picture.scores, np.float64).reshape(-1)
        overlap = iou(picture.boxes, picture.truth)
        if len(own) != len(overlap):
            raise ValueError(f"{len(overlap)} boxes with {len(own)} scores")
        wanted += overlap.shape[1]
        best_first = np.argsort(-own, kind="stable")[:MOST]
        scores += own[best_first].tolist()
        hits += _taken(overlap[best_first], threshold)
    if not wanted:
        return float("nan")
    right = np.array(hits, bool)[np.argsort(-np.array(scores), kind="stable")]
    tp = np.cumsum(right)
    precision = tp / np.arange(1, len(right) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(tp / wanted, RECALLS, side="left")
    return float(np.append(best_from_here, 0.0)[at].mean())


def coco(pictures: Sequence[Detections], thresholds: Sequence[float] = COCO_THRESHOLDS) -> float:
    """COCO's headline: average precision, averaged over overlap thresholds from 0.5 to 0.95."""
    return float(np.mean([average_precision(pictures, threshold) for threshold in thresholds]))


def pointing_hit(boxes: ArrayLike, scores: ArrayLike, truth: NDArray[np.bool_]) -> bool:
    """Whether the centre of the surest box lies on a true pixel of `truth` H×W; no box is a miss.

    Raises ValueError on an authentic picture, which has nothing to point at.
    """
    if not truth.any():
        raise ValueError("nothing to point at: the truth is empty")
    every, sure = _boxes(boxes), np.asarray(scores, np.float64).reshape(-1)
    if len(every) != len(sure):
        raise ValueError(f"{len(every)} boxes with {len(sure)} scores")
    if not len(every):
        return False
    x, y, width, height = every[int(np.argmax(sure))]
    row, column = int(np.floor(y + height / 2)), int(np.floor(x + width / 2))
    return 0 <= row < truth.shape[0] and 0 <= column < truth.shape[1] and bool(truth[row, column])


def _taken(overlap: NDArray[np.float64], threshold: float) -> list[bool]:
    """Which boxes, in the order of the rows, get a true box of their own."""
    free = np.ones(overlap.shape[1], bool)
    hits = []
    for row in overlap:
        usable = np.flatnonzero(free & (row >= threshold))
        hits.append(bool(usable.size))
        if usable.size:
            free[usable[np.flatnonzero(row[usable] == row[usable].max())[-1]]] = False  # COCO: the last of equals
    return hits


def _boxes(boxes: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(boxes, np.float64)
    array = array.reshape(0, 4) if not array.size else np.atleast_2d(array)
    if array.ndim != 2 or array.shape[1] != 4 or (array[:, 2:] < 0).any():
        raise ValueError("boxes are N×4: x, y, width, height, and neither size is negative")
    return array


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
