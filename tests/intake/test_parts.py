"""Pages, frames and further pictures opened by number, in the child, with the facts that say which they are."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, features

from ifdl import intake
from ifdl.intake.errors import IntakeError
from ifdl.intake.part import of
from ifdl.types import Picture
from tests.intake import hostile
from tests.photographs import SHARED

DECODER = intake.Decoder()
PILLOW = SHARED / "data" / "hostile" / "pillow"


def scenes(size: tuple[int, int] = hostile.SIZE) -> list[NDArray[np.uint8]]:
    """Three pictures that differ: uint8 H×W×3."""
    return [np.roll(hostile.scene(size), 31 * n, axis=1) for n in range(3)]


def load(data: bytes, name: str = "picture", page: int | None = None, frame: int | None = None) -> Picture:
    return DECODER.decode(data, name, of(page, frame))


@pytest.fixture(autouse=True, scope="module")
def _end() -> Iterator[None]:
    yield
    DECODER.close()


def several(form: str, **options: object) -> bytes:
    first, *rest = [Image.fromarray(s) for s in scenes()]
    return hostile.saved(form, first, save_all=True, append_images=rest, **options)


LOSSLESS = {"TIFF": {}, "PNG": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("form", LOSSLESS)
def test_each_page_or_frame_is_the_one_asked_for(form: str) -> None:
    data = several(form, **LOSSLESS[form])
    noun = "page" if form == "TIFF" else "frame"
    for number, expected in enumerate(scenes(), 1):
        shown = load(data, name="many.x", page=number)
        assert np.array_equal(shown.pixels, expected), number
        assert shown.item.name == f"many.x, {noun} {number} of 3"
        assert shown.item.conversion[0].startswith(f"{noun} {number} of 3 in the file")
        others = [s.note for s in shown.item.container.sub_images]
        assert others == [f"{noun} {n} of 3" for n in range(1, 4) if n != number]
        assert shown.item.sha256 == hashlib.sha256(data).hexdigest() and shown.data == data


@pytest.mark.parametrize("form", ["GIF", "AVIF"])
def test_lossy_frames_come_close(form: str) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this build of Pillow writes no AVIF")
    data = several(form)
    errors = np.array(
        [[np.abs(load(data, frame=n).pixels.astype(int) - s.astype(int)).mean() for s in scenes()] for n in (1, 2, 3)]
    )
    assert (errors.argmin(axis=1) == [0, 1, 2]).all() and errors.diagonal().max() < 12, errors


def test_without_a_number_nothing_changes() -> None:
    data = several("TIFF")
    shown = load(data, name="many.tif")
    assert shown.item.name == "many.tif" and not any("in the file" in step for step in shown.item.conversion)
    assert np.array_equal(shown.pixels, scenes()[0])


def test_the_only_page_needs_no_words() -> None:
    assert load(hostile.saved("PNG"), name="a.png", page=1).item == load(hostile.saved("PNG"), name="a.png").item


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (several("TIFF"), "there is no page 4; the file has 3 pages."),
        (several("GIF"), "there is no frame 4; the file has 3 frames."),
        (hostile.saved("JPEG"), "there is no picture 4; the file has one picture only."),
        (hostile.saved("JPEG") * 2, "there is no picture 4; the file has 2 pictures."),
        (hostile.saved("BMP"), "there is no picture 4; the file has one picture only."),
    ],
)
def test_a_part_that_is_not_there(data: bytes, said: str) -> None:
    with pytest.raises(IntakeError) as refusal:
        intake.load(data, name="a.x", page=4)
    assert refusal.value.kind == "no_such_part" and str(refusal.value) == f"a.x: {said}"


def test_numbers_that_are_none() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        intake.load(b"", page=0)
    with pytest.raises(ValueError, match="page 1 and frame 2"):
        intake.load(b"", page=1, frame=2)
    with pytest.raises(IntakeError, match="only a PDF"):
        intake.load(hostile.saved("JPEG"), picture=1)


def test_a_later_page_tells_its_own_notes_and_orientation() -> None:
    buffer = io.BytesIO()
    first, second = (Image.fromarray(s) for s in scenes()[:2])
    first.encoderinfo, second.encoderinfo = {"tiffinfo": {0x010F: "Canon"}}, {"tiffinfo": {0x010F: "Nikon", 0x0112: 6}}
    first.save(buffer, "TIFF", save_all=True, append_images=[second], tiffinfo={0x010F: "Canon"})
    one, two = (load(buffer.getvalue(), page=n) for n in (1, 2))
    assert one.item.metadata.get("EXIF", "Make") == "Canon" and one.item.orientation == 1
    assert two.item.metadata.get("EXIF", "Make") == "Nikon" and two.item.orientation == 6
    assert np.array_equal(two.pixels, scenes()[1]), "stored rows, not turned"


def test_a_further_jpeg_keeps_its_own_tables_and_bytes() -> None:
    first = hostile.saved("JPEG", quality=92)
    second = hostile.saved("JPEG", Image.fromarray(scenes()[1]), quality=61, subsampling=0)
    shown = load(first + second, name="pair.jpg", page=2)
    alone = intake.decode(second)
    assert shown.data == second and np.array_equal(shown.pixels, alone.pixels)
    assert shown.item.container.quantisation == alone.item.container.quantisation
    assert shown.item.name == "pair.jpg, picture 2 of 2" and "appended picture" in shown.item.conversion[0]
    assert shown.item.sha256 == hashlib.sha256(first + second).hexdigest(), "a reader holds the whole file"
    assert load(first + second, name="pair.jpg", page=1).item.name == "pair.jpg, picture 1 of 2"


@pytest.mark.skipif(not PILLOW.exists(), reason="../shared/data/hostile is absent")
def test_views_of_real_multi_picture_files() -> None:
    opened = 0
    for path in (PILLOW / "sugarshack.mpo", PILLOW / "frozenpond.mpo"):
        shown = intake.load(path, page=2)
        with Image.open(path) as image:
            image.seek(1)
            assert np.array_equal(shown.pixels, np.asarray(image.convert("RGB")))
        opened += 1
    assert opened == 2


def test_limits_hold_for_every_part() -> None:
    small, large = Image.fromarray(hostile.scene()), Image.fromarray(hostile.scene((640, 480)))
    data = hostile.saved("TIFF", small, save_all=True, append_images=[large])
    with pytest.raises(IntakeError) as refusal:
        intake.load(data, intake.Limits(pixels=10_000), page=2)
    assert refusal.value.kind == "too_many_pixels"
    assert intake.load(data, intake.Limits(pixels=10_000), page=1).width == 96


def test_damage_in_a_later_page_is_refused_and_the_first_still_opens() -> None:
    data = several("TIFF", compression="tiff_lzw")
    with Image.open(io.BytesIO(data)) as image:
        image.seek(2)
        at = image.tag_v2[273][0]  # type: ignore[attr-defined]
    hurt = data[:at] + bytes(200) + data[at + 200 :]
    assert np.array_equal(load(hurt, page=1).pixels, scenes()[0])
    try:
        shown = load(hurt, page=3)
    except IntakeError as error:
        assert error.kind in ("corrupt", "truncated")
    else:
        pytest.fail(f"a damaged page was read in silence: {shown.item.conversion}")


def test_later_frames_of_hostile_files_never_escape() -> None:
    rng = np.random.default_rng(5)
    originals = [several("TIFF"), several("GIF"), several("PNG"), hostile.saved("JPEG") * 2]
    for n in range(80):
        data = bytearray(originals[n % 4])
        for at in rng.integers(0, len(data), 5):
            data[at] = rng.integers(0, 256)
        try:
            load(bytes(data), page=2)
        except IntakeError as error:
            assert error.kind != "decoder_crashed"


def _heic(primary: int) -> bytes:
    heif = pytest.importorskip("pillow_heif", reason="the heif extra is not installed")
    file = heif.HeifFile()
    for one in scenes((128, 96)):
        file.add_from_pillow(Image.fromarray(one))
    buffer = io.BytesIO()
    file.save(buffer, quality=-1, chroma=444, matrix_coefficients=0, primary_index=primary)
    return buffer.getvalue()


def test_pictures_of_a_heic_and_its_main_one() -> None:
    data = _heic(1)
    for number, expected in enumerate(scenes((128, 96)), 1):
        shown = load(data, name="a.heic", page=number)
        assert np.abs(shown.pixels.astype(int) - expected.astype(int)).mean() < 3, number
        assert shown.item.name == f"a.heic, picture {number} of 3"
    main = load(data, name="a.heic")
    assert np.abs(main.pixels.astype(int) - scenes((128, 96))[1].astype(int)).mean() < 3, "the file names its main one"
    with pytest.raises(IntakeError, match="has 3 pictures"):
        load(data, page=4)
