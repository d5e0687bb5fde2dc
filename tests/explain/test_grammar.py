"""The answer: written, read back, and read out of what models add. More on the parser: tests/evaluate/test_text.py."""

from __future__ import annotations

import pytest

from ifdl.explain import grammar
from ifdl.explain.grammar import Fields

FULL = Fields("Local edit", "upper left, 2.3 % of the picture", "a dog", "The noise differs. The edge is hard.")
CHATTER = "Great question! I am happy to help.\n\n{}\n\nLet me know if you need anything else!"


def test_what_is_written_is_read_back() -> None:
    assert grammar.parse(grammar.write(FULL)) == FULL
    assert grammar.write(Fields(areas="left")) == "Areas: left" and grammar.write(Fields()) == ""
    assert all(f"{name}:" in grammar.ASK for name in grammar.NAMES)


def test_rambling_does_not_reach_the_fields_before_it() -> None:
    read = grammar.parse(grammar.answer(CHATTER.format(grammar.write(FULL))))
    assert (read.type, read.areas, read.tampered_content) == (FULL.type, FULL.areas, FULL.tampered_content)
    assert read.visual_inconsistencies is not None
    assert read.visual_inconsistencies.startswith(FULL.visual_inconsistencies or "")


@pytest.mark.parametrize(
    "thought", ["<think>Type: a guess.\n{}</think>\n{}", "Type: a guess.\n</think>{1}", "{1}\n<thinking>Areas: all {0}"]
)
def test_thoughts_aloud_are_no_answer(thought: str) -> None:
    assert grammar.parse(grammar.answer(thought.format("hm, so", grammar.write(FULL)))) == FULL


def test_a_loop_says_each_sentence_once() -> None:
    text = "The patch is soft. " + "The noise differs there. " * 40
    assert grammar.answer(text) == "The patch is soft. The noise differs there."
    assert grammar.answer("Areas: left\n" * 9) == "Areas: left"


def test_a_cut_answer_loses_only_its_unfinished_sentence() -> None:
    text = grammar.write(FULL)
    for end in range(len(text)):
        kept = grammar.answer(text[:end], cut=True)
        assert text.startswith(kept) and (not kept or kept.endswith((".", "picture", "edit", "dog")))
    assert grammar.answer("It covers 2.3 % of the picture. It covers 2", cut=True) == "It covers 2.3 % of the picture."
    assert grammar.answer("It covers 2.3", cut=True) == ""


def test_numbers_and_abbreviations_stay_whole() -> None:
    said = "About 2.3 % of it, x 1-2. A second one (0.5)."
    assert grammar.answer(said) == said
