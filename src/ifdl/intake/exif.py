"""EXIF and TIFF directories as (group, name, value) in file order, with every size capped.

An own small reader: Pillow's mixes XMP's orientation into EXIF's, has no ceiling on what a directory
may point at, and is then free to write the metadata that tests plant. Sources: JEITA CP-3451 (Exif
2.32), TIFF 6.0, Adobe's BigTIFF notes; tag names are Pillow's, but for the two size tags.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import ExifTags

Statement = tuple[str, str, str]
MOST_ENTRIES = 400
MOST_BYTES = 65_536
MOST_CHARACTERS = 512
MOST_NUMBERS = 16
MOST_DIRECTORIES = 12
# type: (struct letter, bytes); 5 and 10 are fractions, 2 is text, 7 is whatever the writer likes
TYPES = {
    1: ("B", 1), 2: ("s", 1), 3: ("H", 2), 4: ("I", 4), 5: ("I", 8), 6: ("b", 1), 7: ("s", 1), 8: ("h", 2),
    9: ("i", 4), 10: ("i", 8), 11: ("f", 4), 12: ("d", 8), 13: ("I", 4), 16: ("Q", 8), 17: ("q", 8), 18: ("Q", 8),
}  # fmt: skip
NAMES = {**ExifTags.TAGS, 0xA002: "PixelXDimension", 0xA003: "PixelYDimension", 0x0002: "InteropVersion"}
POINTERS = {0x8769: "Exif", 0x8825: "GPS", 0xA005: "Interop"}
# Carried elsewhere, or bulk that says nothing a reader could use.
SKIPPED = {0x014A, 0x02BC, 0x83BB, 0x8649, 0x8773, 0x0111, 0x0117, 0x0144, 0x0145, 0x0140, 0x015B}
WINDOWS_TEXT = range(0x9C9B, 0x9CA0)
LINE_BREAKS = dict.fromkeys(map(ord, "\r\n\t"), " ")
HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG = 0x02BC, 0x83BB, 0x8649
MAKER_NOTE, USER_COMMENT = 0x927C, 0x9286


class Directory:
    """The directories of one EXIF or TIFF block, read lazily from `block`; trouble goes to `warnings`.

    `page` counts from 0 and picks another directory of the chain as the first, for the later pages of a TIFF.
    """

    def __init__(self, block: bytes, warnings: list[str], page: int = 0) -> None:
        while block.startswith(b"Exif\0\0"):
            block = block[6:]
        self.block, self.warnings, self.page = block, warnings, page
        self.big = block[2:4] in (b"+\0", b"\0+")
        self.order = "<" if block[:2] == b"II" else ">"
        self.well_formed = block[:4] in HEADERS

    def statements(self) -> Iterator[Statement]:
        """Every entry but bulk and pointers; the thumbnail's directory is named IFD1/…"""
        if not self.well_formed:
            self.warnings.append("EXIF: the block has no TIFF header and was not read")
            return
        yield from self._walk(self._first(), "EXIF", "", set(), with_next=not self.page)

    def bulk(self, tag: int) -> bytes:
        """Raw bytes of a tag of the first directory (up to 4 MB), empty if there is none."""
        if self.well_formed:
            for number, kind, count, at in self._entries(self._first())[0]:
                if number == tag and kind in TYPES:
                    return self.block[at : at + min(count * TYPES[kind][1], 4 << 20)]
        return b""

    def _first(self) -> int:
        at = self._number("Q", 8) if self.big else self._number("I", 4)
        for _ in range(self.page):
            head, entry, count = (8, 20, self._number("Q", at)) if self.big else (2, 12, self._number("H", at))
            at = self._number("Q" if self.big else "I", at + head + count * entry)
        return at

    def _number(self, letter: str, at: int) -> int:
        size = struct.calcsize(letter)
        raw = self.block[at : at + size]
        return int(struct.unpack(self.order + letter, raw)[0]) if len(raw) == size else 0

    def _entries(self, at: int) -> tuple[list[tuple[int, int, int, int]], int]:
        """((tag, type, count, offset of the value) …, offset of the next directory)."""
        head, entry, inline = (8, 20, 8) if self.big else (2, 12, 4)
        count = self._number("Q" if self.big else "H", at)
        found = []
        for number in range(min(count, MOST_ENTRIES)):
            here = at + head + number * entry
            if here + entry > len(self.block):
                break
            tag, kind = self._number("H", here), self._number("H", here + 2)
            values = self._number("Q" if self.big else "I", here + 4)
            place = here + entry - inline
            if kind in TYPES and values * TYPES[kind][1] > inline:
                place = self._number("Q" if self.big else "I", place)
            found.append((tag, kind, values, place))
        after = at + head + count * entry
        return found, self._number("Q" if self.big else "I", after) if after < len(self.block) else 0

    def _walk(self, at: int, group: str, prefix: str, seen: set[int], with_next: bool = False) -> Iterator[Statement]:
        if at in seen or not 0 < at < len(self.block) or len(seen) >= MOST_DIRECTORIES:
            self.warnings.append(f"{group}: a directory lies outside the block, or was met before, or is one too many")
            return
        seen.add(at)
        entries, following = self._entries(at)
        inner: list[tuple[int, str]] = []
        for tag, kind, count, place in entries:
            if tag in POINTERS and kind in (4, 13, 16, 18):
                inner.append((self._number(TYPES[kind][0], place), POINTERS[tag]))
                continue
            if tag in SKIPPED:
                continue
            name = _name(tag, group)
            if kind not in TYPES:
                self.warnings.append(f"{group}: {name} has the unknown type {kind}")
                continue
            size = count * TYPES[kind][1]
            if place + size > len(self.block):
                self.warnings.append(f"{group}: {name} reaches outside the block")
                continue
            value = self._value(tag, kind, count, self.block[place : place + min(size, MOST_BYTES)])
            yield group, prefix + name, value
        for offset, kind_of in inner:
            sub = "Interop/" if kind_of == "Interop" else ""
            yield from self._walk(offset, "GPS" if kind_of == "GPS" else "EXIF", prefix + sub, seen)
        if with_next and following:
            yield from self._walk(following, "EXIF", "IFD1/", seen)

    def _value(self, tag: int, kind: int, count: int, raw: bytes) -> str:
        if tag == MAKER_NOTE:
            # Notes hold serial numbers and owners' names; only who wrote it and how much is told.
            letters = raw[:16].split(b"\0")[0].decode("ascii", "replace").strip()
            begins = letters if letters.isprintable() and len(letters) > 3 and letters.isascii() else "no name"
            return f"{count} bytes, begins: {begins}"
        if tag == USER_COMMENT:
            return shorten(comment(raw, self.order), 2000)
        if tag in WINDOWS_TEXT:
            return shorten(raw.decode("utf-16-le", "replace").strip("\0"))
        if kind in (2, 7):
            return text_or_hex(raw, kind == 2)
        letter, size = TYPES[kind]
        shown = min(len(raw) // size, MOST_NUMBERS)
        if kind in (5, 10):
            pairs = struct.unpack(f"{self.order}{2 * shown}{letter}", raw[: shown * size])
            words = [str(n) if d == 1 else f"{n}/{d}" for n, d in zip(pairs[::2], pairs[1::2], strict=True)]
        else:
            words = [f"{v:g}" if letter in "fd" else str(v)
                     for v in struct.unpack(f"{self.order}{shown}{letter}", raw[: shown * size])]  # fmt: skip
        return ", ".join(words) + (f", … ({count} numbers)" if count > shown else "")


def _name(tag: int, group: str) -> str:
    names = ExifTags.GPSTAGS if group == "GPS" else NAMES
    return names.get(tag, f"0x{tag:04X}")


def comment(raw: bytes, order: str) -> str:
    """UserComment: eight bytes that name the character set, then the text (Exif 2.32, 4.6.5)."""
    marker, body = raw[:8].rstrip(b"\0 "), raw[8:]
    if marker == b"UNICODE":
        if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return body.decode("utf-16", "replace").strip("\0 ")
        # Writers disagree on the byte order: the side where zero bytes fall is the high one.
        little = body[1::2].count(0) > body[::2].count(0)
        big = body[::2].count(0) > body[1::2].count(0)
        little = little or (not big and order == "<")
        return body.decode("utf-16-le" if little else "utf-16-be", "replace").strip("\0 ")
    if marker == b"JIS":
        return body.decode("iso2022_jp", "replace").strip("\0 ")
    return text_or_hex(body if marker in (b"ASCII", b"") else raw, True)


def text_or_hex(raw: bytes, is_text: bool = False) -> str:
    """Text where the bytes read as text, else hex; cut at MOST_CHARACTERS with a note."""
    stripped = raw.rstrip(b"\0 ")
    if not stripped:
        return "" if is_text or not raw else shorten(raw.hex())
    try:
        text = stripped.decode("utf-8")
    except UnicodeDecodeError:
        text = stripped.decode("latin-1")
    text = text.replace("\0", "; ") if is_text else text
    if is_text or text.translate(LINE_BREAKS).isprintable():
        return shorten(text)
    return shorten(raw.hex())


def shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text without control and direction characters; a long one keeps its two ends and says so."""
    if len(text) <= most:
        return _clean(text)
    half = most // 2
    return f"{_clean(text[:half])} … [{len(text) - 2 * half} characters left out] … {_clean(text[-half:])}"


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text).strip()
