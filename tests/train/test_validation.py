"""Validation numbers against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from ifdl.train.validation import Answer, numbers, score_of


def test_numbers_of_maps_made_by_hand() -> None:
    mask = np.zeros((20, 20), bool)
    mask[:10] = True
    exact = np.where(mask, 40000, 100).astype(np.uint16)
    half = np.where(mask & (np.arange(20) < 10), 40000, 100).astype(np.uint16)  # half of the edit, no false pixel
    nothing = np.zeros((20, 20), bool)
    two, three = np.full((2, 20, 20), 100, np.uint16)
    two.flat[:2], three.flat[:3] = 50000, 50000  # 0.5 % of 400 pixels are 2
    answers = [
        Answer(exact, mask, 0.9),
        Answer(half, mask, 0.2),
        Answer(two, nothing, 0.1),
        Answer(three, nothing, 0.3),
    ]
    found = numbers(answers)
    assert found["iou"] == pytest.approx(0.75) and found["f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["auc"] == pytest.approx((1 + 0.75) / 2)
    assert found["flagged"] == 0.5 and found["picture_auc"] == 0.75
    assert 100 < found["threshold"] * 65535 <= 40000


def test_score_is_the_mean_of_the_highest() -> None:
    levels = np.zeros(1000, np.uint16)
    levels[:10], levels[10:20] = 65535, 13107
    assert score_of(levels.reshape(20, 50)) == pytest.approx(0.6)
