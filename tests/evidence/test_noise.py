"""Local noise: detail by cell, what the picture leads one to expect, planted grain, and the silences."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.evidence import _noise_cells, noise
from ifdl.intake import decode
from ifdl.signal.regions import mask_of
from ifdl.types import Finding, State
from tests.photographs import bundled, camera
from tests.planting.noise import grain, plant


def run(data: bytes) -> Finding:
    (finding,) = noise.run(decode(data, name="picture"))
    return finding


def saved(pixels: NDArray[np.uint8], quality: int = 0) -> bytes:
    buffer = io.BytesIO()
    if quality:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    else:
        Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def scene(seed: int = 0, size: int = 512) -> NDArray[np.float64]:
    """Smooth light with soft texture that differs from place to place."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.normal(0, 60, (size, size)), (0, 0), 1.5)
    where = cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), 40)
    return np.asarray(np.linspace(60, 180, size)[None, :] + texture * (0.4 + (where - where.min()) / np.ptp(where)))


def coloured(grey: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.repeat(np.rint(np.clip(grey, 0, 255)).astype(np.uint8)[..., None], 3, axis=2)


# ---------------------------------------------------------------- measuring


def test_detail_agrees_with_the_definition() -> None:
    rng = np.random.default_rng(2)
    grey = np.clip(rng.normal(120, 20, (70, 53)), 5, 250).astype(np.uint8)
    cells = _noise_cells.cells_of(np.repeat(grey[..., None], 3, axis=2))
    assert cells.fine.shape == (4, 3) and cells.valid.all()
    g = grey.astype(float)
    values = []
    for y in range(16, 32):
        for x in range(16, 32):
            around = g[y - 1 : y + 2, x - 1 : x + 2]
            values.append(abs((around * np.outer([1, -2, 1], [1, -2, 1])).sum()) / 6)
    assert cells.fine[1, 1] == pytest.approx(sorted(values)[128], abs=1e-3)


def test_white_noise_has_twice_as_much_fine_as_coarse_detail() -> None:
    noisy = coloured(np.random.default_rng(0).normal(128, 8, (1200, 320)))
    cells = _noise_cells.cells_of(noisy)
    assert np.log(np.median(cells.fine) / np.median(cells.coarse)) == pytest.approx(_noise_cells.WHITE, abs=0.05)
    assert np.median(cells.fine) == pytest.approx(0.6745 * 8, rel=0.05)


def test_strips_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = coloured(scene(1, 640))
    one = _noise_cells.cells_of(pixels)
    monkeypatch.setattr(_noise_cells, "STRIP", 64)
    many = _noise_cells.cells_of(pixels)
    np.testing.assert_allclose(one.fine[:-1], many.fine[:-1], atol=1e-4)
    np.testing.assert_allclose(one.coarse[:-1], many.coarse[:-1], atol=1e-4)


def test_one_part_cannot_set_its_own_expectation() -> None:
    """A part so noisy that only it has cells of that much coarse detail is still measured against the others."""
    grey = scene()
    grey[160:320, 96:288] += np.random.default_rng(1).normal(0, 25, (160, 192))
    cells = _noise_cells.cells_of(coloured(grey))
    above = _noise_cells.excess(cells)
    assert above is not None
    inside = np.zeros(above.shape, bool)
    inside[11:19, 7:17] = True
    assert np.median(above[inside]) > 0.4 and abs(np.median(above[~inside])) < 0.1


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize("quality", [0, 92])
def test_added_grain_is_found_where_it_is(quality: int) -> None:
    grey = scene(3) + np.random.default_rng(9).normal(0, 0.8, (512, 512))
    mask = np.zeros(grey.shape, bool)
    mask[160:320, 96:288] = True
    grainy = np.where(mask, grey + np.random.default_rng(4).normal(0, 7, grey.shape), grey)
    found, clean = run(saved(coloured(grainy), quality)), run(saved(coloured(grey), quality))
    assert found.state is State.SUPPORTED and found.innocent and 0 < found.strength <= 1
    region = mask_of(found.regions, (512, 512))
    assert (region & mask).sum() / (region | mask).sum() > 0.6
    assert float(found.numbers["times_expected"]) > 1.4
    assert clean.state is State.NO_TRACE_FOUND and not clean.regions and clean.strength == 0


@pytest.mark.parametrize("number", [0, 1])
def test_bundled_photographs(number: int) -> None:
    photograph = bundled()[number]
    assert run(photograph.data).state is not State.SUPPORTED
    planted = grain(photograph.data, np.random.default_rng(number + 3), sigma=9.0, quality=95)
    assert planted is not None
    assert run(planted.edited).state is State.SUPPORTED
    assert run(planted.clean).state is not State.SUPPORTED


@pytest.mark.skipif(not camera(range(6, 8)), reason="../shared/data/camera is absent")
def test_camera_photographs() -> None:
    found = silent = total = 0
    for number, host in enumerate(camera(range(6, 8), one_per_source=True)[:20]):
        assert run(host.data).state is not State.SUPPORTED
        planted = plant(host.data, b"", np.random.default_rng(number))
        if planted is not None:
            total += 1
            found += run(planted.edited).state is State.SUPPORTED
            silent += run(planted.clean).state is not State.SUPPORTED
    assert total >= 10 and found >= 0.6 * total and silent == total


# ---------------------------------------------------------------- silence


def test_a_part_out_of_focus_brighter_or_more_textured_is_not_reported() -> None:
    grey = scene(5) + np.random.default_rng(6).normal(0, 1, (512, 512))
    part = (slice(160, 320), slice(96, 288))
    blurred, bright, textured = grey.copy(), grey.copy(), grey.copy()
    blurred[part] = cv2.GaussianBlur(grey, (0, 0), 3)[part]
    bright[part] += 60
    textured[part] += cv2.GaussianBlur(np.random.default_rng(7).normal(0, 60, grey.shape), (0, 0), 1.5)[part]
    for changed in (blurred, bright, textured):
        assert run(saved(coloured(changed), 92)).state is State.NO_TRACE_FOUND


def test_outside_its_domain() -> None:
    assert run(saved(coloured(scene())[:100])).state is State.OUT_OF_DOMAIN
    assert run(saved(np.full((256, 256, 3), 255, np.uint8))).state is State.OUT_OF_DOMAIN
    assert "clipped" in run(saved(np.zeros((256, 256, 3), np.uint8))).sentence
