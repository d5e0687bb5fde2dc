"""A repeated examination: an answer that flips is unstable, and the report says how often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import ifdl
from ifdl import intake
from ifdl.types import Answer, Question, Region, State, Verdict, Word
from ifdl.verdict import deep

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EDIT = Question.LOCAL_EDIT


def verdict(state: State) -> Verdict:
    region = Region((0, 0, 4, 4), 0.1, "left", id="a.1.r1")
    word = Word.WEAK if state == State.SUPPORTED else None
    regions = (region.id,) if word else ()
    answers = tuple(
        Answer(
            q, state if q == EDIT else State.NOT_RUN, word if q == EDIT else None, "It was measured.", "", (), regions
        )
        for q in Question
    )
    return Verdict(answers, (region,) if word else (), (), ())


def after(*states: State) -> list[deep.Repeat]:
    other = {Question.SYNTHETIC_ORIGIN: State.NOT_RUN}
    return [deep.Repeat(c, {EDIT: s, **other}) for c, s in zip(deep.CHANGES, states, strict=True)]


def test_there_are_six_different_changes() -> None:
    assert len(set(deep.CHANGES)) == 6


@pytest.mark.parametrize("state", [State.SUPPORTED, State.NO_TRACE_FOUND])
def test_an_answer_that_holds_six_times_stays(state: State) -> None:
    steady = deep.steadied(verdict(state), after(*[state] * 6))
    answer = steady.answer(EDIT)
    assert answer.state == state and "6 of 6" in answer.sentence
    assert steady.regions == verdict(state).regions
    assert steady.coverage[-1].test == "stability" and steady.coverage[-1].state == State.NO_TRACE_FOUND


@pytest.mark.parametrize("state", [State.SUPPORTED, State.NO_TRACE_FOUND])
def test_one_flip_makes_it_inconclusive(state: State) -> None:
    other = State.NO_TRACE_FOUND if state == State.SUPPORTED else State.SUPPORTED
    shaky = deep.steadied(verdict(state), after(*[state] * 5, other))
    answer = shaky.answer(EDIT)
    assert (answer.state, answer.word, answer.regions, shaky.regions) == (State.INCONCLUSIVE, None, (), ())
    assert "5 of 6" in answer.sentence and "5 of 6" in answer.cap
    assert deep.CHANGES[-1].words in shaky.coverage[-1].reason


def test_silence_and_facts_are_not_repeated() -> None:
    silent = verdict(State.OUT_OF_DOMAIN)
    again = deep.steadied(silent, after(*[State.SUPPORTED] * 6))
    assert again.answers == silent.answers and again.coverage[-1].state == State.OUT_OF_DOMAIN


def test_a_block_grid_does_not_survive_reduction_and_the_report_says_so() -> None:
    picture = intake.load(EXAMPLES / "splice.jpg")
    plain = ifdl.examine_picture(picture, clues=["jpeg_grid"]).verdict.answer(EDIT)
    report = ifdl.examine_picture(picture, clues=["jpeg_grid"], deep=True)
    answer = report.verdict.answer(EDIT)
    assert plain.state == State.SUPPORTED and answer.state == State.INCONCLUSIVE
    assert answer.sentence.startswith("Unstable") and "resize 0.9" in report.verdict.coverage[-1].reason
    assert report.run.seconds["deep"] > 0
    again = ifdl.examine_picture(picture, clues=["jpeg_grid"], deep=True)
    assert replace(again.verdict, findings=()).answers == report.verdict.answers
