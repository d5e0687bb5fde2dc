"""Three ways to fill a hole from the rest of the same picture, fast enough to forge with.

`diffuse` carries the rim inwards by an equation (OpenCV: Navier-Stokes, Bertalmío et al., CVPR 2001;
fast marching, Telea, J. Graphics Tools 2004). `quilt` lays overlapping patches, strong edges first
(priorities of Criminisi, Pérez & Toyama, "Region filling and object removal by exemplar-based image
inpainting", IEEE TIP 2004; large patches overlapping as in Efros & Freeman, SIGGRAPH 2001): patches
are found in a reduced picture and then carried over at full size, each shifted to where it fits best.
`clone` lays one stretch of background over the whole hole, found by what surrounds the hole, and
blends it (Pérez, Gangnet & Blake, "Poisson image editing", SIGGRAPH 2003).

Pixels are uint8 H×W×3 RGB, holes bool H×W; only pixels in the hole change.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge.record import Box, Mask, Pixels, box_of

Floats = NDArray[np.float32]
Move = tuple[int, int, int, int]  # target row and column, source row and column, in cells
HALF = 4  # a patch is 9×9 cells of the reduced picture
PATCH = 2 * HALF + 1
MOST_CELLS = 320  # the picture is reduced until the hole has no more cells than this
EDGE = np.float32(0.02)  # what an edgeless patch of the rim counts, as a share of a full black-white edge
NEAR = 0.15  # squared grey levels that a patch may be worse for each squared cell it lies nearer
LIFT = 10.0  # grey levels by which a patch may be lightened or darkened to continue its surroundings
SEARCH = 96  # side of the reduced picture in which `clone` looks for background
RIM = 3  # cells around the hole that `clone` compares
NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
INSIDE = 0.25  # how much the background's own evenness counts beside its fit along the rim


def window(hole: Mask, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the hole's box grown by `margin` pixels, cut at the picture's edge."""
    x, y, width, height = box_of(hole)
    rows = slice(max(0, y - margin), min(hole.shape[0], y + height + margin))
    return rows, slice(max(0, x - margin), min(hole.shape[1], x + width + margin))


def disc(radius: int) -> NDArray[np.uint8]:
    """A round structuring element of that radius in pixels."""
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def rim_of(hole: Mask, radius: int) -> Mask:
    """The band of that many pixels around a hole."""
    return (cv2.dilate(hole.astype(np.uint8), disc(radius)) > 0) & ~hole


# ---------------------------------------------------------------- diffusion


def diffuse(pixels: Pixels, hole: Mask, telea: bool, radius: int = 3) -> Pixels:
    """The hole filled by fast marching (`telea`) or by the Navier-Stokes equation."""
    place = window(hole, 4 * radius)
    filled = pixels.copy()
    filled[place] = cv2.inpaint(
        pixels[place], hole[place].astype(np.uint8), radius, cv2.INPAINT_TELEA if telea else cv2.INPAINT_NS
    )
    return filled


# ---------------------------------------------------------------- patches


@dataclass(frozen=True, eq=False)
class Quilt:
    """A hole filled with `count` patches, `side` pixels wide; `misfit` is how far they differ where they overlap.

    Misfits are root mean squares in grey levels, measured in the reduced picture.
    """

    pixels: Pixels
    side: int
    count: int
    misfit: float


