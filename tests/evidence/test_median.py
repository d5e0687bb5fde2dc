"""Median filter and blur: residuals by cell, planted smoothing, and the silences."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ifdl.evidence import _median_cells, median
from ifdl.intake import decode
from ifdl.signal.regions import mask_of
from ifdl.types import Finding, State
from tests.photographs import bundled, camera
from tests.planting.median import filtered_by, plant, smooth


def run(data: bytes) -> Finding:
    (finding,) = median.run(decode(data, name="picture"))
    return finding


def saved(pixels: NDArray[np.uint8], quality: int = 0) -> bytes:
    buffer = io.BytesIO()
    if quality:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def photograph(number: int = 0) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(bundled()[number].data)).convert("RGB"))


def scene(seed: int = 0, size: int = 512) -> NDArray[np.uint8]:
    """Texture of all scales with some noise; how much of it differs from place to place."""
    rng = np.random.default_rng(seed)
    grey = np.full((size, size), 128.0)
    for spread, strength in ((0.6, 40), (1.5, 60), (4, 120), (12, 200)):
        where = cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), 30)
        share = 0.3 + (where - where.min()) / np.ptp(where)
        grey += share * cv2.GaussianBlur(rng.normal(0, strength, (size, size)), (0, 0), spread)
    return np.repeat(np.rint(np.clip(grey, 8, 247)).astype(np.uint8)[..., None], 3, axis=2)


def part(size: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(size[:2], bool)
    mask[150:300, 200:370] = True
    return mask


def within(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], kind: str, size: float) -> NDArray[np.uint8]:
    return np.where(mask[..., None], filtered_by(pixels, kind, size), pixels)


# ---------------------------------------------------------------- measuring


def test_residuals_agree_with_the_definition() -> None:
    """Against scipy, pixel by pixel: one cell's mean over 3×3 cells."""
    pixels = np.random.default_rng(2).integers(10, 240, (80, 96, 3), dtype=np.uint8)
    cells = _median_cells.cells_of(pixels)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(float)
    inside = (slice(16, 64), slice(16, 64))
    medians = np.abs(grey - ndimage.median_filter(grey, 3))[inside].mean()
    means = [ndimage.uniform_filter(grey, n) for n in (3, 5, 9, 17)]
    assert cells.median.shape == (5, 6) and cells.valid.all()
    assert cells.median[2, 2] == pytest.approx(medians, rel=1e-4)
    assert cells.mean[2, 2] == pytest.approx(np.abs(grey - means[0])[inside].mean(), rel=1e-4)
    assert cells.coarse[2, 2] == pytest.approx(np.abs(means[1] - means[2])[inside].mean(), rel=1e-3)
    across, down = np.abs(np.diff(grey, axis=1))[16:64, 15:63], np.abs(np.diff(grey, axis=0))[15:63, 16:64]
    for values, count in ((cells.zeros, 0), (cells.ones, 1)):
        assert values[2, 2] == pytest.approx(((across == count).mean() + (down == count).mean()) / 2, abs=1e-5)


def test_strips_do_not_show() -> None:
    pixels = np.random.default_rng(3).integers(10, 240, (1100, 96, 3), dtype=np.uint8)
    whole = _median_cells.cells_of(pixels)
    shifted = _median_cells.cells_of(pixels[160:])
    for name in ("median", "mean", "coarse", "contrast", "zeros", "ones"):
        np.testing.assert_allclose(getattr(whole, name)[12:-1], getattr(shifted, name)[2:-1], rtol=1e-3, atol=1e-5)


def test_a_median_is_idempotent_and_streaks_where_a_blur_does_not() -> None:
    pixels = scene()
    plain, filtered, blurred = (
        _median_cells.cells_of(p) for p in (pixels, filtered_by(pixels, "median", 3), filtered_by(pixels, "mean", 3))
    )
    idem = [float(np.median(_median_cells.idempotence(c))) for c in (plain, filtered, blurred)]
    streaks = [float(np.median(_median_cells.streaking(c))) for c in (plain, filtered, blurred)]
    lost = [float(np.median(_median_cells.loss(c))) for c in (plain, filtered, blurred)]
    assert idem[1] > idem[0] + 0.2 and streaks[1] > streaks[0] + 0.1 and streaks[1] > streaks[2]
    assert lost[1] > lost[0] + 0.2 and lost[2] > lost[0] + 0.2


