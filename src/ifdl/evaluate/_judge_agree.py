"""How far judges agree: Spearman's rank correlation and Cohen's kappa, with bootstrap intervals by photograph.

Sources: Cohen, "A coefficient of agreement for nominal scales", 1960; "Weighted kappa", 1968 (squared weights, for
marks 0 to 5); Spearman, 1904.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ifdl.evaluate.intervals import bootstrap, clopper_pearson
from ifdl.evaluate.judge import BEST, Judged

CHOICES = ("a", "tie", "b")


@dataclass(frozen=True)
class Number:
    """A value with its 95 % interval; nan where it is not defined (a judge that gives everything the same mark)."""

    value: float
    low: float
    high: float
    n: int


def kappa(a: ArrayLike, b: ArrayLike, categories: int, squared: bool = False) -> float:
    """Cohen's kappa of categories int[N] from 0; `squared` weighs far misses more. nan if constant."""
    table = np.zeros((categories, categories))
    np.add.at(table, (np.asarray(a, int), np.asarray(b, int)), 1.0)
    if not table.sum():
        return math.nan
    table /= table.sum()
    chance = np.outer(table.sum(axis=1), table.sum(axis=0))
    step = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories)))
    weight = (step**2 if squared else step > 0).astype(float)
    expected = float((weight * chance).sum())
    return 1 - float((weight * table).sum()) / expected if expected > 0 else math.nan


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation of ranks, ties at their mean rank; nan where one side is constant."""
    first, second = stats.rankdata(np.asarray(a, float)), stats.rankdata(np.asarray(b, float))
    if first.size < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def of_scores(a: Sequence[Judged], b: Sequence[Judged], seed: int = 0) -> dict[str, dict[str, Any]]:
    """For each criterion that both judged: Spearman, and kappa with squared weights of marks rounded to 0 to 5.

    Raises ValueError if the judges share no text.
    """
    theirs = {one.id: one for one in b}
    pairs = [(one, theirs[one.id]) for one in a if one.id in theirs]
    if not pairs:
        raise ValueError("the two judges have no text in common")
    told: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(n for one, other in pairs for n in one.scores if n in other.scores):
        both = [(x, y) for x, y in pairs if name in x.scores and name in y.scores]
        first = np.array([x.scores[name] for x, _ in both])
        second = np.array([y.scores[name] for _, y in both])
        groups = [x.source or x.id for x, _ in both]
        marks = _marks(first), _marks(second)
        told[name] = {
            "spearman": _number(partial(_of_rows, spearman, first, second), len(both), groups, seed),
            "weighted_kappa": _number(partial(_of_rows, _kappa_of_marks, *marks), len(both), groups, seed),
        }
    return told


def of_choices(a: dict[str, str], b: dict[str, str], seed: int = 0) -> dict[str, Any]:
    """Cohen's kappa of two raters of one sheet, choices "a", "tie" or "b" by text. Raises ValueError as above."""
    common = sorted(set(a) & set(b))
    if not common:
        raise ValueError("the two raters have no choice in common")
    first = np.array([CHOICES.index(a[i]) for i in common])
    second = np.array([CHOICES.index(b[i]) for i in common])
    same = int((first == second).sum())
    return {
        "kappa": _number(lambda i: kappa(first[i], second[i], len(CHOICES)), len(common), common, seed),
        "same": asdict(Number(same / len(common), *clopper_pearson(same, len(common)), len(common))),
    }


def preference(choices: dict[str, str]) -> dict[str, Any]:
    """Share of "a" among the choices that are no ties, with its exact interval, and the number of ties."""
    a, b = (sum(c == side for c in choices.values()) for side in ("a", "b"))
    share = asdict(Number(a / (a + b) if a + b else math.nan, *clopper_pearson(a, a + b), a + b))
    return {"a": share, "ties": len(choices) - a - b}


def _of_rows(
    statistic: Callable[[Any, Any], float], a: NDArray[Any], b: NDArray[Any], rows: NDArray[np.int64]
) -> float:
    return statistic(a[rows], b[rows])


def _kappa_of_marks(a: ArrayLike, b: ArrayLike) -> float:
    return kappa(a, b, int(BEST) + 1, squared=True)


def _marks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.clip(np.floor(scores + 0.5), 0, BEST).astype(np.int64)


def _number(
    statistic: Callable[[NDArray[np.int64]], float], n: int, groups: Sequence[str], seed: int
) -> dict[str, float]:
    low, high = bootstrap(statistic, n, groups, seed=seed)
    return asdict(Number(statistic(np.arange(n)), low, high, n))
