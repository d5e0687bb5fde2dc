"""The contract sweep: every engine keeps the promises that training and explanation build on."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ifdl import forge
from ifdl.forge.record import Forgery, Material
from tests.photographs import bundled

HOSTS = [
    Material(np.asarray(Image.open(io.BytesIO(p.data)).convert("RGB")), p.source, p.name, (0, 0)) for p in bundled()
]
SEEDS = range(6)


def donors(rng: np.random.Generator) -> Material:
    return HOSTS[int(rng.integers(len(HOSTS)))]


def made(engine: str, seed: int, host: Material | None = None) -> Forgery | None:
    return forge.load(engine).forge(host or HOSTS[seed % len(HOSTS)], donors, np.random.default_rng(seed))


@pytest.fixture(params=["splice", "copymove", "remove", "retouch", "text", "sequence"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_engine_is_swept() -> None:
    assert set(forge.names()) == {"splice", "copymove", "remove", "retouch", "text", "sequence"}
    with pytest.raises(KeyError, match="splice"):
        forge.load("telepathy")


def test_card(engine: str) -> None:
    card = forge.load(engine).CARD
    assert card.id == engine and card.title and card.citation and card.limits


def test_truth_is_exact_and_nothing_else_changes(engine: str) -> None:
    found = 0
    for seed in SEEDS:
        host = HOSTS[seed % len(HOSTS)]
        before = host.pixels.copy()
        forgery = made(engine, seed)
        assert np.array_equal(host.pixels, before), "the host must be left as it was"
        if forgery is None:
            continue
        found += 1
        original = host.pixels if forgery.untouched is None else forgery.untouched
        assert forgery.pixels.dtype == np.uint8 and forgery.pixels.shape == original.shape
        assert forgery.mask.dtype == bool and forgery.mask.shape == original.shape[:2]
        assert 0 < forgery.mask.mean() < 0.7
        changed = (forgery.pixels != original).any(axis=2)
        assert changed[forgery.mask].mean() > 0.4, "most of the mask must have changed"
        # Soft edges reach a few pixels beyond the mask; nothing lies further out.
        import cv2

        near = cv2.dilate(forgery.mask.astype(np.uint8), np.ones((33, 33), np.uint8)) > 0
        assert not (changed & ~near).any()
    assert found >= 4, f"{engine} declined {len(SEEDS) - found} of {len(SEEDS)} ordinary pictures"


def test_same_seed_same_bytes(engine: str) -> None:
    for seed in SEEDS[:3]:
        first, second = made(engine, seed), made(engine, seed)
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            assert np.array_equal(first.pixels, second.pixels) and np.array_equal(first.mask, second.mask)
            assert first.steps == second.steps


def test_other_seed_other_forgery(engine: str) -> None:
    masks = [f.mask for seed in range(0, 12, 4) if (f := made(engine, seed, HOSTS[0])) is not None]
    assert len(masks) >= 2 and not np.array_equal(masks[0], masks[1])


def test_record_says_what_was_done_and_where(engine: str) -> None:
    for seed in SEEDS:
        forgery = made(engine, seed)
        if forgery is None:
            continue
        assert forgery.steps
        for step in forgery.steps:
            assert step.action and step.content and step.cues and step.traces and step.parameters
            x, y, width, height = step.target_box
            assert 0 <= x and 0 <= y and width > 0 and height > 0
            assert x + width <= forgery.mask.shape[1] and y + height <= forgery.mask.shape[0]
        marked = np.zeros(forgery.mask.shape, bool)
        for step in forgery.steps:
            x, y, width, height = step.target_box
            marked[max(0, y - 3) : y + height + 3, max(0, x - 3) : x + width + 3] = True
        assert marked[forgery.mask].mean() > 0.97, "the boxes must hold the mask"


def test_tiny_and_flat_hosts_end_in_a_forgery_or_none(engine: str) -> None:
    for shape in ((8, 8), (40, 300), (96, 96)):
        for value in (0, 127):
            host = Material(np.full((*shape, 3), value, np.uint8), "0000000001")
            forgery = made(engine, 1, host)
            assert forgery is None or forgery.mask.any()
