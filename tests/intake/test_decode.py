"""What a Picture says about its file: conversions, orientation, sub-images, trailing bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ifdl import intake
from ifdl.intake import jpeg
from tests.intake import hostile

FILES = hostile.files()


def picture(name: str):  # type: ignore[no-untyped-def]
    return intake.decode(FILES[name][0], name=name)


@pytest.mark.parametrize("form", ["jpg", "webp", "tif"])
@pytest.mark.parametrize("code", range(1, 9))
def test_pixels_stay_as_stored(form: str, code: int) -> None:
    upright, turned = picture(f"orientation_1.{form}"), picture(f"orientation_{code}.{form}")
    assert turned.item.orientation == code
    assert np.array_equal(turned.pixels, upright.pixels)


def test_orientation_out_of_range_counts_as_one() -> None:
    assert picture("orientation_9.jpg").item.orientation == 1


def test_lossless_pixels_are_untouched() -> None:
    assert np.array_equal(picture("really_png.jpg").pixels, hostile.scene())


def test_name_that_promises_another_format_is_noted() -> None:
    assert picture("really_png.jpg").item.format == "PNG"
    assert any("content is PNG" in w for w in picture("really_png.jpg").item.container.warnings)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    deep = (np.arange(96 * 64, dtype=np.uint32) * 10 % 65536).reshape(64, 96)
    shown = picture("grey16.png")
    assert shown.item.bit_depth == 16
    assert np.abs(shown.pixels[:, :, 0].astype(int) - deep / 257).max() <= 0.5
    assert any("16-bit" in step for step in shown.item.conversion)


def test_cmyk_goes_through_a_recorded_conversion() -> None:
    shown = picture("cmyk.jpg")
    assert shown.item.mode == "CMYK"
    assert any("CMYK" in step for step in shown.item.conversion)
    difference = np.abs(shown.pixels.astype(int) - hostile.scene().astype(int))
    assert difference.mean() < 12, "colours come out inverted or garbled"


def test_alpha_is_set_aside_and_hidden_colours_are_kept() -> None:
    shown = picture("alpha.png")
    assert shown.item.transparent == pytest.approx(0.25)
    assert tuple(shown.pixels[0, 0]) == (10, 200, 30)


def test_icc_profile_is_named_and_left_alone() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    shown = intake.decode(hostile.saved("PNG", icc_profile=profile))
    assert shown.item.icc_profile and np.array_equal(shown.pixels, hostile.scene())
    assert any("not applied" in step for step in shown.item.conversion)


def test_appended_bytes_are_reported() -> None:
    container = picture("appended_zip.jpg").item.container
    assert (container.trailing_bytes, container.trailing_kind) == (64, "zip archive")


def test_second_picture_is_listed_not_trailing() -> None:
    container = picture("two_in_one.jpg").item.container
    assert [s.kind for s in container.sub_images] == ["appended_picture"]
    assert container.trailing_bytes == 0


@pytest.mark.parametrize(("name", "kinds"), [("animation.gif", ["frame", "frame"]), ("pages.tif", ["page"])])
def test_later_frames_and_pages_are_listed(name: str, kinds: list[str]) -> None:
    assert [s.kind for s in picture(name).item.container.sub_images] == kinds


def test_thumbnail_is_listed_with_its_place() -> None:
    thumb = hostile.saved("JPEG", Image.fromarray(hostile.scene()).resize((48, 32)))
    tiff = b"Exif\0\0MM\0*\0\0\0\x08" + bytes(6) + thumb
    data = hostile.saved("JPEG")
    data = data[:2] + b"\xff\xe1" + (len(tiff) + 2).to_bytes(2, "big") + tiff + data[2:]
    (sub,) = intake.decode(data).item.container.sub_images
    assert (sub.kind, sub.width, sub.height) == ("thumbnail", 48, 32)
    assert sub.offset is not None and sub.bytes is not None
    assert data[sub.offset : sub.offset + sub.bytes] == thumb


def test_quantisation_tables_and_sampling_match_pillow() -> None:
    data = hostile.saved("JPEG", quality=77, subsampling=2, progressive=True)
    container = intake.decode(data).item.container
    with Image.open(io.BytesIO(data)) as image:
        assert {k: tuple(v) for k, v in image.quantization.items()} == container.quantisation
    assert container.subsampling == "4:2:0" and container.progressive
    assert container.markers[:2] == ("SOI", "APP0:JFIF") and container.markers[-1] == "SOS"


def test_marker_walk_survives_any_prefix() -> None:
    data = hostile.saved("JPEG")
    for cut in range(0, len(data), 7):
        jpeg.read(data[:cut])


def test_hashes_are_of_the_file() -> None:
    import hashlib

    data = FILES["grey.jpg"][0]
    item = intake.decode(data).item
    assert item.sha256 == hashlib.sha256(data).hexdigest() and item.sha512 == hashlib.sha512(data).hexdigest()


def test_heic_through_its_extra() -> None:
    heif = pytest.importorskip("pillow_heif", reason="the heif extra is not installed")
    heif.register_heif_opener()
    data = hostile.saved("HEIF", quality=95)
    shown = intake.load(data, name="photo.heic")
    assert (shown.item.format, shown.item.media_type) == ("HEIF", "image/heic")
    assert np.abs(shown.pixels.astype(int) - hostile.scene().astype(int)).mean() < 6
    with pytest.raises(intake.IntakeError):
        intake.load(data[: len(data) // 2])


def test_heic_without_its_extra_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(intake.IntakeError) as refusal:
        intake.decode(b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", name="photo.heic")
    assert refusal.value.kind == "missing_codec" and "ifdl[heif]" in str(refusal.value)
