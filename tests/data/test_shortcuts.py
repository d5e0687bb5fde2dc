"""The audit's numbers against hand-worked cases, scikit-learn's definition, and chance."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ifdl import intake
from ifdl.data import _fabric
from ifdl.data.shortcuts import Header, auc, audit, category_auc, chance, read


def pairs(scores: list[float], positive: list[bool]) -> float:
    """The definition, by counting."""
    won = [float(a > b) + 0.5 * (a == b) for a, p in zip(scores, positive, strict=True) if p
           for b, q in zip(scores, positive, strict=True) if not q]  # fmt: skip
    return sum(won) / len(won)


def test_auc_by_hand_and_by_counting() -> None:
    flags = np.array([False, False, True, True])
    assert auc(np.array([1.0, 2.0, 3.0, 4.0]), flags) == 1
    assert auc(np.array([4.0, 3.0, 2.0, 1.0]), flags) == 0
    assert auc(np.array([5.0, 5.0, 5.0, 5.0]), flags) == 0.5
    assert auc(np.array([1.0, 2.0, 2.0, 3.0]), flags) == pytest.approx(0.875)
    assert auc(np.array([1.0, 2.0]), np.array([True, True])) is None
    rng = np.random.default_rng(3)
    for _ in range(20):
        scores = rng.integers(0, 6, 30).astype(float)
        positive = rng.random(30) < 0.4
        assert auc(scores, positive) == pytest.approx(pairs(list(scores), list(positive)))


def test_one_category_for_all_says_nothing() -> None:
    """Leaving one picture out would give 0 here, and "whichever way round" would make 1 of it."""
    positive = np.array([True] * 30 + [False] * 20)
    assert category_auc(["x"] * 50, positive, [str(n) for n in range(50)]) == 0.5


def test_a_name_for_each_picture_cannot_be_learned() -> None:
    positive = np.array([n % 3 == 0 for n in range(90)])
    assert category_auc([f"id{n}" for n in range(90)], positive, [f"s{n}" for n in range(90)]) == 0.5


def test_a_category_of_one_photograph_cannot_be_learned_either() -> None:
    """Ten pictures a source, tables that follow the source, labels that follow the source."""
    sources = [f"s{n // 10}" for n in range(400)]
    positive = np.array([(n // 10) % 2 == 0 for n in range(400)])
    assert category_auc(sources, positive, sources) == 0.5
    by_picture = category_auc(sources, positive, [str(n) for n in range(400)])
    assert by_picture == 1, "without sources it would look like a shortcut"


def test_a_category_that_tells() -> None:
    positive = np.array([n % 2 == 0 for n in range(100)])
    values = ["a" if n % 2 == 0 else "b" for n in range(100)]
    sources = [f"s{n // 2}" for n in range(100)]
    assert category_auc(values, positive, sources) == 1
    # Three kinds, of which the middle one belongs to one class: no number in order would show it.
    middle = ["b" if p else ("a" if n % 4 == 1 else "c") for n, p in enumerate(positive)]
    assert category_auc(middle, positive, sources) == 1


def test_random_categories_stay_at_chance() -> None:
    rng = np.random.default_rng(11)
    areas = []
    for _ in range(40):
        positive = rng.random(300) < 0.5
        values = rng.integers(0, 12, 300).tolist()
        areas.append(category_auc(values, positive, [str(n) for n in range(300)]))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.02)
    assert max(areas) < chance(150, 150) + 0.06


def test_chance_bound_holds_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    positive = np.array([True] * 40 + [False] * 60)
    above = [(auc(rng.random(100), positive) or 0) > chance(40, 60) for _ in range(2000)]
    assert 0.015 < np.mean(above) < 0.035
    assert chance(0, 10) == 1


def header(width: int = 100, height: int = 50, **more: object) -> Header:
    return Header(bytes=1000, format="JPEG", width=width, height=height, **more)  # type: ignore[arg-type]


def test_audit_by_feature() -> None:
    flags = [n % 2 == 0 for n in range(60)]
    headers = [header(width=200 if flag else 100, metadata=not flag) for flag in flags]
    areas = audit(headers, flags, [str(n) for n in range(60)])
    assert areas["width"] == areas["aspect"] == areas["size"] == areas["metadata"] == areas["bytes_per_pixel"] == 1
    assert areas["height"] == areas["format"] == areas["square"] == areas["bytes"] == 0.5
    assert "quality" not in areas, "no picture has one"
    assert list(areas.values()) == sorted(areas.values(), reverse=True)
    assert audit(headers, [True] * 60, [str(n) for n in range(60)]) == {}
    assert audit([], [], []) == {}


# ---------------------------------------------------------------- headers


FORMS = {"JPEG": {"quality": 83}, "PNG": {}, "WEBP": {}, "TIFF": {}, "BMP": {}, "GIF": {}}


def saved(form: str, size: tuple[int, int] = (61, 97), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_fabric.scene(4, size)).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_header_agrees_with_the_decoder(form: str) -> None:
    data = saved(form, **FORMS[form])
    seen, picture = read(data), intake.decode(data)
    assert (seen.width, seen.height, seen.format) == (97, 61, form)
    assert (picture.width, picture.height, picture.item.format) == (97, 61, form)
    assert seen.bytes == len(data)
    assert (seen.quality == 83 and seen.tables is not None) if form == "JPEG" else seen.quality is None
    assert seen.subsampling == picture.item.container.subsampling


def test_metadata_is_seen() -> None:
    exif = Image.Exif()
    exif[0x010F] = "A make"
    text = PngInfo()
    text.add_text("Software", "x")
    for form, options in {"JPEG": {"exif": exif}, "WEBP": {"exif": exif}, "PNG": {"pnginfo": text},
                          "TIFF": {"tiffinfo": {271: "A make"}}}.items():  # fmt: skip
        assert not read(saved(form)).metadata, form
        assert read(saved(form, **options)).metadata, form


@pytest.mark.parametrize("form", FORMS)
def test_cut_and_scrambled_headers_never_raise(form: str) -> None:
    data = saved(form)
    rng = np.random.default_rng(9)
    for length in range(120):
        read(data[:length])
    for _ in range(200):
        broken = bytearray(data)
        for at in rng.integers(0, min(len(data), 200), 4):
            broken[at] = rng.integers(256)
        read(bytes(broken))
    assert read(b"").format == "unknown"
