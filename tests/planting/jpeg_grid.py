"""Plants JPEG grids that disagree: a pasted part whose blocks lie elsewhere, or that has no blocks at all.

The mix of `plant`: 3 of 4 pastes keep the donor's own blocks, shifted by something that is not a multiple
of 8 (the clue should see another grid); 1 of 4 come from a donor resampled by 0.55-0.85 (no grid; the clue
should see the main one missing). Half are saved as PNG, half as JPEG of quality 97-100 with 4:4:4 or
4:2:0 chroma. The part is a rectangle, an ellipse or a polygon of 3-15 % of the picture. Everything is drawn
with Pillow; nothing of the clue's code is used.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.planting import Planted


def plant(host: bytes, donor: bytes, rng: np.random.Generator) -> Planted | None:
    """Host with a part of the donor pasted over it; None if either is too small or the part is flat."""
    return paste(host, donor, rng, resampled=bool(rng.random() < 0.25), png=bool(rng.random() < 0.5))


def paste(host: bytes, donor: bytes, rng: np.random.Generator, *, resampled: bool, png: bool) -> Planted | None:
    """As `plant`, with the donor's kind and the file format chosen by the caller."""
    base, source = _open(host), _open(donor)
    if resampled:
        factor = rng.uniform(0.55, 0.85)
        size = (round(source.width * factor), round(source.height * factor))
        source = source.resize(size, Image.Resampling.BICUBIC)
    shape = _shape(base.size, rng)
    box = shape.getbbox()
    if box is None or min(base.size) < 128:
        return None
    wide, high = box[2] - box[0], box[3] - box[1]
    if wide + 8 > source.width or high + 8 > source.height:
        return None
    x = int(rng.integers(0, source.width - wide - 7))
    y = int(rng.integers(0, source.height - high - 7))
    if (x - box[0]) % 8 == 0 and (y - box[1]) % 8 == 0:
        x += int(rng.integers(1, 8))
    part = source.crop((x, y, x + wide, y + high))
    if np.asarray(part.convert("L")).std() < 4:
        return None
    edited = base.copy()
    edited.paste(part, box[:2], shape.crop(box))
    quality, subsampling = int(rng.integers(97, 101)), int(rng.choice([0, 2]))
    files = [_save(picture, png, quality, subsampling) for picture in (edited, base)]
    return Planted(files[0], files[1], np.asarray(shape) > 0)


def crop(host: bytes, x: int, y: int, form: str = "PNG", quality: int = 95) -> bytes:
    """The host without its first x columns and y rows, saved again."""
    base = _open(host)
    return _save(base.crop((x, y, base.width, base.height)), form == "PNG", quality, 0)


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _save(picture: Image.Image, png: bool, quality: int, subsampling: int) -> bytes:
    buffer = io.BytesIO()
    if png:
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def _shape(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """8-bit mask (0 or 255) of 3-15 % of the picture."""
    kind = rng.choice(["rectangle", "ellipse", "polygon"])
    target, stretch = rng.uniform(0.03, 0.15) * size[0] * size[1], rng.uniform(0.6, 1.6)
    full = {"rectangle": 1.0, "ellipse": np.pi / 4, "polygon": 0.65}[str(kind)]
    wide = min(int(np.sqrt(target / full * stretch)), size[0] - 2)
    high = min(int(target / full / max(wide, 1)), size[1] - 2)
    left, top = int(rng.integers(0, size[0] - wide)), int(rng.integers(0, size[1] - high))
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    corners = (left, top, left + wide, top + high)
    if kind == "rectangle":
        draw.rectangle(corners, fill=255)
    elif kind == "ellipse":
        draw.ellipse(corners, fill=255)
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9)) + rng.uniform(0, 1)
        radii: NDArray[np.float64] = rng.uniform(0.75, 1.0, 9)
        xs = left + wide / 2 * (1 + radii * np.cos(angles))
        ys = top + high / 2 * (1 + radii * np.sin(angles))
        draw.polygon([(float(x), float(y)) for x, y in zip(xs, ys, strict=True)], fill=255)
    return mask
