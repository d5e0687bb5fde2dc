"""Splices: only the region changes, the record says what was done, pixels carried over are the donor's own."""

from __future__ import annotations

import io
from collections import Counter

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.forge import _paste, splice
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


def forged(photographs: list[Material], seed: int) -> tuple[Material, Material, Forgery]:
    host, donor = photographs[seed % 4], photographs[(seed + 1 + seed // 4 % 3) % 4]
    made = splice.forge(host, lambda _: donor, np.random.default_rng(seed))
    assert made is not None
    return host, donor, made


def test_masks_and_records_over_many_seeds(photographs: list[Material]) -> None:
    traces, cues, blends = Counter[str](), Counter[str](), Counter[object]()
    for seed in range(80):
        host, donor, made = forged(photographs, seed)
        before = host.pixels.copy()
        assert made.pixels.shape == host.pixels.shape and made.pixels.dtype == np.uint8
        assert (host.pixels == before).all()
        assert made.mask.dtype == bool and 0.002 < made.mask.mean() < 0.56
        changed = (made.pixels != host.pixels).any(axis=2)
        # Soft edges reach beyond the mask by a few pixels and no further.
        near = cv2.dilate(made.mask.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        assert not (changed & ~near).any()
        assert (changed & made.mask).sum() > 0.6 * made.mask.sum()
        (step,) = made.steps
        assert step.engine == "splice" and step.donor == donor.source
        assert step.target_box == box_of(made.mask)
        assert step.source_box is not None
        x, y, width, height = step.source_box
        assert x >= 0 and y >= 0 and x + width <= 256 and y + height <= 256
        assert step.content and step.cues
        traces.update(step.traces)
        cues.update(step.cues)
        blends[step.parameters["blend"]] += 1
    assert {"foreign_noise", "foreign_grid", "other_quantisation", "missing_grid", "resampled", "recoloured"} <= set(
        traces
    )
    assert set(blends) == {"opacity", "hard", "Poisson"}
    assert len(cues) >= 6


def test_same_seed_same_bytes_whatever_the_threads(photographs: list[Material]) -> None:
    before = cv2.getNumThreads()
    try:
        made = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            made.append([forged(photographs, seed)[2] for seed in range(12)])
    finally:
        cv2.setNumThreads(before)
    for one, other in zip(*made, strict=True):
        assert (one.pixels == other.pixels).all() and (one.mask == other.mask).all() and one.steps == other.steps


def test_unscaled_splices_carry_the_donors_pixels_and_say_whether_the_grids_agree(photographs: list[Material]) -> None:
    seen = Counter[bool]()
    for seed in range(120):
        _, donor, made = forged(photographs, seed)
        step = made.steps[0]
        if "aligned" not in step.parameters or step.parameters["flip"]:
            continue
        core = cv2.erode(made.mask.astype(np.uint8), np.ones((15, 15), np.uint8), borderValue=0) > 0
        if not core.any():
            continue
        source, target = step.source_box, step.target_box
        assert source is not None
        # The soft edge may move the mask's box by a few pixels, so the shift is looked for nearby.
        rows, columns = np.nonzero(core)
        shifts = [(source[0] - target[0] + i, source[1] - target[1] + j) for i in range(-6, 7) for j in range(-6, 7)]
        exact = [
            (dx, dy)
            for dx, dy in shifts
            if 0 <= rows.min() + dy and rows.max() + dy < 256 and 0 <= columns.min() + dx and columns.max() + dx < 256
            and (made.pixels[core] == donor.pixels[rows + dy, columns + dx]).all()
        ]  # fmt: skip
        assert exact, step
        aligned = bool(step.parameters["aligned"])
        assert any((dx % 8 == 0 and dy % 8 == 0) == aligned for dx, dy in exact)
        assert ("foreign_grid" in step.traces) == (not aligned)
        assert "other_quantisation" in step.traces and "resampled" not in step.traces
        seen[aligned] += 1
    assert seen[True] >= 5 and seen[False] >= 5


def blockiness(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean second difference across each column phase modulo 8 inside the mask."""
    grey = pixels.astype(np.float64).mean(axis=2)
    jump = np.abs(grey[:, :-3] - 3 * grey[:, 1:-2] + 3 * grey[:, 2:-1] - grey[:, 3:])
    inside = mask[:, 1:-2] & mask[:, 2:-1]
    phase = np.broadcast_to((np.arange(jump.shape[1]) + 2) % 8, jump.shape)
    return np.array([jump[inside & (phase == p)].mean() for p in range(8)])


@pytest.mark.parametrize("flip", [False, True])
def test_the_phase_of_jpeg_blocks_follows_the_piece(flip: bool) -> None:
    noise = np.random.default_rng(0).normal(0, 20, (256, 256, 3))
    smooth = np.clip(cv2.GaussianBlur(noise, (0, 0), 2) * 3 + 128, 0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 25])[1]
    blocky = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    mask = np.zeros((256, 256), bool)
    mask[53:190, 43:201] = True
    piece = _paste.lift(blocky, mask, _paste.Change(flip=flip), (0, 0))
    assert piece.grid is not None
    assert int(blockiness(piece.pixels, piece.mask).argmax()) == piece.grid[0]


def test_geometry_is_what_the_change_says() -> None:
    pixels = np.zeros((120, 160, 3), np.uint8)
    mask = np.zeros((120, 160), bool)
    mask[40:70, 50:110] = True
    pixels[mask] = 200
    for change, expected in (
        (_paste.Change(scale=0.5), (30, 15)),
        (_paste.Change(scale=2.0), (120, 60)),
        (_paste.Change(rotation=90.0), (30, 60)),
    ):
        piece = _paste.lift(pixels, mask, change, (0, 0))
        box = box_of(piece.mask)
        assert abs(box[2] - expected[0]) <= 2 and abs(box[3] - expected[1]) <= 2
        assert piece.grid is None
        assert (piece.pixels[cv2.erode(piece.mask.astype(np.uint8), np.ones((5, 5))) > 0] > 190).all()


def test_a_region_cut_off_by_its_picture_stays_on_that_side() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (128, 128, 3), dtype=np.uint8)
    mask = np.zeros((128, 128), bool)
    mask[90:, 40:70] = True
    piece = _paste.lift(pixels, mask, _paste.Change(), None)
    assert piece.sides == (False, False, False, True)
    scene = _paste.Scene(pixels)
    for _ in range(10):
        spot = _paste.place(scene, piece, scene.around(_paste.boxes_of(box_of(mask)))[0], 0.8, rng)
        assert spot is not None
        x, y, width, height = box_of(piece.mask)
        assert spot[0][1] + y + height == 128 and 0 <= spot[0][0] + x <= 128 - width


def test_places_resemble_where_the_region_came_from() -> None:
    pixels = np.full((200, 200, 3), (40, 120, 40), np.uint8)
    pixels[:, 100:] = (120, 150, 220)
    mask = np.zeros((200, 200), bool)
    mask[90:110, 40:60] = True
    scene, piece = _paste.Scene(pixels), _paste.lift(pixels, mask, _paste.Change(), None)
    wanted = scene.around(_paste.boxes_of(box_of(mask)))[0]
    rng = np.random.default_rng(0)
    spots = [_paste.place(scene, piece, wanted, 0.5, rng) for _ in range(40)]
    left = [s is not None and s[0][0] + 16 + 10 < 100 for s in spots]
    assert np.mean(left) > 0.9


def test_colour_match_moves_towards_the_hosts_surroundings() -> None:
    pixels = np.random.default_rng(0).integers(80, 120, (40, 40, 3), dtype=np.uint8)
    same = splice.recoloured(pixels, np.array([30.0, 0, 0, 0]), 0.0, 1.0)
    assert same is pixels
    half, whole = (splice.recoloured(pixels, np.array([30.0, 0, 0, 0]), m, 1.0).mean() for m in (0.5, 1.0))
    assert pixels.mean() + 5 < half < whole - 5


def test_poisson_keeps_the_outside_and_takes_on_the_hosts_colour() -> None:
    host = np.full((120, 120, 3), (200, 180, 160), np.uint8)
    rng = np.random.default_rng(0)
    donor = np.clip(np.full((120, 120, 3), (60, 70, 80)) + rng.normal(0, 10, (120, 120, 3)), 0, 255).astype(np.uint8)
    mask = np.zeros((120, 120), bool)
    mask[40:80, 40:80] = True
    piece = _paste.lift(donor, mask, _paste.Change(), None)
    first = piece.mask.copy()
    cloned = _paste.poisson(host, piece.pixels, piece.mask, (24, 24))
    assert cloned is not None and (piece.mask == first).all()
    inside = cloned[piece.mask].astype(float)
    assert np.abs(inside.mean(axis=0) - (200, 180, 160)).max() < 25
    assert inside.std() > 5


def test_a_region_that_changes_nothing_is_not_called_an_edit() -> None:
    black, mask = Material(np.zeros((128, 128, 3), np.uint8), "a", grid=(0, 0)), np.zeros((128, 128), bool)
    mask[30:60, 30:60] = True
    assert not _paste.changed(black.pixels, black.pixels, mask)
    assert _paste.changed(black.pixels, black.pixels + mask[:, :, None] * np.uint8(9), mask)
    # Black stays black, whatever its brightness is multiplied by.
    assert splice.forge(black, lambda _: black, np.random.default_rng(0)) is None


def test_what_is_laid_into_a_grey_picture_is_grey(photographs: list[Material]) -> None:
    grey = np.repeat(photographs[0].pixels.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    for seed in range(6):
        made = splice.forge(Material(grey, "a", grid=(0, 0)), lambda _: photographs[2], np.random.default_rng(seed))
        assert made is not None and np.ptp(made.pixels.astype(int), axis=2).max() <= 3
        assert "recoloured" in made.steps[0].traces


def test_a_host_or_donor_that_is_too_small_is_declined(photographs: list[Material]) -> None:
    tiny = Material(np.zeros((20, 20, 3), np.uint8), "f")
    assert splice.forge(tiny, lambda _: photographs[0], np.random.default_rng(0)) is None
    assert splice.forge(photographs[0], lambda _: tiny, np.random.default_rng(0)) is None


def test_sizes_of_host_and_donor_may_differ(photographs: list[Material]) -> None:
    host = Material(np.ascontiguousarray(photographs[0].pixels[:100, :180]), "a", grid=None)
    for seed in range(12):
        made = splice.forge(host, lambda _: photographs[1], np.random.default_rng(seed))
        assert made is not None and made.mask.shape == (100, 180) and 0.002 < made.mask.mean() < 0.56
        assert "missing_grid" not in made.steps[0].traces  # the host has no grid to miss
