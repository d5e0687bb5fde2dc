"""Whole-picture scores against scikit-learn, hand-worked cases and textbook intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn import metrics

from ifdl.evaluate import image

SCORES = np.array([0.1, 0.4, 0.4, 0.8, 0.9])
LABELS = np.array([False, False, True, True, True])


def test_worked_by_hand() -> None:
    assert image.auc(SCORES, LABELS) == pytest.approx(5.5 / 6)
    assert image.counts(SCORES, LABELS, 0.4).__dict__ == {"tp": 3, "fp": 1, "fn": 0, "tn": 1}
    assert image.accuracy(SCORES, LABELS, 0.4) == 0.8
    assert image.balanced_accuracy(SCORES, LABELS, 0.4) == 0.75
    assert image.f1(SCORES, LABELS, 0.5) == pytest.approx(0.8)
    assert image.detection_rate_at(SCORES, LABELS, 0.0) == pytest.approx(2 / 3)
    assert image.detection_rate_at(SCORES, LABELS, 0.49) == pytest.approx(2 / 3)
    assert image.detection_rate_at(SCORES, LABELS, 0.5) == 1


def test_the_numbers_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        labels = rng.random(60) < 0.4
        scores = np.round(rng.normal(labels * 0.8), 1)
        said = scores >= 0.5
        assert image.auc(scores, labels) == pytest.approx(metrics.roc_auc_score(labels, scores))
        assert image.accuracy(scores, labels, 0.5) == pytest.approx(metrics.accuracy_score(labels, said))
        expected = metrics.balanced_accuracy_score(labels, said)
        assert image.balanced_accuracy(scores, labels, 0.5) == pytest.approx(expected)
        assert image.f1(scores, labels, 0.5) == pytest.approx(metrics.f1_score(labels, said))
        assert image.mcc(scores, labels, 0.5) == pytest.approx(metrics.matthews_corrcoef(labels, said))
        false, found, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
        assert image.roc(scores, labels) == pytest.approx(np.stack([false, found], axis=1))
        precision, recall, _ = metrics.precision_recall_curve(labels, scores)
        assert image.pr(scores, labels)[::-1] == pytest.approx(np.stack([recall, precision], axis=1)[:-1])
        assert image.detection_rate_at(scores, labels, 0.1) == pytest.approx(found[false <= 0.1].max())
        crossing = brentq(lambda x: 1.0 - x - np.interp(x, false, found), 0.0, 1.0)  # noqa: B023
        assert image.eer(scores, labels) == pytest.approx(crossing, abs=1e-6)


def test_equal_error_rate_by_hand() -> None:
    assert image.eer([1, 2, 3, 4], [False, False, True, True]) == 0
    assert image.eer([4, 3, 2, 1], [False, False, True, True]) == 1
    assert image.eer([5, 5, 5], [True, False, False]) == 0.5
    assert image.eer([1, 2, 3, 4], [False, True, False, True]) == 0.5
    # One of four authentic above one of four edited: at threshold 4, a quarter of each is wrong.
    assert image.eer([1, 2, 3, 5, 4, 6, 7, 8], [False] * 4 + [True] * 4) == 0.25


def test_detection_rate_at_a_rate_that_is_no_exact_double() -> None:
    """3 of 30 is 0.1, though 0.1 · 30 is 3.0000000000000004."""
    scores, labels = np.arange(31.0), np.array([False] * 27 + [True] + [False] * 3)
    assert image.detection_rate_at(scores, labels, 0.1) == 1
    assert image.detection_rate_at(scores, labels, 0.09) == 0


def test_a_missing_class_is_nan() -> None:
    for labels in ([True, True], [False, False]):
        for number in (image.auc, image.eer):
            assert math.isnan(number([0.1, 0.9], labels))
        assert math.isnan(image.balanced_accuracy([0.1, 0.9], labels, 0.5))
        assert math.isnan(image.detection_rate_at([0.1, 0.9], labels, 0.1))
    assert math.isnan(image.auc([], [])) and math.isnan(image.eer([], []))
    assert math.isnan(image.accuracy([], [], 0.5)) and math.isnan(image.f1([0.1], [False], 0.5))


def test_a_picture_without_a_score_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="nan"):
        image.auc([0.1, math.nan], [True, False])
    with pytest.raises(ValueError, match="one score"):
        image.auc([0.1, 0.2], [True])


def test_false_alarms_are_counted_by_source() -> None:
    said = [True, False, True, False, False, False]
    sources = ["a", "a", "a", "b", "b", "c"]
    found = image.false_alarms(said, sources)
    assert (found.k, found.n) == (1, 3)
    assert (found.low, found.high) == pytest.approx((0.0084038, 0.9057007), abs=1e-6)
    none = image.false_alarms([False] * 300, [str(n) for n in range(300)])
    assert none.k == 0 and none.low == 0 and none.high == pytest.approx(1 - 0.025 ** (1 / 300))
    assert image.false_alarms([], []) == (0, 0, 0.0, 1.0)


def test_three_way_labels() -> None:
    names = image.LABELS
    labels = [names[0]] * 4 + [names[1]] * 3 + [names[2]] * 2
    said = [names[k] for k in (0, 0, 0, 1, 1, 1, 2, 2, 0)]
    assert image.confusion(said, labels).tolist() == [[3, 1, 0], [0, 2, 1], [1, 0, 1]]
    rows = image.per_class(said, labels)
    expected = metrics.precision_recall_fscore_support(labels, said, labels=list(names))
    for k, name in enumerate(names):
        assert list(rows[name].values()) == pytest.approx([column[k] for column in expected])
    never = image.per_class([names[0]], [names[0]])["synthetic"]
    assert math.isnan(never["recall"]) and never["n"] == 0
    with pytest.raises(ValueError, match="fake"):
        image.confusion(["fake"], [names[0]])
