"""Tiles cover any picture exactly, keep its grid, and come together without seams."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ifdl.nets.tiles import cut, merge, plan

sides = st.integers(1, 900)
layouts = st.tuples(st.sampled_from([64, 96, 256]), st.integers(0, 56), st.sampled_from([1, 8, 16])).filter(
    lambda t: t[0] - t[1] >= t[2]
)


@settings(max_examples=150, deadline=None)
@given(sides, sides, layouts)
def test_tiles_cover_the_picture_on_its_grid(height: int, width: int, layout: tuple[int, int, int]) -> None:
    tile, overlap, grid = layout
    origins = plan((height, width), tile, overlap, grid)
    assert origins == sorted(set(origins))
    for side, starts in ((height, sorted({y for y, _ in origins})), (width, sorted({x for _, x in origins}))):
        assert starts[0] == 0
        assert all(start % grid == 0 and start < side for start in starts)
        # Nothing is missed, nothing is wasted: only a picture smaller than a tile is padded by more than the grid.
        assert 0 <= starts[-1] + tile - side < (grid if side >= tile else tile)
        assert all(a + tile - b >= overlap for a, b in pairwise(starts))


def test_a_plan_worked_by_hand() -> None:
    assert plan((64, 64), 64, 16) == [(0, 0)]
    assert plan((65, 10), 64, 16) == [(0, 0), (8, 0)]
    assert plan((150, 10), 64, 16) == [(0, 0), (48, 0), (88, 0)]  # the last ends at 152
    assert plan((112, 70), 64, 16) == [(0, 0), (0, 8), (48, 0), (48, 8)]


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.sampled_from([1, 4, 8]), st.sampled_from([(64, 8), (96, 40), (256, 64)]))
def test_ramps_survive_merging(height: int, width: int, stride: int, layout: tuple[int, int]) -> None:
    origins = plan((height, width), *layout)
    side, rows, columns = layout[0] // stride, -(-height // stride), -(-width // stride)
    y, x = np.mgrid[:rows, :columns] / 900

    def net() -> Iterator[NDArray[np.float32]]:
        for top, left in origins:  # a net that knows where it is; beyond the picture it says something absurd
            v, u = np.mgrid[:side, :side]
            v, u = v + top // stride, u + left // stride
            ramp = np.where((v < rows) & (u < columns), 0.2 + 0.5 * v / 900 - 0.3 * u / 900, 1e9)
            yield np.stack([ramp, np.where(ramp < 1e8, 0.25, -1e9)]).astype(np.float32)

    merged = merge(net(), origins, (height, width), stride)
    assert merged.shape == (2, rows, columns)
    assert merged.dtype == np.float32
    assert np.abs(merged[0] - (0.2 + 0.5 * y - 0.3 * x)).max() < 1e-6
    assert np.abs(merged[1] - 0.25).max() < 1e-6


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200))
def test_cut_and_merge_give_the_picture_back(height: int, width: int) -> None:
    pixels = np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), np.uint8)
    origins = plan((height, width), 64, 24)
    tiles = [cut(pixels, origin, 64) for origin in origins]
    assert all(t.shape == (64, 64, 3) and t.dtype == np.uint8 for t in tiles)
    merged = merge((t.transpose(2, 0, 1).astype(np.float32) for t in tiles), origins, (height, width))
    assert np.abs(merged.transpose(1, 2, 0) - pixels).max() < 1e-3  # of 255


def test_a_disagreement_of_two_tiles_fades_from_one_to_the_other() -> None:
    origins = plan((32, 80), 32, 16)
    assert origins == [(0, 0), (0, 16), (0, 32), (0, 48)]
    merged = merge((np.full((32, 32), float(n), np.float32) for n in range(4)), origins, (32, 80))
    assert np.allclose(merged, merged[:1])
    assert (np.diff(merged[0]) >= -1e-6).all()
    assert np.abs(np.diff(merged[0])).max() < 0.07  # a hard seam would be 1
    assert (merged[0, 0], merged[0, -1]) == (0.0, 3.0)


def test_beyond_the_picture_it_is_reflected() -> None:
    row = np.arange(5)[None].repeat(3, 0)
    assert cut(row, (0, 0), 8)[0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert cut(np.array([[7]]), (0, 0), 4).tolist() == [[7] * 4] * 4
    assert np.shares_memory(cut(row, (0, 2), 3), row)


def test_memory_is_that_of_the_result() -> None:
    size, stride = (2000, 3000), 4
    origins = plan(size, 512, 64)
    tracemalloc.start()
    merged = merge((np.zeros((128, 128), np.float32) for _ in origins), origins, size, stride)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < merged.nbytes + 500_000


def test_mistakes_are_named() -> None:
    square = np.zeros((16, 16), np.float32)
    with pytest.raises(ValueError, match="cannot overlap by 60"):
        plan((100, 100), 64, 60)
    with pytest.raises(ValueError, match="at least one pixel"):
        plan((0, 5), 64, 8)
    with pytest.raises(ValueError, match="multiple of the stride, 16"):
        merge([square], [(8, 0)], (16, 16), 16)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        merge([square], [(0, 0), (0, 8)], (16, 24))
    with pytest.raises(ValueError, match="8 of 24 cells uncovered"):
        merge([square], [(0, 0)], (16, 24))
    with pytest.raises(ValueError, match="rows and columns"):
        merge([square] * 3, [(0, 0), (0, 8), (8, 0)], (24, 24))
    with pytest.raises(ValueError, match="no tiles"):
        merge([], [], (8, 8))
