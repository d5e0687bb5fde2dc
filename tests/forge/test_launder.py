"""Chains treat edited and sibling alike, take masks along exactly, and repeat themselves."""

from __future__ import annotations

import io
from itertools import product

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl import intake
from ifdl.forge._jpeg import Jpeg, decode
from ifdl.forge.launder import KERNELS, STRATA, Adjust, Chain, Crop, Png, Resize, Scan, Webp, preset
from tests.photographs import bundled

Picture = NDArray[np.uint8]
NAMED = {"none", "resave", "resize", "crop", "messenger", "platform", "screenshot", "webp", "double", "scan"}


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return [np.asarray(Image.open(io.BytesIO(p.data)).convert("RGB"))[:240, :320] for p in bundled()]


def chains(each: int = 6, seed: int = 0) -> list[Chain]:
    rng = np.random.default_rng(seed)
    return [Chain.draw(rng, name) for name in STRATA for _ in range(each)]


def facts(data: bytes) -> tuple[object, ...]:
    item = intake.decode(data).item
    container = item.container
    tables = tuple(sorted(container.quantisation.items()))
    return (
        item.format,
        item.width,
        item.height,
        tables,
        container.subsampling,
        container.progressive,
        item.metadata.entries,
    )


@pytest.mark.parametrize("size", [None, (160, 192)])
def test_siblings_get_the_same_outside(pictures: list[Picture], size: tuple[int, int] | None) -> None:
    mask = np.zeros(pictures[0].shape[:2], bool)
    mask[60:120, 80:200] = True
    for chain in chains():
        first, second = chain.apply(pictures[0], (mask,), size), chain.apply(pictures[1], (), size)
        assert facts(first.data) == facts(second.data), first.words
        assert (first.words, first.suffix) == (second.words, second.suffix)
        shape = decode(first.data).shape
        assert first.masks[0].shape == shape[:2] and first.masks[0].dtype == bool and second.masks == ()
        assert size is None or shape[:2] == size


def test_a_painted_square_stays_under_its_mask(pictures: list[Picture]) -> None:
    """The centre of gravity and the area of a white square, measured in the file, are those of its mask."""
    black = np.zeros((240, 320, 3), np.uint8)
    mask = np.zeros((240, 320), bool)
    mask[88:152, 120:200] = True
    painted = black.copy()
    painted[mask] = 255
    checked = 0
    for chain, size in product(chains(8), (None, (176, 200))):
        if any(isinstance(o, Adjust | Scan) for o in chain.operations):
            continue  # brightness alone would move what counts as white
        done = chain.apply(painted, (mask,), size)
        seen = decode(done.data)[..., 1] >= 128
        assert (seen ^ done.masks[0]).mean() < 0.004, done.words
        for axis_seen, axis_mask in zip(np.nonzero(seen), np.nonzero(done.masks[0]), strict=True):
            assert abs(axis_seen.mean() - axis_mask.mean()) <= 0.6, done.words  # half a pixel may round either way
        checked += 1
    assert checked > 80


def test_crop_moves_masks_to_the_pixel(pictures: list[Picture]) -> None:
    rng = np.random.default_rng(2)
    for _ in range(40):
        marked = pictures[0].copy()
        mask = rng.random(marked.shape[:2]) < 0.5
        marked[..., 0] = np.where(mask, 255, 0)
        cut = Crop(tuple(rng.uniform(0.5, 1, 2)), tuple(rng.random(2)), bool(rng.integers(2)))  # type: ignore[arg-type]
        done = Chain("crop", (cut, Png())).apply(marked, (mask,))
        assert np.array_equal(decode(done.data)[..., 0] == 255, done.masks[0])


