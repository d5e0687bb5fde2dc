"""The JPEG marker sequence: tables, sampling, application segments, second images, trailing bytes.

Source: ITU-T T.81 annex B; CIPA DC-007 (multi-picture format).
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Zigzag position of each coefficient, in row-major order (T.81 figure A.6).
ZIGZAG = (
    0, 1, 5, 6, 14, 15, 27, 28, 2, 4, 7, 13, 16, 26, 29, 42, 3, 8, 12, 17, 25, 30, 41, 43,
    9, 11, 18, 24, 31, 40, 44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38, 46, 51, 55, 60,
    21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63,
)  # fmt: skip
FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive", 0xC3: "lossless", 0xC9: "arithmetic",
          0xCA: "arithmetic progressive"}  # fmt: skip
NAMES = {0xC4: "DHT", 0xDB: "DQT", 0xDD: "DRI", 0xFE: "COM", 0xDA: "SOS", 0xD9: "EOI", 0xCC: "DAC"}
IDENTIFIERS = (
    (b"JFIF\0", "JFIF"),
    (b"JFXX\0", "JFXX"),
    (b"Exif\0", "Exif"),
    (b"http://ns.adobe.com/xap/1.0/\0", "XMP"),
    (b"http://ns.adobe.com/xmp/extension/\0", "XMP extension"),
    (b"ICC_PROFILE\0", "ICC"),
    (b"MPF\0", "MPF"),
    (b"Photoshop 3.0\0", "Photoshop"),
    (b"Adobe", "Adobe"),
    (b"Ducky", "Ducky"),
    (b"JP\0\0", "JUMBF"),
    (b"JP", "JUMBF"),
    (b"urn:iso:std:iso:ts:21496:-1", "gain map"),
    (b"FPXR\0", "FlashPix"),
    (b"Meta\0", "Kodak Meta"),
)


@dataclass(frozen=True)
class Segment:
    """One marker segment: `offset` and `length` of its payload in the file."""

    marker: int
    offset: int
    length: int
    name: str


@dataclass
class Stream:
    """One JPEG from its start to its end marker. `end` is the offset after EOI, None if it never comes."""

    start: int
    segments: list[Segment] = field(default_factory=list)
    end: int | None = None
    width: int = 0
    height: int = 0
    frame: str = ""
    precision: int = 8
    sampling: tuple[tuple[int, int], ...] = ()
    component_tables: tuple[int, ...] = ()
    quantisation: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def subsampling(self) -> str | None:
        """Chroma subsampling in the usual J:a:b words, None where they do not fit."""
        if len(self.sampling) == 1:
            return "grey"
        if len(self.sampling) != 3 or self.sampling[1] != self.sampling[2]:
            return None
        (h, v), (ch, cv) = self.sampling[0], self.sampling[1]
        if not ch or not cv:
            return None
        return {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1",
                (4, 2): "4:1:0"}.get((h // ch, v // cv))  # fmt: skip


def read(data: bytes, start: int = 0) -> Stream:
    """Walk the markers of the JPEG at `start`; stops quietly where the structure breaks."""
    stream = Stream(start)
    at = start + 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0xD9:
            stream.end = at + 2
            return stream
        if marker in (0x01, *range(0xD0, 0xD8)):
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            break
        body = data[at + 4 : at + 2 + length]
        stream.segments.append(Segment(marker, at + 4, length - 2, _name(marker, body)))
        if marker == 0xDB:
            _read_tables(body, stream)
        elif marker in FRAMES or marker in (0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF):
            _read_frame(marker, body, stream)
        at += 2 + length
        if marker == 0xDA:
            at = _skip_scan(data, at)
    if data[at : at + 2] == b"\xff\xd9":
        stream.end = at + 2
    return stream


def _name(marker: int, body: bytes) -> str:
    if 0xE0 <= marker <= 0xEF:
        identifier = next((name for magic, name in IDENTIFIERS if body.startswith(magic)), "")
        return f"APP{marker - 0xE0}" + (f":{identifier}" if identifier else "")
    if marker in NAMES:
        return NAMES[marker]
    return f"SOF{marker - 0xC0}" if 0xC0 <= marker <= 0xCF else f"0x{marker:02X}"


def _read_tables(body: bytes, stream: Stream) -> None:
    at = 0
    while at < len(body):
        wide, table = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        raw = body[at + 1 : at + 1 + size]
        if len(raw) < size:
            return
        zigzag = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, 128, 2)] if wide else list(raw)
        stream.quantisation[table] = tuple(zigzag[z] for z in ZIGZAG)
        at += 1 + size


def _read_frame(marker: int, body: bytes, stream: Stream) -> None:
    if len(body) < 6:
        return
    stream.frame = FRAMES.get(marker, "hierarchical or differential")
    stream.precision = body[0]
    stream.height, stream.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    parts = [body[i : i + 3] for i in range(6, 6 + 3 * body[5], 3)]
    stream.sampling = tuple((p[1] >> 4, p[1] & 15) for p in parts if len(p) == 3)
    stream.component_tables = tuple(p[2] for p in parts if len(p) == 3)


def _skip_scan(data: bytes, at: int) -> int:
    """Offset of the next marker that is neither a stuffed byte nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data)
        following = data[at + 1]
        if following == 0x00 or 0xD0 <= following <= 0xD7:
            at += 2
        elif following == 0xFF:
            at += 1
        else:
            return at
