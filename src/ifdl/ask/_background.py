"""A part of the picture against matched background: places of like texture and brightness elsewhere in it.

Every cell is ranked among background cells of its own stratum of brightness and texture; the mean rank of a part is
the share of matched cells that its own cells exceed (0.5 where they are alike). Neighbouring cells are alike in any
picture, so a part is not judged by the number of its cells: the same shape is laid over every other place, and the
part is compared with these draws, which hang together as it does. In the line of permutation tests that respect spatial
dependence (Fortin and Jacquez, "Randomization tests and spatially auto-correlated data", Bulletin of the Ecological
Society of America 81(3), 2000).

Arrays are [row, column] of cells; coordinates are stored pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.types import Map, Picture

Floats = NDArray[np.float32]
Cellwise = NDArray[np.bool_]

CELL = 16  # pixels at least: finer maps are averaged, since finer texture cannot be matched
MOST_BINS = 4  # strata of brightness, and of texture
STRATUM = 40  # background cells a stratum, about: fewer strata where there are few cells
FEWEST_LIKE = 12  # background cells of a stratum below which its cells count as unmatched
INSIDE = 0.5  # share of a cell that the part must cover
KNOWN = 0.5  # share of a draw's cells that must be matched
INDEPENDENT = 40  # draws that fit side by side; a larger part is compared with smaller draws of its shape
SMALLEST_DRAW = 4  # cells
MOST_DRAWS = 400
FEWEST_DRAWS = 39


@dataclass(frozen=True, eq=False)
class Cells:
    """Float32 rows×columns: a map's values, and brightness and texture of the picture under them."""

    values: Floats
    valid: Cellwise
    brightness: Floats
    texture: Floats
    side: int
    origin: tuple[int, int]

    def cover(self, mask: NDArray[np.bool_]) -> Floats:
        """The share of every cell that a mask H×W covers."""
        return _means(mask.astype(np.float32), self)


@dataclass(frozen=True, eq=False)
class Comparison:
    """`rank` is the share of matched cells that those of the part exceed, 0-1; `below` the share of `draws` below it.

    `cells` counts the matched cells of the part, `unmatched` those without background like them.
    """

    rank: float
    below: float
    draws: int
    cells: int
    unmatched: int

    @property
    def chance(self) -> float:
        """The share of draws, the part itself counted among them, that lie as high."""
        return (1 + (1 - self.below) * self.draws) / (1 + self.draws)