def quilt(pixels: Pixels, hole: Mask, most: float = np.inf) -> Quilt | None:
    """The hole filled with patches of its surroundings.

    None if nothing intact lies near enough to copy from, or if the misfit would not stay below `most`.
    """
    scale = max(1, int(np.ceil(np.sqrt(hole.sum() / MOST_CELLS))))
    place = window(hole, max(2 * PATCH * scale, max(box_of(hole)[2:]) // 2))
    # Mirrored on by a few pixels, so that whole cells cover it.
    height, width = hole[place].shape
    down, right = -height % scale, -width % scale
    local = np.asarray(cv2.copyMakeBorder(pixels[place], 0, down, 0, right, cv2.BORDER_REFLECT), np.uint8)
    gap = cv2.copyMakeBorder(hole[place].astype(np.uint8), 0, down, 0, right, cv2.BORDER_REPLICATE) > 0
    moves, misfit = _plan(local, gap, scale) if min(gap.shape) >= (PATCH + 4) * scale else ([], 0.0)
    if not moves or misfit >= most:
        return None
    filled = pixels.copy()
    filled[place] = _carry(local, gap, moves, scale)[:height, :width]
    return Quilt(filled, PATCH * scale, len(moves), misfit)


def _plan(pixels: Pixels, hole: Mask, scale: int) -> tuple[list[Move], float]:
    """Which patch goes where, in order, and how far patches differ where they overlap."""
    height, width = hole.shape[0] // scale, hole.shape[1] // scale
    todo = np.asarray(hole.reshape(height, scale, width, scale).any(axis=(1, 3)))
    small = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    # A smooth first guess of the hole lets edges be followed into it.
    image = diffuse(small, todo, telea=True).astype(np.float32)
    known = np.asarray(~todo, np.float32)
    # A source must be intact, and stay so when it is shifted by a cell at full size.
    intact = cv2.erode(known, np.ones((PATCH + 2, PATCH + 2), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    barred = intact[HALF : height - HALF, HALF : width - HALF] == 0
    if barred.all():
        return [], 0.0
    source = image.copy()
    rows, columns = np.indices(barred.shape, np.float32)
    trust = known.copy()
    moves: list[Move] = []
    misfit = 0.0
    while todo.any():
        row, column, worth = _next(image, known, trust)
        top, left = min(max(row - HALF, 0), height - PATCH), min(max(column - HALF, 0), width - PATCH)
        patch = (slice(top, top + PATCH), slice(left, left + PATCH))
        weights = known[patch]
        cost = cv2.matchTemplate(source, image[patch], cv2.TM_SQDIFF, mask=cv2.merge([weights] * 3))
        cost += (NEAR * float(weights.sum())) * ((rows - top) ** 2 + (columns - left) ** 2)
        cost[barred] = np.inf
        y, x = divmod(int(cost.argmin()), cost.shape[1])
        moves.append((top, left, y, x))
        new = todo[patch].copy()
        found = source[y : y + PATCH, x : x + PATCH]
        lift = _lift(image[patch], found, weights)
        away = ((image[patch] - found - lift) ** 2).mean(axis=2)
        misfit += float((away * weights).sum() / max(float(weights.sum()), 1.0))
        image[patch][new] = (found + lift)[new]
        trust[patch][new] = worth
        known[patch] = 1.0
        todo[patch] = False
    return moves, float(np.sqrt(misfit / max(len(moves), 1)))


def _lift(there: Floats, patch: Floats, weights: Floats) -> Floats:
    """What to add to a patch, at most LIFT, so that shading runs on: the mean difference where it overlaps."""
    total = np.float32(max(float(weights.sum()), 1.0))
    mean = ((there - patch) * weights[..., None]).sum(axis=(0, 1)) / total
    return np.asarray(np.clip(mean, -LIFT, LIFT), np.float32)


def _next(image: Floats, known: Floats, trust: Floats) -> tuple[int, int, np.float32]:
    """Row and column of the rim's most urgent cell, and how far its surroundings may be trusted.

    Criminisi's priority: the trusted share of the patch, times how strongly an edge runs into the hole.
    """
    grey = cv2.boxFilter(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), -1, (3, 3))
    soft = cv2.boxFilter(known, -1, (5, 5))
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.25)
    nx, ny = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    flow = np.abs(dx * ny - dy * nx) / (np.hypot(nx, ny) + np.float32(1e-6))
    share = cv2.boxFilter(trust, -1, (PATCH, PATCH), borderType=cv2.BORDER_CONSTANT)
    rim = (known == 0) & (cv2.dilate(known, np.ones((3, 3), np.uint8)) > 0)
    urgency = np.where(rim, share * (flow / np.float32(255) + EDGE), np.float32(-1))
    row, column = divmod(int(urgency.argmax()), known.shape[1])
    return row, column, share[row, column]


def _carry(pixels: Pixels, hole: Mask, moves: list[Move], scale: int) -> Pixels:
    """The planned patches at full size, each shifted by up to a cell to fit, and feathered into those before it."""
    side, reach = PATCH * scale, scale if scale > 1 else 0
    step = max(1, scale // 2)  # every second pixel is enough to place a patch of four times the cells
    height, width = hole.shape
    out = pixels.astype(np.float32)
    original = out.copy()
    known = (~hole).astype(np.float32)
    for top, left, y, x in moves:
        top, left, y, x = top * scale, left * scale, y * scale, x * scale
        target = (slice(top, top + side), slice(left, left + side))
        weights = known[target]
        new = weights == 0
        if not new.any():
            continue
        if reach and weights.any():
            first, start = max(0, y - reach), max(0, x - reach)
            near = original[first : min(height, y + side + reach), start : min(width, x + side + reach)]
            rough, known_too = out[target][::step, ::step], cv2.merge([weights[::step, ::step]] * 3)
            cost = cv2.matchTemplate(near[::step, ::step], rough, cv2.TM_SQDIFF, mask=known_too)
            y, x = (step * v for v in divmod(int(cost.argmin()), cost.shape[1]))
            y, x = min(y, near.shape[0] - side), min(x, near.shape[1] - side)
            y, x = y + first, x + start
        patch = original[y : y + side, x : x + side]
        patch = patch + _lift(out[target], patch, weights)
        # New cells are taken whole, earlier patches are crossed over softly, the picture itself stays.
        share = cv2.blur(new.astype(np.float32), (2 * scale + 3, 2 * scale + 3))
        share = np.where(new, np.float32(1), np.where(hole[target], share, np.float32(0)))[..., None]
        out[target] += share * (patch - out[target])
        known[target] = 1.0
    return np.where(hole[..., None], np.clip(np.rint(out), 0, 255).astype(np.uint8), pixels)


# ---------------------------------------------------------------- one stretch of background


@dataclass(frozen=True)
class Found:
    """A shift (x, y) in pixels from hole to background, and how far the rims differ (RMS grey levels)."""

    shift: tuple[int, int]
    misfit: float


def background(pixels: Pixels, hole: Mask, rng: np.random.Generator, level: bool, most: float = np.inf) -> Found | None:
    """Where background like the hole's surroundings lies; None if nowhere with a misfit below `most`.

    `level` lets the two differ in brightness and colour, for blending that evens them out.
    """
    scale = max(1, round(max(hole.shape) / SEARCH))
    size = (hole.shape[1] // scale, hole.shape[0] // scale)
    image = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    gap = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    if not gap.any() or gap.all():
        return None
    rows, columns = window(gap, RIM)
    inner, rim = gap[rows, columns], rim_of(gap, RIM)[rows, columns]
    if not rim.any():
        return None
    patch = image[rows, columns]
    mean = patch[rim].mean(axis=0)
    weights, count = cv2.merge([rim.astype(np.float32)] * 3), float(rim.sum())
    cost = cv2.matchTemplate(image, patch, cv2.TM_SQDIFF, mask=weights) / count
    if level:
        band = rim.astype(np.float32)
        for channel in range(3):
            there = cv2.matchTemplate(np.ascontiguousarray(image[..., channel]), band, cv2.TM_CCORR) / count
            cost -= np.float32(0.85) * (there - mean[channel]) ** 2
    flat = np.ascontiguousarray(np.broadcast_to(mean, patch.shape), dtype=np.float32)
    busy = cv2.matchTemplate(image, flat, cv2.TM_SQDIFF, mask=cv2.merge([inner.astype(np.float32)] * 3))
    overlap = cv2.matchTemplate(gap.astype(np.float32), inner.astype(np.float32), cv2.TM_CCORR)
    total = np.where(overlap < 0.5, np.maximum(cost, 0) + np.float32(INSIDE / inner.sum()) * busy, np.inf)
    if not np.isfinite(total).any():
        return None
    good = np.flatnonzero(total <= 1.1 * total.min() + 1.0)
    pick = int(good[rng.integers(good.size)])
    top, left = divmod(pick, total.shape[1])
    misfit = float(np.sqrt(max(cost.ravel()[pick], 0.0) / 3))
    if misfit >= most:
        return None
    return Found(_refined(pixels, hole, ((left - columns.start) * scale, (top - rows.start) * scale), scale), misfit)


def _refined(pixels: Pixels, hole: Mask, shift: tuple[int, int], scale: int) -> tuple[int, int]:
    """The best shift at full size within a cell of the one found in the reduced picture."""
    x, y, width, height = box_of(hole)
    rows, columns = window(hole, 2 * scale)
    rim = rim_of(hole, 2 * scale)[rows, columns]
    first = (rows.start + shift[1] - scale, columns.start + shift[0] - scale)
    top, left = max(0, first[0]), max(0, first[1])
    tall, wide = rim.shape
    near = pixels[top : max(0, first[0] + tall + 2 * scale), left : max(0, first[1] + wide + 2 * scale)]
    if near.shape[0] >= tall and near.shape[1] >= wide:
        weights = cv2.merge([rim.astype(np.float32)] * 3)
        template = pixels[rows, columns].astype(np.float32)
        cost = cv2.matchTemplate(near.astype(np.float32), template, cv2.TM_SQDIFF, mask=weights)
        down, right = divmod(int(cost.argmin()), cost.shape[1])
        shift = (left + right - columns.start, top + down - rows.start)
    return (
        int(np.clip(shift[0], -x, hole.shape[1] - x - width)),
        int(np.clip(shift[1], -y, hole.shape[0] - y - height)),
    )


def clone(pixels: Pixels, hole: Mask, shift: tuple[int, int], poisson: bool) -> Pixels:
    """The hole covered with the pixels `shift` (x, y) away, as they are or levelled to their new surroundings.

    Levelling is Poisson blending in its other form: what the two differ by along the rim is carried
    inwards as a membrane and added (Pérez et al., eq. 5). `cv2.seamlessClone` is no use here, since it
    takes the outermost three pixels inside the mask from the picture, that is from what is to go.
    """
    x, y, width, height = box_of(hole)
    (dx, dy), pad = shift, 2 if poisson else 0
    # The rim must lie in the picture both here and there.
    top, left = min(pad, y, y + dy), min(pad, x, x + dx)
    below = min(pad, hole.shape[0] - y - height, hole.shape[0] - y - height - dy)
    right = min(pad, hole.shape[1] - x - width, hole.shape[1] - x - width - dx)
    rows, columns = slice(y - top, y + height + below), slice(x - left, x + width + right)
    gap = hole[rows, columns]
    source = pixels[rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx]
    if poisson and not gap.all():
        difference = pixels[rows, columns].astype(np.float32) - source
        level = membrane(difference, (~gap).astype(np.float32))
        source = np.clip(np.rint(source + level), 0, 255).astype(np.uint8)
    filled = pixels.copy()
    filled[rows, columns] = np.where(gap[..., None], source, pixels[rows, columns])
    return filled


def membrane(values: Floats, known: Floats, rounds: int = 12) -> Floats:
    """Harmonic values where `known` (float32 H×W, 0 or 1) is 0, from those around: float32 H×W×3.

    Laplace's equation from coarse to fine: half the size is solved first, then smoothed `rounds` times.
    """
    height, width = known.shape
    if min(height, width) <= 4:
        count = np.float32(max(float(known.sum()), 1.0))
        guess = np.broadcast_to((values * known[..., None]).sum(axis=(0, 1)) / count, values.shape)
    else:
        half = ((width + 1) // 2, (height + 1) // 2)
        weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
        total = cv2.resize(values * known[..., None], half, interpolation=cv2.INTER_AREA)
        mean = np.asarray(total / np.maximum(weight, 1e-6)[..., None], np.float32)
        coarse = membrane(mean, (weight > 1e-6).astype(np.float32), rounds)
        guess = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    free = known[..., None] == 0
    result: Floats = np.where(free, guess, values)
    for _ in range(rounds):
        result = np.where(free, cv2.filter2D(result, -1, NEIGHBOURS, borderType=cv2.BORDER_REPLICATE), values)
    return result


def source_box(hole: Mask, shift: tuple[int, int]) -> Box:
    """Box of the background that `clone` takes."""
    x, y, width, height = box_of(hole)
    return x + shift[0], y + shift[1], width, height
