"""One known sample names two groups that are there, and is told so where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from ifdl.signal.clusters import like_the_known


@pytest.mark.parametrize("seed", range(5))
def test_two_planted_groups_are_named_by_one_member(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.arange(40) < 14)
    values = rng.normal(0, 1, (40, 20))
    values[kind, :6] += 6
    for known in (int(np.flatnonzero(kind)[0]), int(np.flatnonzero(~kind)[0])):
        found = like_the_known(values, known, seed)
        assert found is not None and (found == (kind == kind[known])).all()


@pytest.mark.parametrize("seed", range(5))
def test_one_cloud_is_undecided(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert like_the_known(rng.normal(0, 1, (60, 20)), 0) is None
    assert like_the_known(rng.normal(0, [9, *[1] * 19], (60, 20)), 0) is None  # a long one too
    assert like_the_known(np.zeros((20, 4)), 0) is None


def test_five_pictures_are_too_few() -> None:
    values = np.zeros((5, 3))
    values[:2] = 9
    assert like_the_known(values, 0) is None
