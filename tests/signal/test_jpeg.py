"""JPEG arithmetic against Pillow's libjpeg and SciPy's DCT."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy import fft
from skimage import data

from ifdl.signal import double_jpeg, jpeg


def pillow_tables(quality: int, **options: object) -> tuple[bytes, list[tuple[int, ...]]]:
    """A file Pillow wrote, and its tables; Pillow gives them in row-major order."""
    buffer = io.BytesIO()
    Image.fromarray(data.chelsea()[:64, :64]).save(buffer, "JPEG", quality=quality, **options)
    tables = Image.open(io.BytesIO(buffer.getvalue())).quantization  # type: ignore[attr-defined]
    return buffer.getvalue(), [tuple(t) for t in tables.values()]


@pytest.mark.parametrize("quality", [1, 5, 24, 49, 50, 51, 75, 88, 95, 99, 100])
def test_tables_are_libjpegs(quality: int) -> None:
    luma, chroma = pillow_tables(quality)[1]
    assert jpeg.standard_table(quality) == luma
    assert jpeg.standard_table(quality, chroma=True) == chroma
    assert jpeg.estimate_quality(luma, chroma) == (quality, True)


def test_quality_without_the_baseline_limit_is_exact_too() -> None:
    wide = jpeg.standard_table(3, baseline=False)
    assert max(wide) > 255
    assert jpeg.estimate_quality(wide, jpeg.standard_table(3, True, baseline=False)) == (3, True)


def test_other_tables_get_the_nearest_quality_and_are_not_exact() -> None:
    luma, chroma = list(jpeg.standard_table(80)), list(jpeg.standard_table(80, True))
    luma[5] += 1
    assert jpeg.estimate_quality(luma, chroma) == (80, False)
    # Luma of one quality with chroma of another is nobody's standard pair.
    assert not jpeg.estimate_quality(jpeg.standard_table(80), jpeg.standard_table(60, True))[1]
    assert jpeg.estimate_quality(jpeg.standard_table(80))[1]


def test_impossible_tables_and_qualities_are_refused() -> None:
    with pytest.raises(ValueError, match="64 steps"):
        jpeg.estimate_quality([1] * 63)
    with pytest.raises(ValueError, match="64 steps"):
        jpeg.estimate_quality([0] * 64)
    with pytest.raises(ValueError, match="1 to 100"):
        jpeg.standard_table(0)


def test_families_need_segments_not_guesses() -> None:
    standard = jpeg.standard_table(90), jpeg.standard_table(90, True)
    own = tuple(range(1, 65)), tuple(range(2, 66))
    assert jpeg.family(*standard, ("SOI", "APP14:Adobe")) is jpeg.Family.STANDARD
    assert jpeg.family(*own, ("SOI", "APP1:Exif")) is jpeg.Family.CUSTOM
    assert jpeg.family(*own, ("SOI", "APP13:Photoshop")) is jpeg.Family.CUSTOM
    assert jpeg.family(*own, ("SOI", "APP14:Adobe")) is jpeg.Family.ADOBE
    assert jpeg.family(*own, ("SOI", "APP12:Ducky")) is jpeg.Family.ADOBE


def test_tables_follow_the_components() -> None:
    one, two = (1,) * 64, (2,) * 64
    assert jpeg.tables_of({0: one, 1: two}, (1, 0, 0)) == (two, one)
    assert jpeg.tables_of({0: one, 1: two}, (0,)) == (one, None)
    assert jpeg.tables_of({}, ()) == (None, None)


def test_zigzag_is_the_standards() -> None:
    assert jpeg.ZIGZAG[:10] == (0, 1, 8, 16, 9, 2, 3, 10, 17, 24)
    assert jpeg.ZIGZAG[-3:] == (55, 62, 63) and sorted(jpeg.ZIGZAG) == list(range(64))


def test_block_dct_is_the_orthonormal_one() -> None:
    plane = np.random.default_rng(0).uniform(0, 255, (27, 43)).astype(np.float32)
    ours = jpeg.block_dct(plane)
    assert ours.shape == (3, 5, 8, 8)
    theirs = fft.dctn(plane[8:16, 32:40], norm="ortho")
    assert np.allclose(ours[1, 4], theirs, atol=1e-3)
    assert np.allclose(jpeg.block_dct(plane, 3), ours[..., :3, :3], atol=1e-3)
    assert jpeg.block_dct(plane[:5]).shape == (0, 5, 8, 8)


def test_luma_is_pillows() -> None:
    pixels = data.astronaut()
    ours = jpeg.luma(pixels)
    assert ours.dtype == np.float32
    assert np.abs(ours - np.asarray(Image.fromarray(pixels).convert("L"), float)).max() <= 0.51


def test_huffman_tables_are_told_apart() -> None:
    assert jpeg.has_standard_huffman(pillow_tables(85)[0]) is True
    assert jpeg.has_standard_huffman(pillow_tables(85, optimize=True)[0]) is False
    assert jpeg.has_standard_huffman(b"") is None
    assert jpeg.has_standard_huffman(b"\xff\xd8\xff\xc4") is None


def test_first_steps_are_read_from_the_histograms() -> None:
    buffer = io.BytesIO()
    first, second = jpeg.standard_table(70), jpeg.standard_table(92)
    Image.fromarray(data.astronaut()).save(buffer, "JPEG", quality=70, subsampling=0)
    again = io.BytesIO()
    Image.open(io.BytesIO(buffer.getvalue())).save(again, "JPEG", quality=92, subsampling=0)
    pixels = np.asarray(Image.open(io.BytesIO(again.getvalue())))
    blocks = double_jpeg.coefficients(pixels)
    assert double_jpeg.on_grid(blocks, second) and not double_jpeg.on_grid(blocks + 3.0, second)
    found = double_jpeg.frequencies(blocks, second)
    assert len(found) >= 15
    assert np.mean([f.best == first[f.index] for f in found]) >= 0.8
    lowest, highest, share = double_jpeg.previous_quality(found)
    assert lowest <= 70 <= highest and highest - lowest <= 3 and share > 0.8


def test_clipped_blocks_are_left_out() -> None:
    pixels = np.full((16, 16, 3), 100, np.uint8)
    pixels[3, 3, 1], pixels[12, 12, 2] = 0, 255
    assert len(double_jpeg.coefficients(pixels)) == 2
    assert len(double_jpeg.coefficients(pixels[:7])) == 0
