"""Demosaicing: the pattern, its trace by cell, parts that lack it or have another, and the silences."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ifdl.evidence import _cfa_cells, cfa
from ifdl.intake import decode
from ifdl.signal.regions import mask_of
from ifdl.types import Finding, State
from tests.photographs import bundled, camera
from tests.planting.cfa import demosaicked, paste, plant

PART = (slice(144, 272), slice(96, 256))


def run(data: bytes) -> Finding:
    (finding,) = cfa.run(decode(data, name="picture"))
    return finding


def scene(number: int = 0, size: int = 480) -> Image.Image:
    """A bundled photograph resized, so that it has no trace of its own."""
    picture = Image.open(io.BytesIO(bundled()[number].data)).convert("RGB")
    side = min(picture.size)
    return picture.crop((0, 0, side, side)).resize((size, size), Image.Resampling.BICUBIC)


def taken(
    picture: Image.Image, phase: tuple[int, int] = (0, 1), *, gradients: bool = True, seed: int = 0
) -> Image.Image:
    return demosaicked(picture, phase, gradients, 1.0, np.random.default_rng(seed))


def put(base: Image.Image, part: Image.Image, where: tuple[slice, slice] = PART) -> Image.Image:
    pixels = np.array(base)
    pixels[where] = np.asarray(part)[where]
    return Image.fromarray(pixels)


def saved(picture: Image.Image, quality: int = 0) -> bytes:
    buffer = io.BytesIO()
    if quality:
        picture.save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def overlap(finding: Finding) -> float:
    mask = np.zeros((480, 480), bool)
    mask[PART] = True
    found = mask_of(finding.regions, (480, 480))
    return float((found & mask).sum() / (found | mask).sum())


# ---------------------------------------------------------------- measuring


@pytest.mark.parametrize("phase", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_pattern_is_found(phase: tuple[int, int]) -> None:
    place = 2 * phase[0] + phase[1]
    sharp = _cfa_cells.pattern_of(np.asarray(taken(scene(), phase)))
    plain = _cfa_cells.pattern_of(np.asarray(taken(scene(), phase, gradients=False)))
    assert sharp.red == place and sharp.trace > 1
    # Bilinear greens do not look at red and blue, so that these two cannot be told apart.
    assert plain.red in (place, 3 - place) and plain.trace > 1
    assert _cfa_cells.pattern_of(np.asarray(scene())).trace < 0.1


def test_the_interpolation_is_recovered() -> None:
    """Its kernels undo what the sensor's software did: at red pixels no more than rounding is left."""
    pixels = np.asarray(taken(scene(), (0, 0)))
    pattern = _cfa_cells.pattern_of(pixels)
    error = sum(cv2.filter2D(pixels[..., i].astype(np.float32), -1, pattern.at_red[i]) for i in range(3))
    inner = np.abs(np.asarray(error)[4:-4, 4:-4])
    assert np.median(inner[0::2, 0::2]) < 0.5 < 3 * np.median(inner[0::2, 0::2]) < np.median(inner[0::2, 1::2])


