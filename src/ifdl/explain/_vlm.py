"""What every language model is told of a verdict, and what becomes of its text: no claim of it stands unchecked.

A model may rephrase what was measured; it may not add a finding, a cause or a number. Its text goes through
`ifdl.explain.claims`, and the limits and harmless causes are added in the words of `grounded`, whatever it said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ifdl.explain import claims, grammar, grounded
from ifdl.signal.orientation import to_display
from ifdl.signal.regions import mask_of
from ifdl.types import Explanation, Finding, Picture, Question, Region, State, Verdict

LETTERS = "ABCDEFGHIJKLMNOPQRST"
TOLD = 12  # findings at most
ALWAYS = ("innocent", "limit", "silence")  # kinds of sentences that no model may leave out
REDACTED = "[redacted]"
SHORTEST = 4  # shorter private values occur everywhere by chance

TASK = (
    "You put the results of a forensic examination of a picture into plain words. Tests have measured the picture; "
    "their findings are below. Use these findings only: add no cause, no number, no name and no finding of your own, "
    "and never say that the picture is real or fake, or who changed it. What no finding says, you do not know."
)
NOTHING = "No test marked a part of the picture."


@dataclass(frozen=True)
class Told:
    """An explanation and what it came from.

    `text` is the model's own, unchecked and not to be shown as a result; `said` counts its sentences, `dropped` those
    that no finding supports; `fields` is its answer read by the grammar.
    """

    explanation: Explanation
    text: str
    fields: grammar.Fields
    said: int
    dropped: int


def told(explainer: str, text: str, picture: Picture, verdict: Verdict, cut: bool = False) -> Told:
    """A model's text as an Explanation: supported sentences first, then what every explanation has to say."""
    answer = grammar.answer(text, cut)
    fields = grammar.parse(answer)
    # Where the grammar is kept, whatever stands outside it is talk.
    heard = grammar.write(fields) or answer
    kept = claims.checked(heard, picture, verdict)
    own = [s for s in grounded.explain(picture, verdict).sentences if s.kind in ALWAYS]
    sentences = grounded.grounded([*kept, *own], verdict)
    said = len(claims.checked(heard, picture, verdict, mark=True))
    return Told(Explanation(explainer, sentences), text, fields, said, said - len(kept))


def question(picture: Picture, verdict: Verdict) -> str:
    """What the model is asked, private values of the file taken out."""
    lines = [TASK, "", "Findings:"]
    lines += [line for finding in counted(verdict) for line in _lines(finding, verdict)] or [f"- {NOTHING}"]
    lines += ["", grammar.ASK]
    return without_private("\n".join(lines), picture)


def counted(verdict: Verdict) -> tuple[Finding, ...]:
    """The findings an answer rests on, supported ones first; experimental ones say nothing here."""
    named = [f for a in verdict.answers for f in verdict.findings if f.id in a.findings and not f.experimental]
    order = {State.SUPPORTED: 0, State.INCONCLUSIVE: 1}
    told = [f for f in named if f.state in order]
    return tuple(sorted(told, key=lambda f: order[f.state])[:TOLD])


def lettered(verdict: Verdict) -> tuple[tuple[str, Region], ...]:
    """The verdict's regions with the letters they are drawn with."""
    return tuple(zip(LETTERS, verdict.regions, strict=False))


def shown(picture: Picture) -> NDArray[np.uint8]:
    """The picture as displayed, uint8 H×W×3."""
    return np.asarray(to_display(picture.pixels, picture.item.orientation), np.uint8)


def marked(picture: Picture, verdict: Verdict) -> NDArray[np.bool_] | None:
    """What the verdict marks as locally edited, bool H×W as displayed; None where it marks nothing."""
    answer = verdict.answer(Question.LOCAL_EDIT)
    if answer.state != State.SUPPORTED or not verdict.regions:
        return None
    union = mask_of(verdict.regions, (picture.height, picture.width))
    return np.asarray(to_display(union, picture.item.orientation), bool) if union.any() else None


def without_private(text: str, picture: Picture) -> str:
    """The text with every private value of the file's metadata (places, serial numbers, owners) taken out."""
    values = {e.value for e in picture.item.metadata.entries if e.private and len(e.value) >= SHORTEST}
    if not values:
        return text
    pattern = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
    return re.sub(pattern, REDACTED, text)


def _lines(finding: Finding, verdict: Verdict) -> list[str]:
    answer: Any = next(a for a in verdict.answers if finding.id in a.findings)
    word = "a fact" if finding.established else answer.word if answer.state == State.SUPPORTED else "inconclusive"
    said = [f"- {finding.clue} ({word}): {finding.sentence}"]
    letters = {region.id: letter for letter, region in lettered(verdict)}
    for region in finding.regions[:6]:
        name = f"part {letters[region.id]}" if region.id in letters else "a part"
        called = f", {region.name}" if region.name else ""
        said.append(f"  {name}{called}: {grounded.where(region)}")
    return said
