"""A contact sheet of forgeries: each picture as it is, and beside it with the edited part outlined."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge.produce import Pair

TILE, GAP = 240, 8
YELLOW, BLACK = (255, 235, 60), (0, 0, 0)


def sheet(pairs: Sequence[Pair], columns: int = 3) -> NDArray[np.uint8]:
    """uint8 H×W×3 RGB: `columns` forgeries a row, each twice, with its engine's name below."""
    rows = -(-len(pairs) // columns)
    cell = (TILE + 22, 2 * TILE + GAP)
    canvas = np.full((rows * (cell[0] + GAP) + GAP, columns * (cell[1] + 2 * GAP) + GAP, 3), 250, np.uint8)
    for n, pair in enumerate(pairs):
        y = GAP + n // columns * (cell[0] + GAP)
        x = GAP + n % columns * (cell[1] + 2 * GAP)
        plain, marked = _tiles(pair)
        canvas[y : y + plain.shape[0], x : x + plain.shape[1]] = plain
        canvas[y : y + marked.shape[0], x + TILE + GAP : x + TILE + GAP + marked.shape[1]] = marked
        words = f"{pair.index} {pair.engine}: {pair.laundered}"[:64]
        cv2.putText(canvas, words, (x, y + TILE + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, BLACK, 1, cv2.LINE_AA)
    return canvas


def _tiles(pair: Pair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    picture = np.asarray(cv2.imdecode(np.frombuffer(pair.edited, np.uint8), cv2.IMREAD_COLOR_RGB))
    factor = TILE / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    plain = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)
    small = cv2.resize(pair.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    marked = np.ascontiguousarray(plain.copy())
    cv2.drawContours(marked, outlines, -1, BLACK, 3)
    cv2.drawContours(marked, outlines, -1, YELLOW, 1)
    return np.asarray(plain, np.uint8), np.asarray(marked, np.uint8)
