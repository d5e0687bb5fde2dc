"""What to forge and how often: a frozen recipe, filled from a short YAML file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError


@dataclass(frozen=True)
class Recipe:
    """Weights of engines and laundering strata, and the bounds of what is made.

    `size` (height, width) fixes the finished pictures' size, as training wants; None leaves each as its
    chain makes it. `whole` is the share of scenes that are reduced from a larger part of the photograph, as
    small web pictures are; `camera` the share shot by the virtual camera first, `scan` that of the others
    that went through film and scanner. `longest` is the longest side forged on in pixels, `least_area` and
    `most_area` shares of the finished picture.
    `objects` has a detector look for whole objects to cut (`ifdl models fetch yolox_nano`).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    engines: dict[str, float]
    strata: dict[str, float]
    name: str = "custom"
    version: int = 1
    size: tuple[int, int] | None = None
    whole: float = 0.0
    camera: float = 0.3
    scan: float = 0.0
    longest: int = 768
    least_area: float = 0.003
    most_area: float = 0.5
    tries: int = 12
    objects: bool = False

    def __post_init__(self) -> None:
        for what, weights in (("engines", self.engines), ("strata", self.strata)):
            if not weights or min(weights.values()) < 0 or sum(weights.values()) <= 0:
                raise ValueError(f"{what} need weights of 0 or more, at least one above 0")
        if not 0 <= self.least_area < self.most_area <= 1:
            raise ValueError("least_area must be below most_area, both between 0 and 1")


def load(name_or_path: str | Path = "forge") -> Recipe:
    """A recipe by the name of a shipped one, or by its path. Raises ValueError that names an unknown key."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ValueError(f"there is no recipe at {path}")
        text = path.read_text(encoding="utf-8")
    else:
        shipped = files("ifdl") / "recipes" / f"{name_or_path}.yaml"
        if not shipped.is_file():
            raise ValueError(f"no recipe is called {str(name_or_path)!r}; `forge` is, or give the path of a YAML file")
        text = shipped.read_text(encoding="utf-8")
    try:
        return _ADAPTER.validate_python(yaml.safe_load(text))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise ValueError(f"recipe {name_or_path}: {problems}") from error


_ADAPTER = TypeAdapter(Recipe)
