"""The demosaicing trace: which pixels of every 2×2 are predicted best from what a sensor would have sampled.

A Bayer sensor samples green at half of the pixels, red and blue at a quarter each. For each of the four possible
patterns the greens at red and at blue pixels are predicted by least squares from the green neighbours and from the
red and blue samples around, as Popescu and Farid (IEEE TSP 53(10), 2005) and Swaminathan, Wu and Liu (IEEE TIFS 2(1),
2007) estimate an unknown interpolation. At interpolated pixels what is left over is smaller than at sampled ones; the
logarithm of the two local variances' ratio is the feature of Ferrara et al. (IEEE TIFS 7(5), 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

CELL = 16  # pixels
STRIP = 128  # rows measured at a time
MARGIN = 16  # rows around a strip that its filters need, even
WINDOW = 7  # samples of one kind a side over which a variance is taken
ROUNDING = 0.05  # variance (grey levels squared) below which rounding to whole levels decides
LIMITS = (3, 252)  # samples beyond are clipped
TILE, TILES = 256, 16  # pixels a side, and how many tiles at most the predictors are fitted on
NEAR = np.ones((3, 3), np.uint8)


def _ring(*points: tuple[int, int]) -> Floats:
    """5×5 kernel that averages the points (row, column from the centre) and all their mirror images."""
    kernel = np.zeros((5, 5), np.float32)
    for y, x in points:
        for a, b in ((y, x), (x, y)):
            for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                kernel[2 + s * a, 2 + t * b] = 1
    return np.asarray(kernel / kernel.sum(), np.float32)


_NONE = np.zeros((5, 5), np.float32)
_CENTRE, _ADJACENT, _KNIGHT = _ring((0, 0)), _ring((0, 1)), _ring((1, 2))
_FAR, _CORNERS, _DIAGONAL = _ring((0, 2)), _ring((2, 2)), _ring((1, 1))
# What is predicted (first) and what it is predicted from, as kernels on the red, green and blue plane. Each sums to
# nothing, so that brightness and colour cast do not matter; at a red pixel those in _AT_RED hold only samples.
TERMS = np.array(
    [
        (_NONE, _CENTRE - _ADJACENT, _NONE),
        (_NONE, _KNIGHT - _ADJACENT, _NONE),
        (_CENTRE - _FAR, _NONE, _NONE),
        (_CENTRE - _CORNERS, _NONE, _NONE),
        (_CENTRE, _NONE, -_DIAGONAL),
        (_NONE, _NONE, _CENTRE - _FAR),
        (_NONE, _NONE, _CENTRE - _CORNERS),
        (-_DIAGONAL, _NONE, _CENTRE),
    ],
    np.float32,
)
_AT_RED, _AT_BLUE = [1, 2, 3, 4], [1, 5, 6, 7]


@dataclass(frozen=True, eq=False)
class Pattern:
    """A Bayer pattern: `red` is the place 2·row + column of red in every 2×2, blue lies opposite.

    `at_red` and `at_blue` are kernels 3×5×5 on red, green and blue whose sum is the error of the predicted green;
    `trace` is the natural logarithm by which its variance is larger at green pixels, the smaller of the two.
    """

    red: int
    at_red: Floats
    at_blue: Floats
    trace: float


@dataclass(frozen=True, eq=False)
class Cells:
    """Float32 rows×columns: `trace` (see Pattern) and `level`, the log of the finest detail in grey levels.

    `valid` where no more than a tenth is clipped.
    """

    trace: Floats
    level: Floats
    valid: NDArray[np.bool_]


def pattern_of(pixels: Bytes) -> Pattern:
    """The pattern that fits a picture H×W×3 best, whether or not it fits well; looks at no more than TILES tiles."""
    grams = np.zeros((4, len(TERMS), len(TERMS)))
    for tile in _tiles(pixels):
        planes = [tile[..., i].astype(np.float32) for i in range(3)]
        terms = [_filtered(planes, kernels) for kernels in TERMS]
        # Strong edges would otherwise decide alone.
        weight = 1 / (cv2.blur(terms[0] * terms[0], (15, 15)) + 0.5)
        stack = np.stack(terms) * np.sqrt(weight)
        for place in range(4):
            flat = stack[:, place // 2 :: 2, place % 2 :: 2].reshape(len(TERMS), -1).astype(np.float64)
            grams[place] += flat @ flat.T
    return max((_pattern(grams, red) for red in range(4)), key=lambda p: p.trace)


def _tiles(pixels: Bytes) -> list[Bytes]:
    """Up to TILES tiles spread evenly, at even offsets; all of a small picture."""
    height, width = (n // 2 * 2 for n in pixels.shape[:2])
    if height * width <= TILES * TILE * TILE:
        return [pixels[:height, :width]]
    side = int(TILES**0.5)
    high, wide = min(TILE, height), min(TILE, width)
    tops, lefts = (np.linspace(0, n - t, side).astype(int) // 2 * 2 for n, t in ((height, high), (width, wide)))
    return [pixels[y : y + high, x : x + wide] for y in np.unique(tops) for x in np.unique(lefts)]


def _pattern(grams: Doubles, red: int) -> Pattern:
    blue = 3 - red
    greens = [place for place in range(4) if place not in (red, blue)]
    kernels, traces = [], []
    for place, used in ((red, _AT_RED), (blue, _AT_BLUE)):
        inner = grams[place][np.ix_(used, used)]
        # The ridge only matters where terms say the same, as in a grey picture.
        ridge = (1e-6 * np.trace(inner) + 1e-9) * np.eye(len(used))
        error = np.zeros(len(TERMS))
        error[0], error[used] = 1.0, -np.linalg.solve(inner + ridge, grams[place][used, 0])
        left = [max(float(error @ grams[p] @ error), 1e-9) for p in (*greens, place)]
        kernels.append(np.tensordot(error, TERMS, axes=1).astype(np.float32))
        traces.append(float(0.5 * np.log(left[0] * left[1]) - np.log(left[2])))
    return Pattern(red, kernels[0], kernels[1], min(traces))


def _filtered(planes: list[Floats], kernels: Floats) -> Floats:
    """Sum of the planes, each filtered with its own kernel; planes with an empty kernel are left out."""
    small = [k if k[[0, 4]].any() or k[:, [0, 4]].any() else k[1:4, 1:4] for k in kernels]
    parts = [cv2.filter2D(p, -1, k) for p, k in zip(planes, small, strict=True) if k.any()]
    return np.asarray(sum(parts[1:], start=parts[0]), np.float32)


def cells_of(pixels: Bytes, pattern: Pattern) -> Cells:
    """The trace of a pattern in every whole cell of a picture H×W×3, strip by strip."""
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    trace, level = np.zeros((2, rows, columns), np.float32)
    valid = np.zeros((rows, columns), bool)
    for top in range(0, rows, STRIP // CELL):
        high = min(STRIP // CELL, rows - top)
        low = max(top * CELL - MARGIN, 0)
        end = min((top + high) * CELL + MARGIN, rows * CELL)
        strip = np.ascontiguousarray(pixels[low:end, : columns * CELL])
        inside = slice(top * CELL - low, top * CELL - low + high * CELL)
        here = slice(top, top + high)
        ratio, detail = _strip(strip, pattern)
        half = slice(inside.start // 2, inside.stop // 2)
        for whole, part in ((trace, ratio), (level, detail)):
            whole[here] = cv2.resize(part[half], (columns, high), interpolation=cv2.INTER_AREA)
        clipped = cv2.inRange(strip[inside], (LIMITS[0],) * 3, (LIMITS[1],) * 3) == 0
        share = cv2.resize(clipped.astype(np.float32), (columns, high), interpolation=cv2.INTER_AREA)
        valid[here] = share < 0.1
    return Cells(trace, level, valid)


def _strip(strip: Bytes, pattern: Pattern) -> tuple[Floats, Floats]:
    """Trace and level at half size."""
    planes = [strip[..., i].astype(np.float32) for i in range(3)]
    greens = [place for place in range(4) if place not in (pattern.red, 3 - pattern.red)]
    trace = np.zeros((strip.shape[0] // 2, strip.shape[1] // 2), np.float32)
    for place, kernels in ((pattern.red, pattern.at_red), (3 - pattern.red, pattern.at_blue)):
        error = _filtered(planes, kernels)
        first, second, own = (_variance(error, p) + ROUNDING for p in (*greens, place))
        trace += 0.25 * np.log(first * second / (own * own))
    detail = _filtered(planes, TERMS[0])
    mean = sum((_variance(detail, place) for place in range(4)), start=np.zeros_like(trace)) / 4
    return trace, np.asarray(0.5 * np.log(mean + ROUNDING), np.float32)


def _variance(error: Floats, place: int) -> Floats:
    """Local mean square of the errors at one place of every 2×2."""
    own = np.ascontiguousarray(error[place // 2 :: 2, place % 2 :: 2])
    return np.asarray(cv2.blur(own * own, (WINDOW, WINDOW)), np.float32)


# ---------------------------------------------------------------- what to expect

PARTS = 6  # a picture's own relation of trace and level is taken over PARTS×PARTS parts of it
FEWEST_PARTS = 8
FEWEST_CELLS = 16
BINS = np.arange(-1.6, 4.5, 0.3)  # of the level


def expected(cells: Cells) -> Floats:
    """The trace that cells with as much fine detail have in most parts of the picture; 0 where that is unknown.

    Rounding and compression hide the trace where detail is faint. What is usual is taken from many parts of the
    picture, so that one part cannot set its own expectation; between and above levels that many parts share, the
    nearest ones count. Below them the trace falls with the variance of the detail, as it does beside a constant noise.
    """
    rows, columns = cells.trace.shape
    part = np.arange(rows)[:, None] * PARTS // rows * PARTS + np.arange(columns) * PARTS // columns
    bins = np.digitize(cells.level, BINS)
    known: list[tuple[float, float]] = []
    for b in np.unique(bins[cells.valid]):
        here = (bins == b) & cells.valid
        if np.count_nonzero(here) < FEWEST_CELLS:
            continue
        parts, values = part[here], cells.trace[here]
        middles = [np.median(values[parts == p]) for p in np.unique(parts)]
        if len(middles) >= FEWEST_PARTS:
            known.append((float(np.median(cells.level[here])), float(np.median(middles))))
    if not known:
        return np.zeros((rows, columns), np.float32)
    levels, traces = np.array(known).T
    fall = np.exp(2 * np.minimum(cells.level - levels[0], 0))
    return np.asarray(np.interp(cells.level, levels, traces) * fall, np.float32)
