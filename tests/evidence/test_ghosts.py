"""JPEG ghosts: likelihoods of an earlier save, parts with another past, and the silences."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.evidence import _ghosts_blocks, ghosts
from ifdl.intake import decode
from ifdl.signal.double_jpeg import FREQUENCIES
from ifdl.signal.jpeg import standard_table
from ifdl.signal.regions import mask_of
from ifdl.types import Finding, State
from tests.photographs import bundled, camera
from tests.planting.ghosts import paste, plant


def run(data: bytes) -> Finding:
    (finding,) = ghosts.run(decode(data, name="picture"))
    return finding


def reduced(number: int, size: int = 480) -> Image.Image:
    """A bundled photograph resized, so that its own JPEG past is gone."""
    picture = Image.open(io.BytesIO(bundled()[number].data)).convert("RGB")
    side = min(picture.size)
    return picture.crop((0, 0, side, side)).resize((size, size), Image.Resampling.BICUBIC)


def saved(picture: Image.Image, quality: int = 0) -> bytes:
    buffer = io.BytesIO()
    if quality:
        picture.save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def again(picture: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(saved(picture, quality))).convert("RGB")


def overlap(finding: Finding, mask: NDArray[np.bool_]) -> float:
    found = mask_of(finding.regions, (mask.shape[0], mask.shape[1]))
    return float((found & mask).sum() / (found | mask).sum())


# ---------------------------------------------------------------- likelihoods


@pytest.mark.parametrize(("first", "step"), [(6, 4), (3, 2), (10, 3), (9, 1), (5, 7)])
def test_ratios_agree_with_simulated_coefficients(first: int, step: int) -> None:
    """Against counting: Laplace coefficients rounded twice, and once, with the noise of decoding between."""
    rng = np.random.default_rng(first)
    least, spread = _ghosts_blocks.lowest(step), 4
    scale = step / np.log1p(1 / _ghosts_blocks.SPREADS[spread])
    drawn = rng.laplace(0, scale, 4_000_000)
    noise = _ghosts_blocks.NOISE if step > 1 else _ghosts_blocks.NOISE_AT_ONE
    twice = np.rint(drawn / first) * first + rng.normal(0, noise, drawn.size)
    counts = [
        np.bincount(np.minimum(np.abs(np.rint(x / step)).astype(int), 33), minlength=34)[least:33].astype(float)
        for x in (twice, drawn)
    ]
    seen = (counts[0] > 50) & (counts[1] > 2000)
    expected = np.log(0.9 * (counts[0] / counts[0].sum()) / (counts[1] / counts[1].sum()) + 0.1)
    given = _ghosts_blocks.ratios(step)[first, spread, least - 1 :]
    assert seen.sum() >= 4
    np.testing.assert_allclose(given[seen], expected[seen], atol=0.08)


def test_no_first_step_and_the_files_own_say_nothing() -> None:
    ratios = _ghosts_blocks.ratios(4)
    assert not ratios[[0, 1, 4]].any() and ratios[7].any()


def test_evidence_is_the_sum_over_the_coefficients() -> None:
    pixels = np.asarray(reduced(0, 128))
    table = standard_table(90)
    cells = _ghosts_blocks.cells_of(pixels, table)
    firsts = np.array([[standard_table(q)[i] for i in FREQUENCIES] for q in (50, 70)])
    found = _ghosts_blocks.evidence(cells, firsts)
    by_hand = 0.0
    for f, step in enumerate(cells.steps):
        for value in range(1, _ghosts_blocks.BINS + 1):
            ratio = _ghosts_blocks.ratios(step)[firsts[1, f], cells.classes[1, 2, f], value - 1]
            by_hand += cells.histograms[1, 2, f, value - 1] * ratio
    assert found.shape == (2, 4, 4)
    assert found[1, 1, 2] == pytest.approx(by_hand, rel=1e-4)
    np.testing.assert_allclose(cells.histograms.max(), 16, atol=16)


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(("first", "last"), [(60, 90), (75, 93), (70, 0)])
def test_a_part_saved_once_more_is_found_and_the_rest_silent(first: int, last: int) -> None:
    base = reduced(0)
    mask = np.zeros((480, 480), bool)
    mask[160:320, 96:288] = True
    part = again(reduced(2), first)
    edited = Image.fromarray(np.where(mask[..., None], np.asarray(part), np.asarray(base)))
    found, clean = run(saved(edited, last)), run(saved(base, last))
    assert found.state is State.SUPPORTED and found.innocent and 0 < found.strength <= 1
    assert overlap(found, mask) > 0.5
    assert clean.state is (State.NO_TRACE_FOUND if last else State.OUT_OF_DOMAIN) and not clean.regions


def test_a_part_that_missed_a_save_is_found() -> None:
    base = again(reduced(2), 65)
    mask = np.zeros((480, 480), bool)
    mask[100:260, 200:400] = True
    edited = Image.fromarray(np.where(mask[..., None], np.asarray(reduced(0)), np.asarray(base)))
    found, clean = run(saved(edited, 92)), run(saved(base, 92))
    assert found.state is State.SUPPORTED and overlap(found, mask) > 0.4
    assert "65" in str(found.numbers["rest_past"]) or "of its own" in str(found.numbers["rest_past"])
    assert clean.state is State.NO_TRACE_FOUND and clean.strength == 0


def test_a_part_saved_finer_than_the_file_leaves_no_ghost() -> None:
    """The stated limit: nothing can show, so what was found above came from the coarser save."""
    base = np.array(reduced(0))
    base[160:320, 96:288] = np.asarray(again(reduced(2), 95))[160:320, 96:288]
    assert run(saved(Image.fromarray(base), 75)).state is State.NO_TRACE_FOUND


@pytest.mark.skipif(not camera(range(6, 8)), reason="../shared/data/camera is absent")
def test_camera_photographs() -> None:
    photographs = camera(range(6, 8), one_per_source=True)[:16]
    found = silent = total = 0
    for number, host in enumerate(photographs):
        assert run(host.data).state is not State.SUPPORTED
        rng = np.random.default_rng(number)
        planted = plant(host.data, photographs[(number + 5) % len(photographs)].data, rng)
        if planted is not None:
            total += 1
            found += run(planted.edited).state is State.SUPPORTED
            silent += run(planted.clean).state is not State.SUPPORTED
    assert total >= 8 and found >= 0.6 * total and silent == total


# ---------------------------------------------------------------- silence


@pytest.mark.parametrize("number", range(4))
def test_pictures_saved_anew_as_a_whole_are_silent(number: int) -> None:
    picture = Image.open(io.BytesIO(bundled()[number].data)).convert("RGB")
    once = again(picture, 70)
    for data in (saved(once, 90), saved(once), saved(once.crop((3, 5, *once.size)), 92), saved(again(once, 80), 95)):
        found = run(data)
        assert found.state is State.NO_TRACE_FOUND or not found.regions, found.sentence


def test_outside_its_domain() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    assert run(saved(Image.fromarray(noise[:100]), 80)).state is State.OUT_OF_DOMAIN
    assert run(saved(Image.fromarray(np.full((256, 256, 3), 128, np.uint8)), 80)).state is State.OUT_OF_DOMAIN
    assert run(saved(Image.fromarray(noise))).state is State.OUT_OF_DOMAIN
    buffer = io.BytesIO()
    channels = [reduced(n).convert("L") for n in (0, 2, 1)]
    Image.merge("RGB", channels).save(buffer, "JPEG", quality=60, keep_rgb=True)
    assert run(buffer.getvalue()).state is State.OUT_OF_DOMAIN


def test_planting_leaves_the_rest_alone() -> None:
    host, donor = bundled()[0].data, bundled()[2].data
    planted = paste(host, donor, np.random.default_rng(1), more=True, first=60, last=0)
    assert planted is not None and planted.mask is not None
    edited, clean = (np.asarray(Image.open(io.BytesIO(d))) for d in (planted.edited, planted.clean))
    assert (edited != clean)[planted.mask].any() and not (edited != clean)[~planted.mask].any()
    assert 0.02 < planted.mask.mean() < 0.2
