"""Regions: shares, exactness of soft edges, parts of the picture, objects of a detector, same seed same region."""

from __future__ import annotations

import io
from collections import Counter

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.forge import regions
from ifdl.forge._segments import merge_tree, superpixels
from ifdl.forge.record import Thing
from tests.photographs import bundled


def photograph(number: int = 2, side: int = 256) -> NDArray[np.uint8]:
    pixels = np.asarray(Image.open(io.BytesIO(bundled()[number].data)).convert("RGB"))
    return np.ascontiguousarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA))


def disc_on_grey(side: int = 192) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    rows, columns = np.ogrid[:side, :side]
    inside = (rows - 100) ** 2 + (columns - 80) ** 2 < 30**2
    noise = np.random.default_rng(0).normal(0, 4, (side, side, 3))
    pixels = np.where(inside[:, :, None], (170, 60, 40), (110, 120, 115)) + noise
    return np.clip(pixels, 0, 255).astype(np.uint8), inside


def test_shares_lie_within_the_limits_and_mostly_between_two_and_twenty_per_cent() -> None:
    pictures = [photograph(n) for n in range(4)]
    rng = np.random.default_rng(1)
    shares, kinds = [], Counter()
    for n in range(240):
        found = regions.cut(pictures[n % 4], rng)
        assert found is not None and found.mask.dtype == bool and found.mask.shape == (256, 256)
        shares.append(found.mask.mean())
        kinds[found.kind] += 1
    assert min(shares) >= 0.003 and max(shares) <= 0.5
    assert np.mean([0.02 <= s <= 0.2 for s in shares]) > 0.6
    assert min(shares) < 0.01 and max(shares) > 0.25
    assert set(kinds) == set(regions.KINDS)
    assert kinds["segment"] > 100


def test_narrow_limits_are_kept() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        mask = regions.region(photograph(), rng, (0.05, 0.08))
        assert mask is None or 0.05 <= mask.mean() <= 0.08


@pytest.mark.parametrize("kind", list(regions.KINDS))
def test_same_seed_same_region_another_seed_another(kind: str) -> None:
    pixels = photograph(1)
    one, again, other = (regions.cut(pixels, np.random.default_rng(s), kinds={kind: 1.0}) for s in (5, 5, 6))
    assert one is not None and again is not None and other is not None
    assert one.kind == kind
    assert (one.mask == again.mask).all()
    assert (one.mask != other.mask).any()


def test_any_number_of_threads_gives_the_same_regions() -> None:
    pixels = photograph(0, 384)
    before = cv2.getNumThreads()
    try:
        found = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            rng = np.random.default_rng(3)
            cuts = [regions.cut(pixels, rng) for _ in range(8)]
            found.append([regions.alpha(c.mask, rng)[0] for c in cuts if c is not None])
    finally:
        cv2.setNumThreads(before)
    assert all((a == b).all() for a, b in zip(*found, strict=True))


def test_segments_follow_the_outline_of_a_disc() -> None:
    pixels, disc = disc_on_grey()
    rng = np.random.default_rng(0)
    best = []
    for _ in range(30):
        found = regions.cut(pixels, rng, (0.04, 0.13), kinds={"segment": 1.0})
        if found is not None:
            best.append((found.mask & disc).sum() / (found.mask | disc).sum())
    # The disc is the only outline there is, so most of the regions must be it.
    assert np.median(best) > 0.75


def test_segments_of_a_photograph_run_along_its_edges_more_than_drawn_shapes_do() -> None:
    pixels = photograph(2)
    grey = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    slope = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)).astype(float)

    def along(kind: str) -> float:
        rng = np.random.default_rng(4)
        values = []
        for _ in range(25):
            found = regions.cut(pixels, rng, (0.02, 0.2), kinds={kind: 1.0})
            assert found is not None
            outline = found.mask & (cv2.erode(found.mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
            values.append(slope[outline].mean())
        return float(np.mean(values))

    assert along("segment") > 1.3 * along("contour")


def test_alpha_is_at_least_one_half_exactly_on_the_mask_it_returns() -> None:
    rng = np.random.default_rng(7)
    hard = 0
    for n in range(60):
        mask = regions.region(photograph(n % 4), rng)
        assert mask is not None
        opacity, exact = regions.alpha(mask, rng)
        assert opacity.dtype == np.float32 and opacity.min() >= 0 and opacity.max() <= 1
        assert ((opacity >= 0.5) == exact).all()
        assert 0 < exact.sum() < exact.size
        assert (exact != mask).sum() <= 0.15 * mask.sum()
        hard += bool(np.isin(opacity, (0, 1)).all())
        far = cv2.dilate(mask.astype(np.uint8), np.ones((25, 25), np.uint8)) == 0
        assert (opacity[far] == 0).all()
    assert 5 <= hard <= 35


def test_a_single_pixel_stays_itself() -> None:
    mask = np.zeros((20, 20), bool)
    mask[7, 9] = True
    opacity, exact = regions.feathered(mask, 3.0)
    assert (exact == mask).all() and (opacity == mask).all()


def test_pictures_too_small_or_flat() -> None:
    rng = np.random.default_rng(0)
    assert regions.region(np.zeros((8, 200, 3), np.uint8), rng) is None
    for _ in range(10):
        mask = regions.region(np.full((40, 64, 3), 90, np.uint8), rng)
        assert mask is None or 0.003 <= mask.mean() <= 0.5


def test_an_object_of_a_detector_is_cut_out_inside_its_box_and_named() -> None:
    pixels, disc = disc_on_grey()
    rng = np.random.default_rng(0)
    cuts = [regions.cut(pixels, rng, things=[Thing((48, 68, 64, 64), "ball")]) for _ in range(30)]
    found = [c for c in cuts if c is not None and c.kind == "object"]
    assert 12 < len(found) < 30  # most, not all
    assert all(c.name == "ball" for c in found)
    overlap = [(c.mask & disc).sum() / (c.mask | disc).sum() for c in found]
    assert np.median(overlap) > 0.8
    outside = np.ones_like(disc)
    outside[64:136, 44:116] = False
    assert not any((c.mask & outside).any() for c in found)


def test_merge_tree_joins_only_neighbours_up_to_the_whole_window() -> None:
    parts = superpixels(photograph(3))
    tree = merge_tree(parts)
    assert int(parts.sizes.sum()) == parts.labels.size
    assert tree[-1].all() and len(tree) == 2 * len(parts.sizes) - 1
    for members in tree[::5]:
        count, _ = cv2.connectedComponents(members[parts.labels].astype(np.uint8), connectivity=8)
        assert count <= 3  # itself and the background; watershed lines may split off a sliver
