"""Tiles: a picture of any size through a net of one size, on the JPEG grid and without seams. Numpy only.

`plan` says where tiles lie, `cut` takes one out, `merge` blends what a net made of them. A picture is never resized.
Positions and sizes are (row, column) = (y, x), in stored pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def plan(size: tuple[int, int], tile: int, overlap: int, grid: int = 8) -> list[tuple[int, int]]:
    """Origins (y, x) of square tiles that cover a picture of `size` (height, width), row by row.

    Every origin is a multiple of `grid`, so that each tile shows the picture's own JPEG grid phase; neighbours share
    at least `overlap` pixels. The last row and column are shifted inwards to where they end less than `grid` beyond
    the picture; a picture smaller than a tile has one, which ends beyond it. `cut` fills what lies beyond. Raises
    ValueError if tiles cannot lie so: `overlap` must be at least `grid` less than `tile`.
    """
    if min(size) < 1:
        raise ValueError(f"a picture has at least one pixel each way, not {size[0]}×{size[1]}")
    if grid < 1 or overlap < 0 or tile - overlap < grid:
        raise ValueError(f"tiles of {tile} cannot overlap by {overlap} and start on a grid of {grid}")
    step = (tile - overlap) // grid * grid
    rows, columns = ([*range(0, last, step), last] for last in (max(0, -(-(n - tile) // grid)) * grid for n in size))
    return [(y, x) for y in rows for x in columns]


def cut(picture: NDArray[np.generic], origin: tuple[int, int], tile: int) -> NDArray[np.generic]:
    """The tile×tile(×channels) part of a picture H×W(×channels) at (y, x); beyond the picture it is reflected.

    A view where the tile lies inside the picture. Reflection does not repeat the border pixel.
    """
    y, x = origin
    inside = picture[y : y + tile, x : x + tile]
    missing = [(0, tile - inside.shape[0]), (0, tile - inside.shape[1])] + [(0, 0)] * (picture.ndim - 2)
    return np.pad(inside, missing, mode="reflect") if any(after for _, after in missing) else inside


def merge(
    tiles: Iterable[NDArray[np.floating]],
    origins: Sequence[tuple[int, int]],
    size: tuple[int, int],
    stride: int = 1,
) -> NDArray[np.float32]:
    """Maps of tiles, …×t×t each in the order of `origins`, as one float32 map …×⌈H/stride⌉×⌈W/stride⌉ of a picture.

    `stride` is the pixels of a map's cell; leading axes (maps side by side) are kept. Where tiles overlap they are
    averaged with weights that fall linearly towards each tile's border and sum to one; what lies beyond the picture
    is dropped. `tiles` may be a generator: one tile is held at a time, so memory is that of the result. Raises
    ValueError for a wrong number of tiles, tiles that do not cover the picture, or origins off the stride.
    """
    if any(y % stride or x % stride for y, x in origins):
        raise ValueError(f"every origin must be a multiple of the stride, {stride}")
    cells = tuple(-(-n // stride) for n in size)
    rows, columns = (sorted({origin[axis] // stride for origin in origins}) for axis in (0, 1))
    if len(origins) != len(rows) * len(columns):
        raise ValueError("the origins are not rows and columns of tiles")
    canvas: NDArray[np.float32] | None = None
    shares: tuple[dict[int, NDArray[np.float32]], ...] = ()
    for (y, x), values in zip(((y // stride, x // stride) for y, x in origins), tiles, strict=True):
        if canvas is None:
            canvas = np.zeros((*values.shape[:-2], *cells), np.float32)
            # Rows and columns of tiles form a grid, so weights that sum to one along each axis do so in the product.
            spans = zip((rows, columns), cells, values.shape[-2:], strict=True)
            shares = tuple(_shares(starts, total, length) for starts, total, length in spans)
        down, across = shares[0][y], shares[1][x]
        part = values[..., : len(down), : len(across)] * (down[:, None] * across)
        canvas[..., y : y + len(down), x : x + len(across)] += part
    if canvas is None:
        raise ValueError("there are no tiles to merge")
    return canvas


def _shares(starts: list[int], total: int, length: int) -> dict[int, NDArray[np.float32]]:
    """Along one axis: for the tile at each start, its weight in every cell inside the picture; they sum to one."""
    middle = np.arange(length) + 0.5  # of each cell, so that two tiles' weights cross over in equal steps
    rise = np.minimum(middle, length - middle)
    weights = {start: rise[: max(0, total - start)] for start in starts}
    sums = np.zeros(total)
    for start, weight in weights.items():
        sums[start : start + len(weight)] += weight
    if not sums.all():
        raise ValueError(f"the tiles leave {np.count_nonzero(sums == 0)} of {total} cells uncovered")
    return {start: (w / sums[start : start + len(w)]).astype(np.float32) for start, w in weights.items()}
