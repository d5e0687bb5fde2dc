"""Removal: the gap is filled from the host, only there, exactly as recorded, and as its surroundings look."""

from __future__ import annotations

import numpy as np
import pytest

from ifdl import intake
from ifdl.forge import _inpaint, remove
from ifdl.forge.record import Forgery, Material, box_of
from tests.photographs import bundled

SEEDS = range(32)


def no_donors(rng: np.random.Generator) -> Material:
    raise AssertionError("a removal takes nothing from other photographs")


@pytest.fixture(scope="module")
def hosts() -> list[Material]:
    found = []
    for p in bundled():
        pixels = intake.load(p.data, name=p.name).pixels
        y, x = 40, 96
        found.append(Material(np.ascontiguousarray(pixels[y : y + 256, x : x + 256]), p.source, p.name, (0, 0)))
    return found


@pytest.fixture(scope="module")
def forgeries(hosts: list[Material]) -> list[tuple[Material, Forgery]]:
    found = []
    for seed in SEEDS:
        host = hosts[seed % len(hosts)]
        forgery = remove.forge(host, no_donors, np.random.default_rng(seed))
        if forgery is not None:
            found.append((host, forgery))
    return found


def test_most_hosts_can_carry_a_removal_in_every_way(forgeries: list[tuple[Material, Forgery]]) -> None:
    assert len(forgeries) >= 0.75 * len(SEEDS)
    assert {f.steps[0].parameters["way"] for _, f in forgeries} == {"diffusion", "patches", "background"}


def test_truth_is_exact(forgeries: list[tuple[Material, Forgery]]) -> None:
    for host, forgery in forgeries:
        changed = (forgery.pixels != host.pixels).any(axis=2)
        step = forgery.steps[0]
        assert forgery.pixels.dtype == np.uint8 and forgery.mask.dtype == bool
        assert forgery.mask.shape == host.pixels.shape[:2]
        assert 0.002 < forgery.mask.mean() < 0.25
        assert step.target_box == box_of(forgery.mask)
        assert changed[forgery.mask].mean() >= remove.ENOUGH
        # Beyond the mask only the feather's outer half: no change further out than that.
        feather = int(np.ceil(float(step.parameters["feather"]))) + 1
        x, y, width, height = step.target_box
        allowed = np.zeros_like(forgery.mask)
        allowed[max(0, y - feather) : y + height + feather, max(0, x - feather) : x + width + feather] = True
        assert not (changed & ~allowed).any()
        assert (changed & ~forgery.mask).sum() < 0.6 * forgery.mask.sum() + 200


def test_same_seed_same_bytes_and_the_host_stays(hosts: list[Material]) -> None:
    seen = 0
    for seed in range(6):
        host = hosts[seed % len(hosts)]
        before = host.pixels.copy()
        one = remove.forge(host, no_donors, np.random.default_rng(seed))
        two = remove.forge(host, no_donors, np.random.default_rng(seed))
        assert (one is None) == (two is None)
        if one is not None and two is not None:
            seen += 1
            assert np.array_equal(one.pixels, two.pixels) and np.array_equal(one.mask, two.mask)
            assert one.steps == two.steps
        assert np.array_equal(host.pixels, before)
    assert seen >= 4
    masks = [f.mask for s in range(4) if (f := remove.forge(hosts[0], no_donors, np.random.default_rng(s))) is not None]
    assert len(masks) >= 2 and not np.array_equal(masks[0], masks[1])


def test_a_black_or_tiny_picture_is_declined() -> None:
    black = Material(np.zeros((128, 128, 3), np.uint8), "0")
    assert all(remove.forge(black, no_donors, np.random.default_rng(s)) is None for s in range(4))
    tiny = Material(np.full((40, 200, 3), 90, np.uint8), "0")
    assert remove.forge(tiny, no_donors, np.random.default_rng(0)) is None


# ---------------------------------------------------------------- the three ways


def stripes(size: int = 128, period: int = 16) -> np.ndarray:
    """Upright stripes of two greys, lightly blurred by construction (a sine)."""
    wave = 128 + 80 * np.sin(2 * np.pi * np.arange(size) / period)
    return np.repeat(np.repeat(np.rint(wave).astype(np.uint8)[None, :, None], size, axis=0), 3, axis=2)


