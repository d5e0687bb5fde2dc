"""Fine against coarser detail, cell by cell, and how far each cell lies above what the picture leads one to expect.

Fine detail is the median absolute second difference of Immerkær ("Fast noise variance estimation", CVIU 64(2), 1996),
coarser detail the same one octave lower. Both are scaled so that white noise gives `exp(WHITE)` times as much fine
detail as coarse; lenses, demosaicing and compression leave a photograph less, whatever its brightness and texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.signal.jpeg import luma
from ifdl.signal.usual import usual

Floats = NDArray[np.float32]

CELL = 16  # pixels
WHITE = float(np.log(2.0))
STRIP = 512  # rows measured at a time
FLOOR = 0.3  # grey levels below which rounding decides
LIMITS = (3, 252)  # samples beyond are clipped
_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
_COARSE = np.zeros((5, 5), np.float32)
_COARSE[::2, ::2] = _KERNEL
TILES = 6  # the picture's own relation is taken over TILES×TILES parts of it
FEWEST_TILES = 10
BINS = np.arange(np.log(FLOOR), 4.2, 0.2)  # of the logarithm of coarse detail


@dataclass(frozen=True, eq=False)
class Cells:
    """Float32 rows×columns: fine and coarse detail in grey levels; `valid` where enough is not clipped."""

    fine: Floats
    coarse: Floats
    valid: NDArray[np.bool_]


def cells_of(pixels: NDArray[np.uint8]) -> Cells:
    """Detail in every whole cell of a picture H×W×3, at native size and strip by strip."""
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    width, edge = columns * CELL, 3
    fine, coarse = np.zeros((2, rows, columns), np.float32)
    valid = np.zeros((rows, columns), bool)
    for top in range(0, rows, STRIP // CELL):
        high = min(STRIP // CELL, rows - top)
        low, end = top * CELL, (top + high) * CELL
        above = min(edge, low)
        strip = np.ascontiguousarray(pixels[low - above : end + edge, :width])
        grey = luma(strip)
        inside = slice(above, above + high * CELL)
        here = slice(top, top + high)
        fine[here] = _middle(np.asarray(cv2.filter2D(grey, -1, _KERNEL)[inside], np.float32))
        coarse[here] = _middle(np.asarray(cv2.filter2D(cv2.blur(grey, (2, 2)), -1, _COARSE)[inside], np.float32))
        clipped = cv2.inRange(strip[inside], (LIMITS[0],) * 3, (LIMITS[1],) * 3) == 0
        share = cv2.resize(clipped.astype(np.float32), (columns, high), interpolation=cv2.INTER_AREA)
        valid[here] = share < 0.1
    return Cells(fine, coarse, valid)


def _middle(residual: Floats) -> Floats:
    """Median absolute value of each cell."""
    rows, columns = residual.shape[0] // CELL, residual.shape[1] // CELL
    blocks = np.abs(residual).reshape(rows, CELL, columns, CELL).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    half = CELL * CELL // 2
    return np.asarray(np.partition(blocks, half, axis=2)[:, :, half], np.float32)


def excess(cells: Cells) -> Floats | None:
    """Log of fine over coarse detail of each cell, less what cells of like coarse detail have elsewhere in the picture.

    What is like is taken from many parts of the picture, so that one part cannot set its own expectation; beyond the
    detail that many parts share, the nearest expectation holds. None if the picture is too uneven to expect anything.
    """
    level = np.log(cells.coarse + FLOOR)
    ratio = np.log(cells.fine + FLOOR) - level
    known = usual(ratio, level, cells.valid, BINS, TILES, FEWEST_TILES)
    if known is None:
        return None
    centres, expected = known
    return np.asarray(ratio - np.interp(level, centres, expected), np.float32)
