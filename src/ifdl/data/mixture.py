"""A mixture of sets: so many pictures of each in every epoch, drawn by seed and epoch, every one named by its set.

A mixture is one short YAML file (`ifdl/recipes/mixture_*.yaml`, or your own). A part takes a quota (`take`), or a
share by `weight` of the `size` that the quotas leave. `only` keeps records by their label, kind, split, or anything
of `extra`. `draw: again` draws each picture anew from the whole part, as IMDL-BenCo's and ForensicHub's loaders do
(`random.randint`); `draw: round` goes through all of a part before any picture comes again.

The sets are looked for below one folder (IFDL_DATA), by their names; which are missing is said, all at once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from ifdl import data
from ifdl.data import _here
from ifdl.data._record import Bad, Record

PREFIX = "mixture_"


class Missing(FileNotFoundError):
    """Sets of a mixture that are not on this disk; `names` lists them."""

    def __init__(self, names: tuple[str, ...], home: Path | None) -> None:
        self.names = names
        where = f"below {home}" if home else f"({_here.VARIABLE} names no folder)"
        ways = ", ".join(f"`ifdl data info {name}`" for name in names)
        super().__init__(f"not on this disk {where}: {', '.join(names)}; {ways} says how to obtain what is missing")


@dataclass(frozen=True)
class Part:
    """One set's part. `called` tells two parts of one set apart."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    set: str
    take: int | None = None
    weight: float | None = None
    only: dict[str, list[str]] = field(default_factory=dict)
    called: str = ""

    def __post_init__(self) -> None:
        if (self.take is None) == (self.weight is None):
            raise ValueError(f"{self.set}: give either `take` or `weight`")
        if (self.take if self.take is not None else self.weight or 0) <= 0:
            raise ValueError(f"{self.set}: `take` and `weight` are above 0")

    @property
    def name(self) -> str:
        return self.called or self.set

    def keeps(self, record: Record) -> bool:
        own = {**record.extra, "label": record.label, "kind": record.kind, "split": record.split}
        return all(str(own.get(key)) in values for key, values in self.only.items())


