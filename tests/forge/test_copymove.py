"""Copy-moves: the copies are marked and the source is not, exact copies are exact, sources are worth copying."""

from __future__ import annotations

import io
from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image

from ifdl.forge import copymove
from ifdl.forge.record import Forgery, Material, box_of
from tests.photographs import bundled


@pytest.fixture(scope="module")
def photographs() -> list[Material]:
    found = []
    for photograph in bundled():
        pixels = np.asarray(Image.open(io.BytesIO(photograph.data)).convert("RGB"))
        height, width = pixels.shape[:2]
        y, x = (height - 256) // 16 * 8, (width - 256) // 16 * 8
        part = np.ascontiguousarray(pixels[y : y + 256, x : x + 256])
        found.append(Material(part, photograph.source, photograph.name, (0, 0)))
    return found


def no_donors(_: np.random.Generator) -> Material:
    raise AssertionError("a copy-move asks for no donor")


def forged(photographs: list[Material], seeds: range) -> list[tuple[Material, Forgery]]:
    found = []
    for seed in seeds:
        host = photographs[seed % 4]
        made = copymove.forge(host, no_donors, np.random.default_rng(seed))
        if made is not None:
            found.append((host, made))
    return found


def test_masks_and_records_over_many_seeds(photographs: list[Material]) -> None:
    made = forged(photographs, range(80))
    assert len(made) >= 70
    copies, traces, blends = Counter[int](), Counter[str](), Counter[object]()
    for host, forgery in made:
        assert forgery.mask.dtype == bool and 0.002 < forgery.mask.mean() < 0.56
        changed = (forgery.pixels != host.pixels).any(axis=2)
        near = cv2.dilate(forgery.mask.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        assert not (changed & ~near).any()
        assert 1 <= len(forgery.steps) <= 4
        assert len({s.source_box for s in forgery.steps}) == 1
        x0, y0, x1, y1 = 256, 256, 0, 0
        for step in forgery.steps:
            assert step.engine == "copymove" and step.donor is None and step.content
            assert "repeated" in step.traces and "repetition" in step.cues
            x, y, width, height = step.target_box
            x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x + width), max(y1, y + height)
            scale = step.parameters["scale"]
            assert isinstance(scale, float | int) and 0.6 <= scale <= 1.6
            traces.update(step.traces)
            blends[step.parameters["blend"]] += 1
        assert (x0, y0, x1 - x0, y1 - y0) == box_of(forgery.mask)
        copies[len(forgery.steps)] += 1
    assert copies[1] > copies[2] > 0 and copies[3] + copies[4] > 0
    assert {"repeated", "resampled", "blended", "foreign_grid"} <= set(traces)
    assert set(blends) == {"opacity", "hard", "Poisson"}


def test_same_seed_same_bytes_whatever_the_threads(photographs: list[Material]) -> None:
    before = cv2.getNumThreads()
    try:
        made = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            made.append(forged(photographs, range(12)))
    finally:
        cv2.setNumThreads(before)
    for (_, one), (_, other) in zip(*made, strict=True):
        assert (one.pixels == other.pixels).all() and (one.mask == other.mask).all() and one.steps == other.steps


def test_exact_copies_repeat_the_hosts_pixels_and_the_source_stays(photographs: list[Material]) -> None:
    checked = 0
    for host, forgery in forged(photographs, range(60)):
        step = forgery.steps[0]
        plain = (
            len(forgery.steps) == 1
            and step.parameters["blend"] != "Poisson"
            and step.parameters["scale"] == 1.0
            and step.parameters["rotation_degrees"] == 0.0
            and not step.parameters["flip"]
            and step.parameters["brightness"] == 1.0
        )
        core = cv2.erode(forgery.mask.astype(np.uint8), np.ones((15, 15), np.uint8), borderValue=0) > 0
        if not plain or not core.any():
            continue
        assert step.source_box is not None
        rows, columns = np.nonzero(core)
        shift = [step.source_box[i] - step.target_box[i] for i in (0, 1)]
        exact = [
            (dx, dy)
            for dx in range(shift[0] - 6, shift[0] + 7)
            for dy in range(shift[1] - 6, shift[1] + 7)
            if 0 <= rows.min() + dy and rows.max() + dy < 256 and 0 <= columns.min() + dx and columns.max() + dx < 256
            and (forgery.pixels[core] == host.pixels[rows + dy, columns + dx]).all()
        ]  # fmt: skip
        assert exact, step
        dx, dy = exact[0]
        assert len(exact) > 1 or ("foreign_grid" in step.traces) == bool(dx % 8 or dy % 8)
        # Most of what was copied is still there, unmarked.
        source = np.zeros_like(core)
        source[rows + dy, columns + dx] = True
        assert (forgery.mask & source).sum() < 0.4 * source.sum()
        checked += 1
    assert checked >= 8


def test_flat_hosts_are_mostly_declined() -> None:
    sky = np.clip(
        np.full((160, 160, 3), (120, 160, 230)) + np.random.default_rng(0).normal(0, 0.3, (160, 160, 3)), 0, 255
    )
    host = Material(sky.astype(np.uint8), "a", grid=(0, 0))
    declined = [copymove.forge(host, no_donors, np.random.default_rng(seed)) is None for seed in range(20)]
    assert np.mean(declined) > 0.5


def test_a_lively_part_is_preferred_to_a_flat_one() -> None:
    rng = np.random.default_rng(0)
    pixels = np.full((192, 192, 3), (120, 160, 230), np.uint8)
    texture = cv2.GaussianBlur(rng.normal(0, 90, (192, 96, 3)), (0, 0), 1.0)
    pixels[:, 96:] = np.clip(texture + np.array([90, 120, 60]), 0, 255).astype(np.uint8)
    host, in_texture = Material(pixels, "a", grid=None), []
    for seed in range(30):
        made = copymove.forge(host, no_donors, np.random.default_rng(seed))
        if made is not None and made.steps[0].source_box is not None:
            box = made.steps[0].source_box
            in_texture.append(box[0] + box[2] / 2 > 80)
    assert len(in_texture) > 15 and np.mean(in_texture) > 0.75


def test_tiny_hosts_are_declined() -> None:
    tiny = Material(np.zeros((24, 300, 3), np.uint8), "a")
    assert copymove.forge(tiny, no_donors, np.random.default_rng(0)) is None
