"""Pages to forge text on: a receipt, a bill, a label, a form or a letter, drawn and then seen as by a phone or scanner.

A page is laid out and drawn upright in page coordinates, then placed in the picture by one homography (tilt,
slant, narrow or wide type), under the light of the host photograph; sometimes it lies on the host as on a
table. What a forger would have to work out, where each word stands and how it was printed, is kept with it; the
second half of this file is what a forger does with that: paper without print, print without paper, and places.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge._layout import KINDS, Box, Layout, Word, draw
from ifdl.forge.record import Pixels

Rng = np.random.Generator
Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]
Window = tuple[slice, slice]
Colour = tuple[float, float, float]

_INKS: tuple[Colour, ...] = ((28, 28, 32), (45, 44, 46), (70, 68, 72), (30, 36, 84), (64, 40, 36))
_PAPERS: tuple[Colour, ...] = (
    (250, 249, 246), (244, 243, 240), (247, 240, 224), (232, 238, 246), (246, 226, 206), (240, 232, 140),
    (226, 240, 224),
)  # fmt: skip
_SMEAR = np.array([0.16, 0.68, 0.16], np.float32)


@dataclass(frozen=True, eq=False)
class Page:
    """A finished picture of a page. `matrix` takes page to picture coordinates; `bare` uint8 H×W is 1 on paper
    well away from print and edge; `density` and `softness` (sigma, pixels) are those of the print; `gaps` are
    blank places (left end of the baseline, type size) where a line would fit."""

    pixels: Pixels
    kind: str
    words: tuple[Word, ...]
    gaps: tuple[tuple[float, float, int], ...]
    matrix: Matrix
    bare: NDArray[np.uint8]
    colour: Colour
    density: float
    softness: float
    noise: float


def page(host: Pixels, rng: Rng) -> Page:
    """A page in the light of the host photograph, of the host's size."""
    height, width = host.shape[:2]
    on_table = bool(rng.random() < 0.35)
    cover = float(rng.uniform(0.72, 0.9)) if on_table else 1.08
    # Narrow or wide type and a slant are part of the placing, so that one drawing serves all.
    stretch, slant = float(rng.uniform(0.82, 1.12)), float(rng.choice((0.0, 0.0, 0.0, 0.12, 0.2)))
    size = (int(height * cover), int(width * cover / stretch))
    kind = str(rng.choice(KINDS))
    layout = Layout(size, rng, 0.0 if on_table else 0.06)
    layout.fill(kind)
    matrix = _placing(size, (height, width), stretch, slant if not on_table else 0.0, rng)
    canvas = np.asarray(draw(layout.words, size)).copy()
    for x, y, w, h in layout.bars:
        canvas[max(0, y) : y + h, max(0, x) : x + w] = 255
    softness = float(rng.uniform(0.3, 0.75)) * (1.0 if layout.size < 16 else 1.4)
    seen = cv2.warpPerspective(canvas, matrix, (width, height), flags=cv2.INTER_LINEAR)
    ink = np.asarray(cv2.GaussianBlur(seen, (0, 0), softness), np.uint8)
    density = float(rng.uniform(0.75, 1.0))
    colour = _INKS[int(rng.integers(len(_INKS)))]
    noise = float(rng.uniform(0.8, 3.2))
    sheet, blank = None, ink <= 6
    if on_table:
        full = cv2.warpPerspective(np.full(size, 255, np.uint8), matrix, (width, height), flags=cv2.INTER_LINEAR)
        sheet = np.asarray(cv2.GaussianBlur(full, (3, 3), 0.6), np.uint8)
        blank &= sheet == 255
    eroded = cv2.erode(blank.astype(np.uint8), np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE)
    bare = np.asarray(eroded, np.uint8)
    pixels = _seen(host, ink, sheet, colour, density, noise, rng)
    return Page(pixels, kind, tuple(layout.words), tuple(layout.gaps), matrix, bare, colour, density, softness, noise)


def _placing(size: tuple[int, int], frame: tuple[int, int], stretch: float, slant: float, rng: Rng) -> Matrix:
    """Page to picture: stretched, slanted, turned by up to a few degrees, seen slightly from the side, centred."""
    turn = float(np.radians(np.clip(rng.normal(0, 1.6), -4, 4)))
    c, s = np.cos(turn), np.sin(turn)
    to_middle = np.array([[1, 0, -size[1] / 2], [0, 1, -size[0] / 2], [0, 0, 1.0]])
    form = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[stretch, -slant, 0], [0, 1, 0], [0, 0, 1.0]])
    tilt = np.eye(3)
    tilt[2, :2] = rng.normal(0, 0.03, 2) / max(frame)
    back = np.array([[1, 0, frame[1] / 2], [0, 1, frame[0] / 2], [0, 0, 1.0]])
    return np.asarray(back @ tilt @ form @ to_middle, np.float64)


def _seen(
    host: Pixels, ink: NDArray[np.uint8], sheet: NDArray[np.uint8] | None, colour: Colour,
    density: float, noise: float, rng: Rng,
) -> Pixels:  # fmt: skip
    """Paper, ink, light and sensor noise together, saved once as JPEG: the picture before any edit.

    `sheet` is how much of each pixel the page covers (0-255), None if it fills the picture.
    """
    height, width = host.shape[:2]
    # The host's light without its things: eight by eight means, flattened, smoothly enlarged.
    coarse = cv2.GaussianBlur(
        cv2.resize(host, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32) + 8, (0, 0), 1.2
    )
    coarse = (coarse / coarse.mean()) ** 0.3
    coarse = np.clip(0.4 * coarse + 0.6 * coarse.mean(axis=2, keepdims=True), 0.7, 1.2) * float(rng.uniform(0.78, 0.98))
    light = cv2.resize(coarse.astype(np.float32), (64, 64), interpolation=cv2.INTER_CUBIC)
    # From bare paper to full ink in one table, 256 steps a colour.
    paper = np.array(_PAPERS[int(rng.integers(len(_PAPERS)))], np.float32)
    steps = np.linspace(0, density, 256, dtype=np.float32)[:, None]
    table = (paper + (np.array(colour, np.float32) - paper) * steps).reshape(256, 1, 3)
    picture = cv2.LUT(cv2.merge((ink, ink, ink)), table)
    grain = rng.standard_normal((height // 3 + 1, width // 3 + 1), dtype=np.float32) * float(rng.uniform(0.3, 1.6))
    fibre = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = cv2.add(picture, cv2.merge((fibre, fibre, fibre)))
    picture = cv2.multiply(picture, cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR))
    if sheet is not None:
        reach = max(2, min(height, width) // 40)
        fall = cv2.warpAffine(sheet, np.array([[1, 0, reach], [0, 1, reach]], np.float32), (width, height))
        fall = cv2.blur(cv2.blur(fall, (2 * reach + 1, 2 * reach + 1)), (2 * reach + 1, 2 * reach + 1))
        table_top = host * (1 - fall.astype(np.float32)[..., None] * np.float32(0.45 / 255))
        picture = table_top + (picture - table_top) * (sheet.astype(np.float32)[..., None] * np.float32(1 / 255))
    picture = cv2.scaleAdd(static(host.shape[:2], rng), noise, picture)
    whole = cv2.cvtColor(np.clip(picture + 0.5, 0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
    file = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(78, 99))])[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB), np.uint8)


def static(size: tuple[int, int], rng: Rng) -> Floats:
    """Sensor noise of unit strength, float32 H×W×3, a little smeared as demosaicing leaves it.

    Bytes are five times cheaper than normal numbers, and smeared they are as good as normal.
    """
    raw = np.frombuffer(rng.bytes(size[0] * size[1] * 3), np.uint8).reshape(*size, 3)
    smeared = cv2.sepFilter2D(raw, cv2.CV_32F, _SMEAR, _SMEAR)
    return np.asarray((smeared - np.float32(127.5)) * np.float32(1 / (73.9 * float((_SMEAR**2).sum()))), np.float32)


# ---------------------------------------------------------------- paper and print


def blank_paper(page: Page, window: Window, paper: str, rng: Rng) -> Floats:
    """The paper of a window without its print: spread in from around, with no grain, made-up grain, or grain
    copied from the emptiest part of the same lines."""
    rows, columns = window
    reach = max(6, rows.stop - rows.start)
    height, width = page.pixels.shape[:2]
    wider = (
        slice(max(0, rows.start - reach), min(height, rows.stop + reach)),
        slice(max(0, columns.start - reach), min(width, columns.stop + reach)),
    )
    around, bare = page.pixels[wider].astype(np.float32), page.bare[wider].astype(np.float32)
    sigma = 0.4 * reach
    spread = cv2.GaussianBlur(around * bare[..., None], (0, 0), sigma)
    weight = cv2.GaussianBlur(bare, (0, 0), sigma)[..., None]
    smooth = spread / np.maximum(weight, 1e-4)
    inner = (
        slice(rows.start - wider[0].start, rows.stop - wider[0].start),
        slice(columns.start - wider[1].start, columns.stop - wider[1].start),
    )
    blank = smooth[inner]
    if paper == "noisy":
        blank = blank + static(blank.shape[:2], rng) * np.float32(page.noise * rng.uniform(0.5, 1.5))
    elif paper == "cloned":
        # Grain of bare paper nearby; where there is print, none.
        grain = (around - smooth) * bare[..., None]
        high, wide = blank.shape[:2]
        full = cv2.boxFilter(bare, -1, (wide, high), anchor=(0, 0), normalize=True, borderType=cv2.BORDER_CONSTANT)
        full = full[: bare.shape[0] - high + 1, : bare.shape[1] - wide + 1]
        y, x = np.unravel_index(int(full.argmax()), full.shape)
        blank = blank + grain[y : y + high, x : x + wide]
    return np.asarray(blank, np.float32)


