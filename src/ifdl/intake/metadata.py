"""What a file says about itself: EXIF, IPTC, XMP, PNG text and comments, as plain strings.

Everything here is a stranger's claim: sizes are capped, control characters removed, and whatever
cannot be parsed becomes a warning.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from PIL import Image

from ifdl.intake import exif, iptc, jpeg, second, xmp
from ifdl.types import Metadata, MetadataEntry

MOST_ENTRIES = 400  # of one group
MOST_WARNINGS = 40
MOST_BLOCK = 4 << 20
MOST_PACKETS = 4
MOST_CHUNKS = 400
MOST_TEXT = 1 << 20
# Whole groups and names that identify a person, a device or a place; document ids do not.
PRIVATE = re.compile(
    r"^exif:GPS|serial(number|no)?\b|(owner|artist|author|creator|photographer|by-line|writer|copyright|rights\b)"
    r"|imageuniqueid|hostcomputer|person|contact|\bCi[A-Z]|e-?mail|phone|address|sub-?location|\bcity\b|filepath"
    r"|licens(or|ee)|mwg-rs:Name|CaptionWriter|XPAuthor",
    re.IGNORECASE,
)
# The same words in names that identify nobody: programs, colour profiles, a yes or no.
PUBLIC = re.compile(r"CreatorTool|CreatorVersion|Marked$|usageterms|^icc:|^crs:", re.IGNORECASE)
MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}")
RAW_PROFILE = "Raw profile type "


@dataclass
class _Carriers:
    """Where statements were found in the file, before any is parsed."""

    exif: bytes = b""
    spare: bytes = b""
    page: int = 0
    xmp: list[bytes] = field(default_factory=list)
    photoshop: bytes = b""
    iptc: bytes = b""
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


def read(data: bytes, form: str, image: Image.Image) -> Metadata:
    """All statements found, in file order within each kind; what cannot be parsed becomes a warning.

    EXIF is read by two parsers; what the second reads otherwise follows in a group of its own (`ifdl.intake.second`).

    `image` is opened, not loaded, and is left as it was. Only MemoryError gets out. HEIF comes with its
    orientation already applied and its EXIF orientation set to 1 by the decoder; for AVIF the decoder
    hands over the container's rotation as the EXIF orientation.
    """
    warnings: list[str] = []
    found: list[tuple[str, str, str]] = []
    carriers = _Carriers()

    def attempt(what: str, work: Callable[[], Iterable[tuple[str, str, str]]]) -> None:
        try:
            for statement in work():  # kept one by one: what was read before a failure stays
                found.append(statement)
                if len(found) > 8 * MOST_ENTRIES:
                    break
        except MemoryError:
            raise
        except Exception as error:  # a stranger's metadata must never cost us the picture
            warnings.append(f"{what}: {type(error).__name__}: {exif.shorten(str(error), 160)}")

    collect = {"JPEG": _from_jpeg, "PNG": _from_png, "TIFF": _from_tiff}.get(form, _from_info)
    attempt("container", lambda: collect(data, image, carriers) or ())
    warnings += carriers.trouble
    if carriers.exif:
        attempt("EXIF", lambda: exif.Directory(carriers.exif, warnings, carriers.page).statements())
        attempt("EXIF", lambda: list(second.disagreements(data, form, image, found, carriers.spare)))
    attempt("Photoshop", lambda: _photoshop(carriers))
    if carriers.iptc:
        attempt("IPTC", lambda: (("IPTC", n, v) for n, v in iptc.statements(carriers.iptc)))
    for packet in carriers.xmp[: MOST_PACKETS + 2]:
        attempt("XMP", lambda packet=packet: (("XMP", n, v) for n, v in xmp.statements(packet)))  # type: ignore[misc]
    found += carriers.texts
    return Metadata(tuple(_entries(found, warnings)), tuple(warnings[:MOST_WARNINGS]))


def orientation(said: Metadata, form: str) -> int:
    """The code 1-8 that turns stored pixels as a viewer shows them: EXIF's, else XMP's, else 1.

    HEIF decoders turn the pixels themselves by the container's rotation, so theirs is always 1. (Pillow
    turns a TIFF on loading, too; `ifdl.intake.decode` turns it back.)
    """
    if form == "HEIF":
        return 1
    for value in (said.get("EXIF", "Orientation"), said.get("XMP", "tiff:Orientation")):
        if value is not None and value in "12345678" and len(value) == 1:
            return int(value)
    return 1


# ---------------------------------------------------------------- carriers


def _from_jpeg(data: bytes, image: Image.Image, to: _Carriers) -> None:
    extended: dict[tuple[bytes, int], bytes] = {}
    for segment in jpeg.read(data).segments:
        body = data[segment.offset : segment.offset + segment.length]
        if segment.name == "APP1:Exif" and len(to.exif) < MOST_BLOCK:
            if to.exif and body[6:10] in exif.HEADERS:
                to.spare = to.spare or body
            else:  # a block too long for one segment goes on in the next
                to.exif += body[6:] if to.exif else body
        elif segment.name == "APP1:XMP" and len(to.xmp) < MOST_PACKETS:
            to.xmp.append(body[29:])
        elif segment.name == "APP1:XMP extension" and len(body) > 75 and len(extended) < MOST_CHUNKS:
            extended[body[35:67], int.from_bytes(body[71:75], "big")] = body[75:]
        elif segment.name == "APP13:Photoshop" and len(to.photoshop) < MOST_BLOCK:
            to.photoshop += body[14:]
        elif segment.name == "COM" and len(to.texts) < MOST_ENTRIES:
            to.texts.append(("JPEG", "Comment", exif.text_or_hex(body, True)))
    for guid in sorted({key[0] for key in extended})[:2]:
        to.xmp.append(b"".join(extended[key] for key in sorted(extended) if key[0] == guid))


def _from_png(data: bytes, image: Image.Image, to: _Carriers) -> None:
    at, chunks = 8, 0
    while at + 12 <= len(data) and chunks < MOST_CHUNKS:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + min(size, MOST_BLOCK)]
        at += 12 + size
        if kind == b"eXIf":
            to.exif = to.exif or body
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            chunks += 1
            try:
                key, text = _png_text(kind, body)
            except zlib.error as error:  # one damaged note must not hide those after it
                to.trouble.append(f"PNG: a {kind.decode()} chunk cannot be unpacked ({error})")
                continue
            if key == "XML:com.adobe.xmp":
                to.xmp.append(text)
            elif key.startswith(RAW_PROFILE):
                _raw_profile(key[len(RAW_PROFILE) :], text, to)
            else:
                to.texts.append(("PNG", key, exif.shorten(_decode(text, kind), 2000)))


def _png_text(kind: bytes, body: bytes) -> tuple[str, bytes]:
    key, _, rest = body.partition(b"\0")
    packed = kind == b"zTXt"
    if packed:
        rest = rest[1:]
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]
    if packed:
        rest = zlib.decompressobj().decompress(rest, MOST_TEXT)
    return exif.shorten(key.decode("latin-1"), 80), rest


def _decode(text: bytes, kind: bytes) -> str:
    # tEXt is Latin-1 by the book and UTF-8 in practice.
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1" if kind != b"iTXt" else "utf-8", "replace")


def _raw_profile(kind: str, text: bytes, to: _Carriers) -> None:
    """ImageMagick's way to keep a block in a PNG: a name, a length and hexadecimal lines."""
    lines = text.strip().split(b"\n")
    try:
        block = bytes.fromhex(b"".join(lines[2:]).decode("ascii"))
    except ValueError:
        to.trouble.append(f"PNG: the {exif.shorten(kind, 20)} profile is not hexadecimal")
        return
    if kind in ("exif", "APP1", "app1") and block.startswith((b"Exif\0\0", b"II", b"MM")):
        to.exif = to.exif or block
    elif kind == "xmp" or block.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        to.xmp.append(block.removeprefix(b"http://ns.adobe.com/xap/1.0/\0"))
    elif kind in ("iptc", "8bim"):
        to.photoshop += block


