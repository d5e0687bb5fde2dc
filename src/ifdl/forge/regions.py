"""Regions that look like what people cut: parts of the picture itself, drawn shapes, objects that a detector found.

Segments come from a window about five times as large as the wanted region, so that small and large
ones are cut with the same care: its superpixels are merged pairwise, and of all parts that ever arise
one with a clear outline is taken, as objects have (`_segments`). Masks are bool H×W; a share is a share of
the picture's area, 0-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge._segments import merge_tree, superpixels
from ifdl.forge._shapes import drawn
from ifdl.forge.record import Box, Mask, Pixels, Thing, box_of

Floats = NDArray[np.float32]
Rng = np.random.Generator

KINDS = {"segment": 0.62, "contour": 0.11, "blob": 0.08, "polygon": 0.05, "box": 0.04, "thin": 0.05, "parts": 0.05}
USUAL = (0.02, 0.2)  # most regions have such a share
TRIES = 6
WINDOWS = 5
OBJECTS = 0.7  # share of regions that are objects where a detector found some
CLEAR = 30.0  # difference over two pixels, summed over L, a and b, that makes an outline clear


@dataclass(frozen=True, eq=False)
class Cut:
    """A region: its mask bool H×W, one of `KINDS` or "object", and the object's name if a detector gave it."""

    mask: Mask
    kind: str
    name: str = ""


def region(pixels: Pixels, rng: Rng, share: tuple[float, float] = (0.003, 0.5)) -> Mask | None:
    """Mask of a region whose share lies between the two limits, or None if none was found in a few tries."""
    found = cut(pixels, rng, share)
    return None if found is None else found.mask


def cut(
    pixels: Pixels,
    rng: Rng,
    share: tuple[float, float] = (0.003, 0.5),
    kinds: dict[str, float] | None = None,
    things: Sequence[Thing] = (),
) -> Cut | None:
    """As `region`, with its kind. `kinds` are weights; where things are known, most regions are one, if any fits."""
    found = cuts(pixels, rng, share, 1, kinds, things)
    return found[0] if found else None


def cuts(
    pixels: Pixels,
    rng: Rng,
    share: tuple[float, float] = (0.003, 0.5),
    most: int = 3,
    kinds: dict[str, float] | None = None,
    things: Sequence[Thing] = (),
    usual: tuple[float, float] = USUAL,
) -> list[Cut]:
    """One to `most` regions to choose from, of one kind; segments are of one window, so that more cost little more."""
    size = pixels.shape[:2]
    if min(size) < 16:
        return []
    if things and rng.random() < OBJECTS:
        found = [c for c in (_object(pixels, t, rng) for t in _some(things, most, rng)) if c is not None]
        found = [c for c in found if share[0] <= c.mask.mean() <= share[1]]
        if found:
            return found
    weights = kinds or KINDS
    names, chances = list(weights), np.array(list(weights.values()), float)
    for _ in range(TRIES):
        kind = names[int(rng.choice(len(names), p=chances / chances.sum()))]
        target = draw_share(rng, share, usual)
        if kind == "segment":
            masks = _segments(pixels, target, most, rng)
        else:
            masks = [drawn((size[0], size[1]), kind, target, rng) for _ in range(min(most, 2))]
        fitting = [m for m in masks if share[0] <= np.count_nonzero(m) / m.size <= share[1]]
        if fitting:
            return [Cut(mask, kind) for mask in fitting]
    return []


def _some(found: Sequence[Thing], most: int, rng: Rng) -> list[Thing]:
    order = rng.permutation(len(found))
    return [found[int(n)] for n in order[:most]]


def draw_share(rng: Rng, share: tuple[float, float], usual: tuple[float, float] = USUAL) -> float:
    """A share between the limits: log-uniform, more often than not within the `usual` ones."""
    low, high = max(share[0], usual[0]), min(share[1], usual[1])
    if low >= high or rng.random() < 0.35:
        low, high = share
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def alpha(mask: Mask, rng: Rng, hard: float = 0.25) -> tuple[Floats, Mask]:
    """Opacity float32 H×W in 0-1 with a soft edge of 0-3 pixels, and the exact mask, where it is at least one half."""
    return feathered(mask, draw_feather(mask, rng, hard))


