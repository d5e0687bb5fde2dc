"""Exact statistics against scipy.stats and hand-worked cases."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from ifdl.signal.stats import log10_binomial_tail, upper_bound


@pytest.mark.parametrize(("alarms", "trials"), [(0, 137), (1, 137), (5, 28), (27, 28)])
def test_upper_bound_like_scipy(alarms: int, trials: int) -> None:
    exact = stats.binomtest(alarms, trials, alternative="less").proportion_ci(0.95, method="exact").high
    assert upper_bound(alarms, trials) == pytest.approx(exact, rel=1e-9)


def test_upper_bound_rule_of_three_and_edges() -> None:
    assert upper_bound(0, 1000) == pytest.approx(3 / 1000, rel=0.01)
    assert upper_bound(0, 0) == upper_bound(4, 4) == 1.0


@pytest.mark.parametrize(("k", "n", "p"), [(1, 10, 0.1), (30, 100, 1 / 64), (3, 400, 1 / 64), (10, 10, 0.5)])
def test_tail_like_scipy(k: int, n: int, p: float) -> None:
    assert log10_binomial_tail(k, n, p) == pytest.approx(math.log10(stats.binom.sf(k - 1, n, p)), rel=1e-9)


def test_tail_far_below_the_smallest_float() -> None:
    value = log10_binomial_tail(5000, 10000, 1 / 64)
    # The leading term alone: C(10000, 5000) (1/64)^5000 (63/64)^5000, within a digit.
    lead = (math.lgamma(10001) - 2 * math.lgamma(5001) - 5000 * math.log(64) + 5000 * math.log(63 / 64)) / math.log(10)
    assert lead < value < lead + 1
    assert log10_binomial_tail(0, 10, 0.5) == 0.0
    assert log10_binomial_tail(11, 10, 0.5) == -math.inf
