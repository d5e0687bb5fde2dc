"""Differencing: recompression and whole-picture changes explained, edits found where they are."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.signal.difference import difference
from tests.photographs import bundled

Pixels = NDArray[np.uint8]
PICTURES = [np.asarray(Image.open(io.BytesIO(p.data)).convert("RGB")) for p in bundled()]
NAMES = ["astronaut", "chelsea", "coffee", "rocket"]


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def levels(values: NDArray[np.floating]) -> Pixels:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("picture", PICTURES, ids=NAMES)
@pytest.mark.parametrize("quality", [60, 75, 95])
def test_a_resave_explains_itself(picture: Pixels, quality: int) -> None:
    result = difference(picture, jpeg(picture, quality))
    assert not result.mask.any()
    assert 0 < result.level < 6


@pytest.mark.parametrize("picture", PICTURES, ids=NAMES)
def test_a_change_of_the_whole_picture_is_no_edit(picture: Pixels) -> None:
    toned = levels((picture / 255) ** 0.85 * 255 * np.array([1.05, 1.0, 0.93]) + 3)
    sharpened = cv2.addWeighted(picture, 1.8, cv2.GaussianBlur(picture, (0, 0), 1.5), -0.8, 0)
    for changed in (toned, sharpened, cv2.GaussianBlur(picture, (0, 0), 0.9)):
        assert not difference(picture, jpeg(changed, 80)).mask.any()


@pytest.mark.parametrize("quality", [70, 85, 95])
def test_an_edit_is_found_to_the_pixel(quality: int) -> None:
    picture = PICTURES[0]
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.ellipse(mask, (200, 300), (70, 45), 30, 0, 360, 1, -1)
    cv2.rectangle(mask, (380, 60), (440, 110), 1, -1)
    donor = cv2.resize(PICTURES[2], (512, 512))
    edited = np.where(mask[..., None] == 1, donor, picture)
    found = difference(picture, jpeg(edited, quality)).mask
    true = mask.astype(bool)
    assert (found & true).sum() / (found | true).sum() > 0.85


def test_edit_and_global_change_together() -> None:
    picture = PICTURES[1]
    true = np.zeros(picture.shape[:2], bool)
    true[120:200, 180:300] = True
    edited = np.where(true[..., None], picture[::-1], picture)
    toned = levels(edited * np.array([1.1, 1.0, 0.9]) - 6)
    found = difference(picture, jpeg(toned, 85)).mask
    assert (found & true).sum() / (found | true).sum() > 0.8


def test_identical_pictures_and_lossless_edits() -> None:
    picture = PICTURES[2]
    same = difference(picture, picture)
    assert not same.mask.any() and same.level < 0.5
    edited = picture.copy()
    edited[50:90, 70:130] = 255 - edited[50:90, 70:130]
    found = difference(picture, edited).mask
    assert found[52:88, 72:128].mean() > 0.95 and found.sum() < 1.2 * 40 * 60


def test_nothing_is_said_where_before_is_unknown() -> None:
    picture = PICTURES[0]
    known = np.ones(picture.shape[:2], bool)
    known[:, 400:] = False
    edited = picture.copy()
    edited[200:260, 430:490] = 0
    result = difference(picture, jpeg(edited, 85), known)
    assert not result.mask[:, 400:].any() and not result.excess[:, 400:].any()


def test_sizes_must_fit() -> None:
    with pytest.raises(ValueError, match="one size"):
        difference(PICTURES[0], PICTURES[1])
    with pytest.raises(ValueError, match="overlap"):
        difference(PICTURES[0], PICTURES[0], np.zeros(PICTURES[0].shape[:2], bool))
