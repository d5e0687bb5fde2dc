"""Carrying a region over: cut it out, change its geometry, find a place for it, lay it in; what a viewer may notice.

Coordinates are (x, y) in pixels; colours are compared in 8-bit Lab as OpenCV writes it (all three 0-255).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge.record import Box, Mask, Pixels, box_of

Floats = NDArray[np.float32]
Rng = np.random.Generator
MARGIN = 16  # pixels kept round a region, so that interpolation and blending see its own surroundings
LARGEST_CLONE = 160 * 160  # pixels; the Poisson equation of more takes too long
FLAT = 2.5  # grey levels
LEAST_CHANGE = 2.0  # mean difference in levels of 255
INTERPOLATIONS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "Lanczos": cv2.INTER_LANCZOS4}


@dataclass(frozen=True)
class Change:
    """Geometry: scale (1 unchanged), degrees anticlockwise, mirrored left to right."""

    scale: float = 1.0
    rotation: float = 0.0
    flip: bool = False

    @property
    def resampled(self) -> bool:
        return self.scale != 1.0 or self.rotation != 0.0


@dataclass(frozen=True, eq=False)
class Piece:
    """A region cut out with its margin: pixels h×w×3 and mask h×w.

    `grid` is where JPEG blocks start in it (x, y modulo 8), None without or after interpolation;
    `sides` tells where its own picture cut it off: left, right, top, bottom.
    """

    pixels: Pixels
    mask: Mask
    grid: tuple[int, int] | None
    sides: tuple[bool, bool, bool, bool]


def lift(
    pixels: Pixels, mask: Mask, change: Change, grid: tuple[int, int] | None, interpolation: str = "bicubic"
) -> Piece:
    """The region under the mask, with the change made. A region that its picture cuts off should not be turned."""
    x, y, wide, high = box_of(mask)
    height, width = mask.shape
    sides = [x == 0, x + wide == width, y == 0, y + high == height]
    x0, y0 = max(0, x - MARGIN), max(0, y - MARGIN)
    place = np.s_[y0 : y + high + MARGIN, x0 : x + wide + MARGIN]
    part: NDArray[Any] = pixels[place]
    inside = mask[place]
    phase = None if grid is None else ((grid[0] - x0) % 8, (grid[1] - y0) % 8)
    if change.flip:
        part, inside = part[:, ::-1], inside[:, ::-1]
        sides[:2] = sides[1::-1]
        phase = None if phase is None else ((part.shape[1] - phase[0]) % 8, phase[1])
    if not change.resampled:
        return Piece(
            np.asarray(part, np.uint8), np.ascontiguousarray(inside), phase, (sides[0], sides[1], sides[2], sides[3])
        )
    soft: NDArray[Any] = inside.astype(np.float32)
    size = (max(1, round(part.shape[1] * change.scale)), max(1, round(part.shape[0] * change.scale)))
    how = INTERPOLATIONS[interpolation]
    if change.scale != 1.0:
        # Averaging is what editors do when they reduce.
        part = cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA if change.scale < 0.8 else how)
        soft = cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR)
    if change.rotation:
        turn = cv2.getRotationMatrix2D(((size[0] - 1) / 2, (size[1] - 1) / 2), change.rotation, 1.0)
        cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
        new = (int(np.ceil(size[0] * cos + size[1] * sin)), int(np.ceil(size[0] * sin + size[1] * cos)))
        turn[:, 2] += (new[0] - size[0]) / 2, (new[1] - size[1]) / 2
        part = cv2.warpAffine(np.ascontiguousarray(part), turn, new, flags=how, borderMode=cv2.BORDER_REFLECT_101)
        soft = cv2.warpAffine(np.ascontiguousarray(soft), turn, new, flags=cv2.INTER_LINEAR)
    return Piece(np.asarray(part, np.uint8), soft >= 0.5, None, (sides[0], sides[1], sides[2], sides[3]))


# ---------------------------------------------------------------- where


class Scene:
    """A picture reduced for looking at surroundings: mean Lab and roughness of any number of boxes at once."""

    def __init__(self, pixels: Pixels) -> None:
        self.factor = max(1, round(min(pixels.shape[:2]) / 64))
        self.height, self.width = pixels.shape[:2]
        size = (max(2, self.width // self.factor), max(2, self.height // self.factor))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab)
        rough = cv2.morphologyEx(lab[:, :, :1], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        self.sums = cv2.integral(np.dstack([lab, rough]).astype(np.float32), sdepth=cv2.CV_64F)

    def around(self, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean L, a, b and roughness in a band round each box (n×4: x, y, width, height): n×4."""
        band = np.maximum(2 * self.factor, np.minimum(boxes[:, 2:], 8 * self.factor + boxes[:, 2:] // 4) // 2)
        outer = np.concatenate([boxes[:, :2] - band, boxes[:, 2:] + 2 * band], axis=1)
        (inner_sum, inner_area), (outer_sum, outer_area) = self._sum(boxes), self._sum(outer)
        return np.asarray((outer_sum - inner_sum) / np.maximum(outer_area - inner_area, 1)[:, None])

    def inside(self, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean L, a, b and roughness in each box: n×4."""
        sums, areas = self._sum(boxes)
        return np.asarray(sums / np.maximum(areas, 1)[:, None])

    def _sum(self, boxes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        high, wide = self.sums.shape[0] - 1, self.sums.shape[1] - 1
        x0, y0 = np.clip(boxes[:, 0] // self.factor, 0, wide), np.clip(boxes[:, 1] // self.factor, 0, high)
        x1 = np.clip(-(-(boxes[:, 0] + boxes[:, 2]) // self.factor), 0, wide)
        y1 = np.clip(-(-(boxes[:, 1] + boxes[:, 3]) // self.factor), 0, high)
        s = self.sums
        return s[y1, x1] - s[y0, x1] - s[y1, x0] + s[y0, x0], ((x1 - x0) * (y1 - y0)).astype(np.float64)


def place(
    scene: Scene,
    piece: Piece,
    wanted: NDArray[np.float64],
    height_share: float,
    rng: Rng,
    taken: Mask | None = None,
    most_taken: float = 0.25,
    tries: int = 40,
) -> tuple[tuple[int, int], float] | None:
    """Upper left corner for the piece, and how badly it fits there (about 0-10).

    The surroundings there resemble the `wanted` ones (L, a, b, roughness).
    `height_share` (0-1) is where the middle of the region stood in its own picture: objects tend to
    keep their height in the frame. A region that its own picture cut off goes to the same side. Places
    that cover more than a share `most_taken` of taken pixels are out. None if nothing fits.
    """
    px, py, wide, high = box_of(piece.mask)
    left, right, top, bottom = piece.sides
    if wide > scene.width or high > scene.height:
        return None
    if (left and right and wide < scene.width) or (top and bottom and high < scene.height):
        return None  # a straight cut would show inside the picture
    free_x, free_y = scene.width - wide, scene.height - high
    # Leave a little air round whole objects where there is room for it.
    air_x, air_y = min(4, free_x // 2), min(4, free_y // 2)
    x = rng.integers(air_x, free_x - air_x + 1, tries)
    y = np.rint(rng.normal(height_share, 0.16, tries) * scene.height - high / 2).astype(np.int64)
    y = np.where((y < air_y) | (y > free_y - air_y), rng.integers(air_y, free_y - air_y + 1, tries), y)
    x = np.full(tries, 0 if left else free_x) if left != right else x
    y = np.full(tries, 0 if top else free_y) if top != bottom else y
    boxes = np.stack([x, y, np.full(tries, wide), np.full(tries, high)], axis=1).astype(np.int64)
    apart = np.abs((y + high / 2) / scene.height - height_share)
    badness = np.abs(scene.around(boxes) - wanted) @ np.array([0.6, 1.5, 1.5, 1.0]) / 12 + 3 * apart
    # What lies under the piece should be as even as its surroundings: nothing there that is only half covered.
    badness += np.maximum(scene.inside(boxes)[:, 3] - scene.around(boxes)[:, 3], 0) / 15
    order = np.argsort(badness + rng.gumbel(0, 0.7, tries), kind="stable")
    for n in order:
        corner = int(x[n]) - px, int(y[n]) - py
        if taken is None or _covered(taken, piece.mask, corner) <= most_taken:
            return corner, float(badness[n])
    return None


def _covered(taken: Mask, mask: Mask, corner: tuple[int, int]) -> float:
    """Share of the mask, laid at the corner, that falls on taken pixels."""
    under, over = overlap(taken.shape, mask.shape, corner)
    return float(np.count_nonzero(taken[under] & mask[over])) / max(int(np.count_nonzero(mask)), 1)


def overlap(
    size: tuple[int, ...], piece: tuple[int, ...], corner: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a piece of (height, width) laid at the corner meets the picture: slices of the picture and of the piece."""
    x0, y0 = max(0, corner[0]), max(0, corner[1])
    x1, y1 = min(size[1], corner[0] + piece[1]), min(size[0], corner[1] + piece[0])
    under = slice(y0, max(y0, y1)), slice(x0, max(x0, x1))
    return under, (slice(y0 - corner[1], max(y0, y1) - corner[1]), slice(x0 - corner[0], max(x0, x1) - corner[0]))


def on_grid(grid: tuple[int, int] | None, piece: Piece, corner: tuple[int, int]) -> bool:
    """Whether the piece's JPEG blocks, laid at the corner, coincide with the host's. True where neither has any."""
    if grid is None or piece.grid is None:
        return grid is None and piece.grid is None
    return all((corner[i] + piece.grid[i] - grid[i]) % 8 == 0 for i in (0, 1))


# ---------------------------------------------------------------- laying in


def lay(canvas: Pixels, piece: Pixels, opacity: Floats, corner: tuple[int, int]) -> None:
    """Blend the piece into the canvas at the corner, in place; full opacity leaves its values exactly as they are."""
    under, over = overlap(canvas.shape, opacity.shape, corner)
    a = opacity[over][:, :, None]
    part, below = piece[over], canvas[under]
    mixed = below + a * (part.astype(np.float32) - below)
    canvas[under] = np.where(a >= 1, part, np.rint(mixed)).astype(np.uint8)


def poisson(canvas: Pixels, piece: Pixels, mask: Mask, corner: tuple[int, int]) -> Pixels | None:
    """The piece with its gradients kept and its rim brought to the canvas's colours; None where that cannot be done.

    Pérez, Gangnet & Blake, "Poisson image editing", SIGGRAPH 2003. The piece must lie inside the canvas.
    """
    under, over = overlap(canvas.shape, mask.shape, corner)
    inside = mask[over]
    if inside.size > LARGEST_CLONE or not inside.any():
        return None
    below, part = np.ascontiguousarray(canvas[under]), np.ascontiguousarray(piece[over])
    grown = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8))
    x, y, wide, high = box_of(grown > 0)
    if x < 1 or y < 1 or x + wide >= inside.shape[1] or y + high >= inside.shape[0]:
        return None
    # OpenCV lays the box of the mask round this centre, and wears the mask away while it works.
    centre = (x + wide // 2, y + high // 2)
    whole = piece.copy()
    whole[over] = cv2.seamlessClone(part, below, grown * np.uint8(255), centre, cv2.NORMAL_CLONE)
    return whole


# ---------------------------------------------------------------- what a viewer may notice


def detail(pixels: Pixels, mask: Mask) -> float:
    """Mean range of grey levels among 2×2 neighbours under the mask: below FLAT there is nothing to see in it."""
    x, y, wide, high = box_of(mask)
    part = np.s_[y : y + high, x : x + wide]
    grey = cv2.cvtColor(np.ascontiguousarray(pixels[part]), cv2.COLOR_RGB2GRAY)
    slope = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    return float(cv2.mean(slope, mask[part].astype(np.uint8))[0])


def changed(before: Pixels, after: Pixels, mask: Mask) -> bool:
    """Whether the region looks different at all: a white sky laid over a white sky is no edit anybody could find."""
    x, y, wide, high = box_of(mask)
    part = np.s_[y : y + high, x : x + wide]
    difference = cv2.mean(cv2.absdiff(before[part], after[part]), mask[part].astype(np.uint8))
    return sum(difference) / 3 >= LEAST_CHANGE


def noticed(pixels: Pixels, mask: Mask) -> dict[str, float]:
    """How the region differs from a band round it: L, colour (a and b), and fine detail as a ratio (in e-folds)."""
    x, y, wide, high = box_of(mask)
    part = np.s_[max(0, y - MARGIN) : y + high + MARGIN, max(0, x - MARGIN) : x + wide + MARGIN]
    inside = mask[part]
    lab = cv2.cvtColor(np.ascontiguousarray(pixels[part]), cv2.COLOR_RGB2Lab)
    detail = np.abs(cv2.Laplacian(lab[:, :, 0], cv2.CV_16S))
    ring = (cv2.dilate(inside.astype(np.uint8), np.ones((2 * MARGIN // 2 + 1,) * 2, np.uint8)) > 0) & ~inside
    if not ring.any():
        return {"light": 0.0, "colour": 0.0, "detail": 0.0}
    core = inside.astype(np.uint8)
    here, there = cv2.mean(lab, core), cv2.mean(lab, ring.astype(np.uint8))
    fine = [cv2.mean(detail, m.astype(np.uint8))[0] for m in (inside, ring)]
    return {
        "light": here[0] - there[0],
        "colour": float(np.hypot(here[1] - there[1], here[2] - there[2])),
        "detail": float(np.log((fine[0] + 1) / (fine[1] + 1))),
    }


def words(pixels: Pixels, mask: Mask, kind: str, name: str = "") -> str:
    """What a region is in plain words: a detector's name, or its colour, lightness and form ("a dark green region")."""
    if name:
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    x, y, wide, high = box_of(mask)
    part = np.s_[y : y + high, x : x + wide]
    lab = cv2.cvtColor(np.ascontiguousarray(pixels[part]), cv2.COLOR_RGB2Lab)
    light, a, b = cv2.mean(lab, mask[part].astype(np.uint8))[:3]
    shade = "dark " if light < 80 else "bright " if light > 190 else ""
    colour = ""
    if np.hypot(a - 128, b - 128) > 12:
        angle = float(np.degrees(np.arctan2(b - 128, a - 128))) % 360
        hues = ((35, "red"), (70, "orange"), (100, "yellow"), (170, "green"), (225, "bluish green"), (300, "blue"))
        colour = next((f"{hue} " for limit, hue in hues if angle < limit), "purple " if angle < 335 else "red ")
    elif not shade:
        colour = "grey "
    noun = {"thin": "thin strip", "parts": "set of scattered patches", "segment": "object or part of one"}.get(
        kind, "region"
    )
    phrase = f"{shade}{colour}{noun}"
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def boxes_of(box: Box) -> NDArray[np.int64]:
    """One box as the n×4 array that `Scene` reads."""
    return np.array([box], np.int64)
