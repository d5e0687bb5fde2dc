"""Plants an interpolated part: a piece of the donor, enlarged or turned by Pillow, pasted over the host.

The mix of `plant`: half the parts are enlarged by 1.1-1.9 (bilinear, bicubic or Lanczos), half turned by 3-25 degrees
to either side (bilinear or bicubic; Pillow turns by nothing finer). The part is a rectangle, an ellipse or a polygon of
4-20 % of the picture. Half are saved as PNG, half as JPEG of quality 90-98 with 4:4:4 or 4:2:0 chroma. The clean
sibling is the host, saved the same way.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from tests.planting import Planted

FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
PLACES = 30  # tries to find a piece of the donor that lies wholly inside it


@dataclass(frozen=True)
class Change:
    """What is done to the donor: enlarged by `scale` or turned by `degrees` (anticlockwise), and by which filter."""

    scale: float = 1.0
    degrees: float = 0.0
    method: Image.Resampling = Image.Resampling.BICUBIC


def plant(host: bytes, donor: bytes, rng: np.random.Generator) -> Planted | None:
    """Host with an interpolated part of the donor; None if either is too small or the part is flat."""
    if rng.random() < 0.5:
        change = Change(scale=float(rng.uniform(1.1, 1.9)), method=FILTERS[int(rng.integers(3))])
    else:
        degrees = float(rng.uniform(3, 25)) * (1 if rng.random() < 0.5 else -1)
        change = Change(degrees=degrees, method=FILTERS[int(rng.integers(2))])
    quality = 0 if rng.random() < 0.5 else int(rng.integers(90, 99))
    return paste(host, donor, rng, change=change, quality=quality)


def paste(host: bytes, donor: bytes, rng: np.random.Generator, *, change: Change, quality: int) -> Planted | None:
    """As `plant`, with the change and the quality chosen by the caller; 0 keeps the result as PNG."""
    base, source = (Image.open(io.BytesIO(data)).convert("RGB") for data in (host, donor))
    shape = shape_of(base.size, rng)
    box = shape.getbbox()
    if box is None or min(base.size) < 192:
        return None
    part = _part(changed(source, change), shape.crop(box), rng)
    if part is None or np.asarray(part.convert("L")).std() < 4:
        return None
    edited = base.copy()
    edited.paste(part, box[:2], shape.crop(box))
    chroma = int(rng.choice([0, 2]))
    return Planted(save(edited, quality, chroma), save(base, quality, chroma), np.asarray(shape) > 0)


def changed(picture: Image.Image, change: Change) -> Image.Image:
    """RGBA: the whole picture enlarged or turned; transparent where turning left nothing."""
    solid = picture.convert("RGBA")
    if change.scale != 1:
        size = (round(solid.width * change.scale), round(solid.height * change.scale))
        solid = solid.resize(size, change.method)
    return solid.rotate(change.degrees, change.method) if change.degrees else solid


def save(picture: Image.Image, quality: int = 0, chroma: int = 0) -> bytes:
    """PNG for quality 0, else JPEG."""
    buffer = io.BytesIO()
    if quality:
        picture.save(buffer, "JPEG", quality=quality, subsampling=chroma)
    else:
        picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _part(source: Image.Image, shape: Image.Image, rng: np.random.Generator) -> Image.Image | None:
    """A piece of the source, as large as the shape, that holds the source everywhere under it."""
    wide, high = shape.size
    if wide >= source.width or high >= source.height:
        return None
    for _ in range(PLACES):
        x, y = int(rng.integers(0, source.width - wide)), int(rng.integers(0, source.height - high))
        piece = source.crop((x, y, x + wide, y + high))
        if (np.asarray(piece.getchannel("A"))[np.asarray(shape) > 0] == 255).all():
            return piece.convert("RGB")
    return None


def shape_of(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """8-bit mask (0 or 255) of 4-20 % of the picture."""
    kind = str(rng.choice(["rectangle", "ellipse", "polygon"]))
    full = {"rectangle": 1.0, "ellipse": np.pi / 4, "polygon": 0.65}[kind]
    area, stretch = rng.uniform(0.04, 0.20) * size[0] * size[1] / full, rng.uniform(0.6, 1.6)
    wide = min(int(np.sqrt(area * stretch)), size[0] - 2)
    high = min(int(area / max(wide, 1)), size[1] - 2)
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
        radii = rng.uniform(0.75, 1.0, 9)
        xs = left + wide / 2 * (1 + radii * np.cos(angles))
        ys = top + high / 2 * (1 + radii * np.sin(angles))
        draw.polygon([(float(x), float(y)) for x, y in zip(xs, ys, strict=True)], fill=255)
    return mask
