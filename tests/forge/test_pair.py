"""Truth from a pair: masks known beforehand, found again through JPEG, resizes and crops."""

from __future__ import annotations

import io
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.forge.pair import truth_of_pair
from tests.photographs import bundled

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
PICTURES = [np.asarray(Image.open(io.BytesIO(p.data)).convert("RGB"))[:320, :400] for p in bundled()]


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


@cache
def edited(number: int, kind: str) -> tuple[Pixels, Mask]:
    """A photograph with a soft-edged edit of about 6 % of its area, and where it is."""
    picture = PICTURES[number]
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    rng = np.random.default_rng([number, len(kind)])
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    radius = np.sqrt(0.06 * height * width / np.pi) * rng.uniform(0.75, 1.25, 14)
    centre = np.array([width * rng.uniform(0.35, 0.65), height * rng.uniform(0.4, 0.6)])
    outline = centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    if kind == "splice":
        new = cv2.resize(PICTURES[(number + 1) % 4], (width, height))
    else:
        new = np.roll(picture, (height // 3, width // 4), (0, 1))
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)[..., None]
    return np.clip(picture * (1 - soft) + new * soft + 0.5, 0, 255).astype(np.uint8), mask.astype(bool)


def reduced(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 127


def iou(one: Mask, two: Mask) -> float:
    return float((one & two).sum() / max(1, (one | two).sum()))


CASES = [(n, k) for n in (0, 1, 2) for k in ("splice", "copymove")]


@pytest.mark.parametrize(("number", "kind"), CASES)
def test_same_size_and_crop(number: int, kind: str) -> None:
    after, mask = edited(number, kind)
    for quality, least in ((95, 0.8), (80, 0.8), (60, 0.65)):
        found = truth_of_pair(PICTURES[number], jpeg(after, quality))
        assert found.truth is not None and found.truth.label == "edited" and found.truth.mask is not None
        assert found.aligned == 1.0 and found.alignment is not None and found.alignment.kind == "same"
        assert iou(found.truth.mask, mask) >= least, quality
    cropped = truth_of_pair(PICTURES[number], jpeg(np.ascontiguousarray(after[11:-20, 5:-13]), 80))
    assert cropped.truth is not None and cropped.truth.mask is not None
    assert iou(cropped.truth.mask, mask[11:-20, 5:-13]) >= 0.8


@pytest.mark.parametrize(("number", "kind"), CASES)
def test_after_a_resize(number: int, kind: str) -> None:
    after, mask = edited(number, kind)
    height, width = mask.shape
    for factor, method in ((0.5, Image.Resampling.LANCZOS), (0.75, Image.Resampling.BILINEAR)):
        size = (round(width * factor), round(height * factor))
        small = np.asarray(Image.fromarray(after).resize(size, method))
        found = truth_of_pair(PICTURES[number], jpeg(small, 80))
        assert found.truth is not None and found.truth.mask is not None
        assert iou(found.truth.mask, reduced(mask, size)) >= 0.6, factor


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_an_unedited_pair_gives_an_empty_mask(number: int) -> None:
    picture = PICTURES[number]
    height, width = picture.shape[:2]
    size = (round(width * 0.6), round(height * 0.6))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 2, 1.05)
    afters = [
        picture,
        np.ascontiguousarray(picture[7:-9, 3:-30]),
        np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)),
        np.asarray(cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_CUBIC), np.uint8),
    ]
    for after, quality in zip(afters, (65, 90, 75, 80), strict=True):
        found = truth_of_pair(picture, jpeg(after, quality))
        assert found.truth is not None and found.truth.label == "authentic"
        assert found.truth.mask is not None and not found.truth.mask.any()
        assert found.truth.mask.shape == after.shape[:2]


def test_what_before_does_not_show_is_not_spoken_of() -> None:
    before = np.ascontiguousarray(PICTURES[0][:, :240])
    found = truth_of_pair(before, jpeg(PICTURES[0], 85))
    assert found.truth is not None and found.truth.mask is not None
    assert 0.5 < found.aligned < 0.65
    assert not found.truth.mask.any()


def test_another_scene_has_no_truth() -> None:
    assert truth_of_pair(PICTURES[0], PICTURES[1]).truth is None
