"""Sequences: each edit on the result of the one before, in order, none wiped out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ifdl import forge
from ifdl.forge import sequence
from ifdl.forge.record import Donors, Forgery, Material, Step, box_of
from tests.photographs import bundled


def hosts(side: int = 192) -> list[Material]:
    found = []
    for photograph in bundled():
        picture = Image.open(io.BytesIO(photograph.data)).convert("RGB").resize((side, side))
        found.append(Material(np.asarray(picture), photograph.source))
    return found


class Marker:
    """An engine that adds one level to a box and remembers what it was given."""

    def __init__(self, name: str, boxes: Iterator[tuple[int, int, int, int]]) -> None:
        self.name, self.boxes, self.given = name, boxes, []

    def forge(self, host: Material, donors: Donors, rng: np.random.Generator) -> Forgery | None:
        self.given.append(host.pixels)
        box = next(self.boxes, None)
        if box is None:
            return None
        x, y, width, height = box
        mask = np.zeros(host.pixels.shape[:2], bool)
        mask[y : y + height, x : x + width] = True
        pixels = host.pixels + mask[..., None].astype(np.uint8)
        return Forgery(pixels, mask, (Step(self.name, "marked", "a box", box_of(mask)),))


def with_boxes(monkeypatch: pytest.MonkeyPatch, *boxes: tuple[int, int, int, int]) -> dict[str, Marker]:
    """Engines that all mark the next of the boxes, whichever is asked."""
    line = iter(boxes)
    made = {name: Marker(name, line) for name in sequence.ENGINES}
    monkeypatch.setattr(forge, "load", lambda name: made[name])
    return made


def run(seed: int, size: int = 100) -> Forgery | None:
    host = Material(np.zeros((size, size, 3), np.uint8), "1")
    return sequence.forge(host, lambda _: host, np.random.default_rng(seed))


def test_edits_stand_on_each_other_and_the_mask_is_their_union(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(20):
        made = with_boxes(monkeypatch, (0, 0, 20, 20), (10, 0, 20, 20), (60, 60, 10, 10), (80, 80, 10, 10))
        forgery = run(seed)
        assert forgery is not None and 2 <= len(forgery.steps) <= 4
        assert ((forgery.pixels[..., 0] > 0) == forgery.mask).all()
        assert forgery.pixels[5, 15, 0] == 2  # both the first and the second edit
        starts = [step.target_box for step in forgery.steps]
        assert starts == [(0, 0, 20, 20), (10, 0, 20, 20), (60, 60, 10, 10), (80, 80, 10, 10)][: len(starts)]
        assert sum(len(m.given) for m in made.values()) >= len(starts)


def test_an_edit_that_hides_an_earlier_one_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(20):
        with_boxes(monkeypatch, (0, 0, 20, 20), (0, 0, 20, 11), (50, 50, 10, 10), (0, 0, 9, 20), (9, 0, 9, 20))
        forgery = run(seed)
        assert forgery is not None
        boxes = [step.target_box for step in forgery.steps]
        assert (0, 0, 20, 11) not in boxes  # 55 % of the first
        # 45 % may go, and then no more: hiding is counted in all, not edit by edit.
        assert not {(0, 0, 9, 20), (9, 0, 9, 20)} <= set(boxes)


def test_none_when_only_one_edit_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with_boxes(monkeypatch, (0, 0, 20, 20))
    assert run(0) is None


def test_most_of_the_picture_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    with_boxes(monkeypatch, (0, 0, 100, 40), (0, 40, 100, 40), (0, 80, 10, 10), (50, 90, 10, 10), (80, 90, 5, 5))
    forgery = run(1)
    assert forgery is not None and forgery.mask.mean() <= sequence.MOST_EDITED


def test_with_the_real_engines() -> None:
    pictures = hosts()

    def donors(rng: np.random.Generator) -> Material:
        return pictures[int(rng.integers(len(pictures)))]

    made = 0
    for seed in range(8):
        host = pictures[seed % len(pictures)]
        one, two = (sequence.forge(host, donors, np.random.default_rng(seed)) for _ in range(2))
        if one is None:
            assert two is None
            continue
        assert two is not None and one.pixels.tobytes() == two.pixels.tobytes() and one.steps == two.steps
        names = [step.engine for step in one.steps]
        assert set(names) <= set(sequence.ENGINES) and len(set(names)) >= 2
        changed = (one.pixels != host.pixels).any(axis=2)
        assert changed.any() and 0 < one.mask.mean() <= sequence.MOST_EDITED
        made += 1
    assert made >= 6


def test_names_are_engines() -> None:
    assert set(sequence.ENGINES) <= set(forge.names())
    assert isinstance(SimpleNamespace(CARD=sequence.CARD).CARD.id, str) and sequence.CARD.id == "sequence"