def test_crop_is_on_or_off_the_grid_as_said(pictures: list[Picture]) -> None:
    rng = np.random.default_rng(3)
    for on_grid, goal in product((True, False), (None, (160, 160), (239, 319))):
        for _ in range(30):
            fitted = Crop((0.8, 0.9), tuple(rng.random(2)), on_grid).fitted((240, 320), goal)  # type: ignore[arg-type]
            top, left, height, width = fitted.box
            assert 0 <= top <= 240 - height and 0 <= left <= 320 - width
            assert fitted.on_grid == (top % 8 == 0 and left % 8 == 0)
            assert fitted.on_grid == on_grid or goal == (239, 319), "one spare pixel is enough to say so honestly"
            assert goal is None or (height, width) == goal


def test_cut_on_the_grid_keeps_jpeg_coefficients(pictures: list[Picture]) -> None:
    """Saved again with the same tables, a picture cut on the grid hardly changes; cut off it, it does."""
    once = decode(Jpeg(75, subsampling="4:4:4").encode(pictures[0]))
    change = {}
    for on_grid in (True, False):
        chain = Chain("crop", (Crop((0.8, 0.8), (0.5, 0.5), on_grid), Jpeg(75, subsampling="4:4:4")))
        (cut, _) = chain.plan((240, 320))
        assert isinstance(cut, Crop)
        again = decode(chain.apply(once).data)
        change[on_grid] = np.abs(again.astype(int) - cut.apply(once)).mean()
    assert change[True] < 0.4 * change[False]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [0.45, 0.8, 1.3])
def test_kernels_keep_place_and_brightness(pictures: list[Picture], kernel: str, factor: float) -> None:
    smooth = cv2.GaussianBlur(pictures[2], (0, 0), 4)
    (resize, _) = Chain("resize", (Resize(factor, kernel), Png())).plan((240, 320))
    assert isinstance(resize, Resize) and resize.to == (round(240 * factor), round(320 * factor))
    changed = resize.apply(smooth)
    back = cv2.resize(changed, (320, 240), interpolation=cv2.INTER_LINEAR)
    assert np.abs(back.astype(int) - smooth)[8:-8, 8:-8].mean() < 1.0


def test_fixed_size_from_any_picture(pictures: list[Picture]) -> None:
    for chain in chains(3):
        for shape in ((240, 320), (160, 192), (100, 300), (64, 64)):
            done = chain.apply(
                np.ascontiguousarray(pictures[3][: shape[0], : shape[1]]),
                (np.ones(shape, bool)[:240, :320],),
                (160, 192),
            )
            assert decode(done.data).shape == (160, 192, 3), done.words
            assert done.masks[0].all() and done.masks[0].shape == (160, 192)


def test_same_seed_same_bytes_whatever_the_threads(pictures: list[Picture]) -> None:
    def files(seed: int, threads: int) -> list[bytes]:
        before = cv2.getNumThreads()
        cv2.setNumThreads(threads)
        try:
            return [c.apply(pictures[1]).data for c in chains(4, seed)]
        finally:
            cv2.setNumThreads(before)

    assert chains(seed=4) == chains(seed=4) != chains(seed=5)
    assert files(4, 1) == files(4, 4) != files(5, 1)


def test_input_is_left_as_it_was(pictures: list[Picture]) -> None:
    before, mask = pictures[0].copy(), np.zeros((240, 320), bool)
    for chain in chains(4):
        chain.apply(pictures[0], (mask,))
    assert np.array_equal(before, pictures[0]) and not mask.any()


def test_strata_do_what_they_are_called(pictures: list[Picture]) -> None:
    assert set(STRATA) == NAMED
    saves: dict[str, set[type]] = {}
    for chain in chains(40, 6):
        kinds = [type(o) for o in chain.operations]
        saves.setdefault(chain.name, set()).add(kinds[-1])
        if chain.name in ("messenger", "platform"):
            assert Resize in kinds and chain.operations[-1].subsampling == "4:2:0"  # type: ignore[union-attr]
            assert 70 <= chain.operations[-1].quality <= 87  # type: ignore[union-attr]
        assert (Crop in kinds) or chain.name not in ("crop", "screenshot")
        assert (kinds.count(Jpeg) == 2) == (chain.name == "double")
        assert all(0.4 <= o.factor <= 1.5 for o in chain.operations if isinstance(o, Resize))
    assert saves["webp"] == {Webp} and saves["none"] == {Png} and saves["screenshot"] == {Png, Jpeg}
    assert np.array_equal(decode(preset("none").apply(pictures[0]).data), pictures[0]), "none changes no pixel"
    drawn = {Chain.draw(np.random.default_rng(n)).name for n in range(80)}
    assert drawn == NAMED


