"""Plants a smoothed part: scipy.ndimage filters one shape of the picture, then everything is saved once.

The mix of `plant`: two of three parts go through a median of 3×3, 5×5 or 7×7 pixels, one of three through a Gaussian
(standard deviation 1 to 2.5 pixels) or a mean of 3×3 or 5×5. The part is a shape of 3-20 % of the picture, the most
textured of eight drawn; None where the filter changes its grey by less than one level on average, so that there was
nothing to remove. A third of the files are PNG, the others JPEG of quality 90-98; the clean sibling is saved alike.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tests.planting import Planted

LEAST_CHANGE = 1.0  # grey levels


def plant(host: bytes, donor: bytes, rng: np.random.Generator) -> Planted | None:
    """Everything drawn by `rng`; the donor is not used."""
    kind, size = "median", float(rng.choice([3, 5, 7]))
    if rng.random() < 1 / 3:
        kind = str(rng.choice(["gaussian", "mean"]))
        size = float(rng.uniform(1.0, 2.5) if kind == "gaussian" else rng.choice([3, 5]))
    quality = 0 if rng.random() < 1 / 3 else int(rng.integers(90, 99))
    return smooth(host, rng, kind=kind, size=size, quality=quality)


def smooth(host: bytes, rng: np.random.Generator, *, kind: str, size: float, quality: int) -> Planted | None:
    """As `plant`, with filter and quality chosen by the caller; quality 0 is PNG."""
    pixels = np.asarray(Image.open(io.BytesIO(host)).convert("RGB"))
    if min(pixels.shape[:2]) < 128:
        return None
    grey = pixels.mean(axis=2)
    detail = ndimage.uniform_filter(np.abs(ndimage.laplace(grey)), 9)
    masks = [_shape(grey.shape, rng) for _ in range(8)]
    mask = max(masks, key=lambda m: float(np.median(detail[m])))
    filtered = filtered_by(pixels, kind, size)
    if np.abs(filtered.mean(axis=2) - grey)[mask].mean() < LEAST_CHANGE:
        return None
    edited = np.where(mask[..., None], filtered, pixels)
    chroma = int(rng.choice([0, 2]))
    return Planted(_save(edited, quality, chroma), _save(pixels, quality, chroma), mask)


def filtered_by(pixels: NDArray[np.uint8], kind: str, size: float) -> NDArray[np.uint8]:
    """The whole picture H×W×3 through a "median" or "mean" of size×size, or a "gaussian" of that deviation."""
    if kind == "median":
        return np.asarray(ndimage.median_filter(pixels, (int(size), int(size), 1)))
    floats = pixels.astype(float)
    spread = (size, size, 0)
    smooth = (
        ndimage.gaussian_filter(floats, spread)
        if kind == "gaussian"
        else ndimage.uniform_filter(floats, spread[:2], axes=(0, 1))
    )
    return np.rint(smooth).astype(np.uint8)


def _shape(size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A rectangle, ellipse or blob of 3-20 % of the picture, wholly inside it."""
    height, width = size
    kind = str(rng.choice(["rectangle", "ellipse", "blob"]))
    full = {"rectangle": 1.0, "ellipse": np.pi / 4, "blob": 0.6}[kind]
    box = rng.uniform(0.03, 0.20) * height * width / full
    wide = float(np.clip(np.sqrt(box * rng.uniform(0.6, 1.6)), 16, width - 2))
    high = float(np.clip(box / wide, 16, height - 2))
    y = np.arange(height)[:, None] - rng.uniform(high / 2, height - high / 2)
    x = np.arange(width)[None, :] - rng.uniform(wide / 2, width - wide / 2)
    y, x = y / (high / 2), x / (wide / 2)
    if kind == "rectangle":
        return np.asarray(np.maximum(np.abs(y), np.abs(x)) < 1)
    edge = np.ones((height, width))
    if kind == "blob":
        angle = np.arctan2(y, x)
        waves = [
            a * np.cos(n * angle + p)
            for n, a, p in zip((2, 3, 5), rng.uniform(0.05, 0.12, 3), rng.uniform(0, 6.3, 3), strict=True)
        ]
        edge = 0.85 + np.sum(waves, axis=0)
    return np.asarray(np.hypot(y, x) < edge)


def _save(pixels: NDArray[np.uint8], quality: int, chroma: int) -> bytes:
    buffer = io.BytesIO()
    if quality:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=chroma)
    else:
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
