"""How well each part of a picture fits an earlier JPEG save with given steps: log-likelihoods on cells of 32 pixels.

A coefficient rounded to multiples of q1 and then of q2 avoids some of the values of a coefficient that was rounded to
multiples of q2 alone. Bianchi and Piva ("Image forgery localization via block-grained analysis of JPEG artifacts",
IEEE TIFS 7(3), 2012) turn that into a likelihood for each block; here the coefficients' spread, on which it depends,
is taken from the part's own surroundings, so that texture that varies over the picture is not taken for a trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ifdl.signal.double_jpeg import FREQUENCIES, KEEP
from ifdl.signal.jpeg import Table, block_dct, luma

Floats = NDArray[np.float32]

BLOCKS = 4  # blocks a cell is wide and high
CELL = 8 * BLOCKS
BINS = 32  # quantised values up to here are looked at, without sign
LARGEST = 48  # largest first step
STRIP = 512  # rows transformed at a time
# Mean of the values looked at, less the smallest of them, by which surroundings are sorted into classes.
SPREADS = np.array([0.18, 0.35, 0.7, 1.4, 2.8, 5.6, 11.0])
NOISE, NOISE_AT_ONE = 0.5, 0.7  # what decoding to whole pixels adds between the saves; see `signal.double_jpeg`
MIXED = 0.1  # share of coefficients that need not follow the first step


@dataclass(frozen=True, eq=False)
class Cells:
    """Histograms float32 rows×columns×frequencies×BINS of the values 1..BINS, the file's steps, and spread classes."""

    histograms: Floats
    steps: tuple[int, ...]
    classes: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        return self.histograms.shape[0], self.histograms.shape[1]


def lowest(step: int) -> int:
    """Smallest value looked at: with small steps, noise around zero reaches the first."""
    return 2 if step == 1 else 1


def cells_of(pixels: NDArray[np.uint8], table: Table) -> Cells:
    """Count the quantised low frequencies of every cell; blocks that touch black or white are left out."""
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    steps = tuple(table[index] for index in FREQUENCIES)
    counts = np.zeros((rows, columns, len(steps), BINS), np.float32)
    picked = tuple(np.array([divmod(index, 8) for index in FREQUENCIES]).T)
    width = columns * CELL
    per_row = columns * len(steps) * (BINS + 1)
    for top in range(0, rows, STRIP // CELL):
        high = min(STRIP // CELL, rows - top)
        strip = pixels[top * CELL : (top + high) * CELL, :width]
        blocks = block_dct(luma(strip), KEEP)[:, :, picked[0], picked[1]]
        values = np.abs(np.rint(blocks / np.array(steps, np.float32))).astype(np.int32)
        values[values > BINS] = 0
        values[_clipped(strip)] = 0
        at = np.arange(high * BLOCKS)[:, None] // BLOCKS * columns + np.arange(columns * BLOCKS) // BLOCKS
        index = (at[..., None] * len(steps) + np.arange(len(steps))) * (BINS + 1) + values
        held = np.bincount(index.ravel(), minlength=high * per_row).reshape(high, columns, len(steps), BINS + 1)
        counts[top : top + high] = held[..., 1:]
    for f, step in enumerate(steps):
        counts[:, :, f, : lowest(step) - 1] = 0
    return Cells(counts, steps, _classes(counts, steps))


def _clipped(strip: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Blocks of a strip H×W×3 with a sample at either limit, where clipping moves coefficients off their steps."""
    rows, columns = strip.shape[0] // 8, strip.shape[1] // 8
    # One unsigned comparison finds both limits: 255 + 1 wraps to 0 and 0 + 1 is 1.
    touched = ((strip + np.uint8(1)) <= 1).reshape(rows, 8, columns * 24).any(axis=1)
    return np.asarray(touched.reshape(rows, columns, 24).any(axis=2))


def _classes(counts: Floats, steps: tuple[int, ...]) -> NDArray[np.int64]:
    """Class of the mean value around each cell and frequency, drawn to the picture's mean where little is known."""
    number = counts.sum(axis=3)
    total = counts @ np.arange(1, BINS + 1, dtype=np.float32)
    least = np.array([lowest(s) for s in steps], np.float32)
    whole = (total.sum(axis=(0, 1)) + least) / (number.sum(axis=(0, 1)) + 1)
    near = [cv2.boxFilter(a, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT) for a in (total, number)]
    near = [a.reshape(number.shape) for a in near]
    mean = (near[0] + 4 * whole) / (near[1] + 4) - least
    return np.asarray(np.argmin(np.abs(np.log(np.maximum(mean, 0.05))[..., None] - np.log(SPREADS)), axis=-1))


@cache
def ratios(step: int) -> Floats:
    """Log-ratio float32 (LARGEST + 1)×spreads×BINS of each value after a first save with step q1, to none.

    Conditional on the value being one of those looked at; zero where q1 leaves no trace by itself (0, 1, `step`).
    """
    least = lowest(step)
    edges = (np.arange(least, BINS + 2) - 0.5) * step
    # A geometric law of mean m above its start decays by log(1 + 1/m) from one value to the next.
    decay = np.log1p(1 / SPREADS) / step
    plain = _normal(np.exp(-decay[:, None] * edges[:-1]) - np.exp(-decay[:, None] * edges[1:]))
    found = np.zeros((LARGEST + 1, SPREADS.size, BINS), np.float32)
    noise = NOISE if step > 1 else NOISE_AT_ONE
    for first in range(2, LARGEST + 1):
        if first == step:
            continue
        teeth = np.arange(0, int(edges[-1] / first) + 2) * float(first)
        low = np.maximum(teeth - first / 2, 0.0)
        mass = np.exp(-decay[:, None] * low) - np.exp(-decay[:, None] * (teeth + first / 2))
        reach = np.diff(ndtr((edges - teeth[:, None]) / noise), axis=1)
        reach[0] *= 2  # from zero, noise of either sign leads to a value without sign
        comb = _normal(mass @ reach)
        found[first, :, least - 1 :] = np.log((1 - MIXED) * comb / plain + MIXED)
    return found


def _normal(mass: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-300))


def evidence(cells: Cells, firsts: NDArray[np.int64]) -> Floats:
    """Log-likelihood ratio float32 tables×rows×columns of every cell for each table of first steps tables×frequencies.

    Positive where the cell looks saved with those steps before; a step of 0 leaves its frequency out.
    """
    rows, columns = cells.shape
    total = np.zeros((len(firsts), rows * columns), np.float32)
    for f, step in enumerate(cells.steps):
        histograms, classes = cells.histograms[:, :, f].reshape(-1, BINS), cells.classes[:, :, f].ravel()
        needed, back = np.unique(np.where(firsts[:, f] > LARGEST, 0, firsts[:, f]), return_inverse=True)
        held = np.zeros((needed.size, rows * columns), np.float32)
        for c in np.unique(classes):
            here = np.flatnonzero(classes == c)
            held[:, here] = ratios(step)[needed, c] @ histograms[here].T
        total += held[back.ravel()]
    return total.reshape(len(firsts), rows, columns)


def whole(cells: Cells) -> NDArray[np.float32]:
    """Log-likelihood ratio float32 frequencies×(LARGEST + 1) of each first step over the whole picture."""
    found = np.zeros((len(cells.steps), LARGEST + 1), np.float32)
    for f, step in enumerate(cells.steps):
        for c in range(SPREADS.size):
            inside = cells.histograms[:, :, f][cells.classes[:, :, f] == c]
            found[f] += ratios(step)[:, c] @ inside.sum(axis=0)
    return found
