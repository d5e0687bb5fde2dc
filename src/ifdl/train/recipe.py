"""What to train, on what and how: frozen dataclasses, filled from one YAML file and overridden by dotted keys.

Paths are looked for beside the recipe first, so that a packed folder trains wherever it lies, and in the
working directory otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from ifdl.forge import recipe as forging

T = TypeVar("T")
STRICT = ConfigDict(extra="forbid")
METRICS = ("iou", "f1", "auc", "picture_auc")


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights to start from; its `sha256` is checked where given."""

    __pydantic_config__ = STRICT

    path: Path
    sha256: str | None = None

    def checked(self) -> Path:
        """The path. Raises ValueError where there is no such file or its hash is another."""
        if not self.path.is_file():
            raise ValueError(f"there are no weights at {self.path}")
        if self.sha256 is not None and (found := hashlib.sha256(self.path.read_bytes()).hexdigest()) != self.sha256:
            raise ValueError(f"{self.path} has sha256 {found}, not {self.sha256}")
        return self.path


@dataclass(frozen=True)
class System:
    """The expert: its public `name`, and what its `build` is called with.

    `init` names files of weights by the argument of `build` that takes them (`weights`, `encoder`).
    """

    __pydantic_config__ = STRICT

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    init: dict[str, WeightsFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Which photographs, and what is forged of them.

    `places` are folders or manifests; `forge` is a forge recipe (a shipped name or a path) and `overrides`
    replace its keys. `size` (height, width) is that of the training pictures, `authentic` the share of
    untouched siblings, `batch` the pictures of one step on one device. `flips`: none, any, or phase (only
    along sides that are whole 16-pixel blocks, which leaves the JPEG grid of the file where it was).
    `workers` 0 forges in the process that trains; `cache_mb` is decoded photographs kept by each worker.
    `kept` is a folder where finished batches stay for later runs of the same stream (1 MB for 8 pictures of 160 × 160).
    """

    __pydantic_config__ = STRICT

    places: tuple[Path, ...]
    forge: str = "forge"
    overrides: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (256, 256)
    authentic: float = 0.3
    flips: Literal["none", "phase", "any"] = "none"
    batch: int = 16
    workers: int = 1
    cache_mb: int = 512
    kept: Path | None = None

    def __post_init__(self) -> None:
        if not self.places:
            raise ValueError("data.places names no folder of photographs")
        if self.batch < 1 or self.workers < 0 or not 0 <= self.authentic <= 1:
            raise ValueError("data needs batch of 1 or more, workers of 0 or more, authentic between 0 and 1")

    def forging(self) -> forging.Recipe:
        """The forge recipe with its overrides and this size. Raises ValueError that names an unknown key."""
        raw = forging.load(self.forge).__dict__ | self.overrides | {"size": self.size}
        return _checked(TypeAdapter(forging.Recipe), raw, "data.overrides.")


@dataclass(frozen=True)
class Group:
    """Parameters whose name fits `match` (as a file name pattern): their mode and their own rates.

    Mode `full` trains them, `frozen` does not, `lora` freezes them and trains additions of `rank` to the
    linear layers among them (Hu et al., LoRA, ICLR 2022), scaled by `alpha` / `rank`.
    """

    __pydantic_config__ = STRICT

    match: str
    mode: Literal["full", "frozen", "lora"] = "full"
    lr: float | None = None
    weight_decay: float | None = None
    rank: int = 8
    alpha: float = 16.0


@dataclass(frozen=True)
class Optim:
    """AdamW (Loshchilov and Hutter, ICLR 2019). The first group that fits a parameter has it.

    `clip` bounds the norm of all gradients together (0: not at all); `accumulate` batches make one step.
    """

    __pydantic_config__ = STRICT

    lr: float = 3e-4
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    accumulate: int = 1
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.accumulate < 1 or self.clip < 0:
            raise ValueError("optim needs lr above 0, accumulate of 1 or more, clip of 0 or more")


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up over `warmup` steps, then a cosine down to `floor` of the rate at the end.

    The end is `steps`, or `minutes` of training where that comes first.
    """

    __pydantic_config__ = STRICT

    steps: int = 1000
    warmup: int = 50
    floor: float = 0.01
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup < 0 or (self.minutes is not None and self.minutes <= 0):
            raise ValueError("schedule needs steps of 1 or more, warmup of 0 or more, minutes above 0")


@dataclass(frozen=True)
class Validation:
    """Every `every` steps, on so many forgeries of calibration photographs and as many untouched siblings.

    The number called `metric` chooses the best checkpoint; `patience` validations without a better one
    end the run (0: never). `cache` is the folder the set is kept in, beside `out` by default.
    """

    __pydantic_config__ = STRICT

    every: int = 200
    pictures: int = 64
    seed: int = 77
    metric: str = "iou"
    patience: int = 0
    batch: int = 16
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"validation.metric is one of {', '.join(METRICS)}, not {self.metric!r}")
        if self.every < 1 or self.pictures < 1 or self.batch < 1:
            raise ValueError("validation needs every, pictures and batch of 1 or more")


