"""Published trainable systems, and ours. One file is one system; its name is its public id.

An expert module offers `CARD`, `build(weights=None) -> Expert` and `tiny() -> Expert` (see `_base`). Nothing
is registered: `names()` lists the files of this folder and third parties' `ifdl.experts` entry points, and
`load` imports one of them and nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from ifdl.experts._base import Expert
from ifdl.types import Card

__all__ = ["Expert", "ExpertModule", "load", "module", "names"]


class ExpertModule(Protocol):
    """What an expert module offers."""

    CARD: Card
    WEIGHTS_SHA256: str  # of the file that comes with the package; empty where none does

    def build(self, weights: Path | None = None) -> Expert:
        """The system with the given weights, or with those that are shipped."""

    def tiny(self) -> Expert:
        """A random tiny configuration, for tests."""


def names() -> tuple[str, ...]:
    """Public ids of all experts at hand, without importing them."""
    own = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    return tuple(sorted(own)) + tuple(sorted(e.name for e in entry_points(group="ifdl.experts")))


def module(name: str) -> ExpertModule:
    """The module of that name. Raises KeyError that lists the names at hand."""
    if name not in names():
        raise KeyError(f"no expert is called {name!r}; there are: {', '.join(names()) or 'none yet'}")
    for entry in entry_points(group="ifdl.experts"):
        if entry.name == name:
            return entry.load()  # type: ignore[no-any-return]
    found: ExpertModule = importlib.import_module(f"{__name__}.{name}")
    return found


def load(name: str, weights: Path | None = None) -> Expert:
    """The expert of that name, ready to predict. Raises KeyError that lists the names at hand."""
    return module(name).build(weights)
