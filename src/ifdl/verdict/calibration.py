"""The calibration file: from what the clues measured to a likelihood ratio, and from the ratio to a word.

A clue's strength becomes a log10 likelihood ratio by the clue's own table, which only puts all clues on one scale.
Clues share traces, so their ratios are never multiplied: they are fused into one score, by the greatest or by a sum
whose weights were fitted to all clues together (of two that say the same, each gets half a say), and a second table,
capped by the number of photographs, turns that into the ratio that is said. That table is the one of the picture's
stratum if enough authentic photographs of that kind were there, else the one of all kinds pooled.

The words are those of the ENFSI guideline for evaluative reporting (2015). Files are made by
`ifdl.evaluate.calibrate`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from ifdl.types import Question, Word

SCHEMA = "ifdl-calibration-1"
SHIPPED = "calibration.json"
FEWEST_SOURCES = 20  # authentic photographs of a stratum below which its own table is not used
# log10 of the least ratio of each word; below the first there is no word.
BANDS = (
    (np.log10(2), Word.WEAK),
    (1.0, Word.MODERATE),
    (2.0, Word.MODERATELY_STRONG),
    (3.0, Word.STRONG),
    (4.0, Word.VERY_STRONG),
)
_STRICT = ConfigDict(extra="forbid")
Rule = Literal["max", "sum"]


@dataclass(frozen=True)
class Table:
    """A monotone function from a score to log10 of a likelihood ratio: linear between knots, constant outside."""

    __pydantic_config__ = _STRICT

    scores: tuple[float, ...]
    log10_ratios: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.scores or len(self.scores) != len(self.log10_ratios):
            raise ValueError("a table has as many ratios as scores, at least one")
        if not all(isfinite(v) for v in (*self.scores, *self.log10_ratios)):
            raise ValueError("a table holds finite numbers")
        if any(a >= b for a, b in pairwise(self.scores)) or any(a > b for a, b in pairwise(self.log10_ratios)):
            raise ValueError("a table's scores rise, and its ratios never fall")

    def at(self, score: float) -> float:
        return float(np.interp(score, self.scores, self.log10_ratios))


@dataclass(frozen=True)
class Level:
    """What the fused score is worth for one kind of file, and how far the data reach.

    `most` is log10 of the greatest ratio the data allow: `alarms` of `sources` authentic photographs, and the
    share `detected` of the edited pictures, score at or above `score`.
    """

    __pydantic_config__ = _STRICT

    table: Table
    sources: int
    edited_sources: int
    alarms: int
    detected: float
    score: float
    most: float


@dataclass(frozen=True)
class ClueTable:
    """One clue's strength to log10 ratio, good for one version of the clue, and its weight where clues are summed."""

    __pydantic_config__ = _STRICT

    version: str
    table: Table
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (isfinite(self.weight) and self.weight >= 0):
            raise ValueError("a clue's weight is finite, and 0 or more")


@dataclass(frozen=True)
class Alone:
    """A test that is weighed by itself, since it looks at what the others never see: the picture's original."""

    __pydantic_config__ = _STRICT

    version: str
    level: Level


@dataclass(frozen=True)
class Bin:
    """Of `n` pictures for which `said` was the mean posterior at even odds, the share `found` was edited."""

    __pydantic_config__ = _STRICT

    said: float
    found: float
    n: int


