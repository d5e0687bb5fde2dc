"""Traces of resampling: spectra against known periods, planted parts and wholes, and the silences."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.evidence import _resampling_spectra as spectra
from ifdl.evidence import resampling
from ifdl.intake import decode
from ifdl.signal.regions import mask_of
from ifdl.types import Finding, Question, State
from tests.photographs import bundled, camera
from tests.planting.resampling import FILTERS, Change, changed, paste, plant, save


def run(data: bytes) -> dict[Question, Finding]:
    return {f.question: f for f in resampling.run(decode(data, name="picture"))}


def local(data: bytes) -> Finding:
    return run(data)[Question.LOCAL_EDIT]


def whole(data: bytes) -> Finding:
    return run(data)[Question.HISTORY]


def grain(side: int, seed: int = 0) -> Image.Image:
    """Smooth shapes with grain: detail everywhere and nothing periodic."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(60, 190, (8, 8, 3), dtype=np.uint8)).resize((side, side), FILTERS[1])
    return Image.fromarray(np.clip(np.asarray(coarse) + rng.normal(0, 8, (side, side, 3)), 0, 255).astype(np.uint8))


def pasted(base: Image.Image, part: Image.Image, box: tuple[int, int, int, int]) -> tuple[bytes, NDArray[np.bool_]]:
    """PNG with the part's own pixels of `box` (left, upper, right, lower) over the base, and their mask."""
    edited, mask = base.copy(), np.zeros(base.size[::-1], bool)
    edited.paste(part.crop(box), box[:2])
    mask[box[1] : box[3], box[0] : box[2]] = True
    return save(edited), mask


def overlap(finding: Finding, mask: NDArray[np.bool_]) -> float:
    found = mask_of(finding.regions, (mask.shape[0], mask.shape[1]))
    return float((found & mask).sum() / (found | mask).sum())


# ---------------------------------------------------------------- spectra


def test_amplitudes_are_sums_over_cells() -> None:
    plane = np.random.default_rng(1).normal(size=(100, 140)).astype(np.float32)
    found = spectra.amplitudes(plane, [(0.21, 0.13), (-0.13, 0.21)])
    assert found.shape == (2, 3, 4)
    y, x = np.mgrid[32:64, 96:128]
    by_hand = (plane[32:64, 96:128] * np.exp(-2j * np.pi * (-0.13 * y + 0.21 * x))).sum()
    assert found[1, 1, 3] == pytest.approx(by_hand, rel=1e-3)


def test_energy_is_the_mean_square_of_a_cell() -> None:
    plane = np.random.default_rng(2).normal(size=(70, 100)).astype(np.float32)
    assert spectra.energy(plane)[1, 2] == pytest.approx(np.mean(plane[32:64, 64:96] ** 2), rel=1e-4)


def test_refining_finds_a_frequency_between_bins() -> None:
    y, x = np.mgrid[:192, :192]
    wave = np.cos(2 * np.pi * (0.2031 * x + 0.0519 * y)) + np.cos(2 * np.pi * (0.2031 * y - 0.0519 * x))
    found = spectra.refined(wave.astype(np.float32), (round(0.0519 * 128) / 128, round(0.2031 * 128) / 128))
    assert found == pytest.approx((0.0519, 0.2031), abs=1 / 1500)


def test_tiles_of_rows_do_not_show() -> None:
    """A picture higher than a strip gives the values of its parts: strips overlap far enough."""
    pixels = np.asarray(grain(256, 3))
    tall = np.concatenate([pixels] * 5)
    cut = spectra.unpredicted(tall[300:900])
    np.testing.assert_allclose(spectra.unpredicted(tall)[330:870], cut[30:570], atol=1e-4)


def test_what_blocks_of_eight_make_is_left_out() -> None:
    rng = np.random.default_rng(4)
    picture = Image.fromarray(rng.integers(0, 256, (384, 384, 3), dtype=np.uint8))
    for quality in (85, 92):
        windows = spectra.windows_of(spectra.unpredicted(np.asarray(Image.open(io.BytesIO(save(picture, quality, 2))))))
        power, _, _ = resampling.whole_of(windows)
        assert power < resampling.WHOLE / 2
    assert spectra.blocked((0.125, 0.25)) and spectra.blocked((0.0, 0.0625)) and not spectra.blocked((0.0, 0.19))


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(
    "change", [Change(scale=1.45), Change(scale=1.7, method=FILTERS[2]), Change(degrees=14), Change(degrees=-21)]
)
def test_an_interpolated_part_is_found_and_the_rest_silent(change: Change) -> None:
    donor = changed(grain(600, 5), change).convert("RGB")
    left, top = (donor.width - 512) // 2, (donor.height - 512) // 2
    data, mask = pasted(grain(512), donor.crop((left, top, left + 512, top + 512)), (150, 160, 360, 350))
    found = local(data)
    assert found.state is State.SUPPORTED and found.innocent and found.strength > 0.5
    assert overlap(found, mask) > 0.5
    clean = local(save(grain(512)))
    assert clean.state is State.NO_TRACE_FOUND and clean.strength < 0.5 and not clean.regions


@pytest.mark.parametrize("seed", range(4))
def test_a_part_pasted_as_it_is_leaves_no_trace(seed: int) -> None:
    """The control: what was found above came from interpolation, not from pasting."""
    data, _ = pasted(grain(512, seed), grain(512, seed + 10), (150, 160, 360, 350))
    assert local(data).state is not State.SUPPORTED