@dataclass(frozen=True)
class Mixture:
    """What to mix and how. `size` is the length of an epoch where parts have weights."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    version: int
    sets: tuple[Part, ...]
    words: str = ""
    source: str = ""
    size: int | None = None
    draw: Literal["again", "round"] = "round"

    def __post_init__(self) -> None:
        if not self.sets or len({p.name for p in self.sets}) != len(self.sets):
            raise ValueError("a mixture has parts, each under a name of its own (`called`)")
        if any(p.weight for p in self.sets) != (self.size is not None):
            raise ValueError("weights need the epoch's `size`, and only they do")
        if self.size is not None and self.size <= sum(p.take or 0 for p in self.sets):
            raise ValueError("`size` leaves nothing for the weights")

    @property
    def quotas(self) -> dict[str, int]:
        """How many pictures of each part an epoch has; shares by weight are rounded so that they fill `size`."""
        fixed = {p.name: p.take for p in self.sets if p.take is not None}
        weighted = [(p.name, p.weight) for p in self.sets if p.weight is not None]
        left = (self.size or 0) - sum(fixed.values())
        ends = np.rint(np.cumsum([w for _, w in weighted]) / (sum(w for _, w in weighted) or 1) * left).astype(int)
        shares = dict(zip((name for name, _ in weighted), np.diff(ends, prepend=0).tolist(), strict=True))
        return {p.name: fixed[p.name] if p.name in fixed else shares[p.name] for p in self.sets}


@dataclass(frozen=True)
class Mixed:
    """A mixture with its records at hand. `bad` is what the readers passed over."""

    mixture: Mixture
    parts: Mapping[str, tuple[Record, ...]]
    seed: int = 0
    bad: tuple[Bad, ...] = ()

    def epoch(self, number: int) -> list[Record]:
        """The records of that epoch, shuffled: the same for the same mixture, records, seed and number."""
        chosen = [self.parts[name][i] for name, count in self.mixture.quotas.items()
                  for i in self._drawn(name, len(self.parts[name]), count, number)]  # fmt: skip
        order = self._rng("order", number).permutation(len(chosen))
        return [chosen[i] for i in order]

    def _drawn(self, name: str, there: int, count: int, number: int) -> list[int]:
        if self.mixture.draw == "again":
            return [int(i) for i in self._rng(name, number).integers(there, size=count)]
        first, last = number * count, (number + 1) * count  # positions in one endless row of rounds
        rounds = {turn: self._rng(name, turn).permutation(there) for turn in range(first // there, -(-last // there))}
        return [int(rounds[at // there][at % there]) for at in range(first, last)]

    def _rng(self, name: str, number: int) -> np.random.Generator:
        told = hashlib.sha256(f"{self.mixture.name} {self.mixture.version} {name}".encode()).digest()
        return np.random.default_rng([self.seed, number, int.from_bytes(told[:8], "big")])

    @property
    def counts(self) -> dict[str, int]:
        """How many records each part has to draw from."""
        return {name: len(found) for name, found in self.parts.items()}


def gather(
    mixture: Mixture, roots: Mapping[str, Path] | None = None, *, home: Path | None = None, seed: int = 0
) -> Mixed:
    """List a mixture's sets: `roots` by set, else below `home`, else below IFDL_DATA.

    Raises Missing for sets that are not there, ValueError for a part of which nothing is left by `only`.
    """
    given = {name: Path(root) for name, root in (roots or {}).items()}
    wanted = dict.fromkeys(part.set for part in mixture.sets)
    places = {name: given.get(name) or _here.place(name, home) for name in wanted}
    if absent := tuple(name for name, root in places.items() if root is None or not root.exists()):
        raise Missing(absent, home or _here.home())
    bad: list[Bad] = []
    listed: dict[str, list[Record]] = {}
    for name, root in places.items():
        assert root is not None
        rows = list(data.load(name).records(root))
        bad += [Bad(f"{name}/{row.name}", row.reason) for row in rows if isinstance(row, Bad)]
        # Two sets may call a photograph alike.
        listed[name] = [replace(r, name=f"{name}/{r.shown}", sources=tuple(f"{name}:{s}" for s in r.sources),
                                extra={**r.extra, "set": name}) for r in rows if isinstance(r, Record)]  # fmt: skip
    parts = {part.name: tuple(sorted((r for r in listed[part.set] if part.keeps(r)), key=lambda r: r.shown))
             for part in mixture.sets}  # fmt: skip
    for part in mixture.sets:
        if not parts[part.name]:
            there = Counter((r.label, r.kind, r.split) for r in listed[part.set]).most_common(5)
            raise ValueError(f"{part.name}: nothing is left by {part.only}; most are (label, kind, split) {there}")
    return Mixed(mixture, parts, seed, tuple(bad))


def names() -> tuple[str, ...]:
    """The shipped mixtures, in alphabetical order."""
    found = (p.name for p in (files("ifdl") / "recipes").iterdir())
    return tuple(sorted(n[len(PREFIX) : -5] for n in found if n.startswith(PREFIX) and n.endswith(".yaml")))


def load(name_or_path: str | Path) -> Mixture:
    """A mixture by the name of a shipped one, or by its path. Raises ValueError that names what is wrong."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ValueError(f"there is no mixture at {path}")
        text = path.read_text(encoding="utf-8")
    elif str(name_or_path) in names():
        text = (files("ifdl") / "recipes" / f"{PREFIX}{name_or_path}.yaml").read_text(encoding="utf-8")
    else:
        raise ValueError(f"no mixture is called {str(name_or_path)!r}; there are {', '.join(names())}")
    return parse(yaml.safe_load(text), str(name_or_path))


def parse(raw: Any, name: str = "mixture") -> Mixture:
    """A mixture from what YAML holds."""
    try:
        return _ADAPTER.validate_python(raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise ValueError(f"mixture {name}: {problems}") from error


_ADAPTER = TypeAdapter(Mixture)
