"""Alignment: known maps found again through JPEG, and different scenes refused."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.signal.alignment import align, shift, warp
from ifdl.signal.jpeg import luma
from ifdl.signal.points import apply, fit, ransac, resize_matrix
from tests.photographs import bundled

Pixels = NDArray[np.uint8]
PICTURES = [np.asarray(Image.open(io.BytesIO(p.data)).convert("RGB")) for p in bundled()]


def jpeg(pixels: Pixels, quality: int = 75) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def error(found: NDArray[np.float64], truth: NDArray[np.float64], size: tuple[int, ...]) -> float:
    """Largest distance, in pixels of after, between two maps anywhere on its corners and middle."""
    height, width = size[:2]
    places = np.array([[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 2]], float)
    return float(np.abs(apply(found, apply(np.linalg.inv(truth), places)) - places).max())


@pytest.mark.parametrize("picture", PICTURES, ids=["astronaut", "chelsea", "coffee", "rocket"])
def test_crops_and_resizes_are_found_exactly(picture: Pixels) -> None:
    height, width = picture.shape[:2]
    same = align(picture, jpeg(picture))
    assert same is not None and same.kind == "same" and (same.matrix == np.eye(3)).all()
    crop = align(picture, jpeg(picture[13 : height - 30, 21 : width - 5]))
    assert crop is not None and crop.kind == "shift" and (crop.matrix[:2, 2] == (-21, -13)).all()
    small = np.asarray(
        Image.fromarray(picture).resize((round(width * 0.7), round(height * 0.7)), Image.Resampling.LANCZOS)
    )
    resized = align(picture, jpeg(small))
    assert resized is not None and resized.kind == "resize"
    assert error(resized.matrix, resize_matrix(picture.shape, small.shape), small.shape) < 1e-6


@pytest.mark.parametrize("picture", PICTURES[:3], ids=["astronaut", "chelsea", "coffee"])
def test_crop_with_scale_rotation_and_perspective_to_a_tenth_of_a_pixel(picture: Pixels) -> None:
    height, width = picture.shape[:2]
    part = picture[40:-30, 60:-50]
    size = (round(part.shape[1] * 0.8), round(part.shape[0] * 0.8))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    moved = np.array([[1, 0, -60], [0, 1, -40], [0, 0, 1.0]])
    turn = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), 4, 1.05), [0, 0, 1]])
    tilt = np.array([[1.02, 0.03, -8], [-0.02, 0.97, 5], [1e-4, -5e-5, 1]])
    cases = [(small, resize_matrix(part.shape, small.shape) @ moved)]
    cases += [(cv2.warpPerspective(picture, m, (width, height), flags=cv2.INTER_CUBIC), m) for m in (turn, tilt)]
    for after, truth in cases:
        found = align(picture, jpeg(after))
        assert found is not None
        assert error(found.matrix, truth, after.shape) < 0.1, found.kind


def test_a_large_edit_does_not_pull_the_map() -> None:
    picture = PICTURES[0]
    edited = picture.copy()
    edited[100:330, 150:400] = PICTURES[2][60:290, 100:350]
    found = align(picture, jpeg(np.ascontiguousarray(edited[9:, 17:])))
    assert found is not None and found.kind == "shift" and (found.matrix[:2, 2] == (-17, -9)).all()
    assert 0.4 < found.agreement < 0.95  # the edit is a quarter of the picture


def test_other_scenes_and_flat_pictures() -> None:
    assert align(PICTURES[0], PICTURES[1]) is None
    assert align(PICTURES[2], PICTURES[3]) is None
    assert align(PICTURES[0], np.full((200, 300, 3), 90, np.uint8)) is None


def test_twice_the_same() -> None:
    after = jpeg(cv2.resize(PICTURES[0][30:400, 20:480], (400, 330)))
    one, two = align(PICTURES[0], after), align(PICTURES[0], after)
    assert one is not None and two is not None and (one.matrix == two.matrix).all()


def test_phase_correlation_sees_parts_of_a_pixel() -> None:
    plane = luma(PICTURES[0])
    for dx, dy in ((0.0, 0.0), (7.0, -4.0), (2.5, 1.25)):
        matrix = np.array([[1, 0, dx], [0, 1, dy]], float)
        moved = cv2.warpAffine(plane, matrix, plane.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        found = shift(plane, np.asarray(moved, np.float32))
        assert abs(found[0] - dx) < 0.06 and abs(found[1] - dy) < 0.06 and found[2] > 0.3


def test_ransac_with_mostly_wrong_matches() -> None:
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 500, (120, 2))
    truth = np.array([[0.8, 0.1, 30], [-0.1, 0.82, 12], [1e-5, 0, 1]])
    target = apply(truth, source) + rng.normal(0, 0.3, source.shape)
    target[:70] = rng.uniform(0, 500, (70, 2))
    found = ransac(source, target, tolerance=5.0)
    assert found is not None
    assert np.abs(apply(found, source[70:]) - apply(truth, source[70:])).max() < 1.0
    assert ransac(source, rng.uniform(0, 500, (120, 2)), tolerance=5.0) is None
    exact = fit(source, apply(truth, source), 8)
    assert np.abs(exact - truth).max() < 1e-8


def test_a_whole_pixel_shift_copies_pixels() -> None:
    matrix = np.array([[1, 0, -5], [0, 1, 7], [0, 0, 1.0]])
    moved, known = warp(PICTURES[1], matrix, (200, 300))
    assert not known[:7].any() and known[7:].all()
    assert (moved[7:200] == PICTURES[1][:193, 5:305]).all()
