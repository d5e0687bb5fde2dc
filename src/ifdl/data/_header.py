"""What the first bytes of a picture file tell without decoding a pixel.

Sources: ITU-T T.81 (JPEG), TIFF 6.0, PNG (ISO/IEC 15948), the RIFF container of WebP, BMP's info header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from ifdl.intake import jpeg
from ifdl.intake.sniff import announced_size, picture_format
from ifdl.signal.jpeg import Table, estimate_quality, tables_of

# Segments and chunks in which programs leave statements about a picture.
JPEG_STATEMENTS = frozenset({"APP1:Exif", "APP1:XMP", "APP1:XMP extension", "APP13:Photoshop", "COM", "APP11:JUMBF"})
CHUNK_STATEMENTS = frozenset({b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"caBX", b"EXIF", b"XMP "})
TIFF_WIDTH, TIFF_HEIGHT = 256, 257
TIFF_STATEMENTS = frozenset({270, 271, 272, 305, 306, 315, 700, 33432, 33723, 34377, 34665, 34853})


@dataclass(frozen=True)
class Header:
    """Facts of one file. `tables` holds luma and chroma quantisation (64 steps each), `quality` is the
    nearest libjpeg quality; None where the format has no such thing. Size in pixels, None if unknown."""

    bytes: int
    format: str
    width: int | None = None
    height: int | None = None
    quality: int | None = None
    tables: tuple[Table | None, Table | None] | None = None
    subsampling: str | None = None
    markers: tuple[str, ...] = ()
    metadata: bool = False


def read(data: bytes) -> Header:
    """The header of a picture file; `format` is "unknown" if it is none that ifdl knows."""
    form = picture_format(data)
    if form == "JPEG":
        stream = jpeg.read(data)
        luma, chroma = tables_of(stream.quantisation, stream.component_tables)
        names = tuple(s.name for s in stream.segments)
        return Header(
            bytes=len(data),
            format=form,
            width=stream.width or None,
            height=stream.height or None,
            quality=_quality(luma, chroma) if luma else None,
            tables=(luma, chroma),
            subsampling=stream.subsampling,
            # Up to the first scan: how many scans follow depends on the picture.
            markers=names[: names.index("SOS")] if "SOS" in names else names,
            metadata=not JPEG_STATEMENTS.isdisjoint(names),
        )
    if form == "TIFF":
        tags = _tiff_tags(data)
        return Header(
            len(data), form, tags.get(TIFF_WIDTH), tags.get(TIFF_HEIGHT), metadata=not TIFF_STATEMENTS.isdisjoint(tags)
        )
    size = _bmp_size(data) if form == "BMP" else announced_size(data, form) if form else None
    width, height = size or (None, None)
    return Header(len(data), form or "unknown", width, height, metadata=not CHUNK_STATEMENTS.isdisjoint(_chunks(data)))


def announced(data: bytes) -> tuple[int, int] | None:
    """(width, height) in stored pixels that the header announces, None where it is not read here."""
    header = read(data)
    return (header.width, header.height) if header.width and header.height else None


@lru_cache(maxsize=4096)
def _quality(luma: Table, chroma: Table | None) -> int | None:
    if min(luma) < 1 or (chroma is not None and min(chroma) < 1):
        return None  # a broken table; the decoder will say so
    return estimate_quality(luma, chroma)[0]


def _bmp_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 26:
        return None
    if int.from_bytes(data[14:18], "little") == 12:  # the old OS/2 header
        return int.from_bytes(data[18:20], "little"), int.from_bytes(data[20:22], "little")
    width, height = struct.unpack("<ii", data[18:26])
    return width, abs(height)  # negative: rows from the top


def _tiff_tags(data: bytes) -> dict[int, int]:
    """Tags of the first page with their (first) value; BigTIFF and broken files give none."""
    order = "<" if data[:2] == b"II" else ">"
    tags: dict[int, int] = {}
    try:
        version, start = struct.unpack(order + "HI", data[2:8])
        if version != 42:
            return {}
        (count,) = struct.unpack_from(order + "H", data, start)
        for n in range(count):
            at = start + 2 + 12 * n
            tag, kind, _, value = struct.unpack_from(order + "HHII", data, at)
            tags[tag] = struct.unpack_from(order + "H", data, at + 8)[0] if kind == 3 else value
    except struct.error:
        return {}
    return tags


def _chunks(data: bytes) -> set[bytes]:
    """Names of the chunks of a PNG or WebP file."""
    found = set()
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        at = 8
        while at + 8 <= len(data):
            found.add(data[at + 4 : at + 8])
            at += 12 + int.from_bytes(data[at : at + 4], "big")
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        at = 12
        while at + 8 <= len(data):
            found.add(data[at : at + 4])
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            at += 8 + length + length % 2
    return found
