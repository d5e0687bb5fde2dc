"""Votes for the position of JPEG's 8×8 blocks, and the grids and patches they add up to (for `jpeg_grid`).

Each pixel votes for the position, modulo 8, of the window over it with most zero DCT coefficients; a
binomial test says how unlikely so many equal votes would be by chance. Source: see `jpeg_grid`.
A grid is a number 0-63, 8·(y modulo 8) + (x modulo 8) of its blocks' corners; arrays are [row, column].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from ifdl.types import Picture

Votes = NDArray[np.uint8]
Counts = NDArray[np.uint8]
Heat = NDArray[np.float32]

VOID = 64  # the vote of a pixel that has none
CELL = 8
LARGEST = 65500  # pixels a side: too large to recompress
MAIN = -2.0  # log10 NFA below which the picture as a whole has a grid
WEAK = 0.0  # log10 NFA below which a region is worth a word
SHARE = 0.15  # share of the pixels of 3×3 cells that must agree before their middle joins a region
LIVELY = 0.05  # share of the picture's pixels that must have a vote, else it is too flat to judge
QUALITY = 97  # of the recompression that shows what a missing grid would look like
KEPT, GAINED = 0.08, 0.30  # missing: at most so much of the main grid left, so much gained elsewhere
VISIBLE = 0.3  # share of all votes the main grid must have before it can be missing anywhere
OWN_BLOCKS = {"WEBP", "AVIF", "HEIF", "HEIC"}  # formats whose own blocks lie on multiples of 4


_K, _N = np.mgrid[:8, :8]
COSINES = np.asarray(np.cos((2 * _N + 1) * _K * np.pi / 16) * np.where(_K == 0, np.sqrt(1 / 8), 0.5), np.float32)


def zeros(luma: NDArray[np.uint8], band: int = 128) -> NDArray[np.uint8]:
    """Number of zero AC coefficients (0-63) of each 8×8 window of uint8 luma H×W: uint8 (H-7)×(W-7).

    A coefficient is zero below 0.5 (0.4999, as 0.5 itself occurs and must not hang on float rounding).
    """
    height, width = luma.shape
    counts = np.zeros((height - 7, width - 7), np.uint8)
    for top in range(0, height - 7, band):
        rows = luma[top : top + band + 7].astype(np.float32)
        part = counts[top : top + band]
        for i in range(8):
            vertical = cv2.filter2D(rows, -1, COSINES[i][:, None], anchor=(0, 0))[:-7]
            for j in range(8):
                if i or j:
                    both = cv2.filter2D(vertical, -1, COSINES[j][None, :], anchor=(0, 0))[:, :-7]
                    part -= cv2.inRange(both, -0.4999, 0.4999)  # minus 255 is plus 1 in uint8
    return counts


def votes(luma: NDArray[np.uint8], band: int = 512) -> Votes:
    """Each pixel's vote, uint8 H×W: the grid of the one window over it with most zeros, or VOID.

    Void are ties, pixels less than 7 from the border, and pixels whose best window is constant along its
    rows or columns (flat, saturated or synthetic).
    """
    height, width = luma.shape
    out = np.full((height, width), VOID, np.uint8)
    for top in range(0, height - 14, band):
        part = luma[top : top + band + 14]
        keys = zeros(part).astype(np.uint16) << 7
        for axis, size in ((1, (8, 7)), (0, (7, 8))):
            same = (np.diff(part.astype(np.int16), axis=axis) == 0).view(np.uint8)
            constant = cv2.erode(same, np.ones(size, np.uint8), anchor=(0, 0))[: keys.shape[0], : keys.shape[1]]
            keys |= constant.astype(np.uint16) << 6
        grids = (8 * ((np.arange(keys.shape[0]) + top) % 8)[:, None] + np.arange(keys.shape[1]) % 8).astype(np.uint16)
        # The greatest key names the last of the best windows, the other one the first: a tie if they differ.
        last = _best(keys | grids)
        first = _best(keys | (63 - grids))
        grid = (last & 63).astype(np.uint8)
        clear = (last & 64 == 0) & (last & 63 == 63 - (first & 63))
        out[top + 7 : top + 7 + grid.shape[0], 7 : width - 7] = np.where(clear, grid, np.uint8(VOID))
    return out


def _best(keys: NDArray[Any]) -> NDArray[Any]:
    """Greatest uint16 key of the 64 windows over each pixel that all 64 cover."""
    return cv2.dilate(keys, np.ones((8, 8), np.uint8), anchor=(7, 7))[7:, 7:]


def tally(voted: Votes) -> Counts:
    """How many pixels of each 8×8 cell vote for each of 64 grids and for none: uint8 rows×columns×65."""
    rows, columns = voted.shape[0] // CELL, voted.shape[1] // CELL
    counts = np.empty((rows, columns, 65), np.uint8)
    for row in range(rows):
        strip = voted[row * CELL : (row + 1) * CELL, : columns * CELL].reshape(CELL, columns, CELL)
        flat = strip.astype(np.int64) + 65 * np.arange(columns)[None, :, None]
        counts[row] = np.bincount(flat.ravel(), minlength=65 * columns).reshape(columns, 65)
    return counts


# ---------------------------------------------------------------- grids


def log10_nfa(agreeing: int, pixels: int, size: tuple[int, int]) -> float:
    """log10 of the expected number of boxes, in a picture of that size, with so many equal votes by chance.

    Votes of one block are not independent, so 64 pixels count as one trial with chance 1/64. The tail is
    its first term times a geometric bound of the rest: never too small, and finite for any count. There
    are 64² pairs of grids and fewer than (height·width)² boxes to test.
    """
    tests = float(2 * np.log10(64.0 * size[0] * size[1]))
    trials, hits, chance = pixels // 64, agreeing // 64, 1 / 64
    ratio = (trials - hits) / (hits + 1) * chance / (1 - chance)
    if hits < 1 or ratio >= 1:
        return tests
    choices = gammaln(trials + 1) - gammaln(hits + 1) - gammaln(trials - hits + 1)
    first = choices + hits * np.log(chance) + (trials - hits) * np.log1p(-chance)
    return float(min(0.0, (first - np.log1p(-ratio)) / np.log(10)) + tests)


@dataclass(frozen=True)
class Patch:
    """A part of the picture with a grid of its own, or (`grid` None) without the main one.

    `box` is (left, top, right, bottom) and `cells` the members inside it, both in cells; `share` is the
    share of the box's pixels that agree.
    """

    grid: int | None
    box: tuple[int, int, int, int]
    cells: NDArray[np.bool_]
    log_nfa: float
    share: float


def patches(
    agreeing: Counts, grid: int | None, size: tuple[int, int], among: NDArray[np.bool_] | None = None
) -> list[Patch]:
    """Connected cells around which at least SHARE of the pixels agree (counts 0-64 by cell), with NFA below 1."""
    if not agreeing.any():
        return []
    member = _around(agreeing, 3) >= SHARE * CELL * CELL
    if among is not None:
        member &= among
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(member.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    found = []
    for label in range(1, count):
        left, top, width, height, cells = (int(n) for n in boxes[label])
        if cells < 4:
            continue
        inside = np.s_[top : top + height, left : left + width]
        part = labels[inside] == label
        hits, pixels = int(agreeing[inside][part].sum()), width * height * CELL * CELL
        nfa = log10_nfa(hits, pixels, size)
        if nfa < WEAK:
            found.append(Patch(grid, (left, top, left + width, top + height), part, nfa, hits / pixels))
    return found


def _around(counts: Counts, side: int) -> Heat:
    """Mean over side×side cells."""
    return np.asarray(cv2.blur(counts.astype(np.float32), (side, side)), np.float32)


@dataclass(frozen=True)
class Grids:
    """What the votes say: the main grid (None if there is none) with its log10 NFA and its share of the votes;
    a second grid all over the picture; patches with other grids; patches without the main one; and by cell the
    share (0-1) of the strongest other grid or of missing pixels, where there are votes at all."""

    main: int | None
    log_nfa: float
    share: float
    second: int | None
    foreign: list[Patch]
    missing: list[Patch]
    heat: Heat
    valid: NDArray[np.bool_]
    voted: Votes
    lost: NDArray[np.bool_] | None


def grids_of(picture: Picture) -> Grids:
    """Vote, find the main grid, then what departs from it."""
    luma: NDArray[np.uint8] = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
    voted = votes(luma)
    if picture.item.format in OWN_BLOCKS:
        own = np.array([g // 8 % 4 == 0 and g % 4 == 0 for g in range(64)] + [False])
        voted[own[voted]] = VOID
    size = (picture.height, picture.width)
    counts = tally(voted)
    totals = counts.sum(axis=(0, 1), dtype=np.int64)
    all_votes = int(totals[:64].sum())
    first = int(totals[:64].argmax())
    share = float(totals[first] / max(all_votes, 1))
    nfa = log10_nfa(int(totals[first]), luma.size, size)
    found = patches(counts[..., first], first, size)
    general = nfa < MAIN and (not found or _all_over(counts, first, found, size))
    main = first if general and all_votes >= LIVELY * luma.size else None
    second, foreign = None, []
    for grid in range(64):
        if grid == main:
            continue
        found = patches(counts[..., grid], grid, size)
        if main is not None and found and _all_over(counts, grid, found, size):
            second = grid if second is None or totals[grid] > totals[second] else second
        else:
            foreign += found
    others = counts[..., :64].copy()
    heat = np.zeros(counts.shape[:2], np.float32)
    missing: list[Patch] = []
    lost = None
    if main is not None:
        others[..., main] = 0
    if main is not None and share >= VISIBLE:
        lost, heat, missing = _missing(picture, luma, voted, counts, main, foreign)
    for grid in range(64):
        if others[..., grid].any():
            heat = np.maximum(heat, _around(others[..., grid], 3) / 64)
    valid = _around(64 - counts[..., VOID], 3) >= 4
    return Grids(main, nfa, share, second, foreign, missing, heat, valid, voted, lost)


def _all_over(counts: Counts, grid: int, found: list[Patch], size: tuple[int, int]) -> bool:
    """Whether a grid belongs to the whole picture rather than to a part of it.

    It does if the box around all its patches holds half of all votes, or if it also shows outside that box.
    """
    corners = np.array([patch.box for patch in found])
    left, top = corners[:, :2].min(axis=0) - 2
    right, bottom = corners[:, 2:].max(axis=0) + 2
    outside = np.ones(counts.shape[:2], bool)
    outside[max(0, top) : bottom, max(0, left) : right] = False
    cast = 64 - counts[..., VOID].astype(np.int64)
    if 2 * cast[outside].sum() <= cast.sum():
        return True
    return log10_nfa(int(counts[outside, grid].sum()), int(outside.sum()) * CELL * CELL, size) < MAIN


def _missing(
    picture: Picture, luma: NDArray[np.uint8], voted: Votes, counts: Counts, main: int, foreign: list[Patch]
) -> tuple[NDArray[np.bool_], Heat, list[Patch]]:
    """Pixels that vote for the main grid only after recompressing on it, their share by cell, and their patches.

    A cell counts only where the main grid was at chance level. Where a colour is clipped the luma differs
    from what was coded, and nothing counts. If the rest of the picture gains as well, its own compression was
    finer than the recompression, and there are no patches.
    """
    if max(luma.shape) > LARGEST:
        return np.zeros(luma.shape, bool), np.zeros(counts.shape[:2], np.float32), []
    y, x = divmod(main, 8)
    again = luma.copy()
    file = cv2.imencode(".jpg", luma[y:, x:], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    again[y:, x:] = np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8)
    clipped = ((picture.pixels == 0) | (picture.pixels == 255)).any(axis=2).view(np.uint8)
    sound = cv2.dilate(clipped, np.ones((15, 15), np.uint8)) == 0
    lost = (votes(again) == main) & (voted != main) & sound
    gained = tally(np.where(lost, np.uint8(0), np.uint8(VOID)))[..., 0]
    gain = np.asarray(_around(gained, 3) / 64, np.float32)
    kept, every = _around(counts[..., main], 5), _around(64 - counts[..., VOID], 5)
    bare = kept <= KEPT * np.maximum(every, 8)
    gain = np.where(bare, gain, np.float32(0))
    found = patches(gained, None, (picture.height, picture.width), bare)
    rest = np.ones(gained.shape, bool)
    for patch in found + foreign:
        left, top, right, bottom = patch.box
        rest[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = False
    if not rest.any() or gained[rest].mean() > GAINED * 64:
        return lost, np.zeros_like(gain), []
    return lost, gain, found
