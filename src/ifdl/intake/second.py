"""EXIF read once more, by Pillow's parser: where the two readers disagree, a file says two things, or one ambiguously.

Viewers choose differently where a file holds two blocks of EXIF, or writes a value in another type than the standard's.
Of Pillow only its parser of directories is used: `getexif` passes XMP's orientation off as EXIF's. The second of two
blocks in a JPEG, which both parsers pass over and other programs do not, is read here too, by the own reader.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from PIL import Image, TiffImagePlugin

from ifdl.intake.exif import Directory, Statement, text_or_hex

MOST_BLOCK = 4 << 20
AGAIN = ", read again"  # ends the group of such a statement
# What a reader goes by: camera, program, times, size, which way is up, and place.
EXIF = {
    0x010F: "Make", 0x0110: "Model", 0x0112: "Orientation", 0x0131: "Software", 0x0132: "DateTime",
    0x9003: "DateTimeOriginal", 0x9004: "DateTimeDigitized", 0xA002: "PixelXDimension", 0xA003: "PixelYDimension",
}  # fmt: skip
GPS = {1: "GPSLatitudeRef", 2: "GPSLatitude", 3: "GPSLongitudeRef", 4: "GPSLongitude", 29: "GPSDateStamp"}


def disagreements(
    data: bytes, form: str, image: Image.Image, found: Iterable[Statement], spare: bytes = b""
) -> Iterator[Statement]:
    """Every tag above that has another value when read again than in `found`, the statements of the own reader.

    Read again is what Pillow makes of the file, and a second block, `spare`, if there is one. A tag that only one of
    the two finds is no disagreement. Nothing where Pillow cannot read the block at all.
    """
    own: dict[tuple[str, str], str] = {}
    for group, name, value in found:
        own.setdefault((group, name), value)
    again = [(group, name, _texts(value)) for group, name, value in _readings(data, form, image)]
    wanted = {"EXIF": EXIF.values(), "GPS": GPS.values()}
    other = Directory(spare, []).statements() if spare else ()
    again += [(group, name, [value]) for group, name, value in other if name in wanted.get(group, ())]
    for group, name, texts in again:
        mine = own.get((group, name))
        if mine is not None and not any(_same(mine, text) for text in texts):
            yield group + AGAIN, name, texts[0]


def _readings(data: bytes, form: str, image: Image.Image) -> list[tuple[str, str, Any]]:
    try:
        read = _read(data, form, image)
        if read is None:
            return []
        # The directory of the picture goes first, as in the own reader.
        parts = [("EXIF", EXIF, read), ("EXIF", EXIF, read.get_ifd(0x8769)), ("GPS", GPS, read.get_ifd(0x8825))]
        first: dict[tuple[str, str], Any] = {}
        for group, wanted, tags in parts:
            for number, name in wanted.items():
                if number in tags:
                    first.setdefault((group, name), tags[number])
        return [(group, name, value) for (group, name), value in first.items()]
    except MemoryError:
        raise
    except Exception:  # what Pillow cannot read is nothing to compare with
        return []


def _read(data: bytes, form: str, image: Image.Image) -> Image.Exif | None:
    other = Image.Exif()
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        other.bigtiff, other.endian = image.tag_v2._bigtiff, image.tag_v2._endian
        other.load_from_fp(io.BytesIO(data), image.tag_v2._offset)
        return other
    block, profile = image.info.get("exif"), image.info.get("Raw profile type exif")
    if not isinstance(block, bytes) and form == "PNG" and isinstance(profile, str) and len(profile) <= 2 * MOST_BLOCK:
        block = bytes.fromhex("".join(profile.split("\n")[3:]))
    if not isinstance(block, bytes) or len(block) > MOST_BLOCK:
        return None
    other.load(block)
    return other


def _texts(value: Any) -> list[str]:
    """A value in the words the own reader may have used for it; the first are the ones to show."""
    if isinstance(value, str):
        return [text_or_hex(value.encode("latin-1", "replace"), True)]
    if isinstance(value, bytes):
        return [text_or_hex(value), text_or_hex(value, True), ", ".join(map(str, value[:16]))]
    values = value if isinstance(value, tuple | list) else (value,)
    return [", ".join(f"{_number(v):.9g}" for v in values[:16])]


def _number(value: Any) -> float:
    try:
        return float(value)
    except ZeroDivisionError:
        return float("nan")


def _same(mine: str, other: str) -> bool:
    """Whether two values agree: as text, or number for number as far as both go."""
    if " ".join(mine.split()) == " ".join(other.split()):
        return True
    one, two = _numbers(mine), _numbers(other)
    if one is None or two is None:
        return False
    return all(a != a or b != b or abs(a - b) <= 1e-6 * max(1.0, abs(a)) for a, b in zip(one, two, strict=False))


def _numbers(text: str) -> list[float] | None:
    try:
        parts = [p.strip() for p in re.sub(r", … \(\d+ numbers\)$", "", text).split(",")]
        return [float("nan") if p == "nan" or p.endswith("/0") else float(Fraction(p)) for p in parts]
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
