"""Differencing that knows about compression: where two aligned states of a picture differ more than a re-save explains.

Three things make the same content differ: a change of the whole picture (brightness, colour, sharpness, the
filter of a resizer), the noise of compression, and an edit. The first is fitted as one small filter per channel
by robust least squares; the second is measured on the pair itself, as the usual strength of what remains in
places of the same texture and brightness (compression errs more where there is more to compress); what exceeds
it is the third. The remainder is looked at in two bands, because compression leaves low frequencies almost
alone while an edit rarely does, and in brightness and colour.

Arrays are H×W or H×W×3 in rows and columns of *after*; levels are 0-255.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.signal.points import normal_equations

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

SAMPLES = 20_000  # pixels that a fit sees
REACH = 2  # the filter is 5×5
BANDS = (1.0, 3.0)  # radii (sigma, pixels) of the two bands
BINS = 24  # classes of texture
USUAL = 0.4  # quantile taken for "usual": below one half, since edits only add
NARROWEST = 0.35  # spread of the log strength that is always allowed for
SURE, LIKELY = 6.0, 3.0  # robust deviations: a region must reach the second everywhere,
CORE = 80  # and the first on this many pixels: ringing at strong edges gives smaller peaks
SLACK = 0.04  # share of the local contrast
SMALLEST = 24  # pixels
SHARE, FLOOR = 0.15, 4.0  # a pixel is edited from this share of its region's energy, and this many times noise
_MATRIX = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_MIDDLE = np.array([0, 128, 128], np.float32)


@dataclass(frozen=True, eq=False)
class Difference:
    """`excess` float32 H×W: robust deviations above what the pair's own noise explains, 0 where unknown.

    `mask` bool H×W is what it comes to; `level` the noise between the two, in levels (median absolute
    remainder of brightness).
    """

    excess: Floats
    mask: Mask
    level: float


def difference(before: NDArray[np.generic], after: NDArray[np.generic], known: Mask | None = None) -> Difference:
    """Compare two aligned pictures H×W×3 (levels 0-255, of one size); `known` says where *before* is defined."""
    if before.shape != after.shape:
        raise ValueError(f"aligned pictures have one size, not {before.shape} and {after.shape}")
    one, two = _ycc(before), _ycc(after)
    where = np.ones(after.shape[:2], bool)
    if known is not None:  # the filter must not reach past the known
        where = cv2.erode(known.astype(np.uint8), np.ones((2 * REACH + 3, 2 * REACH + 3), np.uint8)).astype(bool)
    if np.count_nonzero(where) < 256:
        raise ValueError("the pictures hardly overlap")
    predicted = explain(one, two, where)
    remainder = np.where(where[..., None], two - predicted, np.float32(0))
    excess, surplus = _excess(remainder, predicted, two, where)
    mask = _outline(_regions(excess), surplus, where)
    return Difference(excess, mask, float(np.median(np.abs(remainder[..., 0][where]))))


def explain(before: Floats, after: Floats, known: Mask) -> Floats:
    """What *before* would look like in *after* if only the whole picture had been changed; float32 H×W×3 YCbCr.

    Per channel: a filter of 5×5 (colour 3×3), a bent tone curve and a mix of the channels, by reweighted least
    squares with Tukey's weights; pixels that some edit replaced weigh nothing in the end.
    """
    places = np.flatnonzero(cv2.erode(known.astype(np.uint8), np.ones((5, 5), np.uint8)).ravel())
    if len(places) < 500:
        places = np.flatnonzero(known.ravel())
    places = places[:: max(1, len(places) // SAMPLES)]
    predicted = np.empty_like(after)
    sampled = before.reshape(-1, 3)[places]
    for channel in range(3):
        plane = before[..., channel]
        reach = REACH if channel == 0 else 1
        count = (2 * reach + 1) ** 2
        columns = np.stack([*_neighbours(plane, reach, places), *_bends(sampled, channel)], 1).astype(np.float64)
        weights = _robust(columns, after.reshape(-1, 3)[places, channel].astype(np.float64), count // 2)
        kernel = weights[:count].reshape(2 * reach + 1, 2 * reach + 1)
        fitted = np.asarray(cv2.filter2D(plane, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32)
        for weight, bend in zip(weights[count:], _bends(before, channel), strict=True):
            fitted += np.float32(weight) * bend
        predicted[..., channel] = fitted
    # What leaves the range of a file is cut off there, colour by colour.
    rgb = cv2.transform(predicted - _MIDDLE, np.linalg.inv(_MATRIX).astype(np.float32))
    return _ycc(np.clip(rgb, 0, 255))


def _regions(excess: Floats) -> Mask:
    """Where the excess is likely, in parts that are sure somewhere (hysteresis)."""
    labels, count = ndimage.label(excess > LIKELY, structure=np.ones((3, 3), int))
    sure = np.bincount(labels[excess > SURE], minlength=count + 1) >= CORE
    sure[0] = False
    return np.asarray(sure[labels], bool)


def _outline(region: Mask, surplus: Floats, known: Mask) -> Mask:
    """The exact shape of rough regions, which smoothing has widened: a vote of the pixels themselves.

    `surplus` is each pixel's own squared remainder in units of its noise. A pixel votes for "edited" if it
    reaches a share of what is usual in the region around it, so that a soft edge is cut half-way.
    """
    if not region.any():
        return region
    inside = region.astype(np.float32)
    strength = _blur(surplus * inside, 5.0) / np.maximum(_blur(inside, 5.0), 1e-3)
    vote = np.log(surplus + 1e-3) - np.log(np.maximum(SHARE * strength, FLOOR))
    votes = _blur(np.clip(vote, -1, 1), 1.5)
    near = cv2.dilate(region.astype(np.uint8), _disc(2)).astype(bool)
    shape = cv2.morphologyEx((near & (votes > 0)).astype(np.uint8), cv2.MORPH_CLOSE, _disc(4))
    filled = ndimage.binary_fill_holes(shape).astype(np.uint8)
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, _disc(1)).astype(bool) & known
    labels, count = ndimage.label(opened, structure=np.ones((3, 3), int))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) >= SMALLEST
    sizes[0] = False
    return np.asarray(sizes[labels], bool)


# ---------------------------------------------------------------- noise


def _excess(remainder: Floats, predicted: Floats, after: Floats, known: Mask) -> tuple[Floats, Floats]:
    """(excess, surplus): robust deviations of the local energy above the usual, the larger of all bands; and
    each pixel's squared remainder in units of its usual energy, summed over brightness and colour."""
    bright = _texture(predicted, after, slice(0, 1))
    # Colour is coarser than brightness in most files, and errs where colour changes.
    textures = (bright, np.maximum(bright, _texture(predicted, after, slice(1, 3))))
    excess, surplus = np.zeros(known.shape, np.float32), np.zeros(known.shape, np.float32)
    for sigma in BANDS:
        fine = sigma == BANDS[0]
        low = remainder if fine else _blur(remainder, sigma)
        square = low * low
        for energy, texture in zip((square[..., 0], square[..., 1] + square[..., 2]), textures, strict=True):
            local = _blur(energy, sigma)
            # Places without any noise (black, white, grey) are not held to a stricter rule than is usual elsewhere.
            floor = float(np.clip(0.3 * np.quantile(local[known][::7], 0.75), 0.05 if fine else 0.2, 4.0))
            # The slow band has next to no noise, so a small share of the contrast (cut-off tones, a filter that
            # fits not quite) is allowed for.
            slack = np.float32(0) if fine else np.float32(SLACK) * np.exp(texture)
            level = np.asarray(0.5 * np.log(local + np.float32(floor) + slack**2), np.float32)
            usual, spread = _usual(level, texture, known)
            excess = np.maximum(excess, (level - usual) / spread)
            if fine:
                surplus += _blur(energy, 0.6) / np.exp(2 * usual)
    excess[~known] = 0
    return excess, surplus


