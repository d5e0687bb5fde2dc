"""Drawings lie where the regions lie, as displayed, and leave the rest of the picture alone."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifdl.report import overlay, pen, write
from ifdl.report.parts import letter, safe_ids
from ifdl.signal.orientation import to_display
from ifdl.signal.regions import mask_of
from ifdl.types import Map, Picture, Region, Verdict
from tests.report.fixtures import HEIGHT, WIDTH, cards, patch, picture, report  # noqa: F401


def alone(*regions: Region) -> Verdict:
    return Verdict((), regions, (), ())


def plain(height: int, width: int, orientation: int = 1) -> Picture:
    item = replace(picture().item, height=height, width=width, orientation=orientation)
    return Picture(np.full((height, width, 3), 128, np.uint8), item)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_marks_lie_on_the_region(orientation: int) -> None:
    region = patch(100, 30, 60, 45)
    shape = to_display(mask_of((region,), (HEIGHT, WIDTH)), orientation)
    drawn = overlay.marks((region,), (HEIGHT, WIDTH), orientation, shape.shape, lines=False)
    assert np.array_equal(drawn[..., 3] > 0, shape)


def test_overlay_is_displayed_and_marks_the_edge_only() -> None:
    photo, region = picture(), patch(100, 30, 60, 45)
    drawn = overlay.overlay(photo, alone(region))
    assert drawn.shape == (WIDTH, HEIGHT, 3) and drawn.dtype == np.uint8
    changed = (drawn != to_display(photo.pixels, 6)).any(axis=2)
    shape = to_display(mask_of((region,), (HEIGHT, WIDTH)), 6)
    assert changed[shape].mean() > 0.95
    # Outside stay the letter, the scale bar and a few pixels of outline.
    assert changed[~shape].mean() < 0.25
    assert overlay.overlay(photo, alone(region), display=False).shape == (HEIGHT, WIDTH, 3)


def test_same_drawing_twice() -> None:
    assert np.array_equal(overlay.overlay(picture(), report().verdict), overlay.overlay(picture(), report().verdict))


def test_reduced_only_when_larger() -> None:
    assert overlay.overlay(plain(50, 5000), alone()).shape == (40, 4000, 3)
    assert overlay.overlay(plain(50, 3999), alone()).shape == (50, 3999, 3)
    assert overlay.fitted((300, 400), 1600, enlarge=True) == (1200, 1600)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 2)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    photo = plain(*size, orientation=6)
    region = Region((0, 0, size[1], size[0]), 1.0, "centre", id="R1")
    assert overlay.overlay(photo, alone(region)).shape == (size[1], size[0], 3)
    assert overlay.layer(Map.of(np.ones(size), size), photo).shape == (size[1], size[0], 4)
    shown = to_display(photo.pixels, 6)
    assert overlay.close_up(shown, region, size, 6).plain.size <= shown.size


def test_boxes_outside_the_picture_are_cut() -> None:
    beyond = (Region((150, 100, 500, 500), 0.1, "lower right"), Region((900, 900, 5, 5), 0.0, "lower right"))
    assert overlay.overlay(picture(), alone(*beyond)).shape == (WIDTH, HEIGHT, 3)


def test_colours_do_not_rest_on_red_and_green() -> None:
    for red, green, blue in pen.COLOURS:
        assert not (red > 1.8 * green and red > 1.8 * blue), "a red"
        assert not (green > 1.3 * red and green > 1.3 * blue), "a green"


def test_heat_is_clear_where_low_or_unknown() -> None:
    heat = np.zeros((HEIGHT // 8, WIDTH // 8))
    heat[5, 10], heat[5, 20] = 1.0, np.nan
    drawn = overlay.layer(Map.of(heat, (HEIGHT, WIDTH), 8), picture())
    assert drawn.shape == (WIDTH, HEIGHT, 4)
    saved = Image.open(io.BytesIO(overlay.layer_png(Map.of(heat, (HEIGHT, WIDTH), 8), picture())))
    assert np.array_equal(np.asarray(saved.convert("RGBA")), drawn)
    hot = np.zeros((HEIGHT, WIDTH), bool)
    hot[40:48, 80:88] = True
    assert np.array_equal(drawn[..., 3] > 0, to_display(hot, 6))


@pytest.mark.parametrize("orientation", [1, 6])
def test_close_up_is_unaltered(orientation: int) -> None:
    photo = replace(picture(), item=replace(picture().item, orientation=orientation))
    shown, region = to_display(photo.pixels, orientation), patch(40, 20, 60, 45)
    near = overlay.close_up(shown, region, (HEIGHT, WIDTH), orientation)
    x, y, width, height = near.window
    assert np.array_equal(near.plain, shown[y : y + height, x : x + width])
    assert near.whole and near.marked.shape == (height * near.zoom, width * near.zoom, 3)
    part = overlay.close_up(shown, region, (HEIGHT, WIDTH), orientation, most=20)
    assert part.plain.shape == (20, 20, 3) and not part.whole
    x, y, width, height = part.window
    inside = to_display(mask_of((region,), (HEIGHT, WIDTH)), orientation)[y : y + height, x : x + width]
    assert 0.2 < inside.mean() < 0.8, "a region that does not fit is shown across its edge"
    # No line along the window's border where the region goes on beyond it.
    edge, plain_edge = part.marked[:1, -1:], np.repeat(part.plain, part.zoom, 0).repeat(part.zoom, 1)[:1, -1:]
    assert np.array_equal(edge, plain_edge)


def test_letters_and_names() -> None:
    assert [letter(n) for n in (0, 1, 25, 26, 27, 701, 702)] == ["A", "B", "Z", "AA", "AB", "ZZ", "AAA"]
    assert safe_ids(["F1", "f1", "../../x", "", "a b"]) == ["F1", "f1-2", "______x", "F4", "a_b"]


def test_saved_layers_carry_safe_names(tmp_path: Path) -> None:
    files = write(report(), tmp_path / "new" / "folder")
    layers = {name for name in files if name.startswith("layers/")}
    assert layers == {"layers/F1.png", "layers/F2.png", "layers/expert-tiny.png"}
    assert all(path.is_file() and path.is_relative_to(tmp_path) for path in files.values())
    assert {p.relative_to(tmp_path / "new/folder").as_posix() for p in (tmp_path / "new/folder").rglob("*.*")} == set(
        files
    )
    assert not any("claim" in name for name in files)
    assert Image.open(files["overlay.png"]).size == Image.open(files["layers/F1.png"]).size == (HEIGHT, WIDTH)
