"""Clues that need no training. One file is one clue; its name is its public id.

A clue module offers `CARD` and `run(picture) -> list[Finding]`. Nothing is registered: `names()` lists
the files of this folder (and third parties' `ifdl.evidence` entry points), `load` imports one of them.
A helper that is not a clue starts with an underscore.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from ifdl.types import Card, Finding, Picture, State


class Clue(Protocol):
    """What a clue module offers."""

    CARD: Card

    def run(self, picture: Picture) -> list[Finding]:
        """Findings for each question the clue has a say in; OUT_OF_DOMAIN rather than a guess."""


def names() -> tuple[str, ...]:
    """Public ids of all clues at hand, without importing them."""
    own = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    return tuple(sorted(own)) + tuple(sorted(_joined()))


def load(name: str) -> Clue:
    """The clue of that name. Raises KeyError that lists the names at hand."""
    if name not in names():
        raise KeyError(f"no clue is called {name!r}; there are {', '.join(names())}")
    if name in _joined():
        return _joined()[name].load()  # type: ignore[no-any-return]
    module: Clue = importlib.import_module(f"{__name__}.{name}")
    return module


@cache
def _joined() -> dict[str, EntryPoint]:
    """Third parties' clues, looked up once: it takes reading the metadata of every installed package."""
    return {entry.name: entry for entry in entry_points(group="ifdl.evidence")}


def run(name: str, picture: Picture) -> list[Finding]:
    """Run one clue; an exception inside it becomes a FAILED finding for each of its questions."""
    clue = load(name)
    try:
        return clue.run(picture)
    except Exception as error:  # one clue must never cost the others their say
        reason = f"{clue.CARD.title} failed: {type(error).__name__}: {error}"
        return [Finding(name, question, State.FAILED, reason) for question in clue.CARD.questions]
