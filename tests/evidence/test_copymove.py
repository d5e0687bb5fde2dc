"""The copymove clue: planted copies are found and placed, their clean siblings and look-alikes are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ifdl.evidence import copymove
from ifdl.evidence._copymove_match import Keypoints, moves_of
from ifdl.intake import decode
from ifdl.signal.regions import mask_of
from ifdl.types import Finding, Question, State
from tests.photographs import Photograph, bundled, camera
from tests.planting.copymove import plant


def examine(data: bytes) -> Finding:
    (finding,) = copymove.run(decode(data, name="x.png"))
    return finding


def saved(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def overlap(finding: Finding, mask: NDArray[np.bool_]) -> float:
    """Best intersection over union of one region with the mask."""
    found = [mask_of((region,), mask.shape) for region in finding.regions]
    return max((float((f & mask).sum() / (f | mask).sum()) for f in found), default=0.0)


@pytest.fixture(scope="module")
def astronaut() -> Photograph:
    return next(p for p in bundled() if p.name == "astronaut.jpg")


@pytest.mark.parametrize("kind", ["moved", "turned", "resized", "mirrored"])
def test_a_copy_is_found_where_it_was_planted(astronaut: Photograph, kind: str) -> None:
    planted = plant(astronaut.data, None, np.random.default_rng(5), kind=kind, quality=90, clutter=4.0)
    assert planted is not None and planted.mask is not None
    finding = examine(planted.edited)
    assert finding.state is State.SUPPORTED
    assert finding.question is Question.LOCAL_EDIT
    assert overlap(finding, planted.mask) > 0.5
    assert [r.name for r in finding.regions[:2]] == ["copy A", "copy B"]
    assert finding.numbers["mirrored"] is (kind == "mirrored")
    assert (float(finding.numbers["rotation_degrees"]) >= 1.0) is (kind in ("turned", "mirrored"))
    assert (float(finding.numbers["scale"]) != 1.0) is (kind == "resized")
    assert "cannot be told" in finding.sentence and finding.innocent
    assert finding.map is not None
    heat = finding.map.at_full_size() / 65535.0
    assert heat[planted.mask].mean() > 0.4 > 3 * heat[~mask_of(finding.regions, planted.mask.shape)].mean()
    assert examine(planted.clean).state is State.NO_TRACE_FOUND


def test_angle_scale_and_shift_are_those_of_the_edit(astronaut: Photograph) -> None:
    pixels = np.array(Image.open(io.BytesIO(astronaut.data)))
    piece = Image.fromarray(pixels[10:130, 170:290]).rotate(-90).resize((150, 150), Image.Resampling.BICUBIC)
    pixels[340:490, 20:170] = np.asarray(piece)
    finding = examine(saved(pixels))
    assert finding.state is State.SUPPORTED
    assert float(finding.numbers["rotation_degrees"]) == pytest.approx(90, abs=0.5)
    assert float(finding.numbers["scale"]) == pytest.approx(1.25, abs=0.02)
    expected = np.hypot(95 - 230, 415 - 70)
    assert float(finding.numbers["shift_pixels"]) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("photograph", bundled(), ids=lambda p: p.name)
def test_bundled_photographs_are_silent(photograph: Photograph) -> None:
    assert examine(photograph.data).state in (State.NO_TRACE_FOUND, State.OUT_OF_DOMAIN)


def windows(noise: float) -> NDArray[np.uint8]:
    """A wall of equal windows, seen through a sensor of that noise (grey levels)."""
    rng = np.random.default_rng(1)
    wall = Image.fromarray(np.full((480, 640, 3), 150, np.uint8))
    draw = ImageDraw.Draw(wall)
    for x in range(30, 600, 110):
        for y in range(30, 440, 140):
            draw.rectangle((x, y, x + 60, y + 90), (60, 70, 90), (220, 215, 200), 4)
            draw.line((x + 30, y, x + 30, y + 90), (220, 215, 200), 3)
            draw.line((x, y + 30, x + 60, y + 30), (220, 215, 200), 3)
    return np.clip(np.asarray(wall) + rng.normal(0, noise, (480, 640, 1)), 0, 255).astype(np.uint8)


def test_repeated_windows_are_no_copies_but_a_copied_window_is() -> None:
    honest = windows(4.0)
    assert examine(saved(honest)).state is State.NO_TRACE_FOUND
    forged = honest.copy()
    forged[290:430, 340:520] = honest[150:290, 120:300]
    finding = examine(saved(forged))
    assert finding.state is State.SUPPORTED
    mask = np.zeros(forged.shape[:2], bool)
    mask[290:430, 340:520] = True
    assert overlap(finding, mask) > 0.5


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.full((300, 400, 3), 128, np.uint8),
        np.zeros((120, 3000, 3), np.uint8),
        np.repeat(np.repeat(np.arange(0, 240, 8, dtype=np.uint8)[None, :, None], 300, 0), 3, 2).repeat(10, 1),
    ],
    ids=["one pixel", "flat", "ribbon", "steps"],
)
def test_small_flat_and_drawn_pictures_are_out_of_domain(pixels: NDArray[np.uint8]) -> None:
    finding = examine(saved(pixels))
    assert finding.state is State.OUT_OF_DOMAIN
    assert finding.sentence


def test_noise_holds_no_copy() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (400, 500, 3), dtype=np.uint8)
    assert examine(saved(noise)).state in (State.NO_TRACE_FOUND, State.OUT_OF_DOMAIN)


def test_the_same_bytes_give_the_same_numbers(astronaut: Photograph) -> None:
    planted = plant(astronaut.data, None, np.random.default_rng(5), kind="turned", quality=85)
    assert planted is not None
    one, two = examine(planted.edited), examine(planted.edited)
    assert one.numbers == two.numbers and one.regions == two.regions
    assert one.map is not None and two.map is not None and (one.map.values == two.map.values).all()


def test_camera_photographs() -> None:
    hosts = camera(range(6, 8), one_per_source=True)[1::8]
    if not hosts:
        pytest.skip("the shared camera set is not here")
    planted = [plant(h.data, None, np.random.default_rng(int(h.source, 16)), quality=88) for h in hosts]
    carried = [p for p in planted if p is not None]
    assert len(carried) >= 3
    found = [examine(p.edited) for p in carried]
    assert sum(f.state is State.SUPPORTED for f in found) >= 0.6 * len(carried)
    assert all(examine(p.clean).state is not State.SUPPORTED for p in carried)


def test_matches_onto_one_spot_are_no_copy_and_no_crash() -> None:
    """Two far groups of points that all match one place fit a map of scale zero (seen on a real forgery)."""
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 400, 24) + 1j * rng.uniform(0, 400, 24)
    spot = 200 + 200j + rng.uniform(-0.4, 0.4, 24) + 1j * rng.uniform(-0.4, 0.4, 24)
    descriptor = rng.random((24, 128)).astype(np.float32)
    descriptor = np.concatenate([descriptor, descriptor + rng.normal(0, 0.01, (24, 128)).astype(np.float32)])
    descriptor /= np.linalg.norm(descriptor, axis=1, keepdims=True)
    points = Keypoints(np.concatenate([source, spot]), np.full(48, 4.0), np.zeros(48), descriptor)
    for mirrored in (False, True):
        assert all(0.3 < abs(move.a) < 3.3 for move in moves_of(points, mirrored))
