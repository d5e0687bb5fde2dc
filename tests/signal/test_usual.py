"""The usual value: recovered where many parts agree, not moved by one part, unknown where too few have the level."""

from __future__ import annotations

import numpy as np
import pytest

from ifdl.signal.usual import usual

EDGES = np.arange(0.0, 4.1, 0.5)


def cells() -> tuple[np.ndarray, np.ndarray]:
    level = np.random.default_rng(0).uniform(0, 4, (60, 80))
    return 2 * level + 1, level


def test_the_relation_is_recovered_and_one_part_does_not_move_it() -> None:
    values, level = cells()
    values[5:25, 5:25] += 50
    found = usual(values, level, np.ones(level.shape, bool), EDGES, 6, 8)
    assert found is not None
    centres, expected = found
    assert centres == pytest.approx(EDGES[:-1] + 0.25)
    assert expected == pytest.approx(2 * centres + 1, abs=0.3)


def test_a_level_that_few_parts_have_is_unknown() -> None:
    values, level = cells()
    level = np.where(level > 3, 1.0, level)
    level[:10, :10] = 3.6
    found = usual(values, level, np.ones(level.shape, bool), EDGES, 6, 8)
    assert found is not None and found[0].max() < 3
    assert usual(values, level, np.zeros(level.shape, bool), EDGES, 6, 8) is None
