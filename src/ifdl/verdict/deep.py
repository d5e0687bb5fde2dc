"""A second look: does an answer survive what happens to every picture that is passed on?

The picture is saved anew, lightly reduced, enlarged and cut, six times; the tests run again on each copy. An answer
on local edits or synthetic origin that becomes another on any of them is unstable, and nothing more than inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ifdl.forge.change import MILD, Change
from ifdl.types import Answer, Coverage, Picture, Question, State, Verdict
from ifdl.verdict import battery
from ifdl.verdict.fuse import Scale, fuse

QUESTIONS = (Question.LOCAL_EDIT, Question.SYNTHETIC_ORIGIN)
CHANGES = tuple(Change(name, level) for name, level in (*MILD, ("resize", 1.1)))
TEST, TITLE = "stability", "Repeated after mild re-saving"


@dataclass(frozen=True)
class Repeat:
    """The states of the repeated questions after one change."""

    change: Change
    states: dict[Question, State]


def repeats(
    picture: Picture,
    tests: Sequence[str],
    scale: Scale | None,
    progress: Callable[[str], None] = lambda step: None,
    index: Path | None = None,
) -> list[Repeat]:
    """Run the tests that answer `QUESTIONS`, of those named, and the comparison with an archive, after each change."""
    again = [test for test in tests if set(battery.card(test).questions) & set(QUESTIONS)]
    nowhere = np.zeros((picture.height, picture.width), bool)
    found = []
    for number, change in enumerate(CHANGES, 1):
        progress(f"once more, {number} of {len(CHANGES)} ({change.words})")
        copy, _ = change.apply(picture, nowhere)
        said: dict[str, battery.Outcome] = {}
        for test in again:
            said[test] = battery.run(test, copy, said)
        findings = [f for outcome in said.values() for f in outcome.findings]
        if index is not None:
            findings += battery.compared(copy, index).findings
        experimental = {test for test in again if battery.card(test).experimental}
        kept = [replace(f, id=f"{f.clue}.{n}") for n, f in enumerate(findings) if f.clue not in experimental]
        answers = fuse(kept, (), scale).answers
        found.append(Repeat(change, {a.question: a.state for a in answers if a.question in QUESTIONS}))
    return found


def steadied(verdict: Verdict, found: Sequence[Repeat]) -> Verdict:
    """The verdict with unstable answers made INCONCLUSIVE, and one coverage row that says what was repeated."""
    answers = tuple(_steadied(answer, found) for answer in verdict.answers)
    said = []
    for answer in verdict.answers:
        if answer.question in QUESTIONS and answer.state in (State.SUPPORTED, State.NO_TRACE_FOUND):
            other = [r.change.words for r in found if r.states[answer.question] != answer.state]
            name = str(answer.question).replace("_", " ")
            changed = f" (another after {', '.join(other)})" if other else ""
            said.append(f"{name}: the same answer after {len(found) - len(other)} of {len(found)}{changed}")
    unstable = any(a.state != b.state for a, b in zip(answers, verdict.answers, strict=True))
    state = State.INCONCLUSIVE if unstable else State.NO_TRACE_FOUND
    reason = "; ".join(said) or "there was no answer to repeat"
    row = Coverage(TEST, TITLE, QUESTIONS, state if said else State.OUT_OF_DOMAIN, reason)
    kept = {name for answer in answers if answer.question == Question.LOCAL_EDIT for name in answer.regions}
    regions = tuple(r for r in verdict.regions if r.id in kept)
    return replace(verdict, answers=answers, regions=regions, coverage=(*verdict.coverage, row))


def _steadied(answer: Answer, found: Sequence[Repeat]) -> Answer:
    if answer.question not in QUESTIONS or answer.state not in (State.SUPPORTED, State.NO_TRACE_FOUND):
        return answer
    same = sum(r.states[answer.question] == answer.state for r in found)
    told = f"{same} of {len(found)} mild changes"
    if same == len(found):
        return replace(answer, sentence=f"{answer.sentence} The answer is the same after {told}.")
    lead = f"Unstable: the answer is the same after only {told}, and this is said of the file as it is: "
    return replace(
        answer,
        state=State.INCONCLUSIVE,
        word=None,
        sentence=lead + answer.sentence,
        cap=f"unstable: {same} of {len(found)}",
        regions=(),
    )