def test_the_trace_agrees_with_its_definition() -> None:
    pixels = np.asarray(taken(scene(1, 256), (1, 0)))
    pattern = _cfa_cells.pattern_of(pixels)
    cells = _cfa_cells.cells_of(pixels, pattern)
    by_hand = np.zeros((16, 16))
    for place, kernels in ((pattern.red, pattern.at_red), (3 - pattern.red, pattern.at_blue)):
        error = sum(cv2.filter2D(pixels[..., i].astype(np.float64), -1, kernels[i].astype(float)) for i in range(3))
        square = np.asarray(error) ** 2
        mean = [cv2.blur(np.ascontiguousarray(square[p // 2 :: 2, p % 2 :: 2]), (7, 7)) + 0.05 for p in range(4)]
        logs = [np.log(m).reshape(16, 8, 16, 8).mean(axis=(1, 3)) for m in mean]
        by_hand += (sum(logs[p] for p in range(4) if p not in (pattern.red, 3 - pattern.red)) / 2 - logs[place]) / 2
    np.testing.assert_allclose(cells.trace, by_hand, atol=2e-3)


def test_strips_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.asarray(taken(scene()))
    pattern = _cfa_cells.pattern_of(pixels)
    many = _cfa_cells.cells_of(pixels, pattern)
    monkeypatch.setattr(_cfa_cells, "STRIP", 480)
    one = _cfa_cells.cells_of(pixels, pattern)
    np.testing.assert_allclose(one.trace, many.trace, atol=1e-4)
    np.testing.assert_allclose(one.level, many.level, atol=1e-4)
    assert np.array_equal(one.valid, many.valid)


def test_one_part_cannot_set_its_own_expectation() -> None:
    """A part of finer detail than anything else, without a trace, is still expected to have one."""
    level, trace = np.zeros((30, 30), np.float32), np.ones((30, 30), np.float32)
    level[:, :15] = -1.0
    trace[:, :15] = 0.5
    level[5:12, 4:12], trace[5:12, 4:12] = 2.0, 0.0
    usual = _cfa_cells.expected(_cfa_cells.Cells(trace, level, np.ones((30, 30), bool)))
    np.testing.assert_allclose(usual[5:12, 4:12], 1.0)
    np.testing.assert_allclose(usual[20:, :15], 0.5)
    level[0, 0] = -2.0
    faint = _cfa_cells.expected(_cfa_cells.Cells(trace, level, np.ones((30, 30), bool)))[0, 0]
    assert faint == pytest.approx(0.5 * np.exp(-2), rel=1e-3)


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize("quality", [0, 97])
@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("kind", ["none", "shifted", "enlarged"])
def test_a_part_without_the_trace_is_found_and_the_rest_silent(kind: str, gradients: bool, quality: int) -> None:
    base = taken(scene(), gradients=gradients)
    other = {
        "none": scene(2),
        "shifted": taken(scene(2), (0, 0), gradients=gradients, seed=1),
        "enlarged": taken(scene(2, 400), gradients=gradients, seed=1).resize((480, 480), Image.Resampling.BICUBIC),
    }[kind]
    found, clean = run(saved(put(base, other), quality)), run(saved(base, quality))
    assert found.state is State.SUPPORTED and found.innocent and 0.5 < found.strength <= 1
    assert overlap(found) > 0.5
    assert clean.state is State.NO_TRACE_FOUND and not clean.regions and clean.strength < 0.2


def test_the_map_is_of_the_trace() -> None:
    """Half-way where it is lost, beyond where it lies on other pixels, next to nothing elsewhere."""
    base = taken(scene())
    values = []
    for other in (scene(2), taken(scene(2), (0, 0), seed=1)):
        found = run(saved(put(base, other)))
        assert found.map is not None and found.map.valid is not None
        levels, valid = found.map.values / 65535, found.map.valid
        inside, outside = np.zeros(valid.shape, bool), np.ones(valid.shape, bool)
        inside[10:16, 7:15], outside[8:18, 5:17] = True, False
        values.append(float(np.median(levels[inside & valid])))
        assert np.quantile(levels[outside & valid], 0.98) < 0.2
    assert values[0] == pytest.approx(0.5, abs=0.1) and values[1] > 0.75


@pytest.mark.parametrize("phase", [(0, 1), (1, 0)])
def test_greens_on_the_same_pixels_are_not_reported(phase: tuple[int, int]) -> None:
    """The stated limit, so what was found above came from the pattern and not from another scene."""
    base = taken(scene(), (0, 1))
    assert run(saved(put(base, taken(scene(2), phase, seed=1)))).state is State.NO_TRACE_FOUND


@pytest.mark.skipif(not camera(range(6, 8)), reason="../shared/data/camera is absent")
def test_camera_photographs() -> None:
    photographs = camera(range(6, 8), one_per_source=True)[:20]
    found = silent = total = 0
    for number, host in enumerate(photographs):
        assert run(host.data).state is not State.SUPPORTED
        donor = photographs[(number + 5) % len(photographs)]
        planted = plant(host.data, donor.data, np.random.default_rng(number))
        if planted is not None:
            total += 1
            found += run(planted.edited).state is State.SUPPORTED
            silent += run(planted.clean).state is not State.SUPPORTED
    assert total >= 10 and found >= 0.6 * total and silent == total


# ---------------------------------------------------------------- silence


def test_scattered_cells_are_no_part() -> None:
    """As many cells without the trace as in a part that is found, but strewn over the picture."""
    base, other = np.array(taken(scene())), np.asarray(scene(2))
    places = np.random.default_rng(3).permutation(900)[:80]
    for place in places:
        cell = (slice(place // 30 * 16, place // 30 * 16 + 16), slice(place % 30 * 16, place % 30 * 16 + 16))
        base[cell] = other[cell]
    assert run(saved(Image.fromarray(base))).state is not State.SUPPORTED
    together = put(taken(scene()), scene(2))
    assert run(saved(together)).state is State.SUPPORTED


def test_out_of_focus_flat_and_clipped_parts_are_not_reported() -> None:
    sharp = scene()
    soft = put(sharp, sharp.filter(ImageFilter.GaussianBlur(4)))
    assert run(saved(taken(soft))).state is State.NO_TRACE_FOUND
    for colour in ((128, 128, 128), (255, 255, 255), (0, 0, 0)):
        flat = put(taken(sharp), Image.new("RGB", sharp.size, colour))
        for quality in (0, 97):
            assert run(saved(flat, quality)).state is not State.SUPPORTED, (colour, quality)


@pytest.mark.parametrize("number", range(4))
def test_whole_pictures_processed_alike_are_silent(number: int) -> None:
    picture = Image.open(io.BytesIO(bundled()[number].data)).convert("RGB")
    whole = taken(picture)
    sharpened = whole.filter(ImageFilter.UnsharpMask(1.5, 80, 2))
    for version in (
        picture,
        whole,
        sharpened,
        whole.crop((3, 5, *whole.size)),
        whole.rotate(2, Image.Resampling.BICUBIC),
    ):
        for quality in (0, 95):
            found = run(saved(version, quality))
            assert found.state is not State.SUPPORTED, found.sentence


def test_pictures_without_the_trace_are_outside_its_domain() -> None:
    edited = put(taken(scene()), scene(2))
    assert run(saved(edited)).state is State.SUPPORTED
    reduced = edited.resize((360, 360), Image.Resampling.LANCZOS)
    doubled = scene(0, 240).resize((480, 480), Image.Resampling.BILINEAR)
    for picture in (scene(), reduced, doubled, Image.fromarray(np.full((256, 256, 3), 128, np.uint8))):
        found = run(saved(picture))
        assert found.state is State.OUT_OF_DOMAIN and "trace" in found.sentence and not found.regions
    assert "compression" in run(saved(edited, 80)).sentence
    assert run(saved(edited.crop((0, 0, 480, 100)))).state is State.OUT_OF_DOMAIN
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    assert run(saved(Image.fromarray(noise))).state is State.OUT_OF_DOMAIN


@pytest.mark.skipif(not camera(range(6, 8)), reason="../shared/data/camera is absent")
@pytest.mark.parametrize("kind", ["none", "resampled", "shifted"])
def test_planting_leaves_the_rest_alone(kind: str) -> None:
    hosts = camera(range(6, 8), one_per_source=True)
    rng = np.random.default_rng(1)
    pairs = [paste(hosts[n].data, hosts[n + 1].data, rng, kind=kind, gradients=True, quality=0) for n in range(6)]
    planted = next(p for p in pairs if p is not None)
    assert planted.mask is not None
    edited, clean = (np.asarray(Image.open(io.BytesIO(d))) for d in (planted.edited, planted.clean))
    assert (edited != clean)[planted.mask].any() and not (edited != clean)[~planted.mask].any()
    assert 0.02 < planted.mask.mean() < 0.2


def test_a_sensor_keeps_what_it_samples() -> None:
    """The planting's own check: without noise, sampled values survive and all others are interpolated."""
    picture = scene(0, 64)
    pixels: NDArray[np.uint8] = np.asarray(picture)
    made = np.asarray(demosaicked(picture, (0, 0), True, 0.0, np.random.default_rng(0)))
    assert np.array_equal(made[0::2, 0::2, 0], pixels[0::2, 0::2, 0])
    assert np.array_equal(made[0::2, 1::2, 1], pixels[0::2, 1::2, 1])
    assert np.array_equal(made[1::2, 1::2, 2], pixels[1::2, 1::2, 2])
    assert (made[0::2, 0::2, 1] != pixels[0::2, 0::2, 1]).mean() > 0.3
