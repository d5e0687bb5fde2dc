"""The eight orientations against Pillow's own transposition."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from ifdl.signal.orientation import point_to_display, to_display, to_stored

STORED = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("code", range(1, 9))
def test_like_pillow_and_back(code: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = code
    buffer = io.BytesIO()
    Image.fromarray(STORED).save(buffer, "PNG", exif=exif)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(buffer)))
    assert np.array_equal(to_display(STORED, code), shown)
    assert np.array_equal(to_stored(shown, code), STORED)


@pytest.mark.parametrize("code", range(1, 9))
def test_points_move_with_the_pixels(code: int) -> None:
    dot = np.zeros((5, 7))
    dot[1, 4] = 1
    ((row, column),) = np.argwhere(to_display(dot, code))
    assert point_to_display(4.5, 1.5, (5, 7), code) == (column + 0.5, row + 0.5)