def test_tiles_out_of_step_do_not_count() -> None:
    """Tiles of an interpolated picture, each from another place, keep its power and lose the common wave."""
    donor = np.asarray(changed(grain(600, 5), Change(scale=1.45)).convert("RGB"))
    base, rng = np.array(grain(512)), np.random.default_rng(0)
    # Of unequal sizes, since equal ones would make a lattice of seams.
    ys, xs = (np.concatenate([[start], start + np.cumsum(rng.integers(14, 31, 8))]) for start in (160, 150))
    for top, bottom in pairwise(ys):
        for left, right in pairwise(xs):
            y, x = rng.integers(0, 800, 2)
            base[top:bottom, left:right] = donor[y : y + bottom - top, x : x + right - left]
    assert local(save(Image.fromarray(base))).state is not State.SUPPORTED


def test_stripes_in_one_direction_are_no_part() -> None:
    """Railings and blinds repeat in one direction; enlarging and turning do in two."""
    base = np.asarray(grain(512)).astype(float)
    stripes = 25 * np.sin(2 * np.pi * 0.19 * np.arange(512))[None, :, None]
    base[160:350, 150:360] += np.broadcast_to(stripes, base.shape)[160:350, 150:360]
    assert local(save(Image.fromarray(np.clip(base, 0, 255).astype(np.uint8)))).state is not State.SUPPORTED


def test_found_on_bundled_pictures() -> None:
    found = total = 0
    photographs = bundled()
    for number, (host, donor) in enumerate([(0, 2), (2, 0), (0, 1), (3, 0), (2, 3), (0, 3)]):
        change = Change(scale=1.35 + 0.07 * number) if number % 2 else Change(degrees=10.0 + 2 * number)
        planted = paste(
            photographs[host].data, photographs[donor].data, np.random.default_rng(number), change=change, quality=0
        )
        if planted is not None:
            total += 1
            found += local(planted.edited).state is State.SUPPORTED
            assert local(planted.clean).state is not State.SUPPORTED
    assert total >= 3 and found >= total / 2


@pytest.mark.skipif(not camera(range(6, 8)), reason="../shared/data/camera is absent")
def test_camera_photographs() -> None:
    photographs = camera(range(6, 8), one_per_source=True)[:24]
    found = silent = total = 0
    for number, host in enumerate(photographs):
        assert local(host.data).state is not State.SUPPORTED, host.name
        rng = np.random.default_rng(number)
        planted = plant(host.data, photographs[(number + 5) % len(photographs)].data, rng)
        if planted is not None:
            total += 1
            found += local(planted.edited).state is State.SUPPORTED
            silent += local(planted.clean).state is not State.SUPPORTED
    assert total >= 12 and found >= 0.4 * total and silent >= total - 1


# ---------------------------------------------------------------- wholes


@pytest.mark.parametrize("change", [Change(scale=1.4), Change(scale=1.85, method=FILTERS[0]), Change(degrees=12)])
def test_a_whole_picture_interpolated_is_history_and_no_local_edit(change: Change) -> None:
    picture = changed(grain(600, 5), change)
    left, top = (picture.width - 448) // 2, (picture.height - 448) // 2
    found = run(save(picture.crop((left, top, left + 448, top + 448)).convert("RGB")))
    assert found[Question.HISTORY].state is State.SUPPORTED and found[Question.HISTORY].innocent
    assert found[Question.LOCAL_EDIT].state is not State.SUPPORTED


@pytest.mark.parametrize("number", range(4))
def test_photographs_saved_anew_are_silent(number: int) -> None:
    picture = Image.open(io.BytesIO(bundled()[number].data)).convert("RGB")
    shifted = picture.crop((3, 5, *picture.size))
    for data in (bundled()[number].data, save(picture), save(picture, 90, 2), save(shifted), save(shifted, 95)):
        found = run(data)
        assert found[Question.LOCAL_EDIT].state is not State.SUPPORTED
        assert found[Question.HISTORY].state is not State.SUPPORTED


# ---------------------------------------------------------------- domain


def test_outside_its_domain() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    for data in (
        save(Image.fromarray(noise[:180])),
        save(Image.fromarray(noise), 70),
        save(Image.fromarray(np.full((256, 256, 3), 128, np.uint8))),
    ):
        assert {f.state for f in run(data).values()} == {State.OUT_OF_DOMAIN}


def test_strength_rises_with_the_statistic_and_passes_one_half_at_the_threshold() -> None:
    values = [resampling._strength(r) for r in (-1, 0, 0.5, 0.999, 1.001, 2, 5)]
    assert values == sorted(values) and values[0] == 0 and values[3] < 0.5 < values[4] and values[-1] <= 1


def test_planting_leaves_the_rest_alone() -> None:
    host, donor = bundled()[0].data, bundled()[2].data
    planted = paste(host, donor, np.random.default_rng(1), change=Change(scale=1.5), quality=0)
    assert planted is not None and planted.mask is not None
    edited, clean = (np.asarray(Image.open(io.BytesIO(d))) for d in (planted.edited, planted.clean))
    assert (edited != clean)[planted.mask].any() and not (edited != clean)[~planted.mask].any()
    assert 0.03 < planted.mask.mean() < 0.22