def printed(page: Page, word: Word, window: Window, softness: float, weight: float) -> Floats:
    """How much of each pixel of the window the word's ink covers, 0-1, seen in the page's perspective."""
    left, top, right, bottom = padded(word.box(), 3)
    x, y = int(left), int(top)
    local = Word(word.text, word.x - x, word.y - y, word.size, word.bold)
    canvas = np.asarray(draw([local], (int(bottom) - y + 2, int(right) - x + 2)))
    shift, back = np.eye(3), np.eye(3)
    shift[:2, 2] = x, y
    back[:2, 2] = -window[1].start, -window[0].start
    size = (window[1].stop - window[1].start, window[0].stop - window[0].start)
    looked = cv2.warpPerspective(canvas, back @ page.matrix @ shift, size, flags=cv2.INTER_LINEAR)
    cover = cv2.GaussianBlur(looked.astype(np.float32) / 255, (0, 0), softness)
    return np.asarray(cover**weight * page.density, np.float32)


def picked_ink(page: Page, window: Window) -> Floats:
    """The colour of the print as a forger would pick it: the page's ink in the light of this place."""
    light = np.median(page.pixels[window].reshape(-1, 3), axis=0) / 245
    return np.asarray(np.array(page.colour) * light, np.float32)


# ---------------------------------------------------------------- places


def to_picture(page: Page, points: NDArray[np.float64]) -> NDArray[np.float64]:
    mapped = points @ page.matrix[:, :2].T + page.matrix[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def _corners(page: Page, box: Box) -> NDArray[np.float64]:
    left, top, right, bottom = box
    return to_picture(page, np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))


def visible(page: Page, box: Box) -> bool:
    corners = _corners(page, box)
    height, width = page.pixels.shape[:2]
    return bool((corners > 2).all() and (corners[:, 0] < width - 3).all() and (corners[:, 1] < height - 3).all())


def soft_box(page: Page, box: Box, rng: Rng) -> tuple[Window, Floats] | tuple[None, Floats]:
    """(window, opacity) of a page box in the picture, its edges softened; no window if it leaves the picture."""
    corners = _corners(page, box)
    soft = float(rng.uniform(0.5, 1.3))
    margin = 4
    low, high = (
        np.floor(corners.min(axis=0)).astype(int) - margin,
        np.ceil(corners.max(axis=0)).astype(int) + margin + 1,
    )
    height, width = page.pixels.shape[:2]
    x0, y0, x1, y1 = max(0, low[0]), max(0, low[1]), min(width, high[0]), min(height, high[1])
    if x1 - x0 < 6 or y1 - y0 < 6 or not visible(page, box):
        return None, np.zeros((0, 0), np.float32)
    window = (slice(int(y0), int(y1)), slice(int(x0), int(x1)))
    opacity = box_opacity(page, box, window, soft)
    return (window, opacity) if (opacity >= 0.5).any() else (None, opacity)


def box_opacity(page: Page, box: Box, window: Window, soft: float) -> Floats:
    """1 inside a page box as seen in the window, 0 well outside."""
    shape = np.zeros((window[0].stop - window[0].start, window[1].stop - window[1].start), np.uint8)
    corners = _corners(page, box) - (window[1].start, window[0].start)
    cv2.fillConvexPoly(shape, np.rint(corners * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    blurred = cv2.GaussianBlur(shape, (0, 0), soft).astype(np.float32) / 255
    return np.asarray(blurred, np.float32)


def padded(box: Box, pad: float) -> Box:
    return box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad


def union(one: Box, two: Box) -> Box:
    return min(one[0], two[0]), min(one[1], two[1]), max(one[2], two[2]), max(one[3], two[3])
