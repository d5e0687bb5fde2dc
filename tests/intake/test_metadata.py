"""Reading what a file says about itself, and never falling over it."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from ifdl.intake import decode
from ifdl.intake.errors import IntakeError
from ifdl.intake.metadata import read
from ifdl.signal.orientation import to_display
from ifdl.types import Metadata
from tests.photographs import SHARED, bundled
from tests.planting.metadata import as_jpeg, as_png, exif, photoshop, resource, xmp

HOSTILE = SHARED / "data" / "hostile"
HOST = bundled()[1].data
needs_hostile = pytest.mark.skipif(not HOSTILE.exists(), reason="../shared/data/hostile is absent")


def said(data: bytes) -> Metadata:
    return decode(data).item.metadata


def test_exif_is_read_with_its_sub_directories() -> None:
    from datetime import datetime

    time = datetime(2022, 5, 6, 7, 8, 9)
    found = said(as_jpeg(HOST, exif("Canon", "Canon EOS 80D", "v1", time, time, (640, 480), time, orientation=6)))
    assert found.get("EXIF", "Make") == "Canon"
    assert found.get("EXIF", "DateTimeOriginal") == "2022:05:06 07:08:09"
    assert (found.get("EXIF", "PixelXDimension"), found.get("EXIF", "PixelYDimension")) == ("640", "480")
    assert found.get("GPS", "GPSDateStamp") == "2022:05:06"
    assert found.get("GPS", "GPSTimeStamp") == "7, 8, 0"
    assert all(e.private == (e.group == "GPS") for e in found.entries)
    assert not found.warnings


@needs_hostile
def test_exif_agrees_with_pillow() -> None:
    """Tag for tag with another reader, on real cameras' files."""
    compared = 0
    for path in sorted((HOSTILE / "exif").glob("*.jpg")):
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            other = image.getexif()
            tags = {**other, **other.get_ifd(0x8769)}
            found = read(data, "JPEG", image)
        for tag, value in tags.items():
            name = {0xA002: "PixelXDimension", 0xA003: "PixelYDimension"}.get(tag, ExifTags.TAGS.get(tag, ""))
            if "exif" in image.info and name and isinstance(value, int | str) and tag not in (0x8769, 0x8825, 0xA005):
                assert found.get("EXIF", name) == str(value).replace("\0", "; ").strip("; "), (path.name, name)
                compared += 1
    assert compared > 300


@pytest.mark.parametrize("code", range(1, 9))
@needs_hostile
def test_orientation(code: int) -> None:
    pillow = HOSTILE / "pillow"
    assert decode((HOSTILE / "exif" / f"landscape_{code}.jpg").read_bytes()).item.orientation == code
    if code > 1:
        assert decode((pillow / f"hopper_orientation_{code}.jpg").read_bytes()).item.orientation == code
        assert decode((pillow / f"hopper_orientation_{code}.webp").read_bytes()).item.orientation == code
    # The same page stored in eight ways: each keeps its stored rows, and its code turns it upright.
    upright = decode((pillow / "g4_orientation_1.tif").read_bytes()).pixels
    turned = decode((pillow / f"g4_orientation_{code}.tif").read_bytes())
    assert turned.item.orientation == code
    assert np.mean(to_display(turned.pixels, code) != upright) < 0.05


@needs_hostile
@pytest.mark.parametrize("name", ["xmp_tags_orientation.png", "xmp_tags_orientation_exiftool.png"])
def test_orientation_from_xmp_alone(name: str) -> None:
    item = decode((HOSTILE / "pillow" / name).read_bytes()).item
    assert item.orientation == 3
    assert item.metadata.get("EXIF", "Orientation") is None  # not passed off as EXIF


def test_exif_orientation_goes_before_xmp_and_nonsense_counts_as_none() -> None:
    packet = xmp('tiff:Orientation="8"')
    assert decode(as_jpeg(HOST, exif(orientation=3), packet)).item.orientation == 3
    assert decode(as_jpeg(HOST, exif(orientation=42), packet)).item.orientation == 8
    assert decode(as_jpeg(HOST, exif(orientation=42))).item.orientation == 1


def test_xmp_is_flattened() -> None:
    packet = xmp('tiff:Make="Canon"', "digitalCapture", ("created", "saved"))
    for data in (as_jpeg(HOST, b"", packet), as_png(HOST, b"", packet)):
        found = said(data)
        assert found.get("XMP", "xmpMM:History[2]/stEvt:action") == "saved"
        assert found.get("XMP", "tiff:Make") == "Canon"
        assert (found.get("XMP", "Iptc4xmpExt:DigitalSourceType") or "").endswith("/digitalCapture")


@pytest.mark.parametrize(
    "packet",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&b;</x:xmpmeta>',
        "<!doctype x SYSTEM 'file:///etc/passwd'><x/>",
        "<rdf>" * 2000 + "</rdf>" * 2000,
        "<rdf:RDF>",
        "\0\1\2",
    ],
)
def test_hostile_xmp_is_a_warning(packet: str) -> None:
    found = said(as_jpeg(HOST, exif("Canon", "Canon EOS 80D"), packet))
    assert any(w.startswith("XMP") for w in found.warnings)
    assert not [e for e in found.entries if e.group == "XMP"]
    assert found.get("EXIF", "Make") == "Canon"


def test_utf16_entity_declarations_are_refused() -> None:
    packet = '\ufeff<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16")
    with Image.open(io.BytesIO(HOST)) as image:
        image.info["xmp"] = packet
        assert "declaration" in read(b"", "WEBP", image).warnings[0]


