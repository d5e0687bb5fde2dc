"""Retouching: what is recorded is what was done, where it was done, and it does what its name says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ifdl import intake
from ifdl.forge import retouch
from ifdl.forge._liquify import WARPS, liquify
from ifdl.forge.record import Forgery, Material, box_of
from ifdl.forge.retouch import Patch
from tests.photographs import bundled

SEEDS = range(80)


def no_donors(rng: np.random.Generator) -> Material:
    raise AssertionError("retouching takes nothing from other photographs")


@pytest.fixture(scope="module")
def hosts() -> list[Material]:
    found = []
    for p in bundled():
        pixels = intake.load(p.data, name=p.name).pixels
        found.append(Material(np.ascontiguousarray(pixels[40:296, 96:352]), p.source, p.name, (0, 0)))
    return found


@pytest.fixture(scope="module")
def forgeries(hosts: list[Material]) -> list[tuple[Material, Forgery]]:
    found = []
    for seed in SEEDS:
        host = hosts[seed % len(hosts)]
        forgery = retouch.forge(host, no_donors, np.random.default_rng(seed))
        if forgery is not None:
            found.append((host, forgery))
    return found


def test_most_hosts_can_be_retouched_in_every_way(forgeries: list[tuple[Material, Forgery]]) -> None:
    assert len(forgeries) >= 0.9 * len(SEEDS)
    ways = {str(f.steps[0].parameters["way"]) for _, f in forgeries}
    assert {"blur", "bilateral", "sharpen", "noise", "jpeg", "resample", "liquify"} <= ways
    assert ways & {"contrast", "curve"} and ways & {"brightness", "gamma"}
    assert ways & {"hue", "saturation", "white balance"}


def test_truth_is_exact(forgeries: list[tuple[Material, Forgery]]) -> None:
    for host, forgery in forgeries:
        difference = cv2.absdiff(forgery.pixels, host.pixels)
        changed = difference.max(axis=2) > 0
        step = forgery.steps[0]
        assert forgery.mask.dtype == bool and forgery.pixels.dtype == np.uint8
        assert 0 < forgery.mask.mean() < 0.75
        assert step.target_box == box_of(forgery.mask)
        assert changed[forgery.mask].mean() >= retouch.ENOUGH
        assert step.parameters["change"] == round(float(difference[forgery.mask].mean()), 2)
        # Outside the mask the edit only fades: on average it changes far less there.
        rim = changed & ~forgery.mask
        if rim.any() and step.parameters["way"] != "liquify":
            assert difference[~forgery.mask].mean() < 0.5 * difference[forgery.mask].mean()
        # Of a faint edit no more than one cue is named.
        assert len(step.cues) == 1 or float(difference[forgery.mask].mean()) >= retouch.VISIBLE
        assert step.cues and step.traces


def test_same_seed_same_bytes_and_the_host_stays(hosts: list[Material]) -> None:
    for seed in range(12):
        host = hosts[seed % len(hosts)]
        before = host.pixels.copy()
        one = retouch.forge(host, no_donors, np.random.default_rng(seed))
        two = retouch.forge(host, no_donors, np.random.default_rng(seed))
        assert one is not None and two is not None
        assert np.array_equal(one.pixels, two.pixels) and np.array_equal(one.mask, two.mask)
        assert one.steps == two.steps
        assert np.array_equal(host.pixels, before)


def test_what_would_not_change_is_dropped() -> None:
    black = Material(np.zeros((128, 128, 3), np.uint8), "0")
    for seed in range(12):
        forgery = retouch.forge(black, no_donors, np.random.default_rng(seed))
        # Black cannot be blurred, recoloured or warped; adding to it leaves something, and a JPEG save may.
        left = ("noise", "brightness", "curve", "jpeg")
        assert forgery is None or forgery.steps[0].parameters["way"] in left
    tiny = Material(np.full((40, 200, 3), 90, np.uint8), "0")
    assert retouch.forge(tiny, no_donors, np.random.default_rng(0)) is None


# ---------------------------------------------------------------- each way does what it says


def patch_of(host: Material, strength: float, grid: tuple[int, int] | None = (0, 0)) -> Patch:
    return Patch(np.ascontiguousarray(host.pixels[60:190, 51:181]), (51, 60), grid, strength, 1.0)


def detail(pixels: np.ndarray) -> float:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(float)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


@pytest.mark.parametrize(
    ("way", "more"),
    [
        (retouch._blur, False),
        (retouch._smooth, False),
        (retouch._resample, False),
        (retouch._sharpen, True),
        (retouch._noise, True),
    ],
)
def test_detail_is_lost_or_gained(hosts: list[Material], way: retouch.Way, more: bool) -> None:
    for seed, host in enumerate(hosts):
        changes = []
        for strength in (0.0, 1.0):
            patch = patch_of(host, strength)
            edit = way(patch, np.random.default_rng(seed))
            assert edit.pixels.shape == patch.pixels.shape and edit.pixels.dtype == np.uint8
            assert (detail(edit.pixels) > detail(patch.pixels)) == more
            changes.append(float(cv2.absdiff(edit.pixels, patch.pixels).mean()))
        assert changes[1] > changes[0]


def test_noise_has_the_recorded_strength() -> None:
    flat = Patch(np.full((96, 96, 3), 128, np.uint8), (0, 0), None, 0.8, 1.0)
    for seed in range(6):
        edit = retouch._noise(flat, np.random.default_rng(seed))
        assert edit.pixels.std(axis=(0, 1)).mean() == pytest.approx(float(edit.parameters["sigma"]), rel=0.05)


def test_tone_moves_as_recorded(hosts: list[Material]) -> None:
    brighter = set()
    for seed in range(12):
        patch = patch_of(hosts[seed % len(hosts)], 0.7)
        edit = retouch._brightness(patch, np.random.default_rng(seed))
        up = edit.action == "made brighter"
        brighter.add(up)
        assert (edit.pixels.mean() > patch.pixels.mean()) == up
        edit = retouch._contrast(patch, np.random.default_rng(seed))
        assert (float(edit.parameters["gain"]) > 0) == (edit.action == "given more contrast")
        if edit.parameters["way"] == "contrast":
            more = float(edit.parameters["gain"]) > 0
            assert (edit.pixels.std() > patch.pixels.std()) == more
    assert brighter == {True, False}


def test_hue_turns_about_grey() -> None:
    turned = retouch._turn(np.deg2rad(120))
    assert np.allclose(turned @ np.ones(3), 1)
    assert np.allclose(turned @ np.array([1.0, 0, 0]), [0, 1, 0])  # red becomes green
    grey = np.full((64, 64, 3), 77, np.uint8)
    for seed in range(8):
        edit = retouch._colour(Patch(grey, (0, 0), None, 0.6, 1.0), np.random.default_rng(seed))
        if edit.parameters["way"] != "white balance":
            assert np.array_equal(edit.pixels, grey)
        else:
            assert np.ptp(edit.pixels[0, 0].astype(int)) > 5


def test_the_local_save_has_the_recorded_grid(hosts: list[Material]) -> None:
    """Blocks stand out where they should: steps across the recorded grid's lines exceed those elsewhere."""
    seen = set()
    for seed in range(10):
        patch = patch_of(hosts[seed % len(hosts)], 1.0)
        edit = retouch._recompress(patch, np.random.default_rng(seed))
        grey = cv2.cvtColor(edit.pixels, cv2.COLOR_RGB2GRAY).astype(float)
        second = np.abs(grey[:, 2:-1] - grey[:, 1:-2]) * 2 - np.abs(grey[:, 1:-2] - grey[:, :-3])
        second -= np.abs(grey[:, 3:] - grey[:, 2:-1])
        columns = (np.arange(2, grey.shape[1] - 1) + patch.at[0]) % 8
        strength = [second[:, columns == phase].mean() for phase in range(8)]
        assert int(np.argmax(strength)) == edit.parameters["grid_x"]
        aligned = (edit.parameters["grid_x"], edit.parameters["grid_y"]) == (0, 0)
        assert ("foreign_grid" in edit.traces) != aligned
        seen.add(aligned)
    assert seen == {True, False}


@pytest.mark.parametrize("warp", WARPS)
def test_warps_move_and_never_fold(warp: str) -> None:
    rows, columns = np.indices((120, 120))
    mask = (rows - 60) ** 2 + (columns - 60) ** 2 < 34**2
    # A picture that holds its own coordinates shows where each pixel was taken from.
    pixels = np.stack([2 * columns, 2 * rows, np.zeros_like(rows)], axis=2).astype(np.uint8)
    warped, moved = liquify(pixels, mask, warp, 5.0, 0.6)
    shift = (warped.astype(float) - pixels)[..., :2] / 2
    assert np.abs(np.hypot(*np.moveaxis(shift, 2, 0)) - moved).max() < 0.75
    assert 1 < moved.max() <= 5.01
    assert np.array_equal(warped[moved < 0.02], pixels[moved < 0.02])
    assert (np.diff(warped[..., 0].astype(int), axis=1) >= 0).all()
    assert (np.diff(warped[..., 1].astype(int), axis=0) >= 0).all()
    outward = (shift * np.stack([columns - 60, rows - 60], axis=2)).sum(axis=2)[mask].sum()
    if warp in ("bulge", "pinch"):
        assert (outward < 0) == (warp == "bulge")
