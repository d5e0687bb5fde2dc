"""Plants a second JPEG save: the host reduced to half or less (which removes its own JPEG traces), saved once or twice.

Pillow does the saving; nothing of the clue is used.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tests.planting import Planted

SMALLEST = 256  # pixels of the reduced picture's shorter side


def plant(host: bytes, donor: bytes, rng: np.random.Generator) -> Planted | None:
    """Clean: saved once at quality 85-97. Edited: first at 60-90 and at least 5 lower, then likewise."""
    second = int(rng.integers(85, 98))
    first = int(rng.integers(60, min(90, second - 5) + 1))
    return saved_twice(host, first, second, rng)


def saved_twice(host: bytes, first: int, second: int, rng: np.random.Generator) -> Planted | None:
    """The host reduced by 2 to 2.5, saved at `first` and then `second`, and at `second` alone."""
    picture = Image.open(io.BytesIO(host)).convert("RGB")
    by = rng.uniform(2.0, 2.5)
    size = (int(picture.width / by), int(picture.height / by))
    chroma = [int(n) for n in rng.integers(0, 3, 2)]
    if min(size) < SMALLEST:
        return None
    reduced = picture.resize(size, Image.Resampling.LANCZOS)
    before = _saved(reduced, first, chroma[0])
    return Planted(
        edited=_saved(Image.open(io.BytesIO(before)), second, chroma[1]), clean=_saved(reduced, second, chroma[1])
    )


def _saved(picture: Image.Image, quality: int, subsampling: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()
