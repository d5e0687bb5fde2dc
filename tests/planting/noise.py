"""Plants a part with more noise than the rest: grain added to it in grey and in colour, then one JPEG save.

The grain stands for a part from a camera of higher sensitivity, or for one that escaped noise reduction: a standard
deviation of 4 to 10 grey levels. None where the part is mostly clipped, or where the grain is less than 1.5 times its
own finest detail (measured with Pillow's filter), so that it would not stand out. The part is a shape of 3-15 % of the
picture; the file is a JPEG of quality 85-98, as is the clean sibling.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from tests.planting import Planted
from tests.planting.jpeg_grid import _shape

_FINEST = ImageFilter.Kernel((3, 3), (1, -2, 1, -2, 4, -2, 1, -2, 1), scale=6, offset=128)


def plant(host: bytes, donor: bytes, rng: np.random.Generator) -> Planted | None:
    """Everything drawn by `rng`; the donor is not used."""
    return grain(host, rng, sigma=rng.uniform(4.0, 10.0), quality=int(rng.integers(85, 99)))


def grain(host: bytes, rng: np.random.Generator, *, sigma: float, quality: int) -> Planted | None:
    """As `plant`, with the grain's standard deviation and the quality chosen by the caller."""
    base = Image.open(io.BytesIO(host)).convert("RGB")
    if min(base.size) < 128:
        return None
    mask = np.asarray(_shape(base.size, rng)) > 0
    pixels = np.asarray(base, float)
    own = 1.48 * np.median(np.abs(np.asarray(base.convert("L").filter(_FINEST), float)[mask] - 128.0))
    clipped = np.asarray(((pixels < 8) | (pixels > 247)).any(axis=2))[mask].mean()
    if clipped > 0.3 or 1.5 * own > sigma:
        return None
    shared = rng.normal(0, sigma, (*mask.shape, 1))
    noisy = pixels + 0.8 * shared + rng.normal(0, 0.6 * sigma, pixels.shape)
    edited = Image.fromarray(np.rint(np.clip(np.where(mask[..., None], noisy, pixels), 0, 255)).astype(np.uint8))
    chroma = int(rng.choice([0, 2]))
    files = []
    for picture in (edited, base):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, subsampling=chroma)
        files.append(buffer.getvalue())
    return Planted(files[0], files[1], mask)