def draw_feather(mask: Mask, rng: Rng, hard: float = 0.25) -> float:
    """Width of a soft edge as a standard deviation in pixels, 0 for a hard one (of chance `hard`).

    Large regions get wider edges; thin ones get narrow edges, since wide ones would dissolve them.
    """
    part = _window(mask, mask, 2).astype(np.uint8)
    area = int(part.sum())
    outline = area - int(cv2.erode(part, np.ones((3, 3), np.uint8), borderValue=1).sum())
    sigma = float(rng.uniform(0.4, 1.0 + min(2.0, np.sqrt(area) / 60)))
    sigma = min(sigma, 2 * area / max(outline, 1) / 5)
    return round(sigma, 2) if rng.random() >= hard and sigma > 0.3 else 0.0


def feathered(mask: Mask, sigma: float) -> tuple[Floats, Mask]:
    """Opacity with an edge of that width, and the mask where it is at least one half; never empty."""
    opacity = mask.astype(np.float32)
    if sigma > 0:
        part = _window(opacity, mask, 12)
        part[:] = np.clip(cv2.GaussianBlur(part, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), 0, 1)
        # Thin parts that fade below one half are left out altogether, or they would be edits that nobody marked.
        reach = 2 * int(np.ceil(2.5 * sigma)) + 1
        part *= cv2.dilate((part >= 0.5).astype(np.uint8), np.ones((reach, reach), np.uint8))
        exact = opacity >= 0.5
        if exact.any() and not exact.all():
            return opacity, exact
    return mask.astype(np.float32), mask


def _window(array: NDArray[Any], mask: Mask, margin: int) -> NDArray[Any]:
    """View of the array around the set pixels of the mask."""
    x, y, width, height = box_of(mask)
    return array[max(0, y - margin) : y + height + margin, max(0, x - margin) : x + width + margin]


# ---------------------------------------------------------------- segments


def _segments(pixels: Pixels, target: float, most: int, rng: Rng) -> list[Mask]:
    """Parts of the picture of about the wanted share, within a factor of two, that are not nearly the same."""
    height, width = pixels.shape[:2]
    zoom = np.sqrt(min(1.0, target * rng.uniform(3.5, 9.0)))
    high, wide = max(16, round(height * zoom)), max(16, round(width * zoom))
    x, y = _window_with_content(pixels, (high, wide), rng)
    parts = superpixels(pixels[y : y + high, x : x + wide])
    tree = merge_tree(parts)
    members = tree.astype(np.float32)
    area = members @ parts.sizes / parts.labels.size * (high * wide) / (height * width)
    fits = (area > target / 2) & (area < target * 2)
    if not fits.any():
        return []
    members = members[fits]
    own = members @ parts.sizes
    outline = ((members @ parts.lengths) * (1 - members)).sum(axis=1) + 1
    # Capped, so that a weak side of the outline is not made up for by a very strong one.
    clear = np.minimum(parts.contrasts, CLEAR * parts.lengths)
    contrast = ((members @ clear) * (1 - members)).sum(axis=1) / outline
    # Parts that the window cuts off are no whole objects; those that the picture itself cuts off may be.
    inner = np.array([x > 0, x + wide < width, y > 0, y + high < height])
    rim = members @ parts.rim
    cut_off = (rim * np.where(inner, 1.0, 0.35)).sum(axis=1) / (outline + rim.sum(axis=1))
    round_ = np.sqrt(own) / (outline + rim.sum(axis=1))
    off = np.abs(np.log(area[fits] / target))
    score = 2.5 * np.log(contrast + 3) + 2.0 * np.log(round_ + 0.05) - 10.0 * cut_off - off
    order = np.argsort(-(score + rng.gumbel(0, 0.3, score.size)), kind="stable")
    chosen: list[int] = []
    for n in order:
        common = [(members[n] * members[c]) @ parts.sizes / max(own[n], own[c]) for c in chosen]
        if max(common, default=0.0) < 0.6:
            chosen.append(int(n))
        if len(chosen) == most:
            break
    window = (x, y, wide, high)
    return [_at_full_size(tree[fits][n][parts.labels], window, (height, width), rng) for n in chosen]


