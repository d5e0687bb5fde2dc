"""How much of a picture is exactly flat, as drawings, masks and blank frames are and photographs hardly ever."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BAND = 256  # rows at a time: a large picture's codes take more memory than its pixels


def colour_code(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """uint8 H×W×3 → one number for each pixel's colour, uint32 H×W."""
    red, green, blue = (pixels[:, :, n].astype(np.uint32) for n in range(3))
    return np.asarray(red << 16 | green << 8 | blue, np.uint32)


def share(pixels: NDArray[np.uint8]) -> float:
    """Share (0-1) of pixels of uint8 H×W×3 that have the colour of those to the left and above; 0 for a single line."""
    same = 0
    for top in range(0, pixels.shape[0] - 1, BAND):
        code = colour_code(pixels[top : top + BAND + 1])
        same += int(np.count_nonzero((code[1:, 1:] == code[:-1, 1:]) & (code[1:, 1:] == code[1:, :-1])))
    compared = (pixels.shape[0] - 1) * (pixels.shape[1] - 1)
    return same / compared if compared > 0 else 0.0
