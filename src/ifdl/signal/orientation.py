"""The eight EXIF orientations: from stored pixels to what a viewer shows, and back.

Source: JEITA CP-3451 (Exif 2.3), tag 0x0112.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = {
    1: "as stored",
    2: "mirrored left to right",
    3: "turned by 180°",
    4: "mirrored top to bottom",
    5: "transposed",
    6: "turned by 90° clockwise",
    7: "transposed across the other diagonal",
    8: "turned by 90° anticlockwise",
}


def to_display(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Array H×W[×C] in stored pixels, turned as a viewer shows it (W×H for orientations 5-8)."""
    rows_first = stored.swapaxes(0, 1) if orientation >= 5 else stored
    if orientation in (2, 3, 6, 7):
        rows_first = rows_first[:, ::-1]
    if orientation in (3, 4, 7, 8):
        rows_first = rows_first[::-1]
    return np.ascontiguousarray(rows_first)


def to_stored(displayed: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Inverse of `to_display`."""
    return to_display(displayed, {6: 8, 8: 6}.get(orientation, orientation))


def point_to_display(x: float, y: float, size: tuple[int, int], orientation: int) -> tuple[float, float]:
    """Where the stored point (x, y) lies on screen; `size` is the stored (height, width), edges included."""
    height, width = size
    u, v, w, h = (y, x, height, width) if orientation >= 5 else (x, y, width, height)
    if orientation in (2, 3, 6, 7):
        u = w - u
    if orientation in (3, 4, 7, 8):
        v = h - v
    return u, v