@dataclass(frozen=True)
class Tables:
    """All that one question needs. `measured` and `reliability` come from sources left out of the fit."""

    __pydantic_config__ = _STRICT

    clues: dict[str, ClueTable]
    pooled: Level
    strata: dict[str, Level] = field(default_factory=dict)
    alone: dict[str, Alone] = field(default_factory=dict)
    rule: Rule = "max"
    method: str = "isotonic"
    measured: dict[str, float] = field(default_factory=dict)
    reliability: tuple[Bin, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from. `sha256` is over the rows they were fitted on."""

    __pydantic_config__ = _STRICT

    data: tuple[str, ...]
    sha256: str
    pictures: dict[str, int]
    date: str
    ifdl: str
    command: str
    words: str = ""


@dataclass(frozen=True)
class Calibration:
    """A calibration file."""

    __pydantic_config__ = _STRICT

    questions: dict[Question, Tables]
    provenance: Provenance
    schema: Literal["ifdl-calibration-1"] = "ifdl-calibration-1"


class Loaded(NamedTuple):
    """A calibration and the file it was read from."""

    name: str
    sha256: str
    calibration: Calibration


class Weighed(NamedTuple):
    """log10 of the ratio to be said, the level it was read from, and words for that level's kind of files."""

    log10: float
    level: Level
    kind: str


def word(log10_ratio: float) -> Word | None:
    """The ENFSI word for a ratio; None below 2, where nothing is said."""
    return next((w for least, w in reversed(BANDS) if log10_ratio >= least), None)


def load(path: Path | None = None) -> Loaded | None:
    """A calibration file; without a path the shipped one, None if there is none.

    Raises ValueError that names what is wrong with the file, an unknown key included.
    """
    if path is None:
        return _shipped()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read the calibration file {path}: {error.strerror}") from error
    return _parsed(path.name, data)


def reading(data: bytes) -> Calibration:
    """A calibration from JSON bytes. Raises ValidationError."""
    return _ADAPTER.validate_json(data)


def writing(calibration: Calibration) -> str:
    """A calibration as JSON that reads back the same."""
    return _ADAPTER.dump_json(calibration, indent=1).decode() + "\n"


def unfit(tables: Tables | None, clue: str, version: str | None) -> str:
    """Why a clue's strength cannot be weighed; empty if it can."""
    if tables is None:
        return "the calibration file says nothing on this question"
    known = tables.clues.get(clue) or tables.alone.get(clue)
    if known is None:
        return f"the calibration file does not know {clue}"
    if version != known.version:
        return f"{clue} is version {version}, and the calibration file was made with {known.version}"
    return ""


def ratio(tables: Tables, strengths: Mapping[str, float], stratum: str | None) -> Weighed | None:
    """The ratio that tests' strengths amount to; None if none of them has a table.

    A test that is weighed alone is not multiplied with the others: the greater ratio is said.
    """
    found = [
        Weighed(
            apart.level.table.at(strengths[test]), apart.level, "compared with an archive that holds their originals"
        )
        for test, apart in tables.alone.items()
        if test in strengths
    ]
    score = fused(tables.clues, tables.rule, strengths)
    if score is not None:
        own = tables.strata.get(stratum or "")
        if own is not None and own.sources >= FEWEST_SOURCES:
            level, kind = own, f"of the kind “{stratum}”"
        else:
            level, kind = tables.pooled, f"of all kinds pooled, too few being of the kind “{stratum}”"
            if stratum is None:
                kind = "of all kinds pooled"
        found.append(Weighed(level.table.at(score), level, kind))
    return max(found, key=lambda weighed: weighed.log10, default=None)


def fused(clues: Mapping[str, ClueTable], rule: Rule, strengths: Mapping[str, float]) -> float | None:
    """The fused score of clues' strengths; a clue outside its domain says nothing. None if none has a table."""
    known = {clue: clues[clue] for clue in strengths if clue in clues}
    if not known:
        return None
    each = {clue: table.table.at(strengths[clue]) for clue, table in known.items()}
    return max(each.values()) if rule == "max" else sum(known[clue].weight * each[clue] for clue in sorted(each))


@cache
def _shipped() -> Loaded | None:
    place = files("ifdl") / "weights" / SHIPPED
    return _parsed("the shipped calibration", place.read_bytes()) if place.is_file() else None


def _parsed(name: str, data: bytes) -> Loaded:
    try:
        return Loaded(name, hashlib.sha256(data).hexdigest(), reading(data))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:5])
        raise ValueError(f"calibration file {name}: {problems}") from error


_ADAPTER = TypeAdapter(Calibration)