def cells_of(map: Map, picture: Picture) -> Cells:
    """A map on cells of at least `CELL` pixels, each the mean of the valid values in it."""
    step = max(1, -(-CELL // map.stride))
    rows, columns = (-(-n // step) for n in map.values.shape)
    values = map.values.astype(np.float32) / np.float32(65535)
    known = np.ones(values.shape, np.float32) if map.valid is None else map.valid.astype(np.float32)
    missing = ((0, rows * step - values.shape[0]), (0, columns * step - values.shape[1]))
    pooled = [
        np.pad(a, missing).reshape(rows, step, columns, step).mean(axis=(1, 3), dtype=np.float32)
        for a in (values * known, known)
    ]
    valid = pooled[1] >= INSIDE
    side = step * map.stride
    empty = np.zeros((rows, columns), np.float32)
    grid = Cells(pooled[0] / np.maximum(pooled[1], 1e-6), valid, empty, empty, side, map.origin)
    luma = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    reach = _means(np.ones_like(luma), grid)
    share = np.maximum(reach, 1e-6)
    brightness = np.asarray(_means(luma, grid) / share, np.float32)
    spread = np.sqrt(np.maximum(_means(luma * luma, grid) / share - brightness**2, 0))
    return Cells(grid.values, valid & (reach >= INSIDE), brightness, np.log(spread + 1), side, map.origin)


def inside(cells: Cells, mask: NDArray[np.bool_]) -> Cellwise:
    """The valid cells that a mask H×W covers by half or more."""
    return cells.valid & (cells.cover(mask) >= INSIDE)


def compare(cells: Cells, mask: NDArray[np.bool_], besides: NDArray[np.bool_] | None = None) -> Comparison | None:
    """The part under `mask` H×W against the rest of the picture; None where no draws of its shape fit beside it.

    `besides` H×W marks what is no background either, such as other places that the test itself points at.
    """
    cover = cells.cover(mask)
    own_cells = inside(cells, mask)
    beside = cover if besides is None else np.maximum(cover, cells.cover(besides))
    near = np.asarray(cv2.dilate((beside > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    ranks, matched = _ranks(cells, cells.valid & ~near)
    count = int(np.count_nonzero(own_cells & matched))
    unmatched = int(np.count_nonzero(own_cells & ~matched))
    if not count:
        return Comparison(0.5, 0.0, 0, 0, unmatched)
    own = float(ranks[own_cells & matched].mean())
    drawn = _draws(cells, cover >= INSIDE, near, ranks, matched)
    if drawn is None:
        return None
    below = float(((drawn < own).sum() + 0.5 * (drawn == own).sum()) / drawn.size)
    return Comparison(own, below, int(drawn.size), count, unmatched)


def _ranks(cells: Cells, background: Cellwise) -> tuple[Floats, Cellwise]:
    """Every cell's share of background cells of its stratum below it (ties count half), and where there are enough."""
    ranks, matched = np.zeros(cells.valid.shape, np.float32), np.zeros(cells.valid.shape, bool)
    if not background.any():
        return ranks, matched
    bins = int(np.clip(np.sqrt(np.count_nonzero(background) / STRATUM), 1, MOST_BINS))
    strata = np.zeros(cells.valid.shape, np.int64)
    for feature in (cells.brightness, cells.texture):
        edges = np.quantile(feature[background], np.arange(1, bins) / bins)
        strata = strata * bins + np.searchsorted(edges, feature)
    for stratum in range(bins * bins):
        here = cells.valid & (strata == stratum)
        like = np.sort(cells.values[background & here])
        if like.size < FEWEST_LIKE:
            continue
        values = cells.values[here]
        sides = np.searchsorted(like, values, "left") + np.searchsorted(like, values, "right")
        ranks[here] = sides / (2 * like.size)
        matched |= here
    return ranks, matched


def _draws(cells: Cells, part: Cellwise, near: Cellwise, ranks: Floats, matched: Cellwise) -> Floats | None:
    """Mean rank in every draw: the part's shape elsewhere, where texture and brightness are most like the part's."""
    background = int(np.count_nonzero(matched & ~near))
    for shape in _shapes(part, background):
        known = _over(matched, shape)
        where = np.flatnonzero((_over(near, shape) < 0.5) & (known >= KNOWN * shape.sum()))
        if where.size >= FEWEST_DRAWS:
            break
    else:
        return None
    count = np.maximum(known, 1).ravel()[where]
    unlike = np.zeros(where.size, np.float32)
    for feature in (cells.brightness, cells.texture):
        mean = _over(np.where(matched, feature, 0), shape).ravel()[where] / count
        unlike += np.abs(mean - feature[part].mean()) / max(float(feature[cells.valid].std()), 1e-3)
    like = np.argsort(unlike, kind="stable")[: max(FEWEST_DRAWS, where.size // 2)]
    like = like[np.linspace(0, like.size - 1, min(MOST_DRAWS, like.size)).astype(int)]
    means = _over(np.where(matched, ranks, 0), shape).ravel()[where] / count
    return np.asarray(means[like], np.float32)


def _shapes(part: Cellwise, background: int) -> Iterator[Floats]:
    """The part's own shape, float32 0 or 1, made smaller until `INDEPENDENT` fill the background; then a square.

    Smaller and more compact draws vary more than the part does, which makes "stands out" rarer, never more frequent.
    """
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    own = part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    factor = min(1.0, float(np.sqrt(background / (INDEPENDENT * own.sum()))))
    if factor < 1:
        size = (max(1, int(own.shape[1] * factor)), max(1, int(own.shape[0] * factor)))
        own = np.asarray(cv2.resize(own, size, interpolation=cv2.INTER_AREA) >= INSIDE, np.float32)
    side = int(np.sqrt(own.sum()))
    for shape in (own, np.ones((side, side), np.float32)):
        if shape.sum() >= SMALLEST_DRAW:
            yield shape


def _over(values: NDArray[np.bool_] | Floats, shape: Floats) -> Floats:
    """Sums of values under the shape at every place where it fits."""
    return np.asarray(cv2.matchTemplate(values.astype(np.float32), shape, cv2.TM_CCORR), np.float32)


def _means(values: Floats, grid: Cells) -> Floats:
    """Mean of values H×W over each cell of a grid, where nothing lies beyond the picture."""
    rows, columns = grid.values.shape
    (x, y), side = grid.origin, grid.side
    canvas = np.zeros((rows * side, columns * side), np.float32)
    top, left = max(0, -y), max(0, -x)
    part = values[max(0, y) : max(0, y + canvas.shape[0]), max(0, x) : max(0, x + canvas.shape[1])]
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    return np.asarray(cv2.resize(canvas, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