def gap(size: int = 128, radius: int = 14) -> np.ndarray:
    rows, columns = np.indices((size, size))
    return (rows - 60) ** 2 + (columns - 66) ** 2 < radius**2


def spoilt(pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with bright red where the hole is: none of it may survive."""
    out = pixels.copy()
    out[hole] = (255, 0, 0)
    return out


def test_patches_continue_a_pattern_through_the_gap() -> None:
    hole = gap()
    filled = _inpaint.quilt(spoilt(stripes(), hole), hole)
    assert filled is not None
    assert filled.side % _inpaint.PATCH == 0 and filled.count > 4 and filled.misfit < 8
    error = np.abs(filled.pixels.astype(int) - stripes())[hole].mean()
    assert error < 12  # a flat grey would be off by 51
    assert np.array_equal(filled.pixels[~hole], stripes()[~hole])


def test_patches_reach_the_last_rows_and_columns() -> None:
    rng = np.random.default_rng(5)
    clean = np.repeat(rng.integers(90, 120, (131, 127, 1), np.uint8), 3, axis=2)
    hole = np.zeros((131, 127), bool)
    hole[100:, 95:] = True
    filled = _inpaint.quilt(spoilt(clean, hole), hole)
    assert filled is not None
    assert np.abs(filled.pixels[hole].astype(int) - 105).max() <= 30  # grey of the picture, nothing red


def test_background_is_found_where_the_pattern_fits_and_poisson_levels_it() -> None:
    hole = gap()
    ramp = np.linspace(0, 60, 128)[:, None, None]
    clean = np.clip(stripes() * 0.7 + ramp, 0, 255).astype(np.uint8)
    picture = spoilt(clean, hole)
    found = _inpaint.background(picture, hole, np.random.default_rng(1), level=True)
    assert found is not None
    x, y, width, height = _inpaint.source_box(hole, found.shift)
    assert 0 <= x and 0 <= y and x + width <= 128 and y + height <= 128
    source = np.roll(hole, found.shift[::-1], (0, 1))
    assert not (source & hole).any()
    plain = _inpaint.clone(picture, hole, found.shift, poisson=False)
    assert np.array_equal(plain[hole], picture[source])
    for poisson in (True, False):
        filled = _inpaint.clone(picture, hole, found.shift, poisson)
        assert np.abs(filled.astype(int) - clean)[hole].mean() < (8 if poisson else 30)
        assert np.array_equal(filled[~hole], picture[~hole])


def test_poisson_blending_takes_the_pixels_it_says() -> None:
    """With the rims already alike the levelled copy is the plain copy: OpenCV's centring is undone exactly."""
    period = 32
    tile = np.random.default_rng(3).integers(40, 200, (period, period, 3), np.uint8)
    picture = np.tile(tile, (4, 4, 1))
    for radius in (9, 10, 11):
        hole = gap(radius=radius)
        hole[60, 66 + radius] = True  # odd and even boxes
        filled = _inpaint.clone(spoilt(picture, hole), hole, (period, 0), poisson=True)
        assert np.abs(filled.astype(int) - picture).max() <= 8


def test_a_membrane_spans_a_slope_exactly_and_its_rim_stays() -> None:
    rows, columns = np.indices((40, 52), np.float32)
    slope = np.stack([rows, columns, rows + columns], axis=2)
    known = np.ones((40, 52), np.float32)
    known[8:31, 10:40] = 0
    spanned = _inpaint.membrane(np.where(known[..., None] > 0, slope, np.float32(-99)), known)
    assert np.abs(spanned - slope).max() < 1.5  # of a range of 90
    assert np.array_equal(spanned[known > 0], slope[known > 0])


@pytest.mark.parametrize("telea", [True, False])
def test_diffusion_carries_the_rim_inwards(telea: bool) -> None:
    ramp = np.repeat(np.rint(np.linspace(60, 180, 128)).astype(np.uint8)[None, :, None], 128, axis=0).repeat(3, axis=2)
    hole = gap(radius=8)
    filled = _inpaint.diffuse(spoilt(ramp, hole), hole, telea)
    assert np.abs(filled.astype(int) - ramp)[hole].mean() < 6
    assert np.array_equal(filled[~hole], ramp[~hole])
