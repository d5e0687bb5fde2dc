"""A small hostile set made on the spot, so that the sweep always has something to bite on."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIZE = (96, 64)


def scene(size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture with no symmetry: uint8 H×W×3."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    rng = np.random.default_rng(7)
    noise = rng.normal(0, 6, (height, width, 3))
    return np.clip(np.dstack([255 * x, 255 * y, 255 * x * y]) + noise, 0, 255).astype(np.uint8)


def saved(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(scene())).save(buffer, form, **options)
    return buffer.getvalue()


def png(width: int, height: int, bits: int, colour: int, rows: bytes, extra: bytes = b"", end: bool = True) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), extra, chunk(b"IDAT", zlib.compress(rows, 9))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + (chunk(b"IEND", b"") if end else b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def oriented(form: str, code: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = code
    return saved(form, exif=exif.tobytes())


def bomb_png() -> bytes:
    """169 megapixels of nothing in about 20 kB."""
    return png(13000, 13000, 1, 0, bytes((13000 // 8 + 1) * 13000))


def bomb_text() -> bytes:
    """A small PNG whose compressed text swells to 64 MB."""
    return png(8, 8, 8, 2, bytes(25 * 8), chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * 1024**2), 9)))


def bomb_webp() -> bytes:
    """A WebP header that announces a 16384×16384 canvas and holds nothing."""
    vp8x = b"VP8X" + struct.pack("<I", 10) + bytes([2, 0, 0, 0]) + (16383).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", 4 + len(vp8x)) + b"WEBP" + vp8x


def files() -> dict[str, tuple[bytes, str | None]]:
    """name -> (bytes, kind of refusal expected, or None if a Picture is)."""
    jpeg = saved("JPEG", quality=90)
    large = saved("JPEG", Image.fromarray(scene((640, 480))), quality=92)
    noise = np.random.default_rng(3).integers(0, 256, 4096, dtype=np.uint8).tobytes()
    deep = (np.arange(96 * 64, dtype=np.uint32) * 10 % 65536).astype(np.uint16).reshape(64, 96)
    middle = len(jpeg) // 2
    made: dict[str, tuple[bytes, str | None]] = {
        "empty.jpg": (b"", "empty"),
        "noise.jpg": (noise, "not_a_picture"),
        "marker_only.jpg": (b"\xff\xd8\xff", "corrupt"),
        "cut.jpg": (jpeg[:middle], "truncated"),
        "cut_and_closed.jpg": (jpeg[:middle] + b"\xff\xd9", "truncated"),
        "no_end_marker.jpg": (jpeg[:-2], "truncated"),
        "scrambled.jpg": (large[:20000] + bytes(range(1, 200)) * 4 + large[20796:], "corrupt"),
        "cut.png": (saved("PNG")[:-300], "truncated"),
        "no_end_chunk.png": (saved("PNG")[:-12], "truncated"),
        "cut.webp": (saved("WEBP")[:-40], "truncated"),
        "cut.tif": (saved("TIFF")[:-600], "truncated"),
        "cut.gif": (saved("GIF")[: len(saved("GIF")) // 2], "truncated"),
        "cut.bmp": (saved("BMP")[:-600], "truncated"),
        "bomb.png": (bomb_png(), "too_many_pixels"),
        "bomb_text.png": (bomb_text(), "corrupt"),
        "bomb.webp": (bomb_webp(), "too_many_pixels"),
        "zero.png": (png(0, 0, 8, 2, b""), "no_pixels"),
        "zero.gif": (b"GIF89a" + bytes(7) + b";", "no_pixels"),
        "zero_height.jpg": (_zero_height(jpeg), "no_pixels"),
        "really_png.jpg": (saved("PNG"), None),
        "cmyk.jpg": (saved("JPEG", Image.fromarray(scene()).convert("CMYK")), None),
        "grey.jpg": (saved("JPEG", Image.fromarray(scene()).convert("L")), None),
        "grey16.png": (saved("PNG", Image.fromarray(deep)), None),
        "rgb16.png": (png(2, 1, 16, 2, b"\0" + bytes(range(12))), None),
        "float.tif": (saved("TIFF", Image.fromarray(deep.astype(np.float32))), "unsupported_format"),
        "palette.png": (saved("PNG", Image.fromarray(scene()).quantize(32)), None),
        "alpha.png": (saved("PNG", _with_alpha()), None),
        "one_bit.png": (saved("PNG", Image.fromarray(scene()).convert("1")), None),
        "progressive.jpg": (saved("JPEG", progressive=True), None),
        "appended_zip.jpg": (jpeg + b"PK\x03\x04" + bytes(60), None),
        "two_in_one.jpg": (jpeg + jpeg, None),
        "animation.gif": (_animation(), None),
        "pages.tif": (_pages(), None),
        "scene.avif": (saved("AVIF"), None),
        "page.pdf": (b"%PDF-1.7\n%%EOF", "corrupt"),
        "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        "one_pixel.png": (saved("PNG", Image.new("RGB", (1, 1))), None),
    }
    for code in range(1, 9):
        made[f"orientation_{code}.jpg"] = (oriented("JPEG", code), None)
        made[f"orientation_{code}.webp"] = (oriented("WEBP", code), None)
        made[f"orientation_{code}.tif"] = (oriented("TIFF", code), None)
    made["orientation_9.jpg"] = (oriented("JPEG", 9), None)
    return made


def _zero_height(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + b"\0\0" + jpeg[at + 2 :]


def _with_alpha() -> Image.Image:
    image = Image.fromarray(scene()).convert("RGBA")
    image.paste((10, 200, 30, 0), (0, 0, 48, 32))
    return image


def _animation() -> bytes:
    frames = [Image.fromarray(np.roll(scene(), 9 * n, axis=1)) for n in range(3)]
    return saved("GIF", frames[0], save_all=True, append_images=frames[1:])


def _pages() -> bytes:
    page = Image.fromarray(scene())
    return saved("TIFF", page, save_all=True, append_images=[page])
