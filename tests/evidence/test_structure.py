"""The structure clue: an earlier save is found, its clean sibling stays silent, segments are read for what they are."""

from __future__ import annotations

import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image
from skimage import data

from ifdl.evidence import structure
from ifdl.intake import decode
from ifdl.types import Container, Finding, Item, Picture, Question, State, SubImage
from tests.photographs import CAMERA, bundled, camera
from tests.planting import structure as planting

needs_camera = pytest.mark.skipif(not CAMERA.exists(), reason="the shared camera photographs are not here")


def saved(pixels: np.ndarray | Image.Image, *qualities: int, subsampling: int = 0, **options: object) -> bytes:
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    for quality in qualities:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling, **options)
        picture = Image.open(io.BytesIO(buffer.getvalue()))
    return buffer.getvalue()


def saves(file: bytes) -> Finding:
    return structure.run(decode(file, name="x.jpg"))[1]


def built(**facts: object) -> Finding:
    """The structure finding of a small file whose container facts are replaced."""
    picture = decode(saved(np.full((16, 16, 3), 90, np.uint8), 80), name="x.jpg")
    camera_like = Container(
        quantisation={0: tuple(range(3, 67)), 1: tuple(range(4, 68))},
        component_tables=(0, 1, 1),
        subsampling="4:2:2",
        markers=("SOI", "APP1:Exif", "DQT", "SOF0", "DHT", "SOS"),
    )
    item = dataclasses.replace(picture.item, container=dataclasses.replace(camera_like, **facts))  # type: ignore[arg-type]
    return structure.run(Picture(picture.pixels, item, picture.data))[0]


# ---------------------------------------------------------------- number of saves


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_a_second_save_is_found_and_dated_and_a_single_one_is_not(name: str) -> None:
    pixels = getattr(data, name)()
    once, twice = saves(saved(pixels, 90)), saves(saved(pixels, 70, 90))
    assert once.state is State.NO_TRACE_FOUND and once.numbers["saves_at_least"] == 1
    assert twice.state is State.SUPPORTED and twice.numbers["saves_at_least"] == 2
    assert abs(int(twice.numbers["previous_quality"]) - 70) <= 1
    assert twice.sentence == (
        "The file was saved as JPEG at least twice: the last time at about quality 90, before that at about "
        f"quality {twice.numbers['previous_quality']}."
    )
    assert twice.strength > 0.5 > once.strength and twice.innocent and not once.innocent


def test_saving_again_at_the_same_quality_is_not_claimed() -> None:
    assert saves(saved(data.astronaut(), 90, 90)).state is State.NO_TRACE_FOUND


def test_a_shift_off_the_grid_or_a_reduction_hides_the_first_save() -> None:
    first = Image.open(io.BytesIO(saved(data.astronaut(), 70)))
    assert saves(saved(first.crop((3, 5, 512, 512)), 90)).state is State.NO_TRACE_FOUND
    assert saves(saved(first.resize((300, 300)), 90)).state is State.NO_TRACE_FOUND
    assert saves(saved(first.crop((8, 16, 512, 512)), 90)).state is State.SUPPORTED


def test_a_first_save_with_unusual_tables_is_found_without_a_quality() -> None:
    tables = [[5 + 7 * (i * 37 % 3) for i in range(64)], [9] * 64]
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()).save(buffer, "JPEG", qtables=tables, subsampling=0)
    found = saves(saved(Image.open(io.BytesIO(buffer.getvalue())), 95))
    assert found.state is State.SUPPORTED and "previous_quality" not in found.numbers
    assert "coarser" in found.sentence


def test_colours_that_are_not_the_files_own_are_out_of_domain() -> None:
    cmyk = saved(Image.fromarray(data.astronaut()).convert("CMYK"), 90)
    assert saves(cmyk).state is State.OUT_OF_DOMAIN
    picture = decode(saved(data.astronaut(), 60, 90), name="x.jpg")
    assert structure.run(picture)[1].state is State.SUPPORTED
    swapped = Picture(np.roll(picture.pixels, 3, axis=1), picture.item, picture.data)
    assert structure.run(swapped)[1].state is State.OUT_OF_DOMAIN


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (8, 8), (9, 4000), (256, 256)])
def test_tiny_and_flat_pictures_are_out_of_domain(size: tuple[int, int]) -> None:
    assert saves(saved(np.full((*size, 3), 128, np.uint8), 80)).state is State.OUT_OF_DOMAIN


def test_noise_does_not_alarm() -> None:
    noise = np.random.default_rng(3).integers(1, 255, (400, 400, 3), dtype=np.uint8)
    assert saves(saved(noise, 88)).state in (State.NO_TRACE_FOUND, State.OUT_OF_DOMAIN)


def test_the_same_bytes_give_the_same_numbers() -> None:
    file = saved(data.coffee(), 75, 92)
    assert saves(file).numbers == saves(file).numbers


def test_large_pictures_are_sampled_and_still_told_apart() -> None:
    large = np.tile(data.astronaut(), (5, 5, 1))
    twice = saves(saved(large, 70, 92))
    assert twice.state is State.SUPPORTED and int(twice.numbers["blocks"]) <= 62500


def test_bundled_photographs_stay_silent() -> None:
    # The rocket is a JPEG in scikit-image's wheel, so its copy here was indeed saved twice.
    silent = [p for p in bundled() if p.name != "rocket.jpg"]
    assert [saves(p.data).state for p in silent] == [State.NO_TRACE_FOUND] * len(silent)


