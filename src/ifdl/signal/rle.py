"""COCO run-length encoding of masks, byte-compatible with pycocotools (column-major runs).

Source: the COCO data format (cocodataset.org/#format-data); counts are packed five bits a
character, each run from the fourth on stored as its difference to the run two before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ifdl.types import Rle


def encode(mask: NDArray[Any]) -> Rle:
    """Mask H×W (anything non-zero counts) to its compressed runs."""
    height, width = mask.shape
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist() if flat.size else []
    if flat.size and flat[0]:
        runs.insert(0, 0)
    return Rle((int(height), int(width)), _pack(runs))


def decode(rle: Rle) -> NDArray[np.bool_]:
    """Compressed runs back to a bool mask H×W. Raises ValueError if the runs do not fill `size`."""
    height, width = rle.size
    runs = _unpack(rle.counts)
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise ValueError(f"run lengths add up to {sum(runs)}, not {height}×{width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((height, width), order="F")


def _pack(runs: list[int]) -> str:
    out: list[str] = []
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        while True:
            bits, value = value & 31, value >> 5
            done = value == (-1 if bits & 16 else 0)
            out.append(chr((bits if done else bits | 32) + 48))
            if done:
                break
    return "".join(out)


def _unpack(counts: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for char in counts:
        bits = ord(char) - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value = shift = 0
    if shift:
        raise ValueError("the run-length string ends inside a number")
    return runs
