"""Text edits: exact masks, honest records, strings that could stand on a page."""

from __future__ import annotations

import io
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from ifdl.forge import _document, text
from ifdl.forge._layout import KINDS, SIZES, Layout
from ifdl.forge.record import Forgery, Material
from tests.photographs import bundled


@pytest.fixture(scope="module")
def hosts() -> list[Material]:
    found = []
    for photograph in bundled():
        picture = Image.open(io.BytesIO(photograph.data)).convert("RGB").resize((256, 256))
        found.append(Material(np.asarray(picture), photograph.source))
    return found


def no_donors(_rng: np.random.Generator) -> Material:
    raise AssertionError("text needs no donor")


@pytest.fixture(scope="module")
def forgeries(hosts: list[Material]) -> list[Forgery]:
    made = [text.forge(hosts[seed % len(hosts)], no_donors, np.random.default_rng(seed)) for seed in range(60)]
    return [m for m in made if m is not None]


def test_nearly_every_photograph_can_carry_one(forgeries: list[Forgery]) -> None:
    assert len(forgeries) >= 57
    kinds = {str(f.steps[0].parameters["kind"]) for f in forgeries}
    assert kinds == set(text.KINDS)


def test_mask_is_where_the_page_changed(forgeries: list[Forgery]) -> None:
    for forgery in forgeries:
        assert forgery.untouched is not None
        changed = (forgery.pixels != forgery.untouched).any(axis=2)
        # Outside, only the faint foot of a soft edge; inside, all but even paper between the letters.
        assert not (changed & (cv2.dilate(forgery.mask.astype(np.uint8), np.ones((11, 11))) == 0)).any()
        assert changed[forgery.mask].mean() > 0.6
        difference = np.abs(forgery.pixels.astype(int) - forgery.untouched).max(axis=2)
        assert difference[forgery.mask].max() > 20
        assert text.SHARE[0] <= forgery.mask.mean() <= text.SHARE[1]


def test_steps_tell_what_was_there_and_what_is(forgeries: list[Forgery]) -> None:
    for forgery in forgeries:
        union = np.zeros_like(forgery.mask)
        for step in forgery.steps:
            x, y, width, height = step.target_box
            assert forgery.mask[y : y + height, x : x + width].any()
            union[y : y + height, x : x + width] = True
            old, new = str(step.parameters["old"]), str(step.parameters["new"])
            assert old != new
            assert new in step.action or not new
            if step.parameters["kind"] in ("retyped", "copied") and any(c.isdigit() for c in old):
                assert re.sub(r"\d", "0", old) == re.sub(r"\d", "0", new), (old, new)
            if step.source_box is not None:
                sx, sy, sw, sh = step.source_box
                assert 0 <= sx and 0 <= sy and sx + sw <= 256 and sy + sh <= 256
        assert not (forgery.mask & ~union).any()


def test_copied_characters_are_on_the_page_twice(hosts: list[Material]) -> None:
    alike = []
    for seed in range(40):
        page = _document.page(hosts[seed % 4].pixels, np.random.default_rng(seed))
        forgery = text._edited(page, "copied", np.random.default_rng(seed))
        for step in forgery.steps if forgery else ():
            assert step.source_box is not None
            x, y, width, height = step.source_box
            dx, dy = int(step.parameters["shift_x"]), int(step.parameters["shift_y"])
            # The middle of the copy, clear of its softened border, up to the brightness it was matched by.
            there = page.pixels[y + 2 : y + height - 2, x + 2 : x + width - 2].astype(float)
            here = forgery.pixels[y + dy + 2 : y + dy + height - 2, x + dx + 2 : x + dx + width - 2].astype(float)
            if there.size and there.std() > 8:
                alike.append(float(np.corrcoef(there.ravel(), here.ravel())[0, 1]))
    # Of slanted type the corners of the box are not part of the copy.
    assert len(alike) > 20 and min(alike) > 0.6 and np.median(alike) > 0.98


def test_same_seed_same_bytes_and_host_left_alone(hosts: list[Material]) -> None:
    before = hosts[0].pixels.copy()
    one, two = (text.forge(hosts[0], no_donors, np.random.default_rng(7)) for _ in range(2))
    other = text.forge(hosts[0], no_donors, np.random.default_rng(8))
    assert one is not None and two is not None and other is not None
    assert one.pixels.tobytes() == two.pixels.tobytes() and (one.mask == two.mask).all() and one.steps == two.steps
    assert one.pixels.tobytes() != other.pixels.tobytes()
    assert (hosts[0].pixels == before).all()


def test_too_small_a_host_is_declined() -> None:
    assert text.forge(Material(np.zeros((64, 200, 3), np.uint8), "1"), no_donors, np.random.default_rng(0)) is None


def test_strings_stay_sensible() -> None:
    rng = np.random.default_rng(0)
    for old in ("12.50", "31.12.2020", "09:15", "10423", "coffee", "TOTAL"):
        for _ in range(50):
            new = text._other(old, rng)
            assert new is not None and new != old
            assert new[0] != "0" or old[0] == "0" or old.count(".") == 2, "only days may gain a nought"
            if old.count(".") == 2:
                assert 1 <= int(new[:2]) <= 31 and 1 <= int(new[3:5]) <= 12
            assert new.isupper() == old.isupper()
    assert not text._sensible("10.13.2020", "10.12.2020")
    assert not text._sensible("24:10", "23:10")
    assert not text._sensible("02.50", "12.50")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_page_stays_inside_its_margins(kind: str) -> None:
    for seed in range(12):
        size = ((200, 160), (500, 420), (300, 600))[seed % 3]
        layout = Layout(size, np.random.default_rng(seed), 0.0)
        layout.fill(kind)
        assert len(layout.words) >= 4
        assert all(word.size in SIZES for word in layout.words)
        boxes = np.array([word.box() for word in layout.words])
        assert boxes[:, 0].min() >= -1 and boxes[:, 1].min() >= -1
        assert boxes[:, 2].max() <= size[1] + 1 and boxes[:, 3].max() <= size[0] * 1.02


def test_noise_of_a_page_is_noise() -> None:
    noise = _document.static((200, 200), np.random.default_rng(3))
    assert abs(float(noise.mean())) < 0.02
    assert 0.9 < float(noise.std()) < 1.1
    assert abs(float(np.corrcoef(noise[:, :-3, 0].ravel(), noise[:, 3:, 0].ravel())[0, 1])) < 0.03
