"""The JPEG grid clue: votes, main grid, pasted parts with another grid or none, and its silences."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from ifdl.evidence import _jpeg_votes, jpeg_grid
from ifdl.intake import decode
from ifdl.signal.regions import mask_of
from ifdl.signal.stats import log10_binomial_tail
from ifdl.types import Finding, Question, State
from tests.photographs import Photograph, bundled, camera
from tests.planting import Planted
from tests.planting.jpeg_grid import crop, paste, plant

HISTORY, LOCAL = Question.HISTORY, Question.LOCAL_EDIT


def run(data: bytes) -> dict[Question, Finding]:
    findings = jpeg_grid.run(decode(data, name="picture"))
    assert [f.question for f in findings] == list(jpeg_grid.CARD.questions)
    return {f.question: f for f in findings}


def saved(pixels: NDArray[np.uint8] | Image.Image, form: str = "PNG", quality: int = 90) -> bytes:
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    picture.save(buffer, form, **({"quality": quality, "subsampling": 0} if form == "JPEG" else {}))
    return buffer.getvalue()


def texture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(128, 40, (height, width, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.2) * 2 - 128, 5, 250).astype(np.uint8)


def overlap(finding: Finding, mask: NDArray[np.bool_]) -> float:
    found = mask_of(finding.regions, (mask.shape[0], mask.shape[1]))
    return float((found & mask).sum() / (found | mask).sum())


# ---------------------------------------------------------------- votes


def test_votes_agree_with_the_definition() -> None:
    """Against a plain loop over windows and pixels, on a picture with clipped and flat parts."""
    rng = np.random.default_rng(3)
    luma = cv2.GaussianBlur(rng.normal(128, 60, (40, 44)), (0, 0), 1).clip(0, 255).astype(np.uint8)
    luma = np.asarray(Image.open(io.BytesIO(saved(luma, "JPEG"))), np.uint8)[2:, 3:].copy()
    luma[20:31, 5:24] = 255
    luma[5:15, 24:36] = np.arange(10, dtype=np.uint8)[:, None] ** 2
    height, width = luma.shape
    zeros = np.zeros((height - 7, width - 7), int)
    constant = np.zeros(zeros.shape, bool)
    for y in range(height - 7):
        for x in range(width - 7):
            block = luma[y : y + 8, x : x + 8].astype(float)
            small = np.abs(dctn(block, norm="ortho")) < 0.4999
            zeros[y, x] = small.sum() - small[0, 0]
            constant[y, x] = (block == block[:1]).all() or (block == block[:, :1]).all()
    expected = np.full(luma.shape, _jpeg_votes.VOID)
    for y in range(7, height - 7):
        for x in range(7, width - 7):
            window = zeros[y - 7 : y + 1, x - 7 : x + 1]
            best = np.argwhere(window == window.max())
            by, bx = best[0] + (y - 7, x - 7)
            if len(best) == 1 and not constant[by, bx]:
                expected[y, x] = 8 * (by % 8) + bx % 8
    assert constant.any() and (expected != _jpeg_votes.VOID).mean() > 0.1
    np.testing.assert_array_equal(_jpeg_votes.zeros(luma), zeros)
    np.testing.assert_array_equal(_jpeg_votes.votes(luma), expected)
    np.testing.assert_array_equal(_jpeg_votes.votes(luma, band=5), expected)
    counts = _jpeg_votes.tally(_jpeg_votes.votes(luma))
    assert counts.shape == (4, 5, 65) and (counts.sum(axis=2, dtype=int) == 64).all()
    assert counts[1, 2, _jpeg_votes.VOID] == (expected[8:16, 16:24] == _jpeg_votes.VOID).sum()


def test_nfa_bounds_the_exact_tail_from_above() -> None:
    size = (768, 768)
    tests = 2 * np.log10(64 * 768 * 768)
    for blocks, hits in ((100, 10), (1000, 60), (9000, 300), (64, 64)):
        exact = log10_binomial_tail(hits, blocks, 1 / 64) + tests
        assert exact <= _jpeg_votes.log10_nfa(64 * hits, 64 * blocks, size) + 1e-9 <= exact + 0.2
    assert _jpeg_votes.log10_nfa(64 * 10**6, 64 * 10**6, size) < -(10**6)
    assert _jpeg_votes.log10_nfa(640, 64 * 640, size) == pytest.approx(tests)


# ---------------------------------------------------------------- history


@pytest.mark.parametrize("photograph", bundled(), ids=lambda p: p.name)
def test_the_grid_of_a_cropped_jpeg(photograph: Photograph) -> None:
    straight = run(photograph.data)
    assert straight[HISTORY].state is State.NO_TRACE_FOUND
    assert straight[LOCAL].state is State.NO_TRACE_FOUND
    cropped = run(crop(photograph.data, 3, 5))
    assert cropped[HISTORY].state is State.SUPPORTED
    assert (cropped[HISTORY].numbers["grid_x"], cropped[HISTORY].numbers["grid_y"]) == (5, 3)
    assert cropped[HISTORY].innocent and "PNG" in cropped[HISTORY].sentence
    assert cropped[LOCAL].state is State.NO_TRACE_FOUND
    again = run(crop(photograph.data, 3, 5, "JPEG", 100))
    assert again[HISTORY].state is State.SUPPORTED
    assert (again[HISTORY].numbers["grid_x"], again[HISTORY].numbers["grid_y"]) == (5, 3)
    lower = run(crop(photograph.data, 3, 5, "JPEG", 75))
    assert lower[HISTORY].state is State.NO_TRACE_FOUND


def test_a_resized_picture_has_no_grid() -> None:
    picture = Image.open(io.BytesIO(bundled()[0].data))
    small = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3), Image.Resampling.LANCZOS)
    for finding in run(saved(small)).values():
        assert finding.state is State.OUT_OF_DOMAIN
        assert not finding.regions and finding.sentence


def test_blocks_of_webp_are_not_taken_for_jpeg() -> None:
    picture = Image.open(io.BytesIO(bundled()[1].data))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=80)
    assert run(buffer.getvalue())[HISTORY].state is State.OUT_OF_DOMAIN


# ---------------------------------------------------------------- local edits


@pytest.mark.parametrize(("host", "donor"), [(0, 2), (1, 0), (2, 1)])
def test_a_shifted_paste_is_found_and_its_clean_sibling_silent(host: int, donor: int) -> None:
    files = bundled()
    planted = paste(files[host].data, files[donor].data, np.random.default_rng(host), resampled=False, png=True)
    assert planted is not None and planted.mask is not None
    found, clean = run(planted.edited)[LOCAL], run(planted.clean)[LOCAL]
    assert found.state is State.SUPPORTED and found.innocent and 0 < found.strength <= 1
    assert overlap(found, planted.mask) > 0.6
    assert clean.state is State.NO_TRACE_FOUND and not clean.regions and clean.strength == 0
    assert found.map is not None
    heat = found.map.at_full_size()
    assert np.median(heat[planted.mask]) > 4 * max(1, np.median(heat[~planted.mask]))
    assert jpeg_grid.run(decode(planted.edited, name="again.png"))[1].numbers == found.numbers


def test_a_paste_without_a_grid_is_found() -> None:
    host = saved(texture(512, 512), "JPEG", 88)
    pixels = np.array(Image.open(io.BytesIO(host)))
    mask = np.zeros(pixels.shape[:2], bool)
    mask[150:300, 211:390] = True
    edited = np.where(mask[..., None], texture(512, 512, seed=1), pixels)
    found = run(saved(edited))[LOCAL]
    assert found.state is State.SUPPORTED and found.numbers["missing"] == 1 and found.numbers["foreign"] == 0
    assert overlap(found, mask) > 0.7
    assert run(saved(pixels))[LOCAL].state is State.NO_TRACE_FOUND


def test_an_aligned_paste_is_not_claimed() -> None:
    """The stated limit: a part on the same grid is invisible, so the silence above comes from the grid."""
    pixels = np.array(Image.open(io.BytesIO(saved(texture(384, 384), "JPEG"))))
    donor = np.array(Image.open(io.BytesIO(saved(texture(384, 384, seed=2), "JPEG"))))
    for shift, state in ((0, State.NO_TRACE_FOUND), (3, State.SUPPORTED)):
        edited = pixels.copy()
        edited[96:240, 96:240] = donor[96 + shift : 240 + shift, 96:240]
        assert run(saved(edited))[LOCAL].state is state


def test_a_crop_saved_again_is_history_and_not_called_a_paste() -> None:
    """Old and new blocks show side by side all over such a picture."""
    for photograph in bundled()[:3]:
        found = run(crop(photograph.data, 3, 5, "JPEG", 98))
        assert found[HISTORY].state is State.SUPPORTED
        numbers = found[HISTORY].numbers
        main, second = (numbers[k] for k in ("grid_x", "grid_y")), (numbers.get(f"second_{k}", 0) for k in "xy")
        assert {tuple(main), tuple(second)} == {(0, 0), (5, 3)}
        assert found[LOCAL].state is State.INCONCLUSIVE and not found[LOCAL].innocent


# ---------------------------------------------------------------- silence


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.full((63, 400, 3), 90, np.uint8),
        np.full((256, 256, 3), 255, np.uint8),
        np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3)),
        np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8),
        texture(64, 3000),
        np.kron(np.random.default_rng(1).integers(0, 2, (16, 16, 1)) * 255, np.ones((19, 23, 3))).astype(np.uint8),
    ],
    ids=["dot", "narrow", "white", "ramp", "noise", "strip", "checks"],
)
def test_out_of_domain_rather_than_a_guess(pixels: NDArray[np.uint8]) -> None:
    for finding in run(saved(pixels)).values():
        assert finding.state is State.OUT_OF_DOMAIN, finding.sentence


def test_black_bars_are_not_an_edit() -> None:
    pixels = np.array(Image.open(io.BytesIO(bundled()[0].data)))
    barred = np.pad(pixels, ((51, 50), (0, 0), (0, 0)))
    findings = run(saved(barred))
    assert findings[LOCAL].state is State.NO_TRACE_FOUND
    assert findings[HISTORY].numbers["grid_y"] == 51 % 8


# ---------------------------------------------------------------- camera photographs


def test_planted_camera_photographs() -> None:
    photographs = camera(range(8), one_per_source=True)[::8]
    if not photographs:
        pytest.skip("needs ../shared/data/camera")
    rng = np.random.default_rng(11)
    planted: list[Planted] = []
    for number, host in enumerate(photographs):
        made = plant(host.data, photographs[(number + 5) % len(photographs)].data, rng)
        planted += [made] if made else []
    assert len(planted) >= 10
    edited = [run(p.edited)[LOCAL] for p in planted]
    clean = [run(p.clean)[LOCAL] for p in planted]
    assert np.mean([f.state is not State.OUT_OF_DOMAIN for f in edited]) >= 0.8
    hits = [overlap(f, p.mask) for f, p in zip(edited, planted, strict=True) if f.regions and p.mask is not None]
    assert sum(f.state is State.SUPPORTED for f in edited) >= 0.6 * len(planted)
    assert np.median(hits) > 0.6
    assert not any(f.state is State.SUPPORTED for f in clean)


def test_camera_photographs_raise_no_alarm() -> None:
    photographs = camera(one_per_source=True)[::7]
    if not photographs:
        pytest.skip("needs ../shared/data/camera")
    for photograph in photographs:
        for finding in run(photograph.data).values():
            assert finding.state is not State.SUPPORTED, (photograph.name, finding.sentence)
