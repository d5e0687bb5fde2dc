"""Whole-picture scores: how well one number per picture tells edited from authentic.

`scores` float[N], higher means more edited; `labels` bool[N], True for edited. A picture is said to be
edited at or above the threshold. What a missing class leaves undefined is nan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ifdl.data import shortcuts
from ifdl.evaluate import pixel
from ifdl.evaluate.intervals import clopper_pearson
from ifdl.evaluate.tally import Counts

LABELS = ("authentic", "edited", "synthetic")


class FalseAlarms(NamedTuple):
    """`k` of `n` sources gave a false alarm; `low` to `high` is the two-sided 95 % interval of the rate."""

    k: int
    n: int
    low: float
    high: float


def counts(scores: ArrayLike, labels: ArrayLike, threshold: float) -> Counts:
    """Pictures by truth and answer at the threshold."""
    values, edited = _checked(scores, labels)
    said = values >= threshold
    tp, fp = int((said & edited).sum()), int((said & ~edited).sum())
    return Counts(tp, fp, int(edited.sum()) - tp, int((~edited).sum()) - fp)


def accuracy(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float:
    """Share of pictures said right."""
    return float(pixel.accuracy(counts(scores, labels, threshold)))


def balanced_accuracy(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float:
    """Mean of the shares said right among edited and among authentic pictures."""
    c = counts(scores, labels, threshold)
    return float((pixel.recall(c) + 1.0 - pixel.false_area(c)) / 2)


def f1(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float:
    """F1 of the class "edited"."""
    return float(pixel.f1(counts(scores, labels, threshold)))


def mcc(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float:
    """Matthews correlation of answer and label; nan if either is always the same."""
    return float(pixel.mcc(counts(scores, labels, threshold)))


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Chance that an edited picture scores above an authentic one, ties counting half."""
    area = shortcuts.auc(*_checked(scores, labels))
    return math.nan if area is None else area


def roc(scores: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Rows (false-alarm rate, detection rate) from (0, 0) to (1, 1), one a distinct score; nan without a class."""
    values, edited = _checked(scores, labels)
    _, rank = np.unique(-values, return_inverse=True)
    steps = int(rank.max()) + 1 if rank.size else 0
    rates = [_rates(np.bincount(rank[of_class], minlength=steps)) for of_class in (~edited, edited)]
    return np.stack(rates, axis=1)


def pr(scores: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Rows (recall, precision), one a distinct score from the highest down; nan without an edited picture."""
    values, edited = _checked(scores, labels)
    at = np.unique(values)[::-1]
    said = np.array([int((values >= t).sum()) for t in at])
    right = np.array([int((edited & (values >= t)).sum()) for t in at])
    c = Counts(right, said - right, int(edited.sum()) - right, 0)
    return np.stack([np.atleast_1d(pixel.recall(c)), np.atleast_1d(pixel.precision(c))], axis=1)


def eer(scores: ArrayLike, labels: ArrayLike) -> float:
    """Equal error rate: where missed and false-alarm rates meet, straight lines between the points of the ROC."""
    false, found = roc(scores, labels).T
    gap = false - (1.0 - found)  # rises from −1 to 1
    if np.isnan(gap).any():
        return math.nan
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    return float(false[before] + share * (false[after] - false[before]))


def detection_rate_at(scores: ArrayLike, labels: ArrayLike, false_alarm_rate: float) -> float:
    """The largest share of edited pictures found by any threshold with no more than that rate of false alarms."""
    false, found = roc(scores, labels).T
    return float(found[false <= false_alarm_rate + 1e-12].max()) if not np.isnan(false + found).any() else math.nan


def false_alarms(said: ArrayLike, sources: Sequence[str]) -> FalseAlarms:
    """False alarms among authentic pictures, counted by source: one alarm in any of its pictures counts it.

    `said` bool[N] is what the system said of each authentic picture. Crops and re-saves of a photograph
    are one source; they tell nothing new about the rate.
    """
    answers = np.asarray(said, bool)
    alarmed = {source for source, answer in zip(sources, answers, strict=True) if answer}
    k, n = len(alarmed), len(set(sources))
    return FalseAlarms(k, n, *clopper_pearson(k, n))


def confusion(said: Sequence[str], labels: Sequence[str], classes: Sequence[str] = LABELS) -> NDArray[np.int64]:
    """Pictures by label (row) and answer (column). Raises ValueError for a name that is no class."""
    place = {name: n for n, name in enumerate(classes)}
    unknown = sorted((set(said) | set(labels)) - set(place))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not among the classes {', '.join(classes)}")
    table = np.zeros((len(classes), len(classes)), np.int64)
    for answer, label in zip(said, labels, strict=True):
        table[place[label], place[answer]] += 1
    return table


def per_class(
    said: Sequence[str], labels: Sequence[str], classes: Sequence[str] = LABELS
) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and number of pictures `n` of each class against the others."""
    table = confusion(said, labels, classes)
    rows: dict[str, dict[str, float]] = {}
    for k, name in enumerate(classes):
        right, answered, there = int(table[k, k]), int(table[:, k].sum()), int(table[k].sum())
        c = Counts(right, answered - right, there - right, int(table.sum()) - answered - there + right)
        rows[name] = {"precision": pixel.precision(c), "recall": pixel.recall(c), "f1": pixel.f1(c), "n": there}
    return rows


def _rates(at_step: NDArray[Any]) -> NDArray[np.float64]:
    """Share of a class at or above each step, starting from none; nan if the class is missing."""
    reached = np.concatenate(([0], np.cumsum(at_step)))
    return reached / reached[-1] if reached[-1] else np.full(reached.shape, np.nan)


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, edited = np.asarray(scores, np.float64), np.asarray(labels, bool)
    if values.ndim != 1 or values.shape != edited.shape:
        raise ValueError(f"one score and one label a picture, not shapes {values.shape} and {edited.shape}")
    if np.isnan(values).any():
        raise ValueError("a score is nan; a picture that failed needs a score the protocol states")
    return values, edited
