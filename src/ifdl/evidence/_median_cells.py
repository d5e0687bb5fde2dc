"""How smooth the finest detail of each cell is, against what places of like contrast hold elsewhere in the picture.

A median filter leaves its own output nearly alone, so what a 3×3 median changes is small beside what a 3×3 mean
changes (the residual of Kang et al., "Robust median filtering forensics using an autoregressive model", IEEE TIFS 8(9),
2013, as a ratio, which neither contrast nor brightness moves). Any smoothing also lowers what a mean changes beside the
detail an octave above it (Crete et al., "The blur effect", SPIE 6492, 2007). First differences of zero beside those of
one count the streaking of Kirchner and Fridrich ("On detection of median filtering in digital images", SPIE 7541,
2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.signal.usual import usual

Floats = NDArray[np.float32]

CELL = 16  # pixels
STRIP = 512  # rows measured at a time
EDGE = 12  # rows of a strip's neighbours that its filters reach into
FLOOR = 0.1  # grey levels added before a logarithm: below them rounding decides
LIMITS = (4, 251)  # samples beyond are clipped
COARSE_WEIGHT = 0.4  # of the loss of fine detail beside the median's residual; fitted on camera folds 0-7
TILES = 6  # the picture's own relation is taken over TILES×TILES parts of it
FEWEST_TILES = 8
BINS = np.arange(-2.5, 4.2, 0.3)  # of the logarithm of contrast
BEYOND = 0.3  # of that logarithm, past the last bin that many parts share


@dataclass(frozen=True, eq=False)
class Cells:
    """Float32 rows×columns, means over 3×3 cells: residuals in grey levels, shares of first differences, and `valid`.

    `median` and `mean` are what a 3×3 filter changes; `coarse` is the detail between 5 and 9 pixels, `contrast` that
    between 9 and 17. `zeros` and `ones` are shares of first differences. `valid` is False where samples are clipped.
    """

    median: Floats
    mean: Floats
    coarse: Floats
    contrast: Floats
    zeros: Floats
    ones: Floats
    valid: NDArray[np.bool_]


def cells_of(pixels: NDArray[np.uint8]) -> Cells:
    """Measured in every whole cell of a picture H×W×3, at native size; strips of rows bound the memory."""
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    planes = np.zeros((7, rows, columns), np.float32)
    for top in range(0, rows, STRIP // CELL):
        high = min(STRIP // CELL, rows - top)
        above = min(EDGE, top * CELL)
        strip = np.ascontiguousarray(pixels[top * CELL - above : (top + high) * CELL + EDGE, : columns * CELL])
        inside = slice(above, above + high * CELL)
        for plane, values in zip(planes, _measured(strip), strict=True):
            whole = np.ascontiguousarray(values[inside])
            plane[top : top + high] = cv2.resize(whole, (columns, high), interpolation=cv2.INTER_AREA)
    around = [np.asarray(cv2.blur(p, (3, 3), borderType=cv2.BORDER_REFLECT), np.float32) for p in planes]
    median, mean, coarse, contrast, zeros, ones = around[:6]
    return Cells(median, mean, coarse, contrast, zeros, ones, np.asarray(planes[6] < 0.1))


def _measured(strip: NDArray[np.uint8]) -> list[Floats]:
    """Seven float32 planes H×W: the six fields of Cells before averaging, and where a sample is clipped."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)
    fine, middle, wide, widest = (cv2.boxFilter(grey, cv2.CV_32F, (n, n)) for n in (3, 5, 9, 17))
    across = cv2.absdiff(grey[:, 1:], grey[:, :-1])
    down = cv2.absdiff(grey[1:], grey[:-1])
    shares = []
    for value in (0, 1):
        share = np.zeros(grey.shape, np.float32)
        share[:, 1:] = across == value
        share[1:] += down == value
        shares.append(share / 2)
    clipped = (cv2.inRange(strip, (LIMITS[0],) * 3, (LIMITS[1],) * 3) == 0).astype(np.float32)
    return [
        cv2.absdiff(grey, cv2.medianBlur(grey, 3)).astype(np.float32),
        cv2.absdiff(grey.astype(np.float32), fine),
        cv2.absdiff(middle, wide),
        cv2.absdiff(wide, widest),
        *shares,
        clipped,
    ]


def idempotence(cells: Cells) -> Floats:
    """Log of the mean's over the median's residual: high where a median finds little left to change."""
    return np.asarray(np.log(cells.mean + FLOOR) - np.log(cells.median + FLOOR), np.float32)


def loss(cells: Cells) -> Floats:
    """Log of coarse over fine detail: high where the finest detail is missing."""
    return np.asarray(np.log(cells.coarse + FLOOR) - np.log(cells.mean + FLOOR), np.float32)


def streaking(cells: Cells) -> Floats:
    """Log of the ratio of first differences of zero to those of one."""
    return np.asarray(np.log(cells.zeros + 0.01) - np.log(cells.ones + 0.01), np.float32)


def excess(values: Floats, cells: Cells) -> Floats | None:
    """Values less what cells of like contrast have elsewhere in the picture; NaN where nothing can be expected.

    What is like is taken from many parts of the picture, so that one part cannot set its own expectation; far beyond
    the contrast that many parts share nothing is known. None if the picture is too uneven to expect anything.
    """
    level = np.log(cells.contrast + FLOOR)
    known = usual(values, level, cells.valid, BINS, TILES, FEWEST_TILES)
    if known is None:
        return None
    centres, expected = known
    like = cells.valid & (level > centres[0] - BEYOND) & (level < centres[-1] + BEYOND)
    return np.where(like, values - np.interp(level, centres, expected), np.nan).astype(np.float32)
