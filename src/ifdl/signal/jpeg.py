"""JPEG arithmetic: the standard's tables and their scaling, quality, who wrote the tables, block DCT.

Sources: ITU-T T.81 (annex K for the example tables); the scaling by "quality" is the one of the
Independent JPEG Group's libjpeg (`jpeg_quality_scaling`). Tables are 64 numbers in row-major order,
index 8·v + u for vertical frequency v and horizontal frequency u.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

Table = tuple[int, ...]

STANDARD_LUMA: Table = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
STANDARD_CHROMA: Table = (
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
)  # fmt: skip
# Row-major index of the n-th coefficient in zigzag order (T.81 figure 5).
ZIGZAG: Table = tuple(
    8 * v + u
    for v, u in sorted(
        ((v, u) for v in range(8) for u in range(8)), key=lambda p: (sum(p), p[0] if sum(p) % 2 else -p[0])
    )
)


class Family(StrEnum):
    """Whose quantisation tables these are, as far as tables and markers tell. Never a make or a model."""

    STANDARD = "standard tables (libjpeg, Pillow, many phones and web services)"
    ADOBE = "Adobe (Photoshop, Save for Web)"
    CUSTOM = "tables of its own (typical of cameras)"


# ---------------------------------------------------------------- tables


@cache
def standard_table(quality: int, chroma: bool = False, baseline: bool = True) -> Table:
    """Annex K table scaled to a libjpeg quality 1-100; `baseline` limits the steps to 255 (8-bit tables)."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is 1 to 100, not {quality}")
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    most = 255 if baseline else 32767
    return tuple(min(max((q * scale + 50) // 100, 1), most) for q in (STANDARD_CHROMA if chroma else STANDARD_LUMA))


def estimate_quality(luma: Sequence[int], chroma: Sequence[int] | None = None) -> tuple[int, bool]:
    """Nearest libjpeg quality 1-100, and whether the tables are exactly the standard ones at that quality.

    Nearness is the mean absolute difference of the logarithms of all steps; of equally near qualities
    the higher is returned. Without a chroma table (a grey picture) only luma counts.
    """
    given = [(tuple(luma), False)] + ([(tuple(chroma), True)] if chroma is not None else [])
    if any(len(table) != 64 or min(table) < 1 for table, _ in given):
        raise ValueError("a quantisation table has 64 steps of at least 1")
    logs = np.log(np.concatenate([np.asarray(table, float) for table, _ in given]))
    best, distance = 1, np.inf
    for quality in range(100, 0, -1):
        for baseline in (True, False):
            standard = tuple(standard_table(quality, is_chroma, baseline) for _, is_chroma in given)
            if standard == tuple(table for table, _ in given):
                return quality, True
            d = float(np.abs(np.log(np.concatenate(standard)) - logs).mean())
            if d < distance - 1e-12:
                best, distance = quality, d
    return best, False


def tables_of(quantisation: Mapping[int, Table], component_tables: Sequence[int]) -> tuple[Table | None, Table | None]:
    """Luma and chroma table of a file (chroma None for a grey picture, luma None if the file has none)."""
    ids = list(component_tables) or sorted(quantisation)
    luma = quantisation.get(ids[0]) if ids else None
    chroma = quantisation.get(ids[1]) if len(ids) > 1 else None
    return luma, chroma


def family(luma: Table, chroma: Table | None, markers: Sequence[str] = ()) -> Family:
    """Encoder family. Adobe needs its own segments (APP14 "Adobe" or "Ducky") as well as non-standard tables."""
    if estimate_quality(luma, chroma)[1]:
        return Family.STANDARD
    adobe = {"APP14:Adobe", "APP12:Ducky"} & set(markers)
    return Family.ADOBE if adobe else Family.CUSTOM


# ---------------------------------------------------------------- transform


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """JFIF luma float32 H×W, 0-255 and not rounded, of RGB pixels uint8 H×W×3 (ITU-R BT.601 weights)."""
    return np.asarray(pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


@cache
def _basis(keep: int) -> NDArray[np.float32]:
    u, x = np.mgrid[:keep, :8]
    basis = np.cos((2 * x + 1) * u * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


def block_dct(plane: NDArray[np.float32], keep: int = 8) -> NDArray[np.float32]:
    """Orthonormal 8×8 DCT-II as T.81 defines it, of a plane H×W: float32 rows×columns×keep×keep.

    The last two axes are the vertical and the horizontal frequency, of which the lowest `keep` are
    computed; what is left of the plane beyond whole blocks is ignored. T.81 first subtracts 128,
    which only moves the zero frequency (by -1024).
    """
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    basis = _basis(keep)
    strips = plane[: rows * 8, : columns * 8].reshape(rows, 8, columns * 8)
    vertical = np.matmul(basis, strips).reshape(rows, keep, columns, 8)
    return np.ascontiguousarray(np.matmul(vertical, basis.T).transpose(0, 2, 1, 3))


# ---------------------------------------------------------------- entropy coding

# Code counts by length of the four example Huffman tables (T.81 tables K.3 to K.6).
_STANDARD_HUFFMAN = {
    bytes.fromhex("00010501010101010100000000000000"),
    bytes.fromhex("00030101010101010101010000000000"),
    bytes.fromhex("0002010303020403050504040000017d"),
    bytes.fromhex("00020102040403040705040400010277"),
}


def has_standard_huffman(data: bytes) -> bool | None:
    """Whether all Huffman tables before the first scan are T.81's examples; None if there are none to see."""
    at, seen = 2, []
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        if data[at + 1] == 0xFF:
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        inside = at + 4
        while data[at + 1] == 0xC4 and inside + 17 <= min(end, len(data)):
            counts = data[inside + 1 : inside + 17]
            seen.append(counts in _STANDARD_HUFFMAN)
            inside += 17 + sum(counts)
        at = max(end, at + 4)
    return all(seen) if seen else None
