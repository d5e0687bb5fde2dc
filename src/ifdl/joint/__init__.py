"""Tests that rest on what other tests found. One file is one test; its name is its public id.

A module offers `CARD`, `PARTS` (the tests that it rests on) and `find(findings, predictions, picture) -> Finding`, with
what the parts said by their names. A helper that is no test starts with an underscore.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Protocol

from ifdl.types import Card, Finding, Picture, Prediction


class Joint(Protocol):
    """What a module of this room offers."""

    CARD: Card
    PARTS: tuple[str, ...]

    def find(
        self, findings: Mapping[str, Sequence[Finding]], predictions: Mapping[str, Prediction], picture: Picture
    ) -> Finding:
        """One finding for its question; OUT_OF_DOMAIN where a part cannot judge the picture."""


def names() -> tuple[str, ...]:
    """Public ids of all joint tests, without importing them."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def module(name: str) -> Joint:
    """The joint test of that name. Raises KeyError that lists the names at hand."""
    if name not in names():
        raise KeyError(f"no joint test is called {name!r}; there are {', '.join(names())}")
    found: Joint = importlib.import_module(f"{__name__}.{name}")
    return found