@dataclass(frozen=True)
class Saving:
    """A checkpoint every `every` steps; the last `keep` stay, and the best. Shards of at most `shard_mb`."""

    __pydantic_config__ = STRICT

    every: int = 200
    keep: int = 2
    shard_mb: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 1 or (self.shard_mb is not None and self.shard_mb <= 0):
            raise ValueError("save needs every and keep of 1 or more, shard_mb above 0")


@dataclass(frozen=True)
class Recipe:
    """One training run, whole. `ema` is the decay of the moving average of the weights (0: none).

    `tensorboard` writes its events too, where it is installed.
    """

    __pydantic_config__ = STRICT

    expert: System
    data: Data
    name: str = "custom"
    version: int = 1
    optim: Optim = Optim()
    schedule: Schedule = Schedule()
    validation: Validation = Validation()
    save: Saving = Saving()
    ema: float = 0.999
    precision: Literal["fp32", "bf16"] = "bf16"
    channels_last: bool = True
    tensorboard: bool = True
    seed: int = 0
    out: Path = Path("runs/custom")

    def __post_init__(self) -> None:
        if not 0 <= self.ema < 1:
            raise ValueError("ema is a decay of 0 or more, below 1")


def load(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by its path or the name of a shipped one, with `key.key=value` overrides (values as in YAML).

    Raises ValueError that names an unknown key, a value of the wrong kind, or a recipe that is not there.
    """
    path = Path(name_or_path)
    shipped = files("ifdl") / "recipes" / f"{path.name.removesuffix('.yaml')}.yaml"
    if path.suffix in (".yaml", ".yml") and path.is_file():
        text, home = path.read_text(encoding="utf-8"), path.parent
    elif shipped.is_file() and str(path.parent) in (".", "recipes"):
        text, home = shipped.read_text(encoding="utf-8"), Path()
    else:
        raise ValueError(f"there is no recipe at {path}, and none of that name is shipped")
    try:
        raw = yaml.safe_load(text)
        if not isinstance(raw, dict):
            raise ValueError("is not a mapping")
        for override in overrides:
            _put(raw, override)
        recipe = _beside(parse(raw), home)
        recipe.data.forging()  # a mistake in the forge's part is said now, not by a worker
        return recipe
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"recipe {name_or_path}: {error}") from error


def parse(raw: dict[str, Any]) -> Recipe:
    """A recipe from plain values. Raises ValueError that names what is wrong."""
    return _checked(_ADAPTER, raw)


def plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON knows values; `parse` is the way back."""
    return dict(_ADAPTER.dump_python(recipe, mode="json"))


def differences(old: dict[str, Any], new: dict[str, Any], at: str = "") -> tuple[str, ...]:
    """Dotted keys under which two plain recipes differ."""
    found: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        here, there = old.get(key), new.get(key)
        if isinstance(here, dict) and isinstance(there, dict):
            found += differences(here, there, f"{at}{key}.")
        elif here != there:
            found.append(f"{at}{key}")
    return tuple(found)


def _checked(adapter: TypeAdapter[T], raw: Any, at: str = "") -> T:
    try:
        return adapter.validate_python(raw)
    except ValidationError as error:
        places = ((at + ".".join(str(p) for p in e["loc"]), e["msg"]) for e in error.errors())
        raise ValueError("; ".join(f"{place}: {said}" if place else said for place, said in places)) from error


def _put(raw: dict[str, Any], override: str) -> None:
    """Set one `key.key=value`; numbers among the keys count into lists."""
    keys, equals, value = override.partition("=")
    if not equals or not keys:
        raise ValueError(f"--set takes key.key=value, not {override!r}")
    *path, last = keys.split(".")
    place: Any = raw
    try:
        for key in path:
            place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
        place[int(last) if isinstance(place, list) else last] = yaml.safe_load(value)
    except (TypeError, AttributeError, IndexError, ValueError) as error:
        raise ValueError(f"--set {override}: there is nothing to set at {keys}") from error


def _beside(recipe: Recipe, home: Path) -> Recipe:
    """The recipe with the paths of what it reads found beside it, where they are there."""

    def found(path: Path) -> Path:
        return home / path if not path.is_absolute() and (home / path).exists() else path

    forge = recipe.data.forge
    data = replace(recipe.data, places=tuple(map(found, recipe.data.places)))
    if forge.endswith((".yaml", ".yml")):
        data = replace(data, forge=str(found(Path(forge))))
    init = {name: replace(file, path=found(file.path)) for name, file in recipe.expert.init.items()}
    return replace(recipe, data=data, expert=replace(recipe.expert, init=init))


_ADAPTER = TypeAdapter(Recipe)
