"""Which pictures of an archive explain most of a picture's features: the image-constrained score.

A feature credits every picture by its nearest feature there, less what it would credit to any picture: common texture
is near everything and so counts for nothing. The exact search is the oracle of the faster one by cells.

Sources: Aiger et al., "Yes, we CANN: constrained approximate nearest neighbors for local feature-based visual
localization", ICCV 2023 (a picture's credit from its nearest feature alone); Cheng et al., FoL, AAAI 2025 (reliable,
distinctive features count).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ifdl.trace.features import Features, unit
from ifdl.trace.index import Index
from ifdl.trace.near import Cells

RADIUS = 0.6  # distance of unit vectors at which a feature no longer credits a picture
COMMON = 0.05  # share of the archive that may hold a feature before it counts as common
FEWEST = 3  # pictures: a feature in no more than these is not common, however small the archive
BATCH = 1024
NEIGHBOURS = 64  # that cells are asked for


def scores(asked: Features, index: Index, exact: bool = False) -> NDArray[np.float64]:
    """The score 0-1 of every picture of the index, in the order of its entries.

    Where the index has cells (`near`) they are asked for each feature's nearest, unless it shall be `exact`.
    """
    total = np.zeros(len(index))
    cells = None if exact else index.cells
    for start in range(0, len(asked), BATCH):
        words = unit(asked.words[start : start + BATCH], asked.middle)
        total += _by_all(words, index) if cells is None else _by_cells(words, index, cells)
    return total / max(1, len(asked))


def _by_all(words: NDArray[np.float32], index: Index) -> NDArray[np.float64]:
    credit = _credit(likeness(words, index))
    rank = max(FEWEST, int(np.ceil(COMMON * len(index))))
    if rank < len(index):
        usual = np.partition(credit, len(index) - 1 - rank, axis=1)[:, len(index) - 1 - rank]
        credit = np.maximum(0, credit - usual[:, None])
    return np.asarray(credit.sum(axis=0), np.float64)


def _by_cells(words: NDArray[np.float32], index: Index, cells: Cells) -> NDArray[np.float64]:
    """As `_by_all`, of the nearest features alone: the last of them stands for the usual where pictures are many."""
    found, near = cells.nearest(words, index, NEIGHBOURS)
    owners = index.owners()
    pictures = np.where(found >= 0, owners[np.maximum(found, 0)], -1)
    # Nearest first, so the first of a picture is its nearest feature.
    key = np.arange(len(words))[:, None] * (len(index) + 1) + pictures
    first = np.zeros(key.size, bool)
    first[np.unique(key.ravel(), return_index=True)[1]] = True
    first = first.reshape(key.shape) & (pictures >= 0)
    credit = np.where(first, _credit(near), 0)
    rank = max(FEWEST, int(np.ceil(COMMON * len(index))))
    if rank < len(index):
        order = np.where(first, np.cumsum(first, axis=1) - 1, -1)  # 0 for the nearest picture
        last = np.minimum(rank, order.max(axis=1))
        usual = np.where(order == last[:, None], credit, 0).max(axis=1)
        credit = np.where(first, np.maximum(0, credit - usual[:, None]), 0)
    return np.asarray(np.bincount(pictures[first], credit[first], minlength=len(index)), np.float64)


def _credit(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.maximum(0, 1 - np.sqrt(np.maximum(0, 2 - 2 * cosines)) / RADIUS), np.float32)


def likeness(words: NDArray[np.float32], index: Index) -> NDArray[np.float32]:
    """float32 Q×pictures: cosine of each feature (unit Q×128) with the nearest one of each picture, -1 for none."""
    found = np.full((len(words), len(index)), -1, np.float32)
    for first, after, known, starts in index.blocks():
        filled = np.diff(np.r_[starts, len(known)]) > 0
        if filled.any():
            product = words @ unit(known, index.extractor.middle).T
            best = np.maximum.reduceat(product, starts[filled], axis=1)
            found[:, np.arange(first, after)[filled]] = best
    return found


def votes(asked: Features, index: Index) -> NDArray[np.float64]:
    """The control: every feature votes for the picture of its nearest feature."""
    total = np.zeros(len(index))
    for start in range(0, len(asked), BATCH):
        nearest = likeness(unit(asked.words[start : start + BATCH], asked.middle), index).argmax(axis=1)
        total += np.bincount(nearest, minlength=len(index))
    return total / max(1, len(asked))
