"""How a file is built: its tables and markers, the other images inside it, what follows its end."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice

from PIL import Image, TiffImagePlugin

from ifdl.intake import jpeg
from ifdl.intake.errors import NoPixels, Truncated, UnsupportedFormat
from ifdl.intake.part import noun
from ifdl.types import Container, SubImage

EXTRANEOUS = re.compile(r"(\d+) extraneous bytes")
APPENDED = (
    (b"PK\x03\x04", "zip archive"),
    (b"PK\x05\x06", "zip archive"),
    (b"Rar!", "RAR archive"),
    (b"7z\xbc\xaf", "7-Zip archive"),
    (b"%PDF", "PDF document"),
    (b"\xff\xd8\xff", "JPEG picture"),
    (b"\x89PNG", "PNG picture"),
    (b"RIFF", "RIFF container"),
    (b"<?php", "PHP script"),
    (b"<script", "script"),
    (b"<html", "web page"),
    (b"\x7fELF", "Linux program"),
    (b"MZ", "Windows program"),
)
MOST_LISTED = 64
FOLLOWING = ("mpo_picture", "gain_map", "appended_picture")  # complete JPEGs after the first one


def read(data: bytes, form: str, name: str) -> Container:
    """Structure of a file, read from its bytes before any decoder sees them.

    Raises Truncated where the container's own lengths say that its end is missing, NoPixels and
    UnsupportedFormat where a JPEG's header does.
    """
    if form == "JPEG":
        return _jpeg(data, name)
    end = {"PNG": _png_end, "WEBP": _riff_end, "GIF": _gif_end}.get(form, lambda _d, _n: None)(data, name)
    trailing = data[end:] if end is not None else b""
    return Container(trailing_bytes=len(trailing), trailing_kind=_kind_of(trailing))


def count(image: Image.Image) -> int:
    """How many frames or pages an opened image has; 0 where they cannot be counted."""
    # Counting walks the file's own structure; a broken later frame must not cost us the first.
    try:
        return int(getattr(image, "n_frames", 1))
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, RuntimeError):
        return 0


def with_frames(structure: Container, form: str, frames: int, chosen: int) -> Container:
    """The structure with the other frames or pages listed; `chosen` is the decoded one, counted from 0."""
    if form == "JPEG":  # its other pictures were found by walking the markers
        return structure
    kind = "page" if form == "TIFF" else "frame"
    listed = islice((n for n in range(frames) if n != chosen), MOST_LISTED - 1)
    others = [SubImage(kind, note=f"{noun(form)} {n + 1} of {frames}") for n in listed]
    if not frames:
        others = [SubImage("frame", note="later frames could not be counted")]
    return replace(structure, sub_images=tuple(others))


def bit_depth(data: bytes, form: str, image: Image.Image) -> int:
    """Bits per sample as stored."""
    if form == "PNG":
        return data[24]
    if form == "TIFF" and isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        return int(max(bits)) if isinstance(bits, tuple) else int(bits)
    if form in ("AVIF", "HEIF"):
        return int(image.info.get("bit_depth", 8))
    return {"1": 1, "I": 32, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)


def with_warning(structure: Container, text: str) -> Container:
    """The structure with one more warning."""
    return replace(structure, warnings=(*structure.warnings, text))


def with_extension_note(
    structure: Container, name: str, form: str, extensions: dict[str, tuple[str, ...]]
) -> Container:
    """The structure with a warning if the file's name promises another format than its content has."""
    suffix = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    promised = next((f for f, known in extensions.items() if suffix in known), None)
    if promised is None or promised == form:
        return structure
    return with_warning(structure, f"named .{suffix}, but its content is {form}")


# ---------------------------------------------------------------- JPEG


