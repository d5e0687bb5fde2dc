"""Published trainable systems, and ours. One file is one system; its name is its public id.

An expert module offers `CARD`, `build(weights=None) -> Expert` and `tiny() -> Expert` (see `_base`). Nothing
is registered: `names()` lists the files of this folder and third parties' `ifdl.experts` entry points, and
`load` imports one of them and nothing else.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol

from ifdl.experts._base import Expert
from ifdl.types import Card

__all__ = ["Expert", "ExpertModule", "load", "missing", "module", "names"]


PACKAGE = Path(__file__).resolve().parents[1] / "weights"  # what comes with the package


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
    return tuple(sorted(own)) + tuple(sorted(_joined()))


def module(name: str) -> ExpertModule:
    """The module of that name. Raises KeyError that lists the names at hand."""
    if name not in names():
        raise KeyError(f"no expert is called {name!r}; there are: {', '.join(names()) or 'none yet'}")
    if name in _joined():
        return _joined()[name].load()  # type: ignore[no-any-return]
    found: ExpertModule = importlib.import_module(f"{__name__}.{name}")
    return found


@cache
def _joined() -> dict[str, EntryPoint]:
    """Third parties' experts, looked up once: it takes reading the metadata of every installed package."""
    return {entry.name: entry for entry in entry_points(group="ifdl.experts")}


def missing(name: str) -> str:
    """Why an expert cannot predict on this machine, and the cure, in one sentence; empty where it can.

    Raises KeyError for an unknown name, ValueError for a file of weights of another hash than the pinned one.
    """
    from ifdl.experts import _published
    from ifdl.nets import weights

    own = module(name)
    brings = name not in {m.name for m in pkgutil.iter_modules(__path__)}  # a third party's has its own ways
    if brings or (PACKAGE / f"{name}.safetensors").is_file():
        return ""
    if not own.WEIGHTS_SHA256:
        known = (r for r in (f"{name}_small", name) if (PACKAGE.parent / "recipes" / f"{r}.yaml").is_file())
        recipe = next(known, None)
        cure = f"train it with: ifdl train {recipe} --out runs/{recipe}" if recipe else "there is no recipe for it yet"
        return f"{name} has no trained weights; {cure}"
    if _published.trained(name, own.WEIGHTS_SHA256) is None:
        return (
            f"{name}'s weights are not on this machine; get weights/{name}_small.safetensors of the repository, then "
            f"run: ifdl models fetch {name} --from FILE"
        )
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
        return f"{name} runs on torch; install it with: pip install 'ifdl[train]'"
    for file in getattr(own, "NEEDS", ()):
        try:
            weights.needed(file)
        except FileNotFoundError as error:
            return f"{name} rests on another network: {error}"
    return ""


def load(name: str, weights: Path | None = None) -> Expert:
    """The expert of that name, ready to predict. Raises KeyError that lists the names at hand."""
    return module(name).build(weights)
