"""Strata from file facts alone."""

from __future__ import annotations

import numpy as np
import pytest

from ifdl.signal.jpeg import standard_table
from ifdl.types import Container, Item, Metadata, MetadataEntry, Picture
from ifdl.verdict.strata import Stratum, stratum_of

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
        (kind((1920, 1080), format_="PNG"), Stratum.SCREENSHOT),
        (kind((1170, 2532), format_="PNG"), Stratum.SCREENSHOT),
        (kind((1920, 1080), format_="PNG", metadata=CAMERA), Stratum.OTHER),
        (kind((320, 180), format_="PNG"), Stratum.REDUCED),
        (kind((1920, 1080), STANDARD), Stratum.RESAVED),
        (kind((4000, 3000), format_="WEBP"), Stratum.OTHER),
        (kind((4000, 3000), format_="JPEG"), Stratum.OTHER),
    ],
)
def test_first_rule_that_fits(found: Stratum, expected: Stratum) -> None:
    assert found == expected
