"""Ratios against hand-worked cases, brute force and the normal model where the true ratio is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ifdl.evaluate import likelihood
from ifdl.evaluate.likelihood import Floats, Scored


def normal(n: int = 2000, apart: float = 2.0, seed: int = 0) -> Scored:
    """Equal normals `apart` deviations apart: the true log ratio is linear in the score. One picture a source."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 1, n), rng.normal(apart, 1, n)])
    return Scored.of(values.tolist(), [False] * n + [True] * n, [f"s{i}" for i in range(2 * n)])


def at(scored: Scored, method: str = "isotonic") -> Floats:
    table = likelihood.fit(scored, method).table
    return np.array([table.at(float(v)) for v in scored.values])


def test_cap_of_forty_one_photographs_without_a_false_alarm_is_0_27_n() -> None:
    n = 41
    values = [0.0] * n + [1.0] * 8 + [0.0] * 2
    level = likelihood.fit(Scored.of(values, [False] * n + [True] * 10, [f"s{i}" for i in range(n + 10)]))
    assert (level.sources, level.alarms, level.detected, level.score) == (n, 0, 0.8, 1.0)
    assert 10**level.most == pytest.approx(0.8 / (1 - 0.05 ** (1 / n)), rel=1e-3)
    assert 10**level.most == pytest.approx(0.27 * n, rel=0.03)
    assert level.table.at(1.0) <= level.most and level.table.at(1.0) == pytest.approx(level.most, abs=0.02)


def test_many_crops_of_one_photograph_count_once() -> None:
    values, edited = [0.0] * 400 + [1.0] * 10, [False] * 400 + [True] * 10
    sources = [f"s{i % 10}" for i in range(400)] + [f"e{i}" for i in range(10)]
    level = likelihood.fit(Scored.of(values, edited, sources))
    assert level.sources == 10
    assert level.most == pytest.approx(math.log10(1 / (1 - 0.05 ** (1 / 10))), abs=1e-4)


def test_one_alarming_crop_makes_its_photograph_alarm() -> None:
    values = [0.0] * 39 + [1.0] + [1.0] * 10
    sources = [f"s{i % 20}" for i in range(40)] + [f"e{i}" for i in range(10)]
    level = likelihood.fit(Scored.of(values, [False] * 40 + [True] * 10, sources))
    assert (level.alarms, level.sources) == (1, 20)
    assert level.most == pytest.approx(math.log10(1 / beta.ppf(0.95, 2, 19)), abs=1e-4)


@pytest.mark.parametrize("method", likelihood.METHODS)
def test_no_score_claims_more_than_its_bounds(method: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        n = int(rng.integers(15, 120))
        edited = rng.random(n) < 0.5
        edited[:2] = (True, False)
        sources = [f"s{k}" for k in rng.integers(0, 12, n)]
        values = np.round(rng.normal(edited * 1.5, 1), int(rng.integers(0, 3)))
        scored = Scored.of(values.tolist(), edited.tolist(), sources)
        table = likelihood.fit(scored, method).table
        authentic = {s for s, e in zip(sources, edited, strict=True) if not e}
        best = 0.0
        for score in np.unique(values):
            k = len({s for s, e, v in zip(sources, edited, values, strict=True) if not e and v >= score})
            own = [
                np.mean([v >= score for v, s, e in zip(values, sources, edited, strict=True) if e and s == one])
                for one in {s for s, e in zip(sources, edited, strict=True) if e}
            ]
            upper = 1.0 if k == len(authentic) else beta.ppf(0.95, k + 1, len(authentic) - k)
            best = max(best, float(np.mean(own)) / upper)
            assert 10 ** table.at(float(score)) <= best + 1e-6
        assert len(table.scores) <= likelihood.MOST_KNOTS


def test_isotonic_agrees_with_scikit_learn_before_the_cap() -> None:
    scored = normal(150)
    scores = np.unique(scored.values)
    ours = likelihood._isotonic(scored, scores)
    reference = IsotonicRegression().fit(scored.values, scored.edited, sample_weight=scored.weights)
    with np.errstate(divide="ignore"):
        p = reference.predict(scores)
        theirs = np.log10(p) - np.log10(1 - p)
    inside = np.isfinite(theirs) & np.isfinite(ours)
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-6)
    assert inside.mean() > 0.5


def test_logistic_agrees_with_scikit_learn_and_the_true_ratio() -> None:
    scored = normal(3000)
    scores = np.linspace(-1, 3, 9)
    ours = likelihood._logistic(scored, scores)
    model = LogisticRegression(C=1e6).fit(scored.values[:, None], scored.edited)
    np.testing.assert_allclose(ours, model.decision_function(scores[:, None]) / np.log(10), atol=0.02)
    np.testing.assert_allclose(ours, (2 * scores - 2) / np.log(10), atol=0.12)


