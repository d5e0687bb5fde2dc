"""Sets of words per picture, such as the cues of an explanation, against the sets that are true of it.

Empty policy: nothing said where nothing is true is right (1); nothing said where something is true, or the other
way round, is 0. A label that is neither true nor said of any picture is left out of macro means.

Source: Tsoumakas & Katakis, "Multi-Label Classification: An Overview", 2007 (example-based and label-based measures).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ifdl.forge.record import CUES

Sets = Sequence[Collection[str]]


@dataclass(frozen=True)
class Overlap:
    """How two sets agree."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Pictures by label: said and true (`tp`), said alone (`fp`), true alone (`fn`); int64, in order of `labels`."""

    labels: tuple[str, ...]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]

    def micro(self) -> Overlap:
        """Over all labels of all pictures added up; frequent labels weigh more."""
        return _overlap(int(self.tp.sum()), int(self.fp.sum()), int(self.fn.sum()))

    def macro(self) -> Overlap:
        """The mean of each label's own numbers; every label that occurs weighs the same. nan if none occurs."""
        own = [scores for scores in self.by_label().values() if scores is not None]
        if not own:
            return Overlap(float("nan"), float("nan"), float("nan"))
        precision, recall, f1 = np.mean([(s.precision, s.recall, s.f1) for s in own], axis=0).tolist()
        return Overlap(precision, recall, f1)

    def by_label(self) -> dict[str, Overlap | None]:
        """Each label's own numbers; None for one that is neither said nor true of any picture."""
        rows = zip(self.labels, self.tp.tolist(), self.fp.tolist(), self.fn.tolist(), strict=True)
        return {label: _overlap(tp, fp, fn) if tp + fp + fn else None for label, tp, fp, fn in rows}


@dataclass(frozen=True)
class Chance:
    """What a number is worth when the answers are dealt out at random: mean and the middle 95 %."""

    mean: float
    low: float
    high: float


def overlap(said: AbstractSet[Hashable], true: AbstractSet[Hashable]) -> Overlap:
    """Precision, recall and F1 of one set against another."""
    return _overlap(len(said & true), len(said - true), len(true - said))


def count(said: Sets, true: Sets, vocabulary: Sequence[str] = CUES) -> LabelCounts:
    """Counts by label over all pictures. Raises ValueError for a word outside the vocabulary."""
    a, b = _table(said, vocabulary), _table(true, vocabulary)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} answers for {len(b)} pictures")
    return LabelCounts(tuple(vocabulary), (a & b).sum(axis=0), (a & ~b).sum(axis=0), (~a & b).sum(axis=0))


def exact(said: Sets, true: Sets) -> float:
    """Share of pictures whose set is right in every label; nan without pictures."""
    return _mean([float(set(a) == set(b)) for a, b in zip(said, true, strict=True)])


def jaccard(said: Sets, true: Sets) -> float:
    """Mean over pictures of common labels by all labels; nan without pictures."""
    pairs = [(set(a), set(b)) for a, b in zip(said, true, strict=True)]
    return _mean([len(a & b) / len(a | b) if a | b else 1.0 for a, b in pairs])


def chance(statistic: Callable[[Sets, Sets], float], said: Sets, true: Sets, draws: int = 200, seed: int = 0) -> Chance:
    """`statistic` when each picture gets the answer of a random one: what knowing the usual labels alone is worth."""
    rng = np.random.default_rng(seed)
    values = [statistic([said[i] for i in rng.permutation(len(said))], true) for _ in range(draws)]
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    return Chance(float(np.mean(values)), low, high)


def _overlap(tp: int, fp: int, fn: int) -> Overlap:
    if not tp + fp + fn:
        return Overlap(1.0, 1.0, 1.0)
    return Overlap(tp / max(tp + fp, 1), tp / max(tp + fn, 1), 2 * tp / (2 * tp + fp + fn))


def _table(sets: Sets, vocabulary: Sequence[str]) -> NDArray[np.bool_]:
    """Bool pictures×labels."""
    column = {label: n for n, label in enumerate(vocabulary)}
    table = np.zeros((len(sets), len(column)), bool)
    for row, words in enumerate(sets):
        if isinstance(words, str) or (unknown := set(words) - column.keys()):
            raise ValueError(f"not a set of known labels: {words if isinstance(words, str) else sorted(unknown)}")
        table[row, [column[word] for word in words]] = True
    return table


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
