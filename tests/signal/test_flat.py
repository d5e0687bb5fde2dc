"""What is exactly flat, and what is not."""

from __future__ import annotations

import numpy as np

from ifdl.signal import flat


def test_a_drawing_is_flat_and_noise_is_not() -> None:
    drawing = np.zeros((60, 80, 3), np.uint8)
    drawing[20:40, 30:60] = 255
    assert flat.share(drawing) > 0.95
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    assert flat.share(noise) < 0.01


def test_colours_are_told_apart_by_every_channel() -> None:
    pixels = np.array([[[1, 2, 3], [1, 2, 4]], [[1, 3, 3], [2, 2, 3]]], np.uint8)
    assert len(np.unique(flat.colour_code(pixels))) == 4


def test_bands_are_as_the_whole() -> None:
    pixels = np.random.default_rng(1).integers(0, 2, (2 * flat.BAND + 7, 40, 3), np.uint8)
    code = flat.colour_code(pixels)
    whole = (code[1:, 1:] == code[:-1, 1:]) & (code[1:, 1:] == code[1:, :-1])
    assert flat.share(pixels) == whole.mean() > 0


def test_a_single_row_has_no_such_pixel() -> None:
    assert flat.share(np.zeros((1, 9, 3), np.uint8)) == 0.0
