"""Plants parts with another JPEG past than the rest: Pillow saves, pastes and saves again.

The mix of `plant`: half the pictures get a part that alone was saved at a low quality, on the picture's own grid
("once more"); half were all saved at a low quality before a part of a donor that was not (or not on this grid) was put
in ("once less"). One in four is kept as PNG; the others are saved as JPEG of a quality above the first. The part is a
shape of 3-15 % of the picture. The clean sibling goes through the same saves without the part.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tests.planting import Planted
from tests.planting.jpeg_grid import _shape


def plant(host: bytes, donor: bytes, rng: np.random.Generator) -> Planted | None:
    """First save at quality 50-85, the last at least 8 higher, 80-97 (or PNG)."""
    first = int(rng.integers(50, 86))
    last = int(rng.integers(max(80, first + 8), 98))
    return paste(host, donor, rng, more=bool(rng.random() < 0.5), first=first, last=0 if rng.random() < 0.25 else last)


def paste(host: bytes, donor: bytes, rng: np.random.Generator, *, more: bool, first: int, last: int) -> Planted | None:
    """As `plant`, with the kind and both qualities chosen by the caller; `last` 0 keeps the result as PNG."""
    base, source = (Image.open(io.BytesIO(data)).convert("RGB") for data in (host, donor))
    shape = _shape(base.size, rng)
    box = shape.getbbox()
    if box is None or min(base.size) < 192:
        return None
    if more:
        source = _resaved(source, first, rng)
    else:
        base = _resaved(base, first, rng)
    wide, high = box[2] - box[0], box[3] - box[1]
    if wide + 16 > source.width or high + 16 > source.height:
        return None
    x = int(rng.integers(0, (source.width - wide - 8) // 8)) * 8 + box[0] % 8
    y = int(rng.integers(0, (source.height - high - 8) // 8)) * 8 + box[1] % 8
    if not more:
        x += int(rng.integers(1, 8)) if x + wide + 8 <= source.width else -int(rng.integers(1, 8))
    x = max(x, 0)
    part = source.crop((x, y, x + wide, y + high))
    if np.asarray(part.convert("L")).std() < 4:
        return None
    edited = base.copy()
    edited.paste(part, box[:2], shape.crop(box))
    chroma = int(rng.choice([0, 2]))
    return Planted(_save(edited, last, chroma), _save(base, last, chroma), np.asarray(shape) > 0)


def _resaved(picture: Image.Image, quality: int, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=int(rng.choice([0, 2])))
    return Image.open(buffer).convert("RGB")


def _save(picture: Image.Image, quality: int, chroma: int) -> bytes:
    buffer = io.BytesIO()
    if quality:
        picture.save(buffer, "JPEG", quality=quality, subsampling=chroma)
    else:
        picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
