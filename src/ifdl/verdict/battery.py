"""All tests that an examination runs: the clues, the trained experts that come with the package, and what joins two.

All answer with findings; an expert also gives its prediction. A test that fails becomes a FAILED finding for each
of its questions, and costs the others nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ifdl import evidence, experts, joint
from ifdl.types import Card, Finding, Picture, Prediction, State

EXPERTS = ("ifdl_small",)  # shipped with weights
ARCHIVE = "trace"  # runs where an archive's index is named, and is no part of `names`


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one test said: findings, and an expert's prediction."""

    findings: list[Finding]
    prediction: Prediction | None = None


def names() -> tuple[str, ...]:
    """Public ids of all tests: clues, experts, and those that rest on others."""
    return (*evidence.names(), *EXPERTS, *joint.names())


def card(name: str) -> Card:
    """The card of a test. Raises KeyError that lists the names at hand."""
    if name == ARCHIVE:
        from ifdl.trace import finding

        return finding.CARD
    if name in joint.names():
        return joint.module(name).CARD
    if name in experts.names():
        return experts.module(name).CARD
    if name not in names():
        raise KeyError(f"no test is called {name!r}; there are {', '.join(names())}")
    return evidence.load(name).CARD


def run(name: str, picture: Picture, earlier: Mapping[str, Outcome] | None = None) -> Outcome:
    """Run one test. Raises KeyError for a name that is none.

    A test that rests on others takes what they said from `earlier`, and runs those that are not there.
    """
    about = card(name)
    if name not in (*experts.names(), *joint.names()):
        return Outcome(evidence.run(name, picture))
    try:
        if name in joint.names():
            return _joint(name, picture, earlier or {})
        loaded = _expert(name)
        prediction = loaded.predict(picture)
        return Outcome(loaded.findings(prediction, picture), prediction)
    except Exception as error:  # one test must never cost the others their say
        reason = f"{about.title} failed: {type(error).__name__}: {error}"
        return Outcome([Finding(name, question, State.FAILED, reason) for question in about.questions])


def _joint(name: str, picture: Picture, earlier: Mapping[str, Outcome]) -> Outcome:
    test = joint.module(name)
    parts = {part: earlier.get(part) or run(part, picture) for part in test.PARTS}
    findings = {part: outcome.findings for part, outcome in parts.items()}
    predictions = {part: outcome.prediction for part, outcome in parts.items() if outcome.prediction}
    return Outcome([test.find(findings, predictions, picture)])


def load(chosen: Iterable[str]) -> None:
    """Read the weights of the experts among the chosen tests, so that `run` need not wait for them."""
    for name in chosen:
        if name in experts.names():
            _expert(name)


def compared(picture: Picture, index: Path) -> Outcome:
    """Compare the picture with the archive of that index. Raises ValueError where it is none."""
    from ifdl.trace import finding, query
    from ifdl.trace.index import Index

    about = finding.CARD
    with Index(index) as held:
        try:
            return Outcome(finding.findings(query.trace(picture, held), picture, len(held)))
        except Exception as error:  # one test must never cost the others their say
            reason = f"{about.title} failed: {type(error).__name__}: {error}"
            return Outcome([Finding(about.id, question, State.FAILED, reason) for question in about.questions])


def archive(index: Path) -> str:
    """sha256 over the hashes of all pictures of an archive. Raises ValueError where the index is none."""
    from ifdl.trace.index import Index

    with Index(index) as held:
        return hashlib.sha256("\n".join(sorted(e.sha256 for e in held.entries)).encode()).hexdigest()


def weights(chosen: Iterable[str]) -> dict[str, str]:
    """sha256 of the weights that the chosen tests use, by expert."""
    named = [part for name in chosen for part in (joint.module(name).PARTS if name in joint.names() else (name,))]
    return {name: experts.module(name).WEIGHTS_SHA256 for name in named if name in experts.names()}


@cache
def _expert(name: str) -> experts.Expert:
    """Loaded once in a process: its weights stay in memory."""
    return experts.load(name)
