"""Tallies against hand-worked cases, brute force over pixel pairs, and scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from ifdl.evaluate.tally import LEVELS, Counts, Tally

Case = tuple[NDArray[np.uint16], NDArray[np.bool_]]


def cases() -> Iterator[Case]:
    """Odd sizes, many ties or none, rare and common truths."""
    rng = np.random.default_rng(11)
    for n in range(24):
        shape = (int(rng.integers(1, 30)), int(rng.integers(2, 30)))
        levels = rng.integers(0, [LEVELS, 7, 2][n % 3], shape)
        truth = rng.random(shape) < rng.uniform(0.05, 0.95)
        truth.flat[0], truth.flat[-1] = True, False
        yield np.minimum(levels * [1, 9000, 65535][n % 3], 65535).astype(np.uint16), truth


def test_a_case_worked_by_hand() -> None:
    """Levels 1, 2, 2, 3 with the truth on the third and fourth: of 4 pairs 3 won, 1 tied."""
    tally = Tally.of(np.array([[1, 2, 2, 3]], np.uint16), np.array([[False, False, True, True]]))
    assert tally.auc() == 0.875
    assert tally.average_precision() == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert tally.counts(0) == Counts(2, 2, 0, 0)
    assert tally.counts(2) == Counts(2, 1, 0, 1)
    assert tally.counts(3) == Counts(1, 0, 1, 2)
    assert tally.counts(LEVELS) == Counts(0, 0, 2, 2)


def test_auc_is_the_share_of_pairs_won_ties_half() -> None:
    for levels, truth in cases():
        inside, outside = levels[truth].astype(int)[:, None], levels[~truth].astype(int)[None]
        won = float((inside > outside).mean() + 0.5 * (inside == outside).mean())
        assert Tally.of(levels, truth).auc() == pytest.approx(won, abs=1e-12)


def test_auc_and_average_precision_are_those_of_scikit_learn() -> None:
    for levels, truth in cases():
        tally = Tally.of(levels, truth)
        assert tally.auc() == pytest.approx(roc_auc_score(truth.ravel(), levels.ravel()), abs=1e-12)
        expected = average_precision_score(truth.ravel(), levels.ravel())
        assert tally.average_precision() == pytest.approx(expected, abs=1e-12)


def test_counts_by_brute_force_at_one_level_and_at_every_level() -> None:
    levels, truth = next(cases())
    tally = Tally.of(levels, truth)
    every = tally.at_every_level()
    assert every.tp.shape == (LEVELS + 1,)
    for level in (0, 1, int(levels.min()), int(np.median(levels)), int(levels.max()), 65535, 65536):
        marked = levels.astype(int) >= level
        expected = [(marked & truth).sum(), (marked & ~truth).sum(), (~marked & truth).sum(), (~marked & ~truth).sum()]
        assert tally.counts(level) == Counts(*map(int, expected))
        assert [every.tp[level], every.fp[level], every.fn[level], every.tn[level]] == expected


def test_merged_tallies_are_one_tally() -> None:
    pieces = [(levels.ravel(), truth.ravel()) for levels, truth in cases()]
    merged = sum((Tally.of(*piece) for piece in pieces), Tally.empty())
    whole = Tally.of(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))
    assert np.array_equal(merged.inside, whole.inside) and np.array_equal(merged.outside, whole.outside)
    assert merged.inside.sum() == sum(truth.sum() for _, truth in pieces)


def test_inverted_is_the_tally_of_the_inverted_map() -> None:
    for levels, truth in cases():
        turned, expected = Tally.of(levels, truth).inverted(), Tally.of(65535 - levels, truth)
        assert np.array_equal(turned.inside, expected.inside) and np.array_equal(turned.outside, expected.outside)
        assert turned.auc() == pytest.approx(1 - Tally.of(levels, truth).auc())


def test_pixels_outside_valid_are_never_counted() -> None:
    rng = np.random.default_rng(5)
    levels = rng.integers(0, LEVELS, (9, 7)).astype(np.uint16)
    truth, valid = rng.random((9, 7)) < 0.4, rng.random((9, 7)) < 0.6
    tally = Tally.of(levels, truth, valid)
    assert np.array_equal(tally.inside, np.bincount(levels[truth & valid], minlength=LEVELS))
    assert np.array_equal(tally.outside, np.bincount(levels[~truth & valid], minlength=LEVELS))
    levels[~valid], truth[~valid] = 65535, True
    changed = Tally.of(levels, truth, valid)
    assert np.array_equal(tally.inside, changed.inside) and np.array_equal(tally.outside, changed.outside)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (3, 5)])
@pytest.mark.parametrize("edited", [True, False])
def test_one_class_alone_has_no_auc(shape: tuple[int, int], edited: bool) -> None:
    tally = Tally.of(np.zeros(shape, np.uint16), np.full(shape, edited))
    assert math.isnan(tally.auc()) and math.isnan(tally.average_precision())
    assert tally.roc() == [] and tally.pr() == []
    assert tally.counts(0) == (Counts(math.prod(shape), 0, 0, 0) if edited else Counts(0, math.prod(shape), 0, 0))


@pytest.mark.parametrize("level", [0, 40000, 65535])
def test_a_constant_map_knows_nothing(level: int) -> None:
    truth = np.zeros((5, 5), bool)
    truth[1, :3] = True
    tally = Tally.of(np.full((5, 5), level, np.uint16), truth)
    assert tally.auc() == 0.5
    assert tally.average_precision() == pytest.approx(3 / 25)
    assert tally.roc() == [[0, 0], [1, 1]]


def test_auc_of_a_whole_archive_does_not_overflow() -> None:
    """10 gigapixels a class: the number of pairs is beyond int64."""
    inside, outside = np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64)
    inside[[10, 20]], outside[[10, 5]] = 5_000_000_000, 5_000_000_000
    assert Tally(inside, outside).auc() == pytest.approx(0.875)


def test_thinned_curves_lie_on_the_whole_ones() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random((80, 90)) < 0.3
    levels = np.clip(rng.normal(30000 + 8000 * truth, 9000), 0, 65535).astype(np.uint16)
    tally = Tally.of(levels, truth)
    roc = tally.roc(100)
    assert 50 < len(roc) <= 100 and roc[0] == [0, 0] and roc[-1] == [1, 1]
    x, y, _ = roc_curve(truth.ravel(), levels.ravel(), drop_intermediate=False)
    on_curve = {(round(float(a), 5), round(float(b), 5)) for a, b in zip(x, y, strict=True)}
    assert {(a, b) for a, b in roc} <= on_curve
    assert abs(np.trapezoid([b for _, b in roc], [a for a, _ in roc]) - tally.auc()) < 1e-3
    pr = tally.pr(100)
    assert len(pr) <= 100 and pr[-1] == [1.0, round(float(truth.mean()), 5)]


def test_wrong_input_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="uint16"):
        Tally.of(np.zeros((2, 2)), np.zeros((2, 2), bool))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one shape"):
        Tally.of(np.zeros((2, 2), np.uint16), np.zeros((2, 3), bool))
    with pytest.raises(ValueError, match="one shape"):
        Tally.of(np.zeros((2, 2), np.uint16), np.zeros((2, 2), bool), np.ones((1, 2), bool))
