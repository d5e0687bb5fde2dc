"""Masks from pairs: both kinds of pair on edits whose shape is known, and a quality that says when to doubt."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ifdl.intake import decode
from ifdl.signal.annotation import QUALITY, Annotation, Kind, annotate, quality
from ifdl.signal.difference import difference
from ifdl.train.data import graded
from tests.photographs import bundled

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def scenes() -> list[Pixels]:
    """Two different photographs, 300×420 of each."""
    whole = [decode(photograph.data).pixels for photograph in bundled()]
    found: list[Pixels] = []
    for pixels in whole:
        part = np.ascontiguousarray(pixels[:300, :420])
        if part.shape == (300, 420, 3) and all(np.abs(part.astype(int) - f).mean() > 30 for f in found):
            found.append(part)
    return found[:2]


def saved(pixels: Pixels, level: int) -> Pixels:
    _, file = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, level])
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB), np.uint8)


def shape(rng: np.random.Generator, size: tuple[int, int], radius: int) -> NDArray[np.bool_]:
    """A star-shaped part somewhere."""
    height, width = size
    x, y = rng.integers(radius + 4, width - radius - 4), rng.integers(radius + 4, height - radius - 4)
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    reach = radius * rng.uniform(0.6, 1.0, 12)
    corners = np.stack([x + reach * np.cos(turns), y + reach * np.sin(turns)], 1).astype(np.int32)
    return np.asarray(cv2.fillPoly(np.zeros(size, np.uint8), [corners], 1) > 0)


def iou(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    return float((one & two).sum() / max(1, (one | two).sum()))


def test_one_level_more_is_one_level_and_never_wraps_round() -> None:
    """A released annotator subtracted bytes: 3 − 5 was 254."""
    before = np.random.default_rng(0).integers(0, 254, (64, 64, 3), np.uint8)
    whole = np.ones((64, 64), bool)
    assert (graded(before, before + 1, whole) == 1).all() and (graded(before + 1, before, whole) == 1).all()
    for one, two in ((before, before + 1), (before + 1, before)):
        found = difference(one, two)
        assert not found.mask.any() and found.excess.max() < 3


def test_what_differs_in_one_scene_whichever_way_round_and_better_than_any_threshold(scenes: list[Pixels]) -> None:
    rng = np.random.default_rng(1)
    found, plain, scores = [], [], []
    for n in range(6):
        host, other = scenes[n % 2], scenes[1 - n % 2]
        mask = shape(rng, (300, 420), int(rng.integers(22, 70)))
        after = np.where(mask[..., None], np.clip(other * 0.25 + host * 0.75, 0, 255) if n == 5 else other, host)
        toned = saved(np.clip(after * rng.uniform(0.9, 1.1) + rng.uniform(-8, 8), 0, 255).astype(np.uint8), 80)
        before = saved(host, 92)
        told = annotate(before, toned)
        assert told.kind is Kind.SCENE
        found.append(iou(told.mask, mask))
        scores.append(told.quality)
        raw = np.abs(before.astype(float) - toned).mean(2)
        plain.append(max(iou(raw > level, mask) for level in (5, 10, 20, 30, 40)))
        if n == 0:
            shifted = annotate(np.ascontiguousarray(before[6:, 9:]), toned)
            assert shifted.kind is Kind.SCENE and iou(shifted.mask[6:, 9:], mask[6:, 9:]) > 0.8
    assert np.mean(found) > 0.8 and np.mean(found) > np.mean(plain) + 0.05, (found, plain)
    assert spearmanr(found, scores).statistic > 0.3


def pasted(source: Pixels, host: Pixels, mask: NDArray[np.bool_], flip: bool) -> tuple[Pixels, NDArray[np.bool_]]:
    """The masked part of the source, scaled by 1.15, turned by 12° and moved to (190, 150) of the host."""
    if flip:
        source, mask = np.ascontiguousarray(source[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
    rows, columns = np.nonzero(mask)
    middle = (float(columns.mean()), float(rows.mean()))
    matrix = cv2.getRotationMatrix2D(middle, 12.0, 1.15)
    matrix[:, 2] += np.array((190, 150)) - middle
    size = host.shape[1::-1]
    where = cv2.warpAffine(mask.astype(np.uint8), matrix, size) > 0
    return np.where(where[..., None], cv2.warpAffine(source, matrix, size), host).astype(np.uint8), where


@pytest.mark.parametrize("flip", [False, True])
def test_the_part_of_another_scene_scaled_turned_and_mirrored(scenes: list[Pixels], flip: bool) -> None:
    rng = np.random.default_rng(2)
    mask = shape(rng, (300, 420), 95)
    after, where = pasted(scenes[1], scenes[0], mask, flip)
    after = saved(np.clip(after * 1.05, 0, 255).astype(np.uint8), 85)
    told = annotate(scenes[1], after)
    assert told.kind is Kind.PART and iou(told.mask, where) > 0.7 and told.quality > QUALITY
    assert iou(told.mask, shape(rng, (300, 420), 60)) < 0.4  # the control: some other part


def test_two_pictures_with_nothing_in_common_have_no_mask(scenes: list[Pixels]) -> None:
    told = annotate(scenes[0], scenes[1])
    assert told.kind is Kind.NOTHING and not told.mask.any() and told.quality == 0


def test_a_resaved_copy_has_an_empty_mask(scenes: list[Pixels]) -> None:
    told: Annotation = annotate(scenes[0], saved(scenes[0], 75))
    assert told.kind is Kind.SCENE and not told.mask.any()


def test_quality_is_the_share_that_is_sure() -> None:
    chance = np.zeros((10, 10), np.float32)
    assert quality(chance) == 1.0
    chance[0], chance[1] = 0.99, 0.5
    assert quality(chance) == 0.5
    chance[2] = 1 / 17  # below a sixteenth: not touched
    assert quality(chance) == 0.5
