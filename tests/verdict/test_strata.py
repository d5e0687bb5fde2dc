"""Strata from file facts, and screenshots by what a program draws."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ifdl.intake import decode
from ifdl.signal.jpeg import standard_table
from ifdl.types import Container, Item, Metadata, MetadataEntry, Picture
from ifdl.verdict.calibration import ClueTable, Level, Table, Tables, ratio
from ifdl.verdict.strata import DISPLAYS, Stratum, _drawn, stratum_of
from tests.photographs import SHARED, bundled

CAMERA = Metadata((MetadataEntry("EXIF", "Make", "Maker"), MetadataEntry("EXIF", "Model", "One")))
OWN = {0: tuple(range(2, 66)), 1: tuple(range(3, 67))}
STANDARD = {0: standard_table(90), 1: standard_table(90, chroma=True)}
EXIF = ("SOI", "APP1:Exif", "DQT")
JFIF = ("SOI", "APP0:JFIF", "DQT")


def kind(
    size: tuple[int, int],
    tables: dict[int, tuple[int, ...]] | None = None,
    markers: tuple[str, ...] = JFIF,
    metadata: Metadata = Metadata(),  # noqa: B008
    progressive: bool = False,
    format_: str = "JPEG",
) -> Stratum:
    container = Container(tables or {}, (0, 1, 1) if tables else (), markers=markers, progressive=progressive)
    width, height = size
    item = Item("x", "", "", 1, format_, "", width, height, container=container, metadata=metadata)
    return stratum_of(Picture(np.zeros((1, 1, 3), np.uint8), item))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (kind((4000, 3000), OWN), Stratum.CAMERA_ORIGINAL),
        (kind((4000, 3000), STANDARD, EXIF, CAMERA), Stratum.CAMERA_ORIGINAL),
        (kind((3000, 4000), STANDARD), Stratum.RESAVED),
        (kind((4000, 3000), STANDARD, ("SOI", "APP0:JFIF", "APP1:Exif"), CAMERA), Stratum.RESAVED),
        (kind((4000, 3000), OWN, progressive=True), Stratum.RESAVED),
        (kind((4000, 3000), OWN, ("SOI", "APP14:Adobe")), Stratum.RESAVED),
        (kind((1600, 1200), OWN, EXIF, CAMERA), Stratum.REDUCED),
        (kind((1601, 1200), OWN), Stratum.CAMERA_ORIGINAL),
        (kind((1024, 768), format_="PNG"), Stratum.REDUCED),
        (kind((1920, 1080), format_="PNG"), Stratum.OTHER),
        (kind((1170, 2532), format_="PNG"), Stratum.OTHER),
        (kind((1920, 1080), format_="PNG", metadata=CAMERA), Stratum.OTHER),
        (kind((320, 180), format_="PNG"), Stratum.REDUCED),
        (kind((1920, 1080), STANDARD), Stratum.RESAVED),
        (kind((4000, 3000), format_="WEBP"), Stratum.OTHER),
        (kind((4000, 3000), format_="JPEG"), Stratum.OTHER),
    ],
)
def test_first_rule_that_fits(found: Stratum, expected: Stratum) -> None:
    assert found == expected


# ---------------------------------------------------------------- screenshots

GREY, WHITE, BLUE, INK = (236, 236, 238), (255, 255, 255), (28, 60, 120), (30, 30, 30)


def screen(size: tuple[int, int], photograph: bool = False) -> Image.Image:
    """A window with menu, text and buttons, or a list on a phone; a photograph in it if wanted."""
    width, height = size
    shot = Image.new("RGB", size, GREY)
    draw = ImageDraw.Draw(shot)
    draw.rectangle((0, 0, width, height // 20), fill=BLUE)
    draw.rectangle((width // 12, height // 8, width * 11 // 12, height * 11 // 12), fill=WHITE, outline=INK)
    for row in range(12):
        top = height // 6 + row * height // 18
        draw.text((width // 9, top), "An entry in a list that goes on for a while, with its date", fill=INK)
        draw.rectangle((width * 3 // 4, top, width * 7 // 8, top + height // 30), fill=BLUE)
    if photograph:
        picture = Image.open(io.BytesIO(bundled()[0].data)).resize((width // 4, height // 4))
        shot.paste(picture, (width // 3, height // 3))
    return shot


def found(image: Image.Image, form: str = "PNG", **options: object) -> Stratum:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return stratum_of(decode(buffer.getvalue()))


SAVED = {"PNG": {}, "JPEG": {"quality": 88}, "WEBP": {"quality": 85}}


@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768), (1170, 2532)])
@pytest.mark.parametrize("form", SAVED)
def test_screenshots_are_recognised(size: tuple[int, int], form: str) -> None:
    for photograph in (False, True):
        assert found(screen(size, photograph), form, **SAVED[form]) is Stratum.SCREENSHOT


def test_a_screenshot_needs_a_screen_s_size_and_no_camera() -> None:
    assert found(screen((1900, 1080))) is Stratum.OTHER
    assert found(screen((1024, 700))) is Stratum.REDUCED
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "One"
    assert found(screen((1920, 1080)), exif=exif) is Stratum.OTHER


def test_a_file_that_calls_itself_a_screenshot_is_believed_whatever_it_shows() -> None:
    photograph = Image.open(io.BytesIO(bundled()[0].data))
    assert found(photograph) is Stratum.REDUCED
    exif = Image.Exif()
    exif._ifds[0x8769] = {0x9286: b"ASCII\0\0\0Screenshot"}
    assert found(photograph, exif=exif.tobytes()) is Stratum.SCREENSHOT
    exif = Image.Exif()
    exif[0x0131] = "gnome-screenshot"
    assert found(photograph, exif=exif.tobytes()) is Stratum.SCREENSHOT
    exif[0x0131] = "GIMP 2.10"
    assert found(photograph, exif=exif.tobytes()) is Stratum.REDUCED


@pytest.mark.parametrize("place", range(2))
def test_photographs_of_a_screen_s_size_are_none(place: int) -> None:
    """A wallpaper, or a picture shown on the full screen: nothing tells it from a photograph, so nothing is said."""
    photograph = Image.open(io.BytesIO(bundled()[place].data)).resize((1920, 1080))
    assert found(photograph) is Stratum.OTHER
    assert found(photograph, "JPEG", quality=80) is Stratum.RESAVED


def test_flat_photographs_are_none() -> None:
    night = Image.new("RGB", (1920, 1080))
    assert found(night) is Stratum.OTHER
    night.paste(Image.open(io.BytesIO(bundled()[1].data)), (600, 300))
    assert found(night) is Stratum.OTHER
    ramp = np.linspace(0, 60, 1080).astype(np.uint8)[:, None, None]
    sky = Image.fromarray(np.broadcast_to(ramp, (1080, 1920, 3)).copy())
    assert found(sky) is Stratum.OTHER, "a smooth ramp has steps of one level, which are no edges"


def _pictures(name: str, every: int) -> list[NDArray[np.uint8]]:
    folder = SHARED / "data" / name
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["label"] == "authentic"][::every]
    return [np.asarray(Image.open(folder / row["image"]).convert("RGB")) for row in kept]


@pytest.mark.skipif(not (SHARED / "data" / "camera").exists(), reason="../shared/data/camera is absent")
def test_no_camera_photograph_looks_drawn_whatever_its_size() -> None:
    shown = _pictures("camera", 8) + _pictures("camera_whole", 5)
    assert len(shown) > 70 and not any(_drawn(pixels) for pixels in shown)
    assert _drawn(np.asarray(screen((1920, 1080))))


def test_displays_are_written_long_side_first() -> None:
    assert all(long > short > 500 for long, short in DISPLAYS)


def test_a_stratum_without_its_own_table_goes_to_the_pooled_one() -> None:
    level = Level(Table((0.0, 1.0), (0.0, 1.0)), 41, 30, 0, 0.8, 1.0, 1.0)
    own = Level(Table((0.0, 1.0), (0.0, 0.4)), 41, 30, 0, 0.8, 1.0, 0.4)
    known = Tables({"noise": ClueTable("1", Table((0.0, 1.0), (0.0, 1.0)))}, level, {"reduced": own})
    weighed = ratio(known, {"noise": 1.0}, str(Stratum.SCREENSHOT))
    assert weighed is not None and weighed.level is level and "pooled" in weighed.kind and "screenshot" in weighed.kind
    weighed = ratio(known, {"noise": 1.0}, str(Stratum.REDUCED))
    assert weighed is not None and weighed.level is own
