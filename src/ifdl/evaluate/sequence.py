"""Edits in their order: a sequence of engine names said of a picture against the true one.

The fixed and adaptive accuracies are those of Shao, Wu & Liu, "Detecting and Recovering Sequential DeepFake
Manipulation", ECCV 2022, pooled over slots as in the released code: a long sequence weighs more than a short one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, zip_longest

import numpy as np

from ifdl.forge.record import Step

Edits = Sequence[str]
SLOTS = 5  # of SeqDeepFake, and one more than the forge's longest sequence


def edits_of(steps: Sequence[Step]) -> tuple[str, ...]:
    """The engines of a forgery's steps, in order."""
    return tuple(step.engine for step in steps)


def exact(said: Edits, true: Edits) -> bool:
    """Whether every edit is right and in its place."""
    return tuple(said) == tuple(true)


def edit_distance(said: Edits, true: Edits) -> float:
    """Levenshtein distance by the longer length, 0 (the same) to 1; 0 where both are empty."""
    row = list(range(len(true) + 1))
    for i, a in enumerate(said, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(true, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1] / max(len(said), len(true), 1)


def order_agreement(said: Edits, true: Edits) -> float:
    """Kendall's tau on the edits that both name: 1 in the same order, -1 reversed; nan with fewer than two.

    The n-th edit of a name in one stands for the n-th of that name in the other.
    """
    place = {edit: n for n, edit in enumerate(_numbered(true))}
    common = [place[edit] for edit in _numbered(said) if edit in place]
    signs = [1 if a < b else -1 for a, b in combinations(common, 2)]
    return sum(signs) / len(signs) if signs else float("nan")


def fixed_accuracy(said: Sequence[Edits], true: Sequence[Edits], slots: int = SLOTS) -> float:
    """Share of right slots when every sequence is filled up to `slots` with "no manipulation".

    Filled slots count, so an empty answer is never 0. What is said beyond the slots is cut; a true
    sequence that does not fit raises ValueError. nan without pictures.
    """
    if any(len(edits) > slots for edits in true):
        raise ValueError(f"a true sequence has more than {slots} edits")
    right = sum(_agreeing(a[:slots], b) + slots - max(len(a[:slots]), len(b)) for a, b in _pairs(said, true))
    return right / (slots * len(true)) if true else float("nan")


def adaptive_accuracy(said: Sequence[Edits], true: Sequence[Edits]) -> float:
    """Share of right slots up to the longer of both; an empty answer to an authentic picture is one right slot.

    nan without pictures.
    """
    pairs = _pairs(said, true)
    right = sum(_agreeing(a, b) if a or b else 1 for a, b in pairs)
    slots = sum(max(len(a), len(b), 1) for a, b in pairs)
    return right / slots if slots else float("nan")


def summary(said: Sequence[Edits], true: Sequence[Edits], slots: int = SLOTS) -> dict[str, float]:
    """All of the above over many pictures: accuracies pooled, the rest averaged by picture (order where known)."""
    pairs = _pairs(said, true)
    order = np.array([order_agreement(a, b) for a, b in pairs], float)
    known = order[~np.isnan(order)]
    return {
        "exact": _mean([float(exact(a, b)) for a, b in pairs]),
        "edit_distance": _mean([edit_distance(a, b) for a, b in pairs]),
        "order_agreement": _mean(known.tolist()),
        "order_known": float(known.size),
        "fixed_accuracy": fixed_accuracy(said, true, slots),
        "adaptive_accuracy": adaptive_accuracy(said, true),
    }


def _pairs(said: Sequence[Edits], true: Sequence[Edits]) -> list[tuple[Edits, Edits]]:
    return list(zip(said, true, strict=True))


def _agreeing(a: Edits, b: Edits) -> int:
    return sum(x == y for x, y in zip_longest(a, b))


def _numbered(edits: Edits) -> list[tuple[str, int]]:
    """Each edit with how often its name came before."""
    seen: Counter[str] = Counter()
    numbered = []
    for edit in edits:
        numbered.append((edit, seen[edit]))
        seen[edit] += 1
    return numbered


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
