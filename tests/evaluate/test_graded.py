"""Graded maps: worked by hand, against scipy, and where nothing can be said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from ifdl.evaluate import graded


def drawn(rng: np.random.Generator, shape: tuple[int, int], top: int = 65536) -> NDArray[np.uint16]:
    return rng.integers(0, top, shape).astype(np.uint16)


def test_by_hand() -> None:
    said = np.array([[0, 65535], [13107, 0]], np.uint16)
    true = np.array([[0, 65535], [0, 26214]], np.uint16)
    made = graded.compare(said, true, degrees=(0.0, 0.2, 0.5, 1.0))
    assert made.mae == pytest.approx((0.2 + 0.4) / 4)
    assert made.rmse == pytest.approx(math.sqrt((0.04 + 0.16) / 4))
    # 0.2 stands for level 13107 exactly; at degree 0, level 0 is still unedited.
    assert made.iou == {0.0: 1 / 3, 0.2: 1 / 3, 0.5: 1.0, 1.0: 1.0}
    assert made.pixels == 4


def test_below_zero_does_not_wrap() -> None:
    made = graded.compare(np.zeros((3, 3), np.uint16), np.full((3, 3), 65535, np.uint16))
    assert made.mae == made.rmse == 1 and set(made.iou.values()) == {0.0}


@pytest.mark.parametrize("top", [3, 500, 65536])  # from many ties to few
def test_correlations_as_scipy(top: int) -> None:
    rng = np.random.default_rng(top)
    said = drawn(rng, (37, 41), top)
    true = np.where(rng.random(said.shape) < 0.5, said, drawn(rng, (37, 41), top))
    made = graded.compare(said, true)
    assert made.pearson == pytest.approx(stats.pearsonr(said.ravel(), true.ravel()).statistic)
    assert made.spearman == pytest.approx(stats.spearmanr(said.ravel(), true.ravel()).statistic)
    assert np.array_equal(graded.ranks(said.ravel()), stats.rankdata(said.ravel()))


def test_rising_but_not_straight() -> None:
    true = np.arange(0, 65536, 64, np.uint16).reshape(32, 32)
    said = (np.square(true / 65535) * 65535).astype(np.uint16)
    made = graded.compare(said, true)
    assert made.spearman > 0.9999 > 0.98 > made.pearson
    assert graded.compare(np.ascontiguousarray(65535 - true), true).pearson == pytest.approx(-1)


def test_only_valid_pixels_count() -> None:
    rng = np.random.default_rng(5)
    said, true = drawn(rng, (20, 31)), drawn(rng, (20, 31))
    padded, more = np.pad(said, ((0, 7), (0, 3)), constant_values=65535), np.pad(true, ((0, 7), (0, 3)))
    valid = np.pad(np.ones((20, 31), bool), ((0, 7), (0, 3)))
    assert graded.compare(padded, more, valid) == graded.compare(said, true)
    assert graded.compare(padded, more) != graded.compare(said, true)


def test_where_nothing_can_be_said() -> None:
    flat, slope = np.full((4, 5), 300, np.uint16), np.arange(20, dtype=np.uint16).reshape(4, 5)
    for made in (graded.compare(flat, slope), graded.compare(slope, flat)):
        assert math.isnan(made.pearson) and math.isnan(made.spearman) and made.mae > 0
        assert all(math.isnan(value) for value in made.iou.values()), "neither reaches a tenth"
    none = graded.compare(flat, slope, np.zeros((4, 5), bool))
    assert none.pixels == 0 and math.isnan(none.mae) and math.isnan(none.iou[0.5])
    with pytest.raises(ValueError, match="shape"):
        graded.compare(flat, slope.T)
    with pytest.raises(ValueError, match="uint16"):
        graded.compare(flat.astype(np.uint8), slope)