def _jpeg(data: bytes, name: str) -> Container:
    stream = jpeg.read(data)
    if stream.frame and (stream.width <= 0 or stream.height <= 0):
        raise NoPixels(name, f"the header announces {stream.width}×{stream.height} pixels; nothing to examine.")
    if stream.precision != 8 or stream.frame.startswith(("lossless", "hierarchical")):
        raise UnsupportedFormat(
            name, f"{stream.precision}-bit {stream.frame} JPEG is not read; convert it to PNG without resizing."
        )
    sub_images = _thumbnails(data, stream)
    followers, end = _following_pictures(data, stream)
    sub_images += followers
    trailing = data[end:] if end is not None else b""
    before_scan = [s.name for s in stream.segments]
    if "SOS" in before_scan:
        before_scan = before_scan[: before_scan.index("SOS") + 1]
    return Container(
        quantisation=dict(sorted(stream.quantisation.items())),
        component_tables=stream.component_tables,
        subsampling=stream.subsampling,
        progressive="progressive" in stream.frame,
        markers=("SOI", *before_scan[:200]),
        sub_images=tuple(sub_images[:MOST_LISTED]),
        trailing_bytes=len(trailing),
        trailing_kind=_kind_of(trailing),
    )


def _thumbnails(data: bytes, stream: jpeg.Stream) -> list[SubImage]:
    """JPEGs inside application segments: EXIF thumbnails and previews (Photoshop, maker notes)."""
    found: list[SubImage] = []
    for segment in stream.segments:
        if not segment.name.startswith("APP") or segment.name == "APP2:ICC":
            continue
        at, stop = segment.offset, segment.offset + segment.length
        while (at := data.find(b"\xff\xd8\xff", at, stop)) >= 0:
            inner = jpeg.read(data[:stop], at)
            if not inner.width:
                at += 2
                continue
            kind = "thumbnail" if segment.name in ("APP1:Exif", "APP13:Photoshop") and not found else "preview"
            size = (inner.end or stop) - at
            found.append(SubImage(kind, inner.width, inner.height, at, size, f"in {segment.name}"))
            at = inner.end or stop
    return found


def _following_pictures(data: bytes, stream: jpeg.Stream) -> tuple[list[SubImage], int | None]:
    """Pictures after the first one's end marker (MPO views, gain maps), and where the last of them ends."""
    found: list[SubImage] = []
    end = stream.end
    multi_picture = any(s.name == "APP2:MPF" for s in stream.segments)
    while end is not None and len(found) < MOST_LISTED:
        start = data.find(b"\xff\xd8\xff", end)
        # Only a picture that follows directly, after padding, is part of the file; the rest is trailing.
        if start < 0 or data[end:start].strip(b"\0\xff"):
            break
        inner = jpeg.read(data, start)
        if not inner.width:
            break
        names = [s.name for s in inner.segments]
        head = data[start : min(start + 4096, len(data))]
        if "APP2:gain map" in names or b"hdrgm:" in head or b"HDRGainMap" in head:
            kind = "gain_map"
        else:
            kind = "mpo_picture" if multi_picture else "appended_picture"
        stop = inner.end or len(data)
        found.append(SubImage(kind, inner.width, inner.height, start, stop - start, "after the first picture"))
        end = stop
    return found, end


# ---------------------------------------------------------------- other formats


def _png_end(data: bytes, name: str) -> int | None:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IEND":
            return at + 12 + length
        at += 12 + length
    raise Truncated(name, "the PNG has no end chunk; ask for the original file, or a copy that opens everywhere.")


def _riff_end(data: bytes, name: str) -> int | None:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise Truncated(name, f"the WebP announces {end:,} bytes and has {len(data):,}; ask for the original file.")
    return end + (end & 1)


def _gif_end(data: bytes, name: str) -> int | None:
    """Offset after the trailer byte, walking the blocks; None if they do not add up."""
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while at < len(data):
        kind = data[at]
        if kind == 0x3B:
            return at + 1
        if kind == 0x21:
            at += 2
        elif kind == 0x2C and at + 10 <= len(data):
            at += 10 + (3 << ((data[at + 9] & 7) + 1) if data[at + 9] & 0x80 else 0) + 1
        else:
            return None
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return None


def _kind_of(trailing: bytes) -> str | None:
    if not trailing:
        return None
    if not trailing.strip(b"\0\xff\r\n "):
        return "padding"
    # Long signatures may follow a separator; two bytes mean something only where the data begin.
    start = trailing[:4096].lstrip(b"\0\xff\r\n ")
    matches = (kind for magic, kind in APPENDED if start.startswith(magic) or (len(magic) > 3 and magic in start))
    return next(matches, "unknown data")
