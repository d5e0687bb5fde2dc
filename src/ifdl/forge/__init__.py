"""Engines that make forgeries with exact truth. One file is one engine; its name is its public id.

An engine module offers `CARD` and `forge(host, donors, rng) -> Forgery | None`; None means that this host
cannot carry the edit (too small, nothing to copy), and the caller tries another. Nothing is registered:
a file of this folder that has a `forge` is an engine, the others are their tools.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Protocol

import numpy as np

from ifdl.forge.record import Donors, Forgery, Material
from ifdl.types import Card


class Engine(Protocol):
    """What an engine module offers."""

    CARD: Card

    def forge(self, host: Material, donors: Donors, rng: np.random.Generator) -> Forgery | None:
        """One forgery of the host; all chance comes from `rng`, and the host is left as it was."""


@cache
def names() -> tuple[str, ...]:
    """Public ids of all engines, in alphabetical order."""
    files = sorted(m.name for m in pkgutil.iter_modules(__path__))
    return tuple(f for f in files if callable(getattr(importlib.import_module(f"{__name__}.{f}"), "forge", None)))


def load(name: str) -> Engine:
    """The engine of that name. Raises KeyError that lists the names at hand."""
    if name not in names():
        raise KeyError(f"no engine is called {name!r}; there are {', '.join(names())}")
    engine: Engine = importlib.import_module(f"{__name__}.{name}")
    return engine
