"""Plants parts that lack the demosaicing trace of the rest: an own Bayer mosaic and interpolation, then a paste.

The camera's own traces are removed first: the host is reduced by 2.0-2.4 (Pillow). Then a sensor is imitated with
scipy: a little noise, one of the four Bayer patterns, and bilinear or gradient-corrected interpolation (Malvar, He and
Cutler, ICASSP 2004). The part, a shape of 3-15 % of the picture, comes from a donor reduced alike and then, one in
three each, never mosaicked ("none"), mosaicked and then resampled ("resampled"), or mosaicked with its greens where
the host's reds and blues are ("shifted"). Half are kept as PNG, half saved as JPEG of quality 95-99 with full chroma.
The clean sibling is the host through the same chain without the part. Nothing of the clue's code is used.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tests.planting import Planted
from tests.planting.jpeg_grid import _shape

Floats = NDArray[np.float64]
KINDS = ("none", "resampled", "shifted")
_BILINEAR_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
_BILINEAR = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
# Malvar, He and Cutler, figure 2: green at red or blue; red at green in its own row, in blue's row, and at blue.
_CROSS = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
_OWN_ROW = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]) / 8
_OPPOSITE = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]])
_OPPOSITE /= 8


def plant(host: bytes, donor: bytes, rng: np.random.Generator) -> Planted | None:
    """Kind of part, interpolation and file format drawn by `rng`."""
    kind = str(rng.choice(KINDS))
    quality = 0 if rng.random() < 0.5 else int(rng.integers(95, 100))
    return paste(host, donor, rng, kind=kind, gradients=bool(rng.random() < 0.5), quality=quality)


def paste(
    host: bytes, donor: bytes, rng: np.random.Generator, *, kind: str, gradients: bool, quality: int
) -> Planted | None:
    """As `plant`, with all but places chosen by the caller; `quality` 0 keeps the result as PNG.

    None if host or donor is too small, or if the part is so flat that no interpolation shows in it.
    """
    factor = rng.uniform(2.0, 2.4)
    base, source = (_reduced(data, factor) for data in (host, donor))
    if min(base.size) < 192:
        return None
    shape = _shape(base.size, rng)
    box = shape.getbbox()
    assert box is not None
    wide, high = box[2] - box[0], box[3] - box[1]
    phase = (int(rng.integers(2)), int(rng.integers(2)))
    noise = rng.uniform(0.5, 2.0)
    base = demosaicked(base, phase, gradients, noise, rng)
    if kind != "none":
        source = demosaicked(source, (0, 0), gradients, noise, rng)
    if kind == "resampled":
        scale = rng.uniform(0.7, 0.9)
        size = (round(source.width * scale), round(source.height * scale))
        source = source.resize(size, Image.Resampling.BICUBIC)
    if wide + 2 > source.width or high + 2 > source.height:
        return None
    x, y = int(rng.integers(0, source.width - wide - 1)), int(rng.integers(0, source.height - high - 1))
    if kind == "shifted" and (x + y + box[0] + box[1] + sum(phase)) % 2 == 0:
        x += 1
    part = source.crop((x, y, x + wide, y + high))
    if np.asarray(part.convert("L")).std() < 4:
        return None
    edited = base.copy()
    edited.paste(part, box[:2], shape.crop(box))
    return Planted(_save(edited, quality), _save(base, quality), np.asarray(shape) > 0)


def demosaicked(
    picture: Image.Image, phase: tuple[int, int], gradients: bool, noise: float, rng: np.random.Generator
) -> Image.Image:
    """The picture as one sensor saw it: red at row and column `phase` (0 or 1 each) of every 2×2, blue diagonal."""
    pixels = np.asarray(picture, float)
    rows, columns = np.indices(pixels.shape[:2]) + np.array(phase)[:, None, None]
    red, blue = (rows % 2 == 0) & (columns % 2 == 0), (rows % 2 == 1) & (columns % 2 == 1)
    green = ~red & ~blue
    raw = (pixels * np.stack([red, green, blue], axis=2)).sum(axis=2) + rng.normal(0, noise, red.shape)
    interpolate = _gradient_corrected if gradients else _bilinear
    return Image.fromarray(np.rint(np.clip(interpolate(raw, red, green, blue), 0, 255)).astype(np.uint8))


def _convolved(plane: Floats, kernel: Floats) -> Floats:
    return np.asarray(ndimage.convolve(plane, kernel, mode="mirror"))


def _bilinear(raw: Floats, red: NDArray[np.bool_], green: NDArray[np.bool_], blue: NDArray[np.bool_]) -> Floats:
    kernels = (_BILINEAR, _BILINEAR_GREEN, _BILINEAR)
    return np.stack([_convolved(raw * m, k) for m, k in zip((red, green, blue), kernels, strict=True)], axis=2)


def _gradient_corrected(
    raw: Floats, red: NDArray[np.bool_], green: NDArray[np.bool_], blue: NDArray[np.bool_]
) -> Floats:
    cross, opposite = _convolved(raw, _CROSS), _convolved(raw, _OPPOSITE)
    across, along = _convolved(raw, _OWN_ROW), _convolved(raw, _OWN_ROW.T)
    red_row = np.repeat(red.any(axis=1, keepdims=True), red.shape[1], axis=1)
    at_green = [np.where(red_row, across, along), np.where(red_row, along, across)]
    planes = [
        np.where(red, raw, np.where(blue, opposite, at_green[0])),
        np.where(green, raw, cross),
        np.where(blue, raw, np.where(red, opposite, at_green[1])),
    ]
    return np.stack(planes, axis=2)


def _reduced(data: bytes, factor: float) -> Image.Image:
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return picture.resize((round(picture.width / factor), round(picture.height / factor)), Image.Resampling.LANCZOS)


def _save(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    if quality:
        picture.save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
