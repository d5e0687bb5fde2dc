"""Features: where and how they are taken, and that their mirror image is that of the mirrored picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ifdl.signal import points
from ifdl.trace import features
from ifdl.trace.prove import prove
from tests.trace.pictures import photographs


def test_mirrored_features_are_those_of_the_mirrored_picture() -> None:
    pixels = photographs()["astronaut"]
    made = features.mirrored(features.extract(pixels), pixels.shape[1])
    seen = features.extract(np.ascontiguousarray(pixels[:, ::-1]))
    near = made.units() @ seen.units().T
    apart = np.linalg.norm(made.places[:, None] - seen.places[None], axis=2)
    best = near.argmax(axis=1)
    own = apart[np.arange(len(made)), best] < 2
    assert own.mean() > 0.7, "the nearest feature lies in the same place"
    assert np.median(near.max(axis=1)[own]) > 0.97
    off = (made.turns - seen.turns[best] + 180)[own] % 360 - 180
    assert np.median(np.abs(off)) < 3
    # Without the mirroring they are strangers.
    plain = features.extract(pixels).units() @ seen.units().T
    assert np.median(plain.max(axis=1)) < 0.9


def test_mirrored_twice_is_the_same() -> None:
    own = features.extract(photographs()["rocket"])
    again = features.mirrored(features.mirrored(own, 320), 320)
    np.testing.assert_allclose(again.places, own.places, atol=1e-3)
    np.testing.assert_array_equal(again.words, own.words)
    np.testing.assert_allclose(again.turns % 360, own.turns % 360, atol=1e-3)


def test_features_are_spread_and_counted() -> None:
    pixels = photographs()["coffee"]
    own = features.extract(pixels, 100)
    assert len(own) == 100
    cells = {tuple(c) for c in (own.places // (np.array([pixels.shape[1], pixels.shape[0]]) / 4)).astype(int)}
    assert len(cells) >= 12, "of 16 cells"


def test_places_of_a_large_picture_are_in_its_own_pixels() -> None:
    small = photographs()["coffee"]
    large = cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    assert max(large.shape) > features.LONGEST
    proof = prove(features.extract(small), features.extract(large), max(large.shape))
    assert proof.scale == pytest.approx(4, abs=0.05) and proof.matrix is not None
    assert points.apply(proof.matrix, np.array([[160.0, 100.0]]))[0] == pytest.approx((641.5, 401.5), abs=2)


def test_a_flat_or_tiny_picture_has_none() -> None:
    for size in ((64, 64), (1, 1), (3, 400)):
        assert len(features.extract(np.full((*size, 3), 128, np.uint8))) == 0


def test_within_and_only() -> None:
    pixels = photographs()["chelsea"]
    own = features.extract(pixels)
    left = np.zeros(pixels.shape[:2], bool)
    left[:, :100] = True
    part = own.only(own.within(left))
    assert 0 < len(part) < len(own) and part.places[:, 0].max() < 100.5
