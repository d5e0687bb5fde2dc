"""How much of a picture is exactly flat, as drawings, masks and blank frames are and photographs hardly ever."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def colour_code(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """uint8 H×W×3 → one number for each pixel's colour, uint32 H×W."""
    red, green, blue = (pixels[:, :, n].astype(np.uint32) for n in range(3))
    return np.asarray(red << 16 | green << 8 | blue, np.uint32)


def share(code: NDArray[np.uint32]) -> float:
    """Share (0-1) of pixels of the same colour as those to the left and above; 0 where a picture has none such."""
    same = (code[1:, 1:] == code[:-1, 1:]) & (code[1:, 1:] == code[1:, :-1])
    return float(same.mean()) if same.size else 0.0
