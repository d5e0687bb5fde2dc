"""A window cut into superpixels, and the tree of parts that arises when they are merged.

Superpixels by marker-controlled watershed (Meyer, "Color image segmentation", 1992), merged pairwise where
that adds least to the squared colour error (Ward, JASA 1963; neighbours only).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge.record import Mask, Pixels

Floats = NDArray[np.float32]
CELLS, CELL = 8, 12  # the window is reduced to 8×8 cells of 12 pixels; each cell gives one superpixel


@dataclass(frozen=True, eq=False)
class Superpixels:
    """A window cut into at most 64 parts: `labels` uint8, and for each part or pair of parts what merging needs.

    `sizes` n in pixels, `colours` n×3 mean Lab, `lengths` and `contrasts` n×n of common outlines in
    pixels and the summed colour difference across them, `rim` n×4 pixels on the window's left, right,
    top and bottom edge.
    """

    labels: NDArray[np.uint8]
    sizes: Floats
    colours: Floats
    lengths: Floats
    contrasts: Floats
    rim: Floats


def superpixels(pixels: Pixels) -> Superpixels:
    """Superpixels of a window, reduced to 96×96: the flattest pixel of each cell is where one starts."""
    side = CELLS * CELL
    method = cv2.INTER_AREA if min(pixels.shape[:2]) >= side else cv2.INTER_LINEAR
    small = cv2.GaussianBlur(cv2.resize(pixels, (side, side), interpolation=method), (3, 3), 0)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab)
    grey = lab[:, :, 0]
    slope = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    slope = slope.reshape(CELLS, CELL, CELLS, CELL).transpose(0, 2, 1, 3)[:, :, 2:-2, 2:-2].reshape(CELLS**2, -1)
    row, column = np.divmod(slope.argmin(axis=1), CELL - 4)
    markers = np.zeros((side, side), np.int32)
    numbers = np.arange(CELLS**2)
    markers[row + 2 + CELL * (numbers // CELLS), column + 2 + CELL * (numbers % CELLS)] = numbers + 1
    cv2.watershed(lab, markers)
    # Watershed leaves lines between the parts (and round the picture); a neighbour takes them.
    labels = np.maximum(markers, 0).astype(np.uint8)
    while not labels.all():
        labels = np.where(labels == 0, cv2.dilate(labels, np.ones((3, 3), np.uint8)), labels)
    labels -= 1
    flat = labels.ravel().astype(np.int64)
    n = CELLS**2
    sizes = np.bincount(flat, minlength=n).astype(np.float32)
    planes = lab.reshape(-1, 3).astype(np.float32)
    sums = np.stack([np.bincount(flat, planes[:, c], n) for c in range(3)], axis=1)
    lengths, contrasts = np.zeros(n * n), np.zeros(n * n)
    for before, after in ((np.s_[:, :-2], np.s_[:, 2:]), (np.s_[:-2], np.s_[2:])):
        a, b = labels[before].ravel().astype(np.int64), labels[after].ravel().astype(np.int64)
        step = cv2.absdiff(lab[before], lab[after]).reshape(-1, 3).sum(axis=1, dtype=np.float64)
        apart = a != b
        pairs = a[apart] * n + b[apart]
        lengths += np.bincount(pairs, minlength=n * n)
        contrasts += np.bincount(pairs, step[apart], n * n)
    both = [np.asarray(t.reshape(n, n) + t.reshape(n, n).T, np.float32) for t in (lengths, contrasts)]
    edges = (labels[:, 0], labels[:, -1], labels[0], labels[-1])
    rim = np.stack([np.bincount(edge, minlength=n) for edge in edges], axis=1).astype(np.float32)
    colours = np.asarray(sums / np.maximum(sizes, 1)[:, None], np.float32)
    return Superpixels(labels, sizes, colours, both[0], both[1], rim)


def merge_tree(parts: Superpixels) -> Mask:
    """Every part that arises when neighbours are merged, cheapest first: bool (at most 2n-1)×n membership."""
    n = len(parts.sizes)
    members = np.eye(n, dtype=bool)
    arisen = [members.copy()]
    ones = np.ones(3, np.float32)
    sizes, colours = parts.sizes.copy(), parts.colours.copy()
    touch = parts.lengths > 0
    difference = ((colours[:, None] - colours[None]) ** 2).sum(axis=2)
    harmonic = sizes[:, None] * sizes[None] / np.maximum(sizes[:, None] + sizes[None], 1)
    cost = np.where(touch, harmonic * difference, np.inf).astype(np.float32)
    for _ in range(n - 1):
        at = int(cost.argmin())
        a, b = divmod(at, n)
        if cost[a, b] == np.inf:
            break
        total = sizes[a] + sizes[b]
        colours[a] = (sizes[a] * colours[a] + sizes[b] * colours[b]) / total
        sizes[a] = total
        members[a] |= members[b]
        arisen.append(members[a : a + 1].copy())
        touch[a] |= touch[b]
        touch[a, a] = touch[a, b] = False
        touch[:, a] = touch[a]
        touch[b] = touch[:, b] = False
        apart = colours - colours[a]
        row = sizes * (total / (sizes + total)) * ((apart * apart) @ ones)
        row[~touch[a]] = np.inf
        cost[a] = cost[:, a] = row
        cost[b] = cost[:, b] = np.inf
    return np.concatenate(arisen)
