"""Photoshop image resources (8BIM) and the IPTC records inside them.

Sources: Adobe Photoshop File Formats Specification, "Image Resource Blocks"; IPTC-NAA Information
Interchange Model 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from ifdl.intake.exif import shorten

MOST_RESOURCES = 200
MOST_DATASETS = 400
IPTC_RESOURCE = 0x0404
# Record 2; the others say nothing about a picture.
DATASETS = {
    5: "Object Name", 7: "Edit Status", 10: "Urgency", 15: "Category", 20: "Supplemental Category", 25: "Keywords",
    26: "Content Location Code", 27: "Content Location Name", 30: "Release Date", 40: "Special Instructions",
    55: "Date Created", 60: "Time Created", 62: "Digital Creation Date", 63: "Digital Creation Time",
    65: "Originating Program", 70: "Program Version", 75: "Object Cycle", 80: "By-line", 85: "By-line Title",
    90: "City", 92: "Sub-location", 95: "Province-State", 100: "Country Code", 101: "Country Name",
    103: "Original Transmission Reference", 105: "Headline", 110: "Credit", 115: "Source", 116: "Copyright Notice",
    118: "Contact", 120: "Caption", 122: "Writer-Editor",
}  # fmt: skip


def resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """(resource id, its bytes) of an 8BIM block; stops where the structure breaks."""
    at = 0
    for _ in range(MOST_RESOURCES):
        if block[at : at + 4] not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR") or at + 7 > len(block):
            return
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        name = block[at + 6] + 1
        at += 6 + name + (name & 1)
        size = int.from_bytes(block[at : at + 4], "big")
        if at + 4 + size > len(block):
            return
        yield number, block[at + 4 : at + 4 + size]
        at += 4 + size + (size & 1)


def statements(block: bytes) -> Iterator[tuple[str, str]]:
    """(name, value) of the application record of an IPTC block, in file order."""
    at, coding = 0, ""
    for _ in range(MOST_DATASETS):
        if block[at : at + 1] != b"\x1c" or at + 5 > len(block):
            return
        record, dataset = block[at + 1], block[at + 2]
        size = int.from_bytes(block[at + 3 : at + 5], "big")
        at += 5
        if size & 0x8000:  # extended: the low bits say how many bytes hold the length
            width = size & 0x7FFF
            size = int.from_bytes(block[at : at + width], "big") if width <= 4 else len(block)
            at += width
        raw = block[at : at + size]
        if len(raw) < size:
            return
        at += size
        if (record, dataset) == (1, 90):
            coding = "utf-8" if raw == b"\x1b%G" else ""
        elif record == 2 and dataset in DATASETS:
            yield DATASETS[dataset], shorten(_decoded(raw, coding), 2000)


def _decoded(raw: bytes, coding: str) -> str:
    if coding:
        return raw.decode(coding, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
