"""Fusion: states as before without a file; with one, the words follow from capped ratios and say why."""

from __future__ import annotations

import math

import pytest

from ifdl.types import Answer, Coverage, Finding, Question, Region, State, Word
from ifdl.verdict.calibration import Loaded
from ifdl.verdict.fuse import Scale, coverage_of, fuse, strength_of
from tests.verdict.test_calibration import level, made

VERSIONS = {"a": "1", "b": "2", "c": "1"}
EDIT = Question.LOCAL_EDIT


def found(
    state: State = State.SUPPORTED, clue: str = "a", strength: float = 1.0, question: Question = EDIT, **more: object
) -> Finding:
    regions = (Region((0, 0, 4, 4), 0.1, "upper left", id=f"{clue}.1.r1"),)
    return Finding(
        clue, question, state, "It was measured.", strength, regions=regions, id=f"{clue}.1", **more  # type: ignore[arg-type]
    )  # fmt: skip


def scale(stratum: str | None = "reduced", versions: dict[str, str] | None = None, **strata: object) -> Scale:
    loaded = Loaded("own.json", "0123456789abcdef", made(**strata))  # type: ignore[arg-type]
    return Scale(loaded, stratum, VERSIONS if versions is None else versions)


def answer(*findings: Finding, by: Scale | None = None, question: Question = EDIT) -> Answer:
    return fuse(findings, (), by).answer(question)


def test_without_a_file_above_threshold_is_weak() -> None:
    said = answer(found(), found(clue="b"))
    assert (said.state, said.word) == (State.SUPPORTED, Word.WEAK) and "no calibration file" in said.cap


@pytest.mark.parametrize("by", [None, scale()])
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["NO_TRACE_FOUND", "SUPPORTED"], "SUPPORTED"),
        (["NO_TRACE_FOUND", "INCONCLUSIVE"], "INCONCLUSIVE"),
        (["OUT_OF_DOMAIN", "NO_TRACE_FOUND"], "NO_TRACE_FOUND"),
        (["FAILED", "OUT_OF_DOMAIN"], "OUT_OF_DOMAIN"),
        (["FAILED"], "FAILED"),
        ([], "NOT_RUN"),
    ],
)
def test_fusion_of_states(states: list[str], expected: str, by: Scale | None) -> None:
    assert answer(*(found(State(s), clue="ab"[n]) for n, s in enumerate(states)), by=by).state == expected


def test_the_word_follows_from_the_fused_ratio() -> None:
    said = answer(found(), by=scale())
    assert (said.state, said.word) == (State.SUPPORTED, Word.MODERATE)
    assert "41 authentic photographs without a false alarm" in said.cap
    assert "allow a ratio of at most 10" in said.cap and "pooled" in said.cap
    assert said.log10_ratio == 1.0
    assert answer(found(strength=0.5), by=scale()).word == Word.WEAK


def test_two_clues_say_no_more_than_the_better_one() -> None:
    one, both = answer(found(strength=0.5), by=scale()), answer(found(strength=0.5), found(clue="b"), by=scale())
    assert one.word == both.word == Word.WEAK


def test_the_pictures_own_stratum_is_used_and_said() -> None:
    said = answer(found(), by=scale(reduced=level(math.log10(4.5), sources=25, alarms=2)))
    assert said.word == Word.WEAK
    assert "25 authentic photographs with 2 false alarms (of the kind “reduced”)" in said.cap
    assert "at most 4.5" in said.cap


def test_above_threshold_but_below_a_ratio_of_two_is_inconclusive_and_says_why() -> None:
    verdict = fuse([found(strength=0.1)], (), scale())
    said = verdict.answer(EDIT)
    assert (said.state, said.word, said.regions, verdict.regions) == (State.INCONCLUSIVE, None, (), ())
    assert "above the threshold" in said.sentence and "below the 2" in said.cap
    assert said.findings == ("a.1",)


@pytest.mark.parametrize(("clue", "why"), [("c", "does not know c"), ("a", "version 7")])
def test_what_the_file_does_not_know_stays_weak(clue: str, why: str) -> None:
    said = answer(found(clue=clue), by=scale(versions={"a": "7", "c": "1"}))
    assert (said.state, said.word) == (State.SUPPORTED, Word.WEAK) and why in said.cap and said.log10_ratio is None


def test_an_unknown_clue_neither_strengthens_nor_takes_the_answer_away() -> None:
    assert answer(found(), found(clue="c"), by=scale()).word == Word.MODERATE
    said = answer(found(strength=0.1), found(clue="c"), by=scale())
    assert (said.state, said.word) == (State.SUPPORTED, Word.WEAK)


def test_a_question_the_file_does_not_have_is_weak() -> None:
    said = answer(found(question=Question.HISTORY), by=scale(), question=Question.HISTORY)
    assert said.word == Word.WEAK and "nothing on this question" in said.cap


def test_facts_carry_no_ratio_and_experimental_findings_none_at_all() -> None:
    said = answer(found(established=True, strength=0.0), by=scale())
    assert said.word == Word.ESTABLISHED and "ratio" not in said.cap and said.log10_ratio is None
    assert answer(found(established=True)).word == Word.ESTABLISHED
    alone = found(experimental=True)
    verdict = fuse([alone], (), scale())
    assert verdict.answer(EDIT).state == State.NOT_RUN and (verdict.findings, verdict.regions) == ((alone,), ())
    weak = answer(found(strength=0.1), found(clue="b", experimental=True), by=scale())
    assert weak.state == State.INCONCLUSIVE


def test_silence_is_never_raised_by_a_ratio() -> None:
    said = answer(found(State.NO_TRACE_FOUND, strength=1.0), by=scale())
    assert (said.state, said.word, said.cap, said.log10_ratio) == (State.NO_TRACE_FOUND, None, "", 1.0)
    assert answer(found(State.OUT_OF_DOMAIN), by=scale()).log10_ratio is None


def test_strength_is_the_greatest_in_domain() -> None:
    assert strength_of([found(State.OUT_OF_DOMAIN, strength=0.9), found(State.FAILED)]) is None
    assert strength_of([found(strength=0.2), found(State.INCONCLUSIVE, strength=0.4)]) == 0.4


def test_coverage_row_says_which_file_and_how_many() -> None:
    def row(by: Scale | None, *findings: Finding) -> Coverage:
        return coverage_of(by, findings, "Calibrated likelihood ratios")

    assert row(None, found()).state == State.NOT_RUN
    assert row(scale(), found(clue="c")).state == row(scale(), found(State.OUT_OF_DOMAIN)).state == State.OUT_OF_DOMAIN
    used = row(scale(), found())
    assert used.state == State.NO_TRACE_FOUND and used.questions == (EDIT,)
    assert "own.json (sha256 0123456789ab, 2026-01-01); local edit: 41 authentic photographs" in used.reason
