"""Aligned double JPEG compression, read from the histograms of quantised luma coefficients.

A coefficient that was rounded to multiples of a first step q1 and then to multiples of the file's
step q2 leaves gaps and peaks in the histogram of its quantised values (Lukáš & Fridrich, "Estimation
of primary quantization matrix in double compressed JPEG images", DFRWS 2003; Popescu & Farid,
"Statistical tools for digital forensics", IH 2004). Here every low frequency is fitted with a smooth
envelope, once alone and once times the comb of each candidate q1; a comb that explains what the
envelope leaves over is the trace. It needs no training and no second picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ifdl.signal.jpeg import ZIGZAG, Table, block_dct, luma, standard_table

Floats = NDArray[np.float64]

KEEP = 6  # lowest frequencies computed in each direction
FREQUENCIES = tuple(z for z in ZIGZAG[1:22] if z // 8 < KEEP and z % 8 < KEEP)
MOST_PIXELS = 4_000_000
LARGEST_STEP = 64
BINS = 40  # quantised values 1..BINS are looked at, without sign; 0 says nothing about a comb
SMALLEST_TAIL = 20  # the histogram ends where fewer coefficients lie beyond
FEWEST_BINS, FEWEST = 6, 80
# Standard deviation of what decoding and rounding to whole pixels adds to a coefficient between the
# saves; with a step of 1 our own decoding adds as much again, because rounding cannot remove it.
NOISE, NOISE_AT_ONE = 0.5, 0.7
MIXED = 0.05  # share of coefficients that need not follow the comb
ENOUGH = 60.0  # evidence of one frequency counts up to here where frequencies are pooled
PARAMETERS = 5
ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Frequency:
    """What one frequency says. `index` is row-major; `evidence[q1]` is the quasi-likelihood F of a comb of step q1.

    Zero stands for "no better than a smooth histogram"; indices run from 0 to LARGEST_STEP.
    `per_value` is the deviance that the best comb explains per non-zero coefficient.
    """

    index: int
    step: int
    count: int
    evidence: Floats
    per_value: float

    @property
    def best(self) -> int:
        """Most likely first step."""
        return int(self.evidence.argmax())


def coefficients(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma DCT coefficients on the file's own block grid: float32 blocks×KEEP×KEEP, at most 4 megapixels' worth.

    Blocks that touch black or white limits are left out, since clipping moves them off their steps.
    From larger pictures every n-th row of blocks is taken.
    """
    rows, columns = pixels.shape[0] // 8, pixels.shape[1] // 8
    if not rows or not columns:
        return np.zeros((0, KEEP, KEEP), np.float32)
    every = -(-rows * columns * 64 // MOST_PIXELS)
    strips = pixels[: rows * 8, : columns * 8].reshape(rows, 8, columns * 8, 3)[::every]
    plane = strips.reshape(-1, columns * 8, 3)
    # One unsigned comparison finds both limits: 255 + 1 wraps to 0 and 0 + 1 is 1.
    clipped = ((plane + np.uint8(1)) <= 1).reshape(-1, 8, columns * 24).any(axis=1).reshape(-1, columns, 24).any(axis=2)
    kept: NDArray[np.float32] = block_dct(luma(plane), KEEP)[~clipped]
    return kept


def on_grid(blocks: NDArray[np.float32], table: Table) -> bool:
    """Whether non-zero coefficients lie on multiples of the file's steps, as they must if the luma is the file's own.

    They do not after a colour conversion (CMYK, RGB stored without transform). Steps below 4 are too
    close to rounding noise to tell; with too few coefficients on larger steps the answer is yes.
    """
    off, total = 0.0, 0
    for index in FREQUENCIES:
        if table[index] >= 4:
            scaled = blocks[:, index // 8, index % 8] / table[index]
            scaled = scaled[np.abs(scaled) > 0.75]
            off += float(np.abs(scaled - np.rint(scaled)).sum())
            total += scaled.size
    return total < 200 or off / total < 0.2  # 0.25 if there were no steps, about 0.1 or less on the grid


def frequencies(blocks: NDArray[np.float32], table: Table) -> list[Frequency]:
    """What each low frequency with enough non-zero coefficients says; `table` is the file's luma table."""
    found = (_frequency(blocks[:, index // 8, index % 8], index, table[index]) for index in FREQUENCIES)
    return [f for f in found if f is not None]


def previous_quality(found: list[Frequency]) -> tuple[int, int, float]:
    """Lowest and highest standard quality that explain the combs about equally well, and their share of the evidence.

    The share compares the best quality, which fixes the first steps of all frequencies together, with
    each frequency's own best step: near 1 the earlier save used the standard tables.
    """
    qualities = np.arange(20, 101)
    scores = np.zeros(qualities.size)
    for f in found:
        steps = np.array([standard_table(int(q))[f.index] for q in qualities])
        scores += np.where(steps <= LARGEST_STEP, np.minimum(f.evidence[np.minimum(steps, LARGEST_STEP)], ENOUGH), 0.0)
    free = sum(min(float(f.evidence.max()), ENOUGH) for f in found)
    near = qualities[scores >= 0.97 * scores.max()]
    return int(near[0]), int(near[-1]), float(scores.max() / free) if free > 0 else 0.0


# ---------------------------------------------------------------- one frequency


def _frequency(values: NDArray[np.float32], index: int, step: int) -> Frequency | None:
    counts = np.bincount(np.minimum(np.abs(np.rint(values / step)), BINS + 1).astype(np.int64), minlength=2)
    histogram = counts[1 : BINS + 1].astype(float)
    bins = int((histogram[::-1].cumsum() >= SMALLEST_TAIL).sum())
    histogram = histogram[:bins]
    total = float(histogram.sum())
    if bins < FEWEST_BINS or total < FEWEST:
        return None
    features = _features(np.arange(1, bins + 1, dtype=float))
    scale = np.abs(features).max(axis=0)
    smooth, envelope = _fit(histogram, features / scale, np.zeros((1, bins)))
    # At least two teeth must lie inside the histogram.
    largest = min(LARGEST_STEP, int((bins + 0.5) * step / 2))
    firsts = np.array([1, step, *(q for q in range(2, largest + 1) if q != step)])
    offsets = _combs(firsts, step, bins, envelope[0] / scale)
    deviance, _ = _fit(histogram, features / scale, offsets)
    # First steps of 1 and of the file's own step leave no comb: they are what a single save looks like.
    single = min(float(smooth[0]), float(deviance[:2].min()))
    gain = np.maximum(single - deviance, 0.0)
    gain[:2] = 0.0
    # Dividing by the misfit that remains guards against histograms that are not smooth for other reasons.
    evidence = np.zeros(LARGEST_STEP + 1)
    used = firsts <= LARGEST_STEP
    evidence[firsts[used]] = (gain / np.maximum(1.0, deviance / (bins - PARAMETERS)))[used]
    return Frequency(index, step, int(total), evidence, float(gain.max()) / total)


def _features(x: Floats) -> Floats:
    """Log-density of |coefficient| is linear in these (x in units of the file's step)."""
    log = np.log(x)
    return np.stack([np.ones_like(x), log, log**2, np.sqrt(x), x], axis=-1)


def _combs(firsts: NDArray[np.int64], step: int, bins: int, envelope: Floats) -> Floats:
    """Log of the expected count in each bin 1..bins after a save at each first step: first steps×bins.

    The envelope's density is gathered on the multiples of the first step, blurred by the rounding
    noise, and sorted into the bins of the file's step.
    """
    fine = 8
    reach = (bins + 1.5) * step
    x = np.arange(0.5 / fine, reach, 1 / fine)
    density = np.exp(np.clip(_features(np.clip(x / step, 0.5, bins + 1.0)) @ envelope, -20, 20))
    below = np.concatenate(([0.0], density.cumsum()))
    at = np.concatenate(([0.0], x + 0.5 / fine))
    edges = (np.arange(bins + 1) + 0.5) * step
    noise = NOISE if step > 1 else NOISE_AT_ONE
    plain = np.diff(np.interp(edges, at, below))
    combs = np.empty((len(firsts), bins))
    for row, first in enumerate(firsts):
        teeth = np.arange(0, int(reach / first) + 2) * float(first)
        mass = np.interp(teeth + first / 2, at, below) - np.interp(np.maximum(teeth - first / 2, 0.0), at, below)
        combs[row] = mass @ np.diff(ndtr((edges - teeth[:, None]) / noise), axis=1)
    return np.asarray(np.log(np.maximum((1 - MIXED) * combs + MIXED * plain, 1e-6)))


def _fit(histogram: Floats, features: Floats, offsets: Floats) -> tuple[Floats, Floats]:
    """Poisson regressions of one histogram, one for each row of offsets: deviances and coefficients."""
    start = np.maximum(histogram, 0.5)
    mean = np.repeat(start[None], len(offsets), axis=0)
    linear = np.log(mean)
    ridge = 1e-6 * np.eye(features.shape[1])
    outer = (features[:, :, None] * features[:, None, :]).reshape(len(features), -1)
    for _ in range(ROUNDS):
        working = linear - offsets + (histogram - mean) / mean
        left = (mean @ outer).reshape(-1, *ridge.shape) + ridge
        right = (mean * working) @ features
        solved = np.linalg.solve(left, right[..., None])[..., 0]
        linear = np.clip(solved @ features.T + offsets, -20, 20)
        mean = np.exp(linear)
    terms = np.where(histogram > 0, histogram * np.log(start / mean), 0.0) - (histogram - mean)
    deviance = 2 * terms.sum(axis=1)
    return np.where(np.isfinite(deviance), deviance, np.inf), solved