def _from_tiff(data: bytes, image: Image.Image, to: _Carriers) -> None:
    directory = exif.Directory(data, [], image.tell())
    to.exif, to.page = data, image.tell()
    to.xmp = [packet] if (packet := directory.bulk(exif.XMP_TAG)) else []
    to.photoshop, to.iptc = directory.bulk(exif.PHOTOSHOP_TAG), directory.bulk(exif.IPTC_TAG)


def _from_info(data: bytes, image: Image.Image, to: _Carriers) -> None:
    """WebP, AVIF, HEIF, GIF and BMP, as far as their decoder hands metadata over."""
    block, packet, comment = (image.info.get(k) for k in ("exif", "xmp", "comment"))
    if isinstance(block, bytes):
        to.exif = block[:MOST_BLOCK]
    if isinstance(packet, bytes | str):
        to.xmp.append(packet if isinstance(packet, bytes) else packet.encode("utf-8", "replace"))
    if isinstance(comment, bytes | str):
        raw = comment if isinstance(comment, bytes) else comment.encode("utf-8", "replace")
        to.texts.append((str(image.format), "Comment", exif.text_or_hex(raw, True)))


def _photoshop(carriers: _Carriers) -> Iterable[tuple[str, str, str]]:
    """Lists the Photoshop resources by number and takes the IPTC block out of them."""
    numbers: list[str] = []
    for number, body in iptc.resources(carriers.photoshop):
        numbers.append(f"0x{number:04X}")
        if number == iptc.IPTC_RESOURCE and not carriers.iptc:
            carriers.iptc = body
    if numbers:
        yield "IPTC", "Photoshop resources", exif.shorten(", ".join(numbers))


# ---------------------------------------------------------------- entries


def _entries(found: list[tuple[str, str, str]], warnings: list[str]) -> Iterable[MetadataEntry]:
    counts: dict[str, int] = {}
    for group, name, value in found:
        counts[group] = counts.get(group, 0) + 1
        if counts[group] <= MOST_ENTRIES:
            name = exif.shorten(name, 200)
            yield MetadataEntry(group, name, value, _is_private(group, name, value))
    for group, count in counts.items():
        if count > MOST_ENTRIES:
            warnings.append(f"{group}: more than {MOST_ENTRIES} entries; the rest are not listed")


def _is_private(group: str, name: str, value: str) -> bool:
    named = PRIVATE.search(name) is not None and PUBLIC.search(name) is None
    return group.startswith("GPS") or named or MAIL.search(value) is not None
