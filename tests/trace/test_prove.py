"""Geometry: known maps are recovered, strangers and degenerate matches prove nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ifdl.signal import points
from ifdl.trace import features
from ifdl.trace.prove import LOOKS_LIKE, Matches, State, agree, match, prove, strongest, turned_back
from tests.trace.pictures import photographs, turned, warped

PICTURES = photographs()
SLANT = np.array([[0.95, 0.05, 5], [-0.03, 0.9, 8], [4e-4, 2e-4, 1.0]])
SHEAR = np.array([[1.0, 0.18, -10], [0.02, 0.85, 12], [0, 0, 1.0]])


def corners_off(found: np.ndarray, true: np.ndarray, size: tuple[int, ...]) -> float:
    """How far the maps differ in the inner part of a picture, pixels."""
    x, y = np.meshgrid([0.2 * size[1], 0.8 * size[1]], [0.2 * size[0], 0.8 * size[0]])
    places = np.stack([x.ravel(), y.ravel()], 1)
    return float(np.linalg.norm(points.apply(found, places) - points.apply(true, places), axis=1).max())


@pytest.mark.parametrize(
    ("name", "degrees", "scale"),
    [("coffee", 7, 1.0), ("astronaut", -15, 0.7), ("chelsea", 90, 1.0), ("rocket", 180, 0.9)],
)
def test_a_similarity_is_recovered(name: str, degrees: float, scale: float) -> None:
    pixels = PICTURES[name]
    other, matrix = turned(pixels, degrees, scale)
    proof = prove(features.extract(pixels), features.extract(other), max(pixels.shape))
    assert proof.state is State.PROVED and proof.kind == "similarity" and proof.matrix is not None
    assert proof.scale == pytest.approx(scale, abs=0.02)
    assert (proof.degrees - degrees + 180) % 360 - 180 == pytest.approx(0, abs=1)
    assert corners_off(proof.matrix, matrix, pixels.shape) < 1.5


@pytest.mark.parametrize(("matrix", "kinds"), [(SHEAR, {"affine"}), (SLANT, {"homography", "affine"})])
def test_an_affine_map_and_a_homography_are_recovered(matrix: np.ndarray, kinds: set[str]) -> None:
    pixels = PICTURES["astronaut"]
    other = warped(pixels, matrix, (pixels.shape[1], pixels.shape[0]))
    proof = prove(features.extract(pixels), features.extract(other), max(pixels.shape))
    assert proof.state is State.PROVED and proof.kind in kinds and proof.matrix is not None
    assert corners_off(proof.matrix, matrix, pixels.shape) < 3


def test_strangers_are_not_proved() -> None:
    for one in PICTURES:
        for two in PICTURES:
            if one != two:
                theirs, ours = features.extract(PICTURES[one]), features.extract(PICTURES[two], 3000)
                assert prove(theirs, ours, 320).state is State.NONE, f"{one} {two}"


def test_a_mirrored_picture_is_proved_as_mirrored_only() -> None:
    pixels = PICTURES["coffee"]
    other, _ = turned(np.ascontiguousarray(pixels[:, ::-1]), 7)
    theirs, ours = features.extract(pixels), features.extract(other)
    assert prove(theirs, ours, 320).state is not State.PROVED
    width = pixels.shape[1]
    proof = turned_back(prove(theirs, features.mirrored(ours, width), 320), width, width)
    assert proof.state is State.PROVED and proof.mirrored and proof.degrees == pytest.approx(7, abs=1)
    # The map takes the mirrored archive's picture to the one asked about.
    assert proof.matrix is not None and proof.theirs is not None and proof.ours is not None
    off = np.linalg.norm(points.apply(proof.matrix, proof.theirs.astype(float)) - proof.ours, axis=1)
    assert off.max() < 5
    assert "mirrored" in proof.words and "turned 7° clockwise" in proof.words


def places(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 300, (count, 2)).astype(np.float32)


def plain(theirs: np.ndarray, ours: np.ndarray) -> Matches:
    ones = np.ones(len(theirs), np.float32)
    return Matches(theirs, ours, ones, np.zeros(len(theirs), np.float32))


def test_matches_on_a_line_in_one_spot_or_too_few_prove_nothing() -> None:
    line = np.stack([np.linspace(0, 300, 60), np.full(60, 40)], 1).astype(np.float32)
    assert agree(plain(line, line + 5)).state is State.NONE
    slanted = np.stack([np.linspace(0, 300, 60), np.linspace(10, 200, 60)], 1).astype(np.float32)
    assert agree(plain(slanted, slanted + 5)).state is State.NONE
    spot = np.full((60, 2), 50, np.float32)
    assert agree(plain(spot, spot)).state is State.NONE
    few = places(LOOKS_LIKE - 1)
    assert agree(plain(few, few)).state is State.NONE
    assert agree(plain(few[:0], few[:0])).state is State.NONE
    assert agree(plain(places(60), places(60))).state is State.PROVED, "the same places, well spread, do"


def test_matches_that_share_a_place_count_once() -> None:
    own = places(10).repeat(6, axis=0)
    found = strongest(plain(own, own))
    assert found is not None and found[0] == 10


def test_scale_and_direction_of_the_features_must_fit_the_map() -> None:
    own = places(60)
    turned_features = Matches(own, own, np.ones(60, np.float32), np.full(60, 90, np.float32))
    assert agree(turned_features).state is State.NONE
    larger = Matches(own, own, np.full(60, 4, np.float32), np.zeros(60, np.float32))
    assert agree(larger).state is State.NONE


def test_matches_without_scale_and_direction_are_enough() -> None:
    own = places(60)
    proof = agree(Matches(own, own * 0.5 + 20))
    assert proof.state is State.PROVED and proof.scale == pytest.approx(0.5, abs=0.01)


def test_random_matches_prove_nothing() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = agree(
            Matches(
                places(400, seed), places(400, seed + 1000),
                np.exp2(rng.normal(0, 1, 400)).astype(np.float32), rng.uniform(0, 360, 400).astype(np.float32),
            )
        )  # fmt: skip
        assert found.state is State.NONE


def test_no_features_no_matches() -> None:
    assert len(match(features.nothing(), features.extract(PICTURES["coffee"]))) == 0
    assert prove(features.nothing(), features.nothing()).state is State.NONE