def test_iptc_with_both_character_sets() -> None:
    for utf8, coding in ((True, "utf-8"), (False, "latin-1")):
        block = photoshop(((5, "Café".encode(coding)), (65, b"GIMP"), (80, b"A. Person"), (55, b"20210304")), utf8)
        found = said(as_jpeg(HOST, b"", "", resource(0x0406, b"abc") + block))
        assert found.get("IPTC", "Object Name") == "Café"
        assert found.get("IPTC", "Photoshop resources") == "0x0406, 0x0404"
        assert next(e for e in found.entries if e.name == "By-line").private


def test_png_text_and_comments() -> None:
    long = "word " * 2000 + "Steps: 20, Sampler: Euler"
    found = said(as_png(HOST, exif("Canon"), "", {"Software": "GIMP", "parameters": long, "Author": "A. Person"}))
    assert found.get("PNG", "Software") == "GIMP"
    kept = found.get("PNG", "parameters") or ""
    assert kept.endswith("Sampler: Euler") and "left out" in kept and len(kept) < 2100
    assert found.get("EXIF", "Make") == "Canon"
    assert next(e for e in found.entries if e.name == "Author").private
    assert (
        said(as_jpeg(HOST, comment=b"made \x1b[31m by hand\xe2\x80\xae")).get("JPEG", "Comment") == "made  [31m by hand"
    )
    buffer = io.BytesIO()
    Image.new("P", (9, 9)).save(buffer, "GIF", comment=b"hello")
    assert said(buffer.getvalue()).get("GIF", "Comment") == "hello"


def test_text_after_the_pixels_and_bombs() -> None:
    png = as_png(HOST)
    bomb = b"Comment\0\0" + zlib.compress(b"a" * (64 << 20), 9)
    chunk = len(bomb).to_bytes(4, "big") + b"zTXt" + bomb + zlib.crc32(b"zTXt" + bomb).to_bytes(4, "big")
    broken = b"\0\0\0\x0czTXtSoftware\0\0zz\0\0\0\0"
    with Image.open(io.BytesIO(png)) as image:
        found = read(png[:-12] + broken + chunk + png[-12:], "PNG", image)
    assert "unpacked" in found.warnings[0]
    assert found.get("PNG", "Comment")
    assert len(found.get("PNG", "Comment") or "") < 2100


def test_user_comment_in_its_character_sets() -> None:
    for raw in (b"ASCII\0\0\0caf", b"UNICODE\0" + "caf".encode("utf-16-be"), b"UNICODE\0" + "caf".encode("utf-16-le"),
                b"JIS\0\0\0\0\0caf", b"\0\0\0\0\0\0\0\0caf"):  # fmt: skip
        assert said(as_jpeg(HOST, exif("Canon", comment=raw))).get("EXIF", "UserComment") == "caf"


def test_private_entries() -> None:
    packet = xmp(
        'aux:SerialNumber="12" xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmpMM:DocumentID="uuid:1"'
        ' xmp:CreatorTool="GIMP" photoshop:AuthorsPosition="Chief" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' exif:GPSLatitude="43,28N" dc:source="mail me@example.org" xmp:CreateDate="2020-01-01"'
    )
    private = {e.name: e.private for e in said(as_jpeg(HOST, b"", packet)).entries}
    assert {n for n, p in private.items() if p} == {
        "aux:SerialNumber", "photoshop:AuthorsPosition", "exif:GPSLatitude", "dc:source",
    }  # fmt: skip
    assert {"xmpMM:DocumentID", "xmp:CreatorTool", "xmp:CreateDate"} <= set(private)
    tags = Image.Exif()
    tags[0x013B] = "A. Person"
    tags._ifds[0x8769] = {0xA431: "S123", 0xA430: "Owner", 0xA435: "L1", 0xA420: "id", 0xA433: "Zeiss"}
    entries = said(as_jpeg(HOST, tags.tobytes())).entries
    assert len(entries) == 6
    assert [e.name for e in entries if not e.private] == ["LensMake"]


def test_maker_notes_are_not_shown() -> None:
    tags = Image.Exif()
    tags._ifds[0x8769] = {0x927C: b"Nikon\0\2\x10\0\0serial 1234567"}
    value = said(as_jpeg(HOST, tags.tobytes())).get("EXIF", "MakerNote") or ""
    assert value == "24 bytes, begins: Nikon"


def test_damaged_exif_never_raises() -> None:
    block = bytearray(exif("Canon", "Canon EOS 80D", "v1", "2022:01:01 00:00:00", None, (640, 480)))
    rng = np.random.default_rng(7)
    with Image.open(io.BytesIO(HOST)) as image:
        for _ in range(400):
            hurt = bytearray(block)
            for at in rng.integers(6, len(hurt), 4):
                hurt[at] = int(rng.integers(256))
            image.info["exif"] = bytes(hurt[: int(rng.integers(8, len(hurt) + 1))])
            found = read(b"", "WEBP", image)
            assert all(len(e.value) <= 600 for e in found.entries)


@needs_hostile
def test_hostile_files_never_cost_the_picture() -> None:
    read_files = 0
    for path in sorted((HOSTILE / "pillow").glob("*"))[::4]:
        try:
            found = said(Path(path).read_bytes())
        except IntakeError:
            continue
        read_files += 1
        assert len(found.entries) <= 1200
        assert not any(w.startswith("container") for w in found.warnings), (path, found.warnings)
    assert read_files > 20