def test_order_keeps_strong_findings_apart_where_the_cap_makes_them_equal() -> None:
    values, edited = [0.0] * 60 + [0.6] + [0.6] * 3 + [0.7, 0.8, 0.9, 1.0] * 6 + [0.0] * 20, [False] * 61 + [True] * 47
    scored = Scored.of(values, edited, [f"s{i}" for i in range(len(values))])
    table = likelihood.order(scored)
    steps = [table.at(v) for v in (0.0, 0.6, 0.7, 0.8, 1.0)]
    assert steps == sorted(set(steps)) and max(steps) <= likelihood.WIDEST
    assert likelihood.order(Scored(scored.values, ~scored.edited, scored.sources)).log10_ratios[-1] == 0.0
    far = Scored.of([0.0] * 9 + [1.0] * 9, [False] * 9 + [True] * 9, [f"s{i}" for i in range(18)])
    assert likelihood.order(far).log10_ratios[-1] == likelihood.WIDEST


def test_logistic_is_flat_where_the_score_falls_with_editing() -> None:
    scored = normal(200, apart=-1.0)
    assert set(likelihood.fit(scored, "logistic").table.log10_ratios) == {0.0}


@pytest.mark.parametrize("fitted", [likelihood._isotonic, likelihood._logistic])
def test_prior_is_removed(fitted: Callable[[Scored, Floats], Floats]) -> None:
    scored = normal(3000)
    few = scored[np.concatenate([np.arange(3000), 3000 + np.arange(0, 3000, 6)])]
    means = []
    for one in (scored, few):
        scores = np.unique(one.values)
        ratios = fitted(one, scores)
        means.append([ratios[abs(scores - middle) < 0.3].mean() for middle in (0.5, 1.0, 1.5)])
    np.testing.assert_allclose(means[0], means[1], atol=0.12)
    np.testing.assert_allclose(means[0], np.array([-1, 0, 1]) / np.log(10), atol=0.1)


def test_cllr_by_hand() -> None:
    scored = Scored.of([0, 0, 1, 1], [False, False, True, True], list("abcd"))
    assert likelihood.cllr(scored, np.zeros(4)) == pytest.approx(1.0)
    assert likelihood.cllr(scored, np.array([-9.0, -9, 9, 9])) == pytest.approx(0.0, abs=1e-8)
    ratios = np.array([0.5, 1.0, 4.0, 1.0])
    expected = 0.5 * (np.mean(np.log2(1 + ratios[:2])) + np.mean(np.log2(1 + 1 / ratios[2:])))
    assert likelihood.cllr(scored, np.log10(ratios)) == pytest.approx(expected)
    assert likelihood.cllr(scored, np.array([9.0, 9, -9, -9])) > 5, "misleading costs more than silence"


def test_min_cllr_forgives_scale_and_not_order() -> None:
    scored = normal(400)
    true = (2 * scored.values - 2) / np.log(10)
    least = likelihood.min_cllr(scored, true)
    assert likelihood.min_cllr(scored, 5 * true + 3) == pytest.approx(least)
    assert likelihood.cllr(scored, 5 * true + 3) > likelihood.cllr(scored, true) + 0.5
    assert least <= likelihood.cllr(scored, true) < least + 0.05
    assert likelihood.min_cllr(scored, -true) > 0.9


def test_reliability_and_calibration_error_by_hand() -> None:
    scored = Scored.of([0, 0, 0, 1], [False, False, True, True], list("abcd"))
    log10 = np.log10(np.array([1 / 3, 1 / 3, 1 / 3, 3.0]))
    low, high = likelihood.reliability(scored, log10)
    assert (low.said, low.found, low.n) == (0.25, pytest.approx(1 / 3, abs=1e-4), 3)
    assert (high.said, high.found, high.n) == (0.75, 1.0, 1)
    assert likelihood.calibration_error(scored, log10) == pytest.approx(0.75 * (1 / 3 - 0.25) + 0.25 * 0.25)


def test_known_model_is_calibrated_on_other_pictures() -> None:
    fitted, fresh = likelihood.fit(normal(1500)), normal(1500, seed=1)
    log10 = np.array([fitted.table.at(float(v)) for v in fresh.values])
    assert likelihood.calibration_error(fresh, log10) < 0.04
    assert likelihood.cllr(fresh, log10) < likelihood.cllr(fresh, (2 * fresh.values - 2) / np.log(10)) + 0.03


def test_shuffled_labels_say_nothing() -> None:
    scored = normal(500)
    mixed = Scored(scored.values, np.random.default_rng(3).permutation(scored.edited), scored.sources)
    log10 = at(mixed)
    assert np.abs(np.average(log10)) < 0.03 and np.quantile(np.abs(log10), 0.9) < 0.2
    assert likelihood.cllr(mixed, log10) == pytest.approx(1.0, abs=0.05)


def test_folds_keep_a_source_together() -> None:
    sources = np.array([f"s{i % 17}" for i in range(200)])
    fold = likelihood.folds(sources)
    assert all(len(set(fold[sources == s])) == 1 for s in set(sources)) and set(fold) == set(range(5))


def test_wrong_input_is_refused() -> None:
    for values, edited, sources in (
        ([1, 2], [True, True], "ab"),
        ([1], [True, False], "ab"),
        ([1, np.nan], [1, 0], "ab"),
    ):
        with pytest.raises(ValueError):
            Scored.of(values, edited, list(sources))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="isotonic or logistic"):
        likelihood.fit(normal(20), "magic")