def _usual(level: Floats, texture: Floats, known: Mask) -> tuple[Floats, float]:
    """(map, spread): the usual log strength among places of like texture, and how far it scatters."""
    t, e = texture[known], level[known]
    step = max(1, len(t) // 200_000)
    t, e = t[::step], e[::step]
    edges = np.quantile(t, np.linspace(0, 1, BINS + 1))
    which = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, BINS - 1)
    rows = []
    for index in range(BINS):
        group = e[which == index]
        if len(group) >= 30:
            low, middle = np.quantile(group, (0.1, USUAL))
            rows.append((float(np.median(t[which == index])), float(middle), float(middle - low)))
    centre, usual, spread = np.array(rows).T
    # Noise never falls with texture and grows at most in proportion to it: so a class full of edits stands out.
    usual = np.minimum.accumulate(usual[::-1])[::-1]
    for index in range(1, len(usual)):
        usual[index] = min(usual[index], usual[index - 1] + (centre[index] - centre[index - 1]))
    return np.interp(texture, centre, usual).astype(np.float32), max(float(np.median(spread)), NARROWEST)


def _texture(one: Floats, two: Floats, channels: slice) -> Floats:
    """Log strength of detail finer than about 4 pixels, in whichever of the two pictures has less."""
    found = []
    for picture in (one, two):
        detail = picture[..., channels] - _blur(picture[..., channels], 2.0).reshape(*picture.shape[:2], -1)
        found.append(_blur((detail * detail).sum(axis=2), 3.0))
    return np.asarray(0.5 * np.log(np.minimum(*found) + 0.25), np.float32)


