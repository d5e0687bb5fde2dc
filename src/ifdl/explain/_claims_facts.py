"""What claims are held against: a verdict's findings, regions and answers, and the clause that makes the claim."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ifdl.explain import _claims_words as words
from ifdl.signal import rle
from ifdl.signal.orientation import to_display
from ifdl.types import Answer, Finding, Picture, Question, Region, State, Verdict

COVERAGE = "coverage."


@dataclass(frozen=True)
class Claim:
    """One thing that a sentence says: `kind`, the words it says it in, and whether the verdict bears it out.

    `why` is for the reader of a dropped sentence; `findings` and `regions` are what a supported claim rests on;
    `sentence` counts from 0.
    """

    kind: str
    text: str
    supported: bool
    why: str = ""
    findings: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    sentence: int = 0


class Mode(StrEnum):
    """What a clause says of a test: that it found something, nothing, did not run, could not judge, …"""

    FOUND = "found"
    SILENT = "found nothing"
    NOT_RUN = "did not run"
    UNABLE = "could not judge"
    UNDECIDED = "is inconclusive"
    MEASURED = "measured"


@dataclass(frozen=True)
class Clause:
    """Lower-case words, the tests they name, and the findings that they are about (named here or just before)."""

    text: str
    heading: str
    cues: tuple[str, ...]
    subjects: tuple[Finding, ...]
    mode: Mode


class Facts:
    """A verdict, asked by test, by question, by place."""

    def __init__(self, picture: Picture, verdict: Verdict) -> None:
        self.picture, self.verdict = picture, verdict
        self._shown: dict[int, NDArray[np.bool_]] = {}

    def of(self, clue: str) -> tuple[Finding, ...]:
        """What a test, and any that speaks of the same thing, found."""
        return tuple(f for f in self.verdict.findings if f.clue in (clue, *words.ALSO.get(clue, ())))

    def ran(self, test: str) -> State | None:
        """The state of a row of the coverage table; None for a test that it does not list."""
        return next((c.state for c in self.verdict.coverage if c.test == test), None)

    @cached_property
    def local(self) -> Answer:
        return self.verdict.answer(Question.LOCAL_EDIT)

    @cached_property
    def default(self) -> tuple[Finding, ...]:
        """What a sentence is about that names no test: the findings of the answer on local edits."""
        return tuple(f for f in self.verdict.findings if f.id in self.local.findings)

    def answer(self, subjects: tuple[Finding, ...]) -> Answer:
        """The answer that a clause speaks of: that of its supported finding, else on local edits."""
        told = [f for f in subjects if f.state == State.SUPPORTED and not f.experimental] or [
            f for f in subjects if not f.experimental
        ]
        return self.verdict.answer(told[0].question) if told else self.local

    def shown(self, region: Region) -> NDArray[np.bool_]:
        """The region's mask as displayed."""
        known = self._shown.get(id(region))
        if known is None:
            mask = np.zeros((self.picture.height, self.picture.width), bool)
            if region.mask is not None:
                mask = rle.decode(region.mask)
            else:
                x, y, width, height = region.box
                mask[y : y + height, x : x + width] = True
            known = self._shown[id(region)] = to_display(mask, self.picture.item.orientation)
        return known


def places_of(subjects: tuple[Finding, ...]) -> tuple[Region, ...]:
    """The regions of supported findings."""
    return tuple(r for f in subjects if f.state == State.SUPPORTED for r in f.regions)


def mode_of(text: str) -> Mode:
    """What a clause says a test did; "does not line up" asserts, and is no negation."""
    if words.UNDECIDED.search(text):
        return Mode.UNDECIDED
    if words.UNABLE.search(text):
        return Mode.UNABLE
    if words.NOT_RUN.search(text):
        return Mode.NOT_RUN
    if words.SILENT.search(words.ASSERTING_NOT.sub("mismatch", text)) or words.ALIKE.search(text):
        return Mode.SILENT
    return Mode.MEASURED if words.MEASURED.search(text) else Mode.FOUND


def cues_of(text: str) -> tuple[str, ...]:
    """The tests that a clause names; a word is read once, by the first row of the table that fits it."""
    found = []
    for clue, pattern in words.CUE.items():
        if pattern.search(text):
            found.append(clue)
            text = pattern.sub(" . ", text)
    return tuple(found)
