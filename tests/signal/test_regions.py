"""Regions: boxes, shares, order, and words for places as the viewer sees them."""

from __future__ import annotations

import numpy as np
import pytest

from ifdl.signal.regions import mask_of, position_words, region_of, regions_of


def test_parts_come_largest_first_with_exact_boxes() -> None:
    mask = np.zeros((60, 90), bool)
    mask[5:10, 3:8] = True
    mask[30:50, 60:85] = True
    large, small = regions_of(mask)
    assert large.box == (60, 30, 25, 20) and small.box == (3, 5, 5, 5)
    assert large.area == pytest.approx(500 / 5400)
    assert (large.position, small.position) == ("lower right", "upper left")
    assert np.array_equal(mask_of((large, small), mask.shape), mask)


def test_diagonal_neighbours_are_one_part_and_specks_are_dropped() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2, 2] = mask[3, 3] = True
    mask[15, 15] = True
    assert len(regions_of(mask)) == 2
    assert len(regions_of(mask, min_area=2 / 400)) == 1


@pytest.mark.parametrize(
    ("code", "words"), [(1, "upper left"), (3, "lower right"), (6, "upper right"), (8, "lower left")]
)
def test_words_follow_the_display_not_the_storage(code: int, words: str) -> None:
    assert position_words(5, 5, (100, 300), code) == words


def test_centre_words() -> None:
    assert position_words(150, 50, (100, 300)) == "centre"
    assert position_words(150, 5, (100, 300)) == "upper middle"
    assert position_words(299, 50, (100, 300)) == "right"


def test_empty_mask_is_no_region() -> None:
    assert regions_of(np.zeros((4, 4), bool)) == ()
    with pytest.raises(ValueError):
        region_of(np.zeros((4, 4), bool))
