"""COCO run-length encoding against pycocotools, which defines it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from ifdl.signal import rle
from ifdl.types import Rle


@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_same_bytes_as_pycocotools_and_back(mask: np.ndarray) -> None:
    encoded = rle.encode(mask)
    reference = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encoded.counts == reference["counts"].decode()
    assert np.array_equal(rle.decode(encoded), mask)


def test_large_runs() -> None:
    mask = np.zeros((3000, 4000), bool)
    mask[1000:2900, 17:3999] = True
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


@pytest.mark.parametrize("counts", ["", "1", "o", "100"])
def test_runs_that_do_not_fill_the_mask_are_refused(counts: str) -> None:
    with pytest.raises(ValueError):
        rle.decode(Rle((4, 5), counts))
