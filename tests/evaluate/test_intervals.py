"""Intervals and paired tests: textbook values, scipy, simulation, and cases where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ifdl.evaluate.intervals import bootstrap, clopper_pearson, paired


def test_clopper_pearson_textbook_values() -> None:
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert clopper_pearson(4, 20) == pytest.approx((0.0573, 0.4366), abs=1e-4)
    assert clopper_pearson(0, 300, one_sided=True) == pytest.approx((0.0, 3 / 300), abs=1e-4)
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_clopper_pearson_is_that_of_scipy() -> None:
    for n in (1, 7, 40):
        for k in range(n + 1):
            for level in (0.9, 0.95):
                exact = stats.binomtest(k, n).proportion_ci(level, "exact")
                assert clopper_pearson(k, n, level) == pytest.approx((exact.low, exact.high))
                bound = stats.binomtest(k, n, alternative="less").proportion_ci(level, "exact").high
                assert clopper_pearson(k, n, level, one_sided=True) == pytest.approx((0.0, bound))
    for k, n in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="no count"):
            clopper_pearson(k, n)


def test_bootstrap_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = bootstrap(lambda rows: values[rows].mean(), 400, [str(n) for n in range(400)], draws=2000)
    error = values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.04)


def test_bootstrap_by_source_is_wider_where_pictures_of_a_source_agree() -> None:
    rng = np.random.default_rng(3)
    values = np.repeat(rng.normal(size=30), 9)
    by_picture = bootstrap(lambda rows: values[rows].mean(), 270, [str(n) for n in range(270)])
    by_source = bootstrap(lambda rows: values[rows].mean(), 270, [f"s{n // 9}" for n in range(270)])
    ratio = (by_source[1] - by_source[0]) / (by_picture[1] - by_picture[0])
    assert ratio == pytest.approx(3, rel=0.2)  # 30 facts, not 270


def test_bootstrap_draws_whole_groups_of_any_size_and_order() -> None:
    groups = ["b", "a", "b", "c", "b", "a"]
    seen = []

    def note(rows: np.ndarray) -> float:
        seen.append(np.bincount(rows, minlength=6))
        return 0.0

    bootstrap(note, 6, groups, draws=50)
    times = np.array(seen)
    assert (times[:, 0] == times[:, 2]).all() and (times[:, 0] == times[:, 4]).all()
    assert (times[:, 1] == times[:, 5]).all()
    assert (times[:, [0, 1, 3]].sum(axis=1) == 3).all() and len(np.unique(times, axis=0)) > 5


def test_bootstrap_repeats_with_its_seed_and_passes_over_nan() -> None:
    values = np.arange(20.0)
    groups = [str(n) for n in range(20)]

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean()) if 0 in rows else math.nan

    assert bootstrap(mean, 20, groups, seed=1) == bootstrap(mean, 20, groups, seed=1) != bootstrap(mean, 20, groups)
    assert all(map(math.isfinite, bootstrap(mean, 20, groups)))
    assert all(map(math.isnan, bootstrap(lambda rows: math.nan, 20, groups)))


def test_one_source_gives_no_interval() -> None:
    assert all(map(math.isnan, bootstrap(lambda rows: 0.5, 9, ["same"] * 9)))
    assert all(map(math.isnan, bootstrap(lambda rows: 0.5, 0, [])))
    with pytest.raises(ValueError, match="as many groups"):
        bootstrap(lambda rows: 0.5, 3, ["a"])


def test_paired_finds_a_real_difference_and_none_where_labels_are_swapped_by_chance() -> None:
    rng = np.random.default_rng(8)
    groups = [f"s{n // 2}" for n in range(200)]
    hard = np.repeat(rng.uniform(0, 0.6, 100), 2)  # some photographs are hard for both systems
    better, worse = hard + 0.05 + rng.normal(0, 0.1, 200), hard + rng.normal(0, 0.1, 200)
    found = paired(better, worse, groups)
    assert found.difference == pytest.approx((better - worse).mean())
    assert 0 < found.low < found.difference < found.high and found.p_value < 0.001
    assert (found.n, found.sources) == (200, 100)
    other = paired(worse, better, groups)
    assert other.difference == -found.difference and other.p_value == pytest.approx(found.p_value, abs=1e-3)
    swapped = np.repeat(rng.random(100) < 0.5, 2)
    none = paired(np.where(swapped, worse, better), np.where(swapped, better, worse), groups)
    assert none.low < 0 < none.high and none.p_value > 0.05


def test_paired_test_is_right_as_often_as_it_says() -> None:
    """Equal systems whose differences agree within a source: 5 % of tests fall below 5 %."""
    rng = np.random.default_rng(12)
    groups = [f"s{n // 4}" for n in range(48)]
    p = [paired(np.repeat(rng.normal(size=12), 4), np.zeros(48), groups, draws=2).p_value for _ in range(200)]
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.10
    assert np.mean(p) == pytest.approx(0.5, abs=0.08)


def test_paired_p_value_by_counting_all_signs() -> None:
    """Sums 3, 2, 1: only +++ and −−− reach 6, so 2 of 8."""
    assert paired([3, 2, 1], [0, 0, 0], ["a", "b", "c"]).p_value == pytest.approx(0.25, abs=0.02)
    # In one source together they flip as one.
    assert paired([3, 2, 1], [0, 0, 0], ["a", "a", "a"]).p_value == 1


def test_paired_of_equal_and_of_missing_scores() -> None:
    same = paired([0.1, 0.2], [0.1, 0.2], ["a", "b"])
    assert same.difference == 0 and same.p_value == 1
    some = paired([0.5, math.nan, 0.7], [0.25, 0.1, math.nan], ["a", "b", "c"])
    assert some.difference == 0.25 and some.n == 1 and math.isnan(some.low)
    none = paired([math.nan], [0.1], ["a"])
    assert none.n == 0 and math.isnan(none.p_value)
    with pytest.raises(ValueError, match="paired"):
        paired([1, 2], [1, 2], ["a"])