def _window_with_content(pixels: Pixels, size: tuple[int, int], rng: Rng) -> tuple[int, int]:
    """Upper left corner of a window of (height, width) `size`: the liveliest of five drawn ones, with some chance."""
    height, width = pixels.shape[:2]
    y, x = rng.integers(height - size[0] + 1, size=WINDOWS), rng.integers(width - size[1] + 1, size=WINDOWS)
    grey = cv2.cvtColor(cv2.resize(pixels, (48, 48), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    (r0, r1), (c0, c1) = (
        (start * 48 // extent, np.maximum(-(-(start + length) * 48 // extent), start * 48 // extent + 2))
        for start, length, extent in ((y, size[0], height), (x, size[1], width))
    )
    spread = np.array([grey[r0[n] : r1[n], c0[n] : c1[n]].std() for n in range(WINDOWS)])
    best = int((np.log(spread + 3) + rng.gumbel(0, 0.3, WINDOWS)).argmax())
    return int(x[best]), int(y[best])


def _at_full_size(small: Mask, window: Box, size: tuple[int, int], rng: Rng) -> Mask:
    """A reduced window's mask in the whole picture: holes filled, outline smooth, cut a little wide or narrow."""
    x, y, wide, high = window
    outlines, _ = cv2.findContours(small.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(small.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 255, cv2.FILLED)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, disc)
    soft = cv2.GaussianBlur(opened if opened.any() else filled, (0, 0), float(rng.uniform(0.8, 2.0)))
    mask = np.zeros(size, bool)
    full = cv2.resize(soft, (wide, high), interpolation=cv2.INTER_LINEAR)
    mask[y : y + high, x : x + wide] = full > rng.uniform(90, 150)
    return mask


def _object(pixels: Pixels, chosen: Thing, rng: Rng) -> Cut | None:
    """A detector's object, with the outline that the superpixels inside its box have."""
    height, width = pixels.shape[:2]
    bx, by, bw, bh = chosen.box
    x, y = max(0, bx - bw // 6), max(0, by - bh // 6)
    wide, high = min(width, bx + bw + bw // 6 + 1) - x, min(height, by + bh + bh // 6 + 1) - y
    if min(wide, high) < 16:
        return None
    parts = superpixels(pixels[y : y + high, x : x + wide])
    side = parts.labels.shape[0]
    columns, rows = (np.arange(side) + 0.5) * wide / side + x, (np.arange(side) + 0.5) * high / side + y
    inside = ((columns > bx) & (columns < bx + bw))[None] & ((rows > by) & (rows < by + bh))[:, None]
    within = np.bincount(parts.labels[inside], minlength=len(parts.sizes)) / np.maximum(parts.sizes, 1)
    outside = within < 0.5
    if not outside.any() or outside.all():
        mask = inside
    else:
        # The object is what differs from everything beyond the box; its middle is the object in any case.
        alien = np.sqrt(((parts.colours[:, None] - parts.colours[None, outside]) ** 2).sum(axis=2)).min(axis=1)
        middle = ((columns - bx) / bw - 0.5)[None] ** 2 + ((rows - by) / bh - 0.5)[:, None] ** 2 < 0.3**2
        middle_share = np.bincount(parts.labels[middle], minlength=len(parts.sizes)) / np.maximum(parts.sizes, 1)
        own = ~outside & ((alien > np.median(alien[~outside]) * 0.7) | (middle_share > 0.5))
        mask = own[parts.labels] & inside
    full = _at_full_size(_largest(mask), (x, y, wide, high), (height, width), rng)
    return Cut(full, "object", chosen.name) if full.any() and not full.all() else None


def _largest(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())) if count > 2 else mask