@needs_camera
def test_planted_saves_are_found_on_camera_photographs_and_clean_ones_are_silent() -> None:
    planted = []
    for photograph in camera(range(6, 8), one_per_source=True)[:16]:
        planted.append(planting.plant(photograph.data, b"", np.random.default_rng(int(photograph.source, 16))))
    pairs = [(saves(p.edited), saves(p.clean)) for p in planted if p is not None]
    inside = [pair for pair in pairs if pair[0].state is not State.OUT_OF_DOMAIN]
    assert len(pairs) >= 10 and len(inside) >= 0.8 * len(pairs)
    assert sum(edited.state is State.SUPPORTED for edited, _ in inside) >= 0.8 * len(inside)
    assert not any(clean.state is State.SUPPORTED for _, clean in pairs)


@needs_camera
def test_camera_files_do_not_alarm() -> None:
    states = [saves(p.data).state for p in camera(range(6, 8), one_per_source=True)[:20]]
    assert State.SUPPORTED not in states and states.count(State.NO_TRACE_FOUND) >= 15


# ---------------------------------------------------------------- structure


def test_a_file_built_like_a_cameras_shows_no_trace() -> None:
    found = built()
    assert found.state is State.NO_TRACE_FOUND and "can imitate" in found.sentence


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"markers": ("SOI", "APP1:Exif", "APP12:Ducky", "DQT", "SOF0", "SOS")}, "Save for Web"),
        ({"markers": ("SOI", "APP1:Exif", "APP14:Adobe", "DQT", "SOF0", "SOS")}, "Adobe's colour segment"),
        ({"progressive": True}, "progressive"),
    ],
)
def test_what_only_software_writes_supports_processing(facts: dict[str, object], words: str) -> None:
    found = built(**facts)
    assert found.state is State.SUPPORTED and words in found.sentence and found.innocent


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"markers": ("SOI", "APP0:JFIF", "APP1:Exif", "DQT", "SOF0", "SOS")}, "JFIF segment before the Exif"),
        ({"markers": ("SOI", "APP1:Exif", "APP0:JFIF", "DQT", "SOF0", "SOS")}, "JFIF segment after the Exif"),
        ({"markers": ("SOI", "DQT", "SOF0", "SOS")}, "no Exif segment"),
        ({"markers": ("SOI", "APP1:XMP", "APP1:Exif", "DQT", "SOS")}, "not the first"),
        ({"markers": ("SOI", "APP1:Exif", "APP13:Photoshop", "DQT", "SOS")}, "caption segment"),
        (
            {"trailing_bytes": 77, "trailing_kind": "zip archive"},
            "77 bytes follow the end of the picture (zip archive)",
        ),
        ({"warnings": ("named .png, but its content is JPEG",)}, "named .png"),
        ({"sub_images": (SubImage("appended_picture", 9, 9),)}, "another complete picture"),
    ],
)
def test_what_software_and_devices_both_write_is_inconclusive(facts: dict[str, object], words: str) -> None:
    found = built(**facts)
    assert found.state is State.INCONCLUSIVE and words in found.sentence and not found.innocent


@pytest.mark.parametrize(
    "facts",
    [
        {"trailing_bytes": 12, "trailing_kind": "padding"},
        {"sub_images": (SubImage("gain_map", 9, 9), SubImage("thumbnail", 9, 9))},
        {"markers": ("SOI", "APP1:Exif", "APP2:MPF", "DQT", "DRI", "SOF0", "SOS")},
    ],
)
def test_padding_gain_maps_and_restart_markers_are_no_sign(facts: dict[str, object]) -> None:
    assert built(**facts).state is State.NO_TRACE_FOUND


def test_a_pillow_file_is_recognised_by_its_standard_tables() -> None:
    found = structure.run(decode(saved(data.chelsea(), 83), name="x.jpg"))[0]
    assert found.state is State.INCONCLUSIVE
    assert found.numbers["quality"] == 83 and found.numbers["standard_tables"] is True
    assert "quality 83" in found.sentence and found.numbers["huffman"] == "standard"
    fitted = structure.run(decode(saved(data.chelsea(), 83, optimize=True), name="x.jpg"))[0]
    assert fitted.numbers["huffman"] == "fitted to the picture"
    progressive = structure.run(decode(saved(data.chelsea(), 83, progressive=True), name="x.jpg"))[0]
    assert progressive.state is State.SUPPORTED


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "TIFF", "WEBP"])
def test_other_formats_are_out_of_domain_and_say_so(form: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(data.chelsea()[:64, :64]).save(buffer, form)
    (found,) = structure.run(decode(buffer.getvalue(), name=f"x.{form.lower()}"))
    assert found.state is State.OUT_OF_DOMAIN and form in found.sentence
    if form == "PNG":
        (found,) = structure.run(decode(buffer.getvalue() + b"PK\x03\x04rest", name="x.png"))
        assert found.state is State.INCONCLUSIVE and "zip archive" in found.sentence


def test_every_finding_answers_history_and_quotes_only_its_numbers() -> None:
    for file in (saved(data.coffee(), 75, 92), saved(data.coffee(), 92), saved(np.zeros((9, 9, 3), np.uint8), 50)):
        for found in structure.run(decode(file, name="x.jpg")):
            assert found.question is Question.HISTORY and found.clue == structure.CARD.id
            known = {
                form.format(v) for v in found.numbers.values() if not isinstance(v, str) for form in ("{}", "{:.1f}")
            }
            assert set(re.findall(r"\d+(?:\.\d+)?", found.sentence)) <= known
            assert not {"genuine", "authentic", "original"} & set(found.sentence.lower().replace(".", "").split())


def test_a_file_without_tables_or_bytes_does_not_crash() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    item = Item("x.jpg", "", "", 0, "JPEG", "image/jpeg", 32, 32)
    states = [f.state for f in structure.run(Picture(pixels, item))]
    assert states == [State.INCONCLUSIVE, State.OUT_OF_DOMAIN]
