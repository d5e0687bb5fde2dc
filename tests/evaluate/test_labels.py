"""Label sets: worked by hand, against scikit-learn, and against chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ifdl.evaluate import labels
from ifdl.evaluate.labels import Overlap
from ifdl.forge.record import CUES

SAID = [{"edges", "noise"}, {"noise"}, set(), {"shadow"}]
TRUE = [{"edges"}, {"noise"}, set(), {"edges"}]


def drawn(rng: np.random.Generator, number: int, chance: float = 0.3) -> list[set[str]]:
    return [{cue for cue in CUES if rng.random() < chance} for _ in range(number)]


def test_by_hand() -> None:
    made = labels.count(SAID, TRUE)
    assert made.micro() == Overlap(2 / 4, 2 / 3, 4 / 7)
    own = {label: scores for label, scores in made.by_label().items() if scores is not None}
    assert own == {"edges": Overlap(1, 1 / 2, 2 / 3), "noise": Overlap(1 / 2, 1, 2 / 3), "shadow": Overlap(0, 0, 0)}
    macro = made.macro()
    assert (macro.precision, macro.recall, macro.f1) == (
        pytest.approx(1 / 2), pytest.approx(1 / 2), pytest.approx(4 / 9),
    )  # fmt: skip
    assert labels.exact(SAID, TRUE) == 2 / 4
    assert labels.jaccard(SAID, TRUE) == (1 / 2 + 1 + 1 + 0) / 4


def test_empty_lists_and_sets() -> None:
    assert math.isnan(labels.exact([], [])) and math.isnan(labels.jaccard([], []))
    assert math.isnan(labels.count([set()], [set()]).macro().f1)
    assert labels.overlap(set(), set()) == Overlap(1, 1, 1)
    assert labels.overlap(set(), {"a"}) == labels.overlap({"a"}, set()) == Overlap(0, 0, 0)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="vibes"):
        labels.count([{"vibes"}], [{"edges"}])
    with pytest.raises(ValueError, match="edges"):
        labels.count(["edges"], [{"edges"}])
    with pytest.raises(ValueError, match="2 answers for 1"):
        labels.count([set(), set()], [set()])


def test_as_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the dev extra")
    rng = np.random.default_rng(0)
    said, true = drawn(rng, 40), drawn(rng, 40)
    said[:3], true[:3] = [set(), set(), {"text"}], [set(), {"text"}, set()]
    a, b = (np.array([[cue in words for cue in CUES] for words in side]) for side in (said, true))
    made = labels.count(said, true)
    for average, ours in (("micro", made.micro()), ("macro", made.macro())):
        theirs = metrics.precision_recall_fscore_support(b, a, average=average, zero_division=0)[:3]
        assert (ours.precision, ours.recall, ours.f1) == pytest.approx(theirs)
    assert labels.exact(said, true) == pytest.approx(metrics.accuracy_score(b, a))
    # scikit-learn has one value for every empty pair; ours is 1.
    assert labels.jaccard(said, true) == pytest.approx(metrics.jaccard_score(b, a, average="samples", zero_division=1))


def test_chance_tells_knowing_from_guessing() -> None:
    rng = np.random.default_rng(1)
    true = drawn(rng, 60)
    level = labels.chance(labels.jaccard, true, true)
    assert labels.jaccard(true, true) == 1 > level.high > level.mean > level.low > 0
    assert level == labels.chance(labels.jaccard, true, true)
    inside = 0
    for seed in range(10):
        guess = drawn(np.random.default_rng([2, seed]), 60)
        reach = labels.chance(labels.jaccard, guess, true, seed=seed)
        inside += reach.low <= labels.jaccard(guess, true) <= reach.high
    assert inside >= 7, "guesses stay within chance"
    always = [set(CUES[:4])] * 60
    same = labels.chance(labels.jaccard, always, true)
    assert same.low == same.high == labels.jaccard(always, true), "one answer for all is worth nothing above chance"
