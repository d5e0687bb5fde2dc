"""Texts against record and mask: places by hand, own captions right, swapped captions wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from ifdl.evaluate import grounding
from ifdl.evaluate.grounding import Agreement, against_record, label_of, mask_agreement, places
from ifdl.evaluate.labels import Overlap
from ifdl.evaluate.text import Fields, parse, swapped
from ifdl.forge.caption import PHRASES, TYPES, caption
from ifdl.forge.record import CUES, Step
from ifdl.signal.orientation import to_display
from ifdl.signal.regions import position_words
from tests.evaluate.records import SIZE, drawn, mask_of

ONE, ZERO = Overlap(1, 1, 1), Overlap(0, 0, 0)


def cells(words: str) -> set[tuple[int, int]]:
    every = itertools.product(range(3), range(3))
    return {cell for cell in every if any(place.holds(cell) for place in places(words))}


@pytest.mark.parametrize(
    ("said", "label"),
    [
        *((words, "edited") for words in TYPES),
        ("Authentic", "authentic"), ("Real photograph", "authentic"), ("Not edited", "authentic"),
        ("no evidence of any kind of tampering", "authentic"), ("unedited", "authentic"),
        ("not authentic", "edited"), ("Edited, not authentic", "edited"), ("No, it was tampered with", "edited"),
        ("Object tampering", "edited"), ("Full Synthetic", "synthetic"), ("AI-generated", "synthetic"),
        ("partially synthetic", "edited"), ("not synthetic but authentic", "authentic"), ("not synthetic", None),
        ("a realistic dog", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_types(said: str | None, label: str | None) -> None:
    assert label_of(said) == label


def test_places_by_hand() -> None:
    assert cells("a dog at the Upper Left.") == cells("top-left corner") == cells("left top") == {(0, 0)}
    assert cells("left") == cells("on the left side") == {(0, 0), (1, 0), (2, 0)}
    assert cells("the lower part") == {(2, 0), (2, 1), (2, 2)}
    assert cells("middle left") == cells("center left") == {(1, 0)}
    assert cells("centre") == cells("in the middle of the picture") == {(1, 1)}
    assert cells("upper middle") == {(0, 1)}
    assert cells("left, upper right") == {(0, 0), (1, 0), (2, 0), (0, 2)}, "a comma parts two places"
    assert cells("leftover stop, brightness") == set()


def test_every_position_word_names_its_own_third() -> None:
    for row, column in itertools.product(range(3), range(3)):
        assert (row, column) in cells(position_words(column + 0.5, row + 0.5, (3, 3)))


def test_cues_of_phrases_are_their_own() -> None:
    for cue in CUES:
        for phrase in PHRASES[cue]:
            assert grounding.cues(f"{cue}: {phrase}") == {cue}
    assert grounding.cues("Shadows, an EDGE and odd colors") == {"shadow", "edges", "colour"}
    assert grounding.cues("none that a person would see") == grounding.cues("") == set()


def test_own_captions_are_right() -> None:
    for seed in range(40):
        steps = drawn(np.random.default_rng(seed), most=3)
        made = against_record(parse(caption(steps, SIZE, np.random.default_rng(seed)).text()), steps, SIZE)
        assert (made.type, made.content, made.cues) == (1, ONE, ONE)
        assert made.areas == ONE
    none = against_record(parse(caption((), SIZE, np.random.default_rng(0)).text()), (), SIZE)
    assert none == grounding.Accuracy(1, ONE, ONE, ONE)


def test_record_by_hand() -> None:
    steps = (
        Step("splice", "pasted from another picture", "a red dog", (0, 0, 30, 30), cues=("edges", "noise")),
        Step("remove", "removed", "a part of the scene", (390, 270, 30, 30)),
    )
    said = Fields("Authentic", "upper left; centre", "a blue dog was pasted", "edges: hard; shadow: none")
    made = against_record(said, steps, SIZE)
    assert made.type == 0
    assert made.areas == Overlap(1 / 2, 1 / 2, 1 / 2)
    # Said: blue dog pasted. True: red dog pasted another removed scene.
    assert made.content == Overlap(2 / 3, 2 / 6, 4 / 9)
    assert made.cues == Overlap(1 / 2, 1 / 2, 1 / 2)
    assert against_record(Fields(), steps, SIZE) == grounding.Accuracy(0, ZERO, ZERO, ZERO)
    assert against_record(Fields(), (), SIZE) == grounding.Accuracy(0, ZERO, ZERO, ZERO)
    false_alarm = against_record(Fields("Edited", "centre", "a dog", "edges"), (), SIZE)
    assert false_alarm == grounding.Accuracy(0, ZERO, ZERO, ZERO)


def test_naming_every_place_does_not_pay() -> None:
    steps = (Step("splice", "pasted", "a dog", (0, 0, 30, 30)),)
    nine = "; ".join(
        f"{row} {column}" for row in ("upper", "middle", "lower") for column in ("left", "middle", "right")
    )
    made = against_record(Fields(areas=nine), steps, SIZE)
    assert made.areas.recall == 1 and made.areas.precision == 1 / 9
    assert mask_agreement(nine, mask_of(steps)) == Agreement(1 / 9, 1)


def test_mask_by_hand() -> None:
    mask = np.zeros((90, 120), bool)
    mask[:30, 20:60] = True  # half in the left third, half in the middle one
    assert mask_agreement("upper left", mask) == mask_agreement("upper middle", mask) == Agreement(1, 1 / 2)
    assert mask_agreement("upper left and upper middle", mask) == mask_agreement("top", mask) == Agreement(1, 1)
    assert mask_agreement("upper left or lower right", mask) == Agreement(1 / 2, 1 / 2)
    assert mask_agreement("lower right", mask) == mask_agreement("somewhere", mask) == mask_agreement(None, mask)
    assert mask_agreement(None, mask) == Agreement(0, 0)
    empty = np.zeros((9, 9), bool)
    assert mask_agreement("none", empty) == Agreement(1, 1) and mask_agreement("left", empty) == Agreement(0, 0)
    speck = mask.copy()
    speck[89, 119] = True
    assert mask_agreement("lower right", speck).pointed == 0, "a speck is not where the mask is"


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (31, 47)])
def test_thirds_of_odd_sizes(shape: tuple[int, int]) -> None:
    """Every single pixel is in the third that its position words name."""
    for row, column in itertools.product(range(shape[0]), range(shape[1])):
        if (row * shape[1] + column) % 7:
            continue
        mask = np.zeros(shape, bool)
        mask[row, column] = True
        assert mask_agreement(position_words(column + 0.5, row + 0.5, shape), mask) == Agreement(1, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_words_are_of_the_picture_as_displayed(orientation: int) -> None:
    rng = np.random.default_rng(orientation)
    for _ in range(10):
        mask = np.zeros((60, 90), bool)
        y, x = int(rng.integers(0, 50)), int(rng.integers(0, 80))
        mask[y : y + 8, x : x + 6] = True
        shown: NDArray[np.bool_] = to_display(mask, orientation)
        for words in ("upper left", "right", "lower middle", "centre"):
            assert mask_agreement(words, mask, orientation) == mask_agreement(words, shown)


def test_truth_falls_when_texts_are_swapped() -> None:
    steps = [drawn(np.random.default_rng([7, n])) for n in range(80)]
    said = [parse(caption(s, SIZE, np.random.default_rng([8, n])).text()) for n, s in enumerate(steps)]

    def numbers(order: NDArray[np.int64]) -> dict[str, float]:
        made = [against_record(said[i], s, SIZE) for i, s in zip(order, steps, strict=True)]
        where = [mask_agreement(said[i].areas, mask_of(s)) for i, s in zip(order, steps, strict=True)]
        return {
            "areas": float(np.mean([m.areas.f1 for m in made])),
            "content": float(np.mean([m.content.f1 for m in made])),
            "cues": float(np.mean([m.cues.f1 for m in made])),
            "pointed": float(np.mean([a.pointed for a in where])),
            "covered": float(np.mean([a.covered for a in where])),
        }

    own, theirs = numbers(np.arange(80)), numbers(swapped(80))
    for name, value in own.items():
        assert value > theirs[name] + 0.3, (name, value, theirs[name])
