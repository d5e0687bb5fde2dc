"""Edit sequences: worked by hand, against definitions taken literally, and under permutation."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ifdl.evaluate import sequence
from ifdl.forge.record import Step

NAMES = ("splice", "copymove", "remove", "retouch")


def drawn(rng: np.random.Generator, longest: int = 5) -> tuple[str, ...]:
    return tuple(rng.choice(NAMES, int(rng.integers(0, longest + 1))).tolist())


def test_names_of_steps() -> None:
    steps = [Step(name, "done", "a thing", (0, 0, 1, 1)) for name in ("remove", "splice")]
    assert sequence.edits_of(steps) == ("remove", "splice")


def test_distance_by_hand() -> None:
    assert sequence.edit_distance("kitten", "sitting") == 3 / 7
    assert sequence.edit_distance((), ()) == 0
    assert sequence.edit_distance((), ("splice",)) == sequence.edit_distance(("splice",), ()) == 1
    assert sequence.edit_distance(("a", "b"), ("b", "a")) == 1
    assert sequence.exact(["a", "b"], ("a", "b")) and not sequence.exact(("b", "a"), ("a", "b"))


def test_distance_as_defined() -> None:
    @functools.cache
    def distance(a: tuple[str, ...], b: tuple[str, ...]) -> int:
        if not a or not b:
            return len(a) + len(b)
        return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0]))

    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = drawn(rng), drawn(rng)
        assert sequence.edit_distance(a, b) == distance(a, b) / max(len(a), len(b), 1)


def test_order() -> None:
    true = ("splice", "remove", "retouch", "splice")
    assert sequence.order_agreement(true, true) == 1
    assert sequence.order_agreement(("retouch", "remove"), true) == -1
    assert sequence.order_agreement(("remove", "splice", "retouch"), true) == pytest.approx(1 / 3)
    assert sequence.order_agreement(("splice", "splice"), true) == 1, "the second splice is the second splice"
    assert math.isnan(sequence.order_agreement(("copymove", "splice"), true))
    assert math.isnan(sequence.order_agreement((), ()))
    for order in itertools.permutations(range(4)):
        expected = stats.kendalltau(range(4), order).statistic
        assert sequence.order_agreement([NAMES[i] for i in order], NAMES) == pytest.approx(expected)


def test_accuracies_by_hand() -> None:
    said = [("splice", "remove"), (), ("retouch",), ("remove", "splice", "remove")]
    true = [("splice", "copymove"), (), (), ("splice",)]
    # Right of five slots each: 4, 5, 4, 2.
    assert sequence.fixed_accuracy(said, true) == 15 / 20
    # Right of the slots of the longer: 1 of 2, 1 of 1, 0 of 1, 0 of 3.
    assert sequence.adaptive_accuracy(said, true) == 2 / 7
    assert sequence.fixed_accuracy([NAMES * 2], [NAMES]) == 4 / 5, "what is beyond the slots is cut"
    with pytest.raises(ValueError, match="more than 5"):
        sequence.fixed_accuracy([()], [NAMES * 2])
    assert math.isnan(sequence.fixed_accuracy([], [])) and math.isnan(sequence.adaptive_accuracy([], []))
    with pytest.raises(ValueError):
        sequence.adaptive_accuracy(said, true[:2])


def test_accuracies_as_slots_of_numbers() -> None:
    """The definition with padded vectors of numbers, 0 for no manipulation."""
    rng = np.random.default_rng(3)
    said, true = ([drawn(rng) for _ in range(100)] for _ in range(2))
    a, b = np.zeros((100, 5), int), np.zeros((100, 5), int)
    for side, table in ((said, a), (true, b)):
        for n, edits in enumerate(side):
            table[n, : len(edits)] = [NAMES.index(edit) + 1 for edit in edits]
    assert sequence.fixed_accuracy(said, true) == pytest.approx((a == b).mean())
    longer = np.maximum((a > 0).sum(axis=1), (b > 0).sum(axis=1)).clip(1)
    used = np.arange(5) < longer[:, None]
    assert sequence.adaptive_accuracy(said, true) == pytest.approx((a == b)[used].mean())


def test_summary_falls_when_answers_are_shuffled() -> None:
    rng = np.random.default_rng(4)
    true = [drawn(rng, 4) for _ in range(80)]
    best = sequence.summary(true, true)
    assert best["exact"] == best["fixed_accuracy"] == best["adaptive_accuracy"] == best["order_agreement"] == 1
    assert best["edit_distance"] == 0 and best["order_known"] == sum(len(edits) > 1 for edits in true)
    chance = sequence.summary([true[i] for i in rng.permutation(80)], true)
    assert chance["exact"] < 0.4 and chance["adaptive_accuracy"] < 0.5 and chance["edit_distance"] > 0.3
    turned = sequence.summary([edits[::-1] for edits in true], true)
    assert turned["order_agreement"] < 0 and turned["adaptive_accuracy"] < 1
    assert all(math.isnan(v) for k, v in sequence.summary([], []).items() if k != "order_known")
