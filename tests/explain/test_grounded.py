"""Every sentence rests on something measured; no number, cause or verdict word is made up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ifdl
from ifdl.explain import grounded
from ifdl.types import Report, Sentence, State

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NEVER = re.compile(
    r"\b(authentic|genuine|fakes?|faked|fraud|forger\w*|proves?|certainly|definitely|100 %|photoshopped|liar)\b", re.I
)


@pytest.fixture(scope="module", params=["splice", "copymove", "retouch", "untouched"])
def report(request: pytest.FixtureRequest) -> Report:
    return ifdl.examine(EXAMPLES / f"{request.param}.jpg")


def test_every_sentence_names_what_it_rests_on(report: Report) -> None:
    known = {f.id for f in report.verdict.findings} | {f"coverage.{c.test}" for c in report.verdict.coverage}
    assert report.explanation.sentences
    for sentence in report.explanation.sentences:
        assert sentence.findings and known.issuperset(sentence.findings)
        assert sentence.text.rstrip().endswith(".")


def test_no_forbidden_word(report: Report) -> None:
    for sentence in report.explanation.sentences:
        assert not NEVER.search(sentence.text), sentence.text


def test_no_number_that_its_findings_do_not_carry(report: Report) -> None:
    findings = {f.id: f for f in report.verdict.findings}
    for sentence in report.explanation.sentences:
        rests_on = [findings[i] for i in sentence.findings if i in findings]
        allowed = " ".join(f"{f.sentence} {f.numbers} {f.innocent}" for f in rests_on)
        allowed += " ".join(grounded.where(r) + (r.name or "") for f in rests_on for r in f.regions)
        allowed += " ".join(c.title for c in report.verdict.coverage)
        for number in re.findall(r"\d+(?:\.\d+)?", sentence.text):
            assert number in allowed or sentence.kind == "where", (number, sentence.text)


def test_what_was_not_checked_is_said(report: Report) -> None:
    last = " ".join(s.text for s in report.explanation.sentences if s.kind == "limit")
    assert "Not checked:" in last and "detector of generated pictures" in last.lower()


def test_supported_answers_come_with_innocent_causes(report: Report) -> None:
    for answer in report.verdict.answers:
        kinds = {s.kind for s in report.explanation.sentences if s.question == answer.question}
        if answer.state == State.SUPPORTED:
            assert {"finding", "why", "innocent"} <= kinds


def test_ungrounded_sentences_are_dropped(report: Report) -> None:
    invented = [
        Sentence("A rumour.", ()),
        Sentence("It cites what nobody found.", ("ghosts.7",)),
        Sentence("It points nowhere.", (report.verdict.findings[0].id,), ("nowhere.r1",)),
    ]
    kept = Sentence("It was measured.", (report.verdict.findings[0].id,))
    assert grounded.grounded([*invented, kept], report.verdict) == (kept,)


@pytest.mark.parametrize(
    ("part", "words"), [(0.0234, "2.3 %"), (0.00004, "less than 0.1 %"), (0.1249, "12 %"), (0.5, "50 %")]
)
def test_shares_in_words(part: float, words: str) -> None:
    assert grounded.share(part) == words