def test_a_part_cannot_set_its_own_expectation() -> None:
    cells = _median_cells.cells_of(scene())
    values = _median_cells.idempotence(cells)
    values[4:10, 4:10] += 1
    found = _median_cells.excess(values, cells)
    assert found is not None
    assert np.nanmedian(found[4:10, 4:10]) > 0.8 and abs(float(np.nanmedian(found))) < 0.1


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("kind", "size", "quality"),
    [("median", 3, 0), ("median", 5, 0), ("median", 7, 0), ("gaussian", 1.5, 0), ("gaussian", 1.5, 95)],
)
def test_a_smoothed_part_is_found_and_the_rest_silent(kind: str, size: float, quality: int) -> None:
    pixels = scene()
    mask = part(pixels.shape)
    found, clean = run(saved(within(pixels, mask, kind, size), quality)), run(saved(pixels, quality))
    assert found.state is State.SUPPORTED and found.innocent and 0.5 < found.strength <= 1
    marked = mask_of(found.regions, mask.shape)
    assert (marked & mask).sum() / (marked | mask).sum() > 0.5
    assert clean.state is State.NO_TRACE_FOUND and not clean.regions and clean.strength < 0.5
    assert found.map is not None
    heat = found.map.at_full_size()
    assert heat[mask].mean() > 3 * heat[~mask].mean()


def test_bundled_photographs() -> None:
    """The most textured place of each, smoothed: on most the strength rises, and no sibling is supported."""
    risen = 0
    for number, photograph in enumerate(bundled()[:3]):
        planted = smooth(photograph.data, np.random.default_rng(number), kind="median", size=5, quality=0)
        assert planted is not None and planted.mask is not None
        found, clean = run(planted.edited), run(planted.clean)
        assert clean.state is not State.SUPPORTED
        risen += found.strength > clean.strength
    assert risen >= 2


@pytest.mark.skipif(not camera(range(6, 8)), reason="../shared/data/camera is absent")
def test_camera_photographs() -> None:
    found = silent = total = 0
    for host in camera(range(6, 8), one_per_source=True)[:16]:
        planted = plant(host.data, b"", np.random.default_rng(int(host.source, 16) % 2**32))
        assert run(host.data).state is not State.SUPPORTED
        if planted is not None:
            total += 1
            found += run(planted.edited).state is State.SUPPORTED
            silent += run(planted.clean).state is not State.SUPPORTED
    assert total >= 8 and found >= 0.5 * total and silent == total


# ---------------------------------------------------------------- silence


@pytest.mark.parametrize(("kind", "size"), [("median", 5), ("gaussian", 1.5)])
def test_a_picture_smoothed_as_a_whole_is_silent(kind: str, size: float) -> None:
    """The control: the same filter everywhere is no local edit, though every cell bears it."""
    assert run(saved(filtered_by(scene(), kind, size), 95)).state is not State.SUPPORTED
    assert run(saved(filtered_by(photograph(2), kind, size), 95)).state is not State.SUPPORTED


def test_scattered_cells_are_no_part() -> None:
    """As many filtered cells as the part above has, but strewn over the picture."""
    pixels = scene()
    choice = np.random.default_rng(4).permutation(32 * 32)[:100]
    cells = np.zeros(32 * 32, bool)
    cells[choice] = True
    mask = np.kron(cells.reshape(32, 32), np.ones((16, 16))) > 0
    assert run(saved(within(pixels, mask, "median", 5))).state is not State.SUPPORTED


def test_focus_that_fades_is_not_supported() -> None:
    """A lens: blur that grows from nothing at the left to much at the right, and noise of the sensor on top."""
    pixels = scene().astype(float)
    levels = [ndimage.gaussian_filter(pixels, (s, s, 0)) if s else pixels for s in (0, 0.5, 1, 1.5, 2)]
    where = np.clip(np.linspace(0, 3.999, 512), 0, 3.999)
    low, share = where.astype(int), (where % 1)[None, :, None]
    columns = np.arange(512)
    stack = np.stack(levels)
    faded = (1 - share) * stack[low, :, columns].swapaxes(0, 1) + share * stack[low + 1, :, columns].swapaxes(0, 1)
    noise = np.random.default_rng(1).normal(0, 2, (512, 512, 1))
    assert run(saved(np.rint(np.clip(faded + noise, 0, 255)).astype(np.uint8), 95)).state is not State.SUPPORTED


def test_outside_its_domain() -> None:
    assert run(saved(scene()[:150])).state is State.OUT_OF_DOMAIN
    assert run(saved(np.full((256, 256, 3), 255, np.uint8))).state is State.OUT_OF_DOMAIN
    flat = np.zeros((512, 512, 3), np.uint8)
    flat[:, :64] = scene()[:, :64]
    assert run(saved(flat)).state is State.OUT_OF_DOMAIN


def test_planting_leaves_the_rest_alone() -> None:
    planted = smooth(bundled()[0].data, np.random.default_rng(1), kind="median", size=3, quality=0)
    assert planted is not None and planted.mask is not None
    edited, clean = (np.asarray(Image.open(io.BytesIO(d))) for d in (planted.edited, planted.clean))
    assert (edited != clean)[planted.mask].mean() > 0.1 and not (edited != clean)[~planted.mask].any()
    assert 0.02 < planted.mask.mean() < 0.21
    whole = ndimage.median_filter(clean[..., 1], 3)
    assert np.array_equal(edited[..., 1][planted.mask], whole[planted.mask])
