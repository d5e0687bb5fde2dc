"""What a file is, by its content alone, and how many pixels its header announces."""

from __future__ import annotations

import struct

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
EXTENSIONS = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif", "mpo"),
    "PNG": ("png", "apng"),
    "WEBP": ("webp",),
    "TIFF": ("tif", "tiff"),
    "BMP": ("bmp", "dib"),
    "GIF": ("gif",),
    "AVIF": ("avif",),
    "HEIF": ("heic", "heif", "hif"),
}
# Recognised only to say so: what the file is, and what to do about it.
FOREIGN = (
    (b"8BPS", "a Photoshop document", "export it as PNG or TIFF"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture", "convert it to PNG without resizing"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 codestream", "convert it to PNG without resizing"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture", "convert it to PNG without resizing"),
    (b"\xff\x0a", "a JPEG XL codestream", "convert it to PNG without resizing"),
    (b"BLP1", "a Blizzard texture", "convert it to PNG"),
    (b"BLP2", "a Blizzard texture", "convert it to PNG"),
    (b"PK\x03\x04", "a zip archive", "unpack it and examine the pictures inside"),
    (b"\x1f\x8b", "a gzip archive", "unpack it and examine the pictures inside"),
    (b"<svg", "an SVG drawing", "forensic traces live in pixels; there are none in a drawing"),
    (b"<?xml", "an XML document", "examine the picture itself"),
    (b"<!DOCTYPE", "a web page", "save the picture itself, not the page that shows it"),
    (b"<html", "a web page", "save the picture itself, not the page that shows it"),
)
VIDEO_BRANDS = (b"isom", b"mp41", b"mp42", b"M4V ", b"qt  ", b"avc1", b"iso2", b"iso5", b"3gp4", b"3gp5")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def picture_format(data: bytes) -> str | None:
    """JPEG, PNG, WEBP, TIFF, BMP, GIF, AVIF or HEIF; None for anything else."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF"
    if data[:2] == b"BM" and len(data) >= 18 and 12 <= int.from_bytes(data[14:18], "little") <= 256:
        return "BMP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[4:8] == b"ftyp":
        end = min(max(int.from_bytes(data[:4], "big"), 16), 256)
        brands = {data[8:12], *(data[i : i + 4] for i in range(16, end, 4))}
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        if brands & set(HEIF_BRANDS):
            return "HEIF"
    return None


def is_pdf(data: bytes) -> bool:
    """Whether this is a PDF: a document that holds pictures, and no picture format itself."""
    return data[:64].lstrip().startswith(b"%PDF")


def foreign_format(data: bytes) -> tuple[str, str] | None:
    """(what it is, what to do) for a known file that is no picture ifdl reads; None if unknown."""
    start = data[:64].lstrip()
    for magic, what, cure in FOREIGN:
        if start.startswith(magic) or data.startswith(magic):
            return what, cure
    if data[4:8] == b"ftyp" and data[8:12] in VIDEO_BRANDS:
        return "a video", "export the frame in question as PNG"
    return None


def announced_size(data: bytes, picture_format: str) -> tuple[int, int] | None:
    """(width, height) read straight from the header, for the formats whose decoder allocates on opening.

    None where the header is not understood; the decoder's own reading is checked as well.
    """
    try:
        if picture_format == "PNG":
            width, height = struct.unpack(">II", data[16:24])
        elif picture_format == "GIF":
            width, height = struct.unpack("<HH", data[6:10])
        elif picture_format == "WEBP":
            width, height = _webp_size(data)
        else:
            return None
    except struct.error:
        return None
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF
