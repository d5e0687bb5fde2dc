"""What is usual in a picture: a value as it is in many of its parts, by the level of something it depends on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]


def usual(
    values: Numbers, level: Numbers, valid: NDArray[np.bool_], edges: Numbers, tiles: int, fewest: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Middles of evenly spaced classes of `level` (between `edges`), and the usual value in each, to interpolate.

    `values`, `level` and `valid` are of one shape, cells in rows and columns. The picture is divided into `tiles` by
    `tiles`; the usual value is the median over tiles of each tile's median, so that one part cannot set its own
    expectation. A class that fewer than `fewest` tiles have is left out; None where none is left.
    """
    rows, columns = values.shape
    tile = np.arange(rows)[:, None] * tiles // rows * tiles + np.arange(columns) * tiles // columns
    classes = np.clip(np.digitize(level, edges), 1, edges.size - 1)
    known: list[tuple[float, float]] = []
    for number in range(1, edges.size):
        here = (classes == number) & valid
        if np.count_nonzero(here) < 2 * fewest:
            continue
        where, own = tile[here], values[here]
        middles = [np.median(own[where == t]) for t in np.unique(where)]
        if len(middles) >= fewest:
            known.append((float(edges[number - 1] + edges[number]) / 2, float(np.median(middles))))
    if not known:
        return None
    centres, expected = np.array(known).T
    return centres, expected
