"""Plants a thumbnail that no longer fits: the edit was made after it, the picture was cut, or it is another's.

EXIF is put together by hand: a TIFF header, an empty first directory, and a second one that points at a JPEG, as
cameras write it. The clean sibling carries the thumbnail of its own pixels, with a camera's own sharpening, and half
of all thumbnails are 160×120 with black bars, as many cameras make theirs.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from tests.planting import Planted


def plant(host: bytes, donor: bytes, rng: np.random.Generator) -> Planted | None:
    """Mostly a part changed after the thumbnail was made; one in four has another picture's thumbnail."""
    kind = "other" if rng.random() < 0.25 else "part"
    return paste(host, donor, rng, kind=kind, bars=bool(rng.random() < 0.5))


def paste(host: bytes, donor: bytes, rng: np.random.Generator, *, kind: str, bars: bool) -> Planted | None:
    """As `plant`, with kind part, other or cut, and bars chosen by the caller. None where the change would not show."""
    base, source = (Image.open(io.BytesIO(data)).convert("RGB") for data in (host, donor))
    quality = int(rng.integers(80, 97))
    own = thumbnail(base, bars)
    clean = _with(base, own, quality)
    if kind == "other":
        return Planted(_with(base, thumbnail(source, bars), quality), clean)
    if kind == "cut":
        w, h = base.size
        cut = base.crop((w // 10, h // 4, w // 10 + int(w * 0.55), h // 4 + int(h * 0.55)))
        return Planted(_with(cut, own, quality), clean)
    edited, mask = base.copy(), Image.new("L", base.size)
    w, h = (int(rng.uniform(0.16, 0.36) * n) for n in base.size)
    x, y = int(rng.integers(0, base.width - w)), int(rng.integers(0, base.height - h))
    ImageDraw.Draw(mask).ellipse((x, y, x + w, y + h), fill=255)
    edited.paste(ImageOps.fit(source, base.size), (0, 0), mask)
    inside = np.asarray(mask) > 0
    change = np.abs(np.asarray(edited.convert("L"), float) - np.asarray(base.convert("L"), float))[inside]
    if change.mean() < 30:
        return None
    return Planted(_with(edited, own, quality), clean, inside)


def thumbnail(image: Image.Image, bars: bool) -> bytes:
    """A JPEG of 160 pixels, sharpened a little, on a black 160×120 if `bars`."""
    small = image.copy()
    small.thumbnail((160, 120) if bars else (160, 160), Image.Resampling.BICUBIC)
    small = small.filter(ImageFilter.UnsharpMask(1, 60, 2))
    if bars:
        canvas = Image.new("RGB", (160, 120))
        canvas.paste(small, ((160 - small.width) // 2, (120 - small.height) // 2))
        small = canvas
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _with(image: Image.Image, thumb: bytes, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, exif=_exif(thumb))
    return buffer.getvalue()


def _exif(thumb: bytes) -> bytes:
    """An EXIF block whose second directory holds a JPEG thumbnail (tags 0x0103, 0x0201, 0x0202)."""
    first = struct.pack("<HHHII", 1, 0x0112, 3, 1, 1)  # orientation 1
    second_at = 8 + len(first) + 4
    second = struct.pack("<H", 3) + struct.pack("<HHII", 0x0103, 3, 1, 6)
    data_at = second_at + len(second) + 24 + 4
    second += struct.pack("<HHII", 0x0201, 4, 1, data_at) + struct.pack("<HHII", 0x0202, 4, 1, len(thumb))
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + struct.pack("<I", second_at) + second + bytes(4) + thumb
