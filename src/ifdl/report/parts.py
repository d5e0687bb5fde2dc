"""What the writers share: a test's card, ids that are safe in file names and links, letters for regions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ifdl import evidence, experts, joint
from ifdl.types import Answer, Card, Map, Question, Region, Report


def card_of(clue: str) -> Card | None:
    """The card of a test, or None where it is none or is not installed here."""
    try:
        if clue in joint.names():
            return joint.module(clue).CARD
        return experts.module(clue).CARD if clue in experts.names() else evidence.load(clue).CARD
    except Exception:  # a report about a missing or broken plug-in must still be written
        return None


def safe_ids(ids: Sequence[str]) -> list[str]:
    """The ids, each made unique and of letters, digits, - and _ only, fit for a file name or a link."""
    found: list[str] = []
    for number, given in enumerate(ids, 1):
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", given)[:60] or f"F{number}"
        unique, copy = plain, 2
        # Some file systems do not tell F1 from f1.
        while unique.lower() in {other.lower() for other in found}:
            unique, copy = f"{plain}-{copy}", copy + 1
        found.append(unique)
    return found


def letter(number: int) -> str:
    """A, B, … Z, AA, AB, … for 0, 1, …"""
    name = ""
    while number >= 0:
        number, rest = divmod(number, 26)
        name, number = chr(ord("A") + rest) + name, number - 1
    return name


def letters(report: Report) -> dict[str, str]:
    """The letter that each region of the verdict carries in every drawing, by region id."""
    return {region.id: letter(n) for n, region in enumerate(report.verdict.regions) if region.id}


def local_edit(report: Report) -> Answer | None:
    """The answer about a local edit, if the verdict has one."""
    return next((a for a in report.verdict.answers if a.question == Question.LOCAL_EDIT), None)


def edited_regions(report: Report) -> tuple[Region, ...]:
    """The regions that the answer about a local edit points at."""
    answer = local_edit(report)
    return tuple(r for r in report.verdict.regions if answer is not None and r.id in answer.regions)


def heat_maps(report: Report) -> list[tuple[str, Map]]:
    """Every heat map with the safe id of the finding, or `expert-…` of the prediction, that it belongs to; `together`
    is of all tests on local edits, where it is no expert's own.

    A prediction whose finding carries its map is that finding's.
    """
    findings = report.verdict.findings
    shown = {f.clue for f in findings if f.map is not None}
    predictions = [p for p in report.verdict.predictions if p.expert not in shown]
    ids = safe_ids([f.id for f in findings] + [f"expert-{p.expert}" for p in predictions])
    maps = [f.map for f in findings] + [p.heat for p in predictions]
    joined = report.verdict.map
    first = (
        [] if joined is None or any(joined is p.heat for p in report.verdict.predictions) else [("together", joined)]
    )
    return first + [(name, heat) for name, heat in zip(ids, maps, strict=True) if heat is not None]