# ---------------------------------------------------------------- fitting


def _bends(picture: Floats, channel: int) -> list[Floats]:
    """What a change of tone and colour adds to a filter: curves of the channel, the other channels, a constant."""
    planes = picture / 128 - 1
    own, one, two = planes[..., channel], planes[..., (channel + 1) % 3], planes[..., (channel + 2) % 3]
    # The last two: a curve applied to red, green and blue changes colour with brightness.
    bends = [own**2, own**3, one, two, own * one, own * two, np.ones_like(own)]
    return [np.asarray(b, np.float32) for b in bends]


def _robust(
    columns: NDArray[np.float64], wanted: NDArray[np.float64], centre: int, rounds: int = 6
) -> NDArray[np.float64]:
    """Reweighted least squares; the first weights come from a plain difference, so that a large edit cannot win."""
    residual = wanted - columns[:, centre]
    residual -= np.median(residual)
    solved: NDArray[np.float64] = np.zeros(columns.shape[1])
    for _ in range(rounds):
        scale = 1.4826 * float(np.median(np.abs(residual))) + 0.3
        weight = np.clip(1 - (residual / (4.685 * scale)) ** 2, 0, None) ** 2
        normal, right = normal_equations(columns, weight, wanted)
        # A whiff of ridge: in flat pictures neighbouring pixels are the same column.
        normal[np.diag_indices_from(normal)] *= 1 + 1e-6
        normal[np.diag_indices_from(normal)] += 1e-3
        solved = np.asarray(np.linalg.solve(normal, right), np.float64)
        residual = wanted - np.einsum("nk,k->n", columns, solved)
    return solved


def _neighbours(plane: Floats, reach: int, places: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """The plane's values at every offset of the filter, row by row, at the given flat places."""
    padded = cv2.copyMakeBorder(plane, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    rows, columns = np.divmod(places, plane.shape[1])
    span = range(2 * reach + 1)
    return [padded[rows + dy, columns + dx].astype(np.float64) for dy in span for dx in span]


def _ycc(pixels: NDArray[np.generic]) -> Floats:
    """Y, Cb, Cr in levels, float32 H×W×3."""
    return np.asarray(cv2.transform(pixels.astype(np.float32), _MATRIX) + _MIDDLE, np.float32)


def _blur(plane: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _disc(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
