"""Numbers of the literature: kept in `protocols/published.yaml`, each with its source and what is doubtful about it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError


@dataclass(frozen=True)
class Published:
    """One number as its source prints it. `where` says where this project read it."""

    system: str
    data: str
    metric: str
    value: float
    protocol: str
    source: str
    where: str
    doubts: str = ""


@dataclass(frozen=True)
class _Table:
    __pydantic_config__ = ConfigDict(extra="forbid")

    source: str
    where: str
    protocol: str
    metrics: tuple[str, ...]
    rows: dict[str, dict[str, tuple[float | None, ...]]]
    doubts: str = ""

    def __post_init__(self) -> None:
        for system, sets in self.rows.items():
            for data, values in sets.items():
                if len(values) != len(self.metrics):
                    raise ValueError(f"{system} on {data} has {len(values)} values for {len(self.metrics)} metrics")
                if any(v is not None and not 0 <= v <= 1 for v in values):
                    raise ValueError(f"{system} on {data} has a value outside 0-1")


@dataclass(frozen=True)
class _File:
    __pydantic_config__ = ConfigDict(extra="forbid")

    tables: tuple[_Table, ...]


def load(path: Path | None = None) -> list[Published]:
    """All published numbers, in the file's order. Raises ValueError that names what is wrong."""
    place = path or files("ifdl") / "protocols" / "published.yaml"
    raw: Any = yaml.safe_load(place.read_text(encoding="utf-8"))
    try:
        tables = TypeAdapter(_File).validate_python(raw).tables
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise ValueError(f"published numbers: {problems}") from error
    return [
        Published(system, data, metric, value, t.protocol, t.source, t.where, t.doubts)
        for t in tables
        for system, sets in t.rows.items()
        for data, values in sets.items()
        for metric, value in zip(t.metrics, values, strict=True)
        if value is not None
    ]


def on(data: str, numbers: list[Published]) -> list[Published]:
    """Published numbers on the set that `data` is, or is a part of: "casia1_dev" finds those on "casia1"."""
    return [n for n in numbers if data == n.data or data.startswith(n.data + "_")]