def test_presets_have_no_chance_and_know_their_level(pictures: list[Picture]) -> None:
    for name in (*STRATA, "jpeg"):
        assert preset(name) == preset(name)
        assert preset(name).name in STRATA
        assert preset(name).apply(pictures[0]).data == preset(name).apply(pictures[0]).data
    sizes = [len(preset("jpeg", q).apply(pictures[0]).data) for q in (50, 75, 95)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2]
    assert preset("jpeg", 75).operations == (Jpeg(75),)
    assert decode(preset("resize", 0.25).apply(pictures[0]).data).shape == (60, 80, 3)
    with pytest.raises(KeyError, match="messenger"):
        preset("fax")
    with pytest.raises(KeyError, match="messenger"):
        Chain.draw(np.random.default_rng(0), "fax")


def test_a_chain_saves_last_and_cuts_after_resizing() -> None:
    with pytest.raises(ValueError, match="last operation"):
        Chain("crop", (Crop(),))
    with pytest.raises(ValueError, match="before it cuts"):
        Chain("crop", (Crop(), Resize(0.5), Png()))


def test_adjustments_are_slight_and_do_what_they_say(pictures: list[Picture]) -> None:
    picture = pictures[0]
    assert np.array_equal(Adjust().apply(picture), picture)
    assert Adjust(brightness=10).apply(picture).mean() > picture.mean() + 5
    assert Adjust(contrast=0.9).apply(picture).std() < picture.std()
    assert Adjust(gamma=0.85).apply(picture).mean() > picture.mean()
    spread = [np.ptp(Adjust(saturation=s).apply(picture).astype(int), axis=2).mean() for s in (0.0, 0.8, 1.2)]
    assert spread == sorted(spread) and spread[0] < 1
    edges = [cv2.Laplacian(Adjust(sharpen=s).apply(picture), cv2.CV_32F).std() for s in (0.0, 0.5)]
    assert edges[1] > 1.1 * edges[0]
    drawn = [o for c in chains(40, 7) for o in c.operations if isinstance(o, Adjust)]
    assert len(drawn) > 20
    for adjust in drawn:
        assert np.abs(adjust.apply(picture).astype(int) - picture).mean() < 40, adjust.words
        assert adjust.words.count("(") == 1 and "()" not in adjust.words


def test_a_scan_adds_grain_softens_sharpens_and_repeats_itself(pictures: list[Picture]) -> None:
    flat = np.full((96, 96, 3), 128, np.uint8)
    fine, coarse = (
        Scan(grain=4, seed=1).apply(flat).astype(float),
        Scan(grain=4, size=1.0, seed=1).apply(flat).astype(float),
    )
    assert 3 < fine.std() < 5 and 3 < coarse.std() < 5
    likeness = [np.corrcoef(p[:, :-1, 0].ravel(), p[:, 1:, 0].ravel())[0, 1] for p in (fine, coarse)]
    assert likeness[0] < 0.1 and likeness[1] > 0.5, "the grain has its size"
    assert np.array_equal(fine[..., 0], fine[..., 2]), "without colour all channels have the same grain"
    edges = [cv2.Laplacian(s.apply(pictures[0]), cv2.CV_32F).std() for s in (Scan(blur=1), Scan(), Scan(sharpen=1))]
    assert edges == sorted(edges) and edges[2] > 1.3 * edges[0]
    assert np.array_equal(Scan().apply(pictures[0]), pictures[0])
    drawn = Scan.draw(np.random.default_rng(3))
    assert np.array_equal(drawn.apply(pictures[0]), drawn.apply(pictures[0]))
