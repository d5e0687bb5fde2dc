"""Pixel scores and rules: hand-worked cases, brute force, scikit-learn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from ifdl.evaluate import pixel
from ifdl.evaluate.pixel import Counts, PixelRule, band, level_of, padded, per_picture, pooled, resized
from ifdl.evaluate.tally import Tally

FIXED = PixelRule("fixed", 0.5)
BEST = PixelRule("best_per_picture", None)
NAMES = {"f1", "iou", "precision", "recall", "mcc", "accuracy", "false_area", "auc", "average_precision"}


def tally(values: list[float], truth: list[int], valid: list[int] | None = None) -> Tally:
    levels = np.rint(np.array([values]) * 65535).astype(np.uint16)
    return Tally.of(levels, np.array([truth], bool), None if valid is None else np.array([valid], bool))


def some(seed: int) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    truth = rng.random((13, 17)) < 0.3
    return (rng.integers(0, 12, truth.shape) * 5000 + 3000 * truth).astype(np.uint16), truth


def test_scores_worked_by_hand() -> None:
    c = Counts(tp=3, fp=1, fn=2, tn=4)
    assert pixel.f1(c) == pytest.approx(6 / 9)
    assert pixel.iou(c) == pytest.approx(3 / 6)
    assert pixel.precision(c) == 0.75
    assert pixel.recall(c) == 0.6
    assert pixel.accuracy(c) == 0.7
    assert pixel.false_area(c) == 0.2
    assert pixel.mcc(c) == pytest.approx((12 - 2) / math.sqrt(4 * 5 * 5 * 6))
    nothing = Counts(0, 0, 0, 0)
    assert all(math.isnan(score(nothing)) for score in pixel.SCORES.values())
    both = pixel.f1(Counts(np.array([3, 0]), np.array([1, 0]), np.array([2, 0]), np.array([4, 9])))
    assert both[0] == pytest.approx(6 / 9) and math.isnan(both[1])


def test_scores_are_those_of_scikit_learn() -> None:
    for seed in range(10):
        levels, truth = some(seed)
        found = per_picture(Tally.of(levels, truth), FIXED)
        assert set(found) == NAMES
        y, said = truth.ravel(), levels.ravel() >= 32768
        expected = {
            "f1": metrics.f1_score(y, said),
            "iou": metrics.jaccard_score(y, said),
            "precision": metrics.precision_score(y, said),
            "recall": metrics.recall_score(y, said),
            "mcc": metrics.matthews_corrcoef(y, said),
            "accuracy": metrics.accuracy_score(y, said),
            "auc": metrics.roc_auc_score(y, levels.ravel()),
            "average_precision": metrics.average_precision_score(y, levels.ravel()),
            "false_area": said[~y].mean(),
        }
        assert found == pytest.approx(expected, abs=1e-12)


def test_mcc_of_gigapixels_stays_in_range() -> None:
    c = Counts(4 * 10**9, 10**9, 10**9, 4 * 10**9)
    assert pixel.mcc(c) == pytest.approx(0.6)


def test_threshold_is_at_or_above_and_level_0_is_never_marked() -> None:
    assert (level_of(0), level_of(0.5), level_of(1)) == (1, 32768, 65535)
    assert all(level_of(level / 65535) == level for level in range(1, 65536))
    assert per_picture(tally([0, 1], [1, 0]), PixelRule("fixed", 0.0))["recall"] == 0
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            level_of(wrong)


def test_a_rule_and_its_level_must_agree() -> None:
    for threshold, level in (("fixed", None), ("calibrated", None), ("best_per_picture", 0.5), ("fixed", 2.0)):
        with pytest.raises(ValueError):
            PixelRule(threshold, level)  # type: ignore[arg-type]
    assert per_picture(tally([0.4, 0.6], [0, 1]), PixelRule("calibrated", 0.7))["f1"] == 0


@pytest.mark.parametrize(("empty", "score"), [("zero", 0.0), ("one", 1.0), ("skip", math.nan)])
def test_an_authentic_picture_with_nothing_marked_scores_as_the_policy_says(empty: str, score: float) -> None:
    rule = replace(FIXED, empty=empty)
    silent, false = tally([0.1, 0.2], [0, 0]), tally([0.1, 0.9], [0, 0])
    for name in ("f1", "iou", "precision", "recall", "mcc"):
        assert per_picture(silent, rule)[name] == pytest.approx(score, nan_ok=True)
        assert per_picture(false, rule)[name] == 0
    assert per_picture(silent, rule)["accuracy"] == 1 and per_picture(silent, rule)["false_area"] == 0
    assert per_picture(false, rule)["accuracy"] == 0.5 and per_picture(false, rule)["false_area"] == 0.5
    assert math.isnan(per_picture(silent, rule)["auc"])
    assert pooled([silent, silent], rule)["f1"] == pytest.approx(score, nan_ok=True)


@pytest.mark.parametrize("empty", ["zero", "one", "skip"])
def test_an_edited_picture_with_nothing_marked_scores_0_whatever_the_policy(empty: str) -> None:
    found = per_picture(tally([0.1, 0.2, 0.3], [0, 1, 1]), replace(FIXED, empty=empty))
    assert [found[name] for name in ("f1", "iou", "precision", "recall", "mcc")] == [0] * 5


def test_all_edited() -> None:
    found = per_picture(tally([0.9, 0.9, 0.1], [1, 1, 1]), FIXED)
    assert found["f1"] == pytest.approx(0.8) and found["precision"] == 1 and found["mcc"] == 0
    assert math.isnan(found["auc"]) and math.isnan(found["false_area"])
    assert per_picture(tally([1, 1], [1, 1]), FIXED)["f1"] == 1


def test_one_pixel_no_pixel_no_picture() -> None:
    assert per_picture(tally([1], [1]), FIXED)["iou"] == 1
    assert per_picture(tally([0], [1]), FIXED)["iou"] == 0
    assert per_picture(tally([1], [0]), FIXED)["f1"] == 0
    for rule in (FIXED, BEST, replace(FIXED, polarity="double", empty="one")):
        for nothing in (per_picture(tally([1], [1], [0]), rule), pooled([], rule)):
            assert set(nothing) == NAMES and all(math.isnan(v) for v in nothing.values())


def test_best_per_picture_is_the_best_of_all_thresholds() -> None:
    for seed in range(5):
        levels, truth = some(seed)
        best = max(metrics.f1_score(truth.ravel(), levels.ravel() >= t) for t in np.unique(levels) if t)
        found = per_picture(Tally.of(levels, truth), BEST)
        assert found["f1"] == pytest.approx(best)
        assert found["iou"] == pytest.approx(best / (2 - best))
        assert best > per_picture(Tally.of(levels, truth), FIXED)["f1"]


def test_best_per_picture_never_marks_level_0_and_marks_as_little_as_it_can() -> None:
    assert per_picture(tally([0, 0, 0], [1, 1, 0]), BEST)["f1"] == 0
    assert per_picture(tally([0.2, 0.4], [0, 0]), replace(BEST, empty="one"))["f1"] == 1
    # Marking one pixel or three gives the same F1 of 2/3.
    found = per_picture(tally([0.9, 0.8, 0.7, 0.6, 0.1], [1, 0, 0, 1, 0]), BEST)
    assert found["f1"] == pytest.approx(2 / 3) and found["precision"] == 1


def test_inverted_scores_the_inverted_map() -> None:
    levels, truth = some(3)
    for rule in (FIXED, BEST):
        turned = per_picture(Tally.of(levels, truth), replace(rule, polarity="inverted"))
        assert turned == per_picture(Tally.of(65535 - levels, truth), rule)


@pytest.mark.parametrize("rule", [FIXED, BEST, PixelRule("fixed", 0.2)])
def test_double_is_the_better_of_plain_and_inverted(rule: PixelRule) -> None:
    won = set()
    for seed in range(6):
        levels, truth = some(seed)
        for made in (Tally.of(levels, truth), Tally.of(65535 - levels, truth)):
            plain, turned, double = (
                per_picture(made, replace(rule, polarity=polarity)) for polarity in ("plain", "inverted", "double")
            )
            for name in NAMES - {"false_area"}:
                assert double[name] == max(plain[name], turned[name])
            assert double["false_area"] == min(plain["false_area"], turned["false_area"])
            won.add(plain["auc"] > turned["auc"])
    assert won == {True, False}


def test_pooled_counts_all_pixels_together() -> None:
    small, large = tally([0.9, 0.1], [1, 0]), tally([0.9, 0.9, 0.9, 0.1], [0, 0, 1, 1])
    found = pooled([small, large], FIXED)
    assert found["iou"] == pytest.approx(2 / 5) and found["f1"] == pytest.approx(4 / 7)
    assert found["auc"] == (small + large).auc()
    mean = (per_picture(small, FIXED)["iou"] + per_picture(large, FIXED)["iou"]) / 2
    assert mean == pytest.approx((1 + 1 / 4) / 2)


def test_pooled_chooses_picture_by_picture_where_the_rule_says_so() -> None:
    up, down = tally([0.9, 0.8, 0.1], [1, 0, 0]), tally([0.1, 0.2, 0.9], [1, 0, 0])
    assert pooled([up, down], BEST)["f1"] == pytest.approx(4 / 6)  # TP 1 + 1, FP 0 + 2
    assert pooled([up, down], replace(BEST, polarity="double"))["f1"] == 1
    # Inverted, both pixels below one half are marked.
    assert pooled([up, down], replace(FIXED, polarity="double"))["f1"] == pytest.approx(4 / 6)
    assert pooled([up, down], replace(BEST, polarity="double"))["auc"] == 1


def test_band_by_hand() -> None:
    truth = np.zeros((11, 11), bool)
    truth[3:8, 3:8] = True
    expected = np.ones((11, 11), bool)
    expected[2:9, 2:9] = False
    expected[4:7, 4:7] = True
    assert np.array_equal(band(truth, 1, 1), expected)
    assert band(truth, 0, 0).all()
    inner = np.ones((11, 11), bool)
    inner[3:8, 3:8] = False
    inner[5, 5] = True
    assert np.array_equal(band(truth, 2, 0), inner)
    assert not band(truth, 3, 0)[truth].any()
    with pytest.raises(ValueError, match="0 or more"):
        band(truth, -1, 0)


def test_band_ends_where_the_picture_ends() -> None:
    for truth in (np.zeros((5, 6), bool), np.ones((5, 6), bool), np.ones((1, 1), bool)):
        assert band(truth, 2, 2).all()
    left = np.zeros((6, 9), bool)
    left[:, :4] = True
    valid = band(left, 1, 2)
    assert np.array_equal(valid, np.tile(np.array([1, 1, 1, 0, 0, 0, 1, 1, 1], bool), (6, 1)))


def test_a_slip_of_one_pixel_is_forgiven_inside_the_band() -> None:
    truth = np.zeros((20, 20), bool)
    truth[5:15, 5:15] = True
    slipped = np.where(np.roll(truth, 1, axis=1), np.uint16(65535), np.uint16(0))
    assert per_picture(Tally.of(slipped, truth), FIXED)["f1"] == pytest.approx(0.9)
    assert per_picture(Tally.of(slipped, truth, band(truth, 1, 1)), FIXED)["f1"] == 1


def test_padding_is_never_scored() -> None:
    levels, truth = some(1)
    wide, mask, valid = padded(levels, truth, (32, 40))
    assert wide.shape == mask.shape == valid.shape == (32, 40)
    assert wide.dtype == np.uint16 and valid.sum() == truth.size and np.array_equal(wide[:13, :17], levels)
    wide[~valid], mask[~valid] = 65535, False
    for rule in (FIXED, BEST, replace(FIXED, polarity="double")):
        assert per_picture(Tally.of(wide, mask, valid), rule) == per_picture(Tally.of(levels, truth), rule)
    assert per_picture(Tally.of(wide, mask), FIXED) != per_picture(Tally.of(levels, truth), FIXED)
    with pytest.raises(ValueError, match="does not fit"):
        padded(levels, truth, (12, 40))


def test_resized_by_hand() -> None:
    levels = np.array([[0, 100], [200, 300]], np.uint16)
    truth = np.array([[True, False], [False, False]])
    big, mask = resized(levels, truth, (4, 6), "nearest")
    assert np.array_equal(big, np.repeat(np.repeat(levels, 2, 0), 3, 1))
    assert np.array_equal(mask, np.repeat(np.repeat(truth, 2, 0), 3, 1))
    shares = np.array([[1, 1, 0, 0], [1, 0, 0, 1], [1, 1, 1, 0], [1, 1, 1, 0]], bool)  # 3/4, 1/4, all, one half
    small, cut = resized(np.arange(16, dtype=np.uint16).reshape(4, 4) * 100, shares, (2, 2), "area")
    assert np.array_equal(small, [[250, 450], [1050, 1250]])
    assert np.array_equal(cut, [[True, False], [True, True]])
    for kernel in pixel.KERNELS:
        same, kept = resized(levels, truth, (2, 2), kernel)
        assert np.array_equal(same, levels) and np.array_equal(kept, truth)
        shape = resized(levels, truth, (7, 5), kernel)
        assert shape[0].shape == shape[1].shape == (7, 5) and shape[0].dtype == np.uint16 and shape[1].dtype == bool
    with pytest.raises(ValueError, match="bilinear"):
        resized(levels, truth, (2, 2), "cubic-ish")
