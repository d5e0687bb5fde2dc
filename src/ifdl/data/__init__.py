"""Public data sets, folders and manifests. One file is one set: it reads the set's own published layout.

A set module offers `CARD`, `records(root) -> Iterator[Record | Bad]`, which lists without decoding, and
`fabricate(root)`, which writes a six-picture fake tree in that layout for tests. What is wrong with a
file becomes a `Bad` that names it: never fatal, never silent. Pictures and masks are matched by name.
`sample` turns a Record into a Sample. Nothing is registered: a file of this folder that has `records`
is a set (third parties join through `ifdl.data` entry points), the others are their tools.
Nothing is ever downloaded, but by `hub`, which streams the one data set that its user names.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from ifdl.data._record import Bad, Record, WrongMask, mask_of, sample
from ifdl.types import Card

__all__ = ["Bad", "DataSet", "Record", "WrongMask", "load", "mask_of", "names", "sample"]


class DataSet(Protocol):
    """What a set module offers."""

    CARD: Card

    def records(self, root: Path) -> Iterator[Record | Bad]:
        """Every picture below `root`. Raises FileNotFoundError if this is not such a set."""

    def fabricate(self, root: Path) -> None:
        """Write six synthetic pictures (three authentic, three edited) in the published layout."""


@cache
def names() -> tuple[str, ...]:
    """Public ids of all sets, in alphabetical order."""
    files = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    own = tuple(f for f in files if hasattr(importlib.import_module(f"{__name__}.{f}"), "records"))
    return own + tuple(sorted(e.name for e in entry_points(group="ifdl.data")))


def load(name: str) -> DataSet:
    """The set of that name. Raises KeyError that lists the names at hand."""
    if name not in names():
        raise KeyError(f"no data set is called {name!r}; there are {', '.join(names())}")
    for entry in entry_points(group="ifdl.data"):
        if entry.name == name:
            return entry.load()  # type: ignore[no-any-return]
    module: DataSet = importlib.import_module(f"{__name__}.{name}")
    return module
