"""Parts of the small study of explanations: words, batches, contrast decoding, and the rules' own four fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.explainer_data import COORDINATES
from benchmarks.explainer_net import END, Explainer, Shape, Words, batches, seen_of

import ifdl
from ifdl.evaluate.text import parse
from ifdl.forge.caption import PHRASES, caption
from ifdl.forge.record import Step

torch = pytest.importorskip("torch")
SMALL = Shape(tokens=12, width=32, layers=2, heads=2, most=20)
TEXT = "Type: Local edit\nAreas: upper left; centre\nTampered content: a dark object, pasted"


def test_words_come_back() -> None:
    words = Words([TEXT])
    assert words.decode(words.encode(TEXT, 160)) == TEXT
    assert words.encode(TEXT, 160)[-1] == END
    assert words.decode(words.encode("Type: unheard Local edit", 160)) == "Type: Local edit"


def test_captions_without_coordinates_keep_their_places() -> None:
    step = Step("splice", "pasted from another picture", "a red region", (10, 20, 60, 40), cues=("noise",))
    said = caption([step], (200, 200), np.random.default_rng(0)).text()
    bare = COORDINATES.sub("", said)
    assert "x 10-70" in said and "x 10-70" not in bare and "box" not in bare
    assert parse(bare).areas == "upper left"
    assert any(phrase in bare for phrase in PHRASES["noise"])


def test_a_round_shows_every_picture_once_and_lengths_keep_together() -> None:
    lengths = np.random.default_rng(1).integers(5, 150, 256)
    made = batches(lengths, 16, np.random.default_rng(2))
    assert sorted(np.concatenate(made)) == list(range(256))
    spread = np.mean([np.ptp(lengths[rows]) for rows in made])
    assert spread < 0.3 * np.ptp(lengths)
    again = batches(lengths, 16, np.random.default_rng(3))
    assert any((a != b).any() for a, b in zip(made, again, strict=True))


def net() -> Explainer:
    torch.manual_seed(0)
    own = Explainer(40, SMALL).eval()
    with torch.no_grad():
        for weight in own.parameters():  # at its start a decoder hardly heeds what stands before its words
            weight *= 4 if weight.ndim > 1 else 1
    return own


def test_contrast_of_nothing_says_the_same_and_of_something_not() -> None:
    own, rng = net(), np.random.default_rng(0)
    plain, view = (torch.from_numpy(rng.normal(size=(3, 64, 12)).astype(np.float32) * 4) for _ in range(2))
    said, _ = own.say(plain)
    off = own.say_under_contrast(plain, view, 0.0)
    assert [row[: row.index(END)] if END in row else row for row in said.tolist()] == [
        row[: row.index(END)] if END in row else row for row in off.tolist()
    ]
    same = own.say_under_contrast(plain, plain, 2.0)  # a view of the same picture moves no choice
    assert same.tolist() == off.tolist()
    other = own.say_under_contrast(plain, view, 50.0)
    assert other.tolist() != off.tolist()


def test_an_arm_sees_the_blend() -> None:
    plain, masked = np.full((1, 64, 12), 2.0, np.float16), np.zeros((1, 64, 12), np.float16)
    assert float(seen_of(plain, masked, 0.25).max()) == pytest.approx(0.5)
    assert float(seen_of(plain, None, 0.25).min()) == 2.0


def test_the_rules_verdict_in_four_fields() -> None:
    from benchmarks.explainer_grounded import fields

    examples = Path(__file__).resolve().parents[2] / "examples"
    copied = parse(fields(ifdl.examine(examples / "copymove.jpg").verdict))
    assert copied.type == "Partially edited" and "copied" in (copied.tampered_content or "")
    assert "repetition" in (copied.visual_inconsistencies or "")
    assert parse(fields(ifdl.examine(examples / "untouched.jpg").verdict)).type == "Authentic"
