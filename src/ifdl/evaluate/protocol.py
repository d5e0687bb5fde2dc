"""What exactly is counted: a protocol is a size policy and a list of named numbers, each spelled out in full.

In this field "F1" means at least five things. Here no number exists outside a protocol, and a protocol
is one short YAML file in `ifdl/protocols` (or the user's own), versioned, without inheritance.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

Metric = Literal[
    "f1", "iou", "precision", "recall", "mcc", "accuracy", "auc", "average_precision", "area",
    "image_auc", "image_average_precision", "image_accuracy", "image_balanced_accuracy", "image_f1", "image_mcc",
    "image_eer", "image_detection_rate", "false_alarms", "class_accuracy", "class_macro_f1", "class_recall",
    "sida_f1", "sida_auc",
]  # fmt: skip
# Numbers of a map against a mask; the others are of a whole picture's score, answer or class.
PIXEL = ("f1", "iou", "precision", "recall", "mcc", "accuracy", "auc", "average_precision", "area")
RANKED = ("auc", "average_precision")  # need no threshold
CLASSES = ("authentic", "edited", "synthetic")


@dataclass(frozen=True)
class Number:
    """One number in full.

    Pixel numbers: `pictures` says which pictures count; `threshold` is the system's own (its shipped one,
    or the regions that it marks itself), fixed `at` a share, or the best of each picture (which no user
    could know); `polarity` plain, inverted, or double (the better of both); `averaging` the mean over
    pictures or pooled over all pixels; `empty` what a picture without edited pixels scores where nothing
    is marked (something marked scores 0 there, and nothing marked on an edited picture always scores 0);
    `gated` empties the mask wherever the system itself does not say that the picture is edited.

    Picture numbers: `at` is the score from which a picture counts as edited, None where the system's own
    answer counts; for "image_detection_rate" it is the rate of false alarms allowed. `of` names the class
    of "class_recall".
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    metric: Metric
    pictures: Literal["edited", "authentic", "all"] = "all"
    threshold: Literal["own", "fixed", "best_per_picture"] = "own"
    at: float | None = None
    polarity: Literal["plain", "inverted", "double"] = "plain"
    averaging: Literal["per_picture", "pooled"] = "per_picture"
    empty: Literal["zero", "one", "skip"] = "zero"
    gated: bool = False
    of: str | None = None

    def __post_init__(self) -> None:
        if self.metric in PIXEL and self.metric not in RANKED:
            if (self.threshold == "fixed") != (self.at is not None):
                raise ValueError("a fixed threshold needs `at`, and only a fixed one takes it")
            if self.averaging == "pooled" and (self.threshold == "best_per_picture" or self.polarity == "double"):
                raise ValueError("what is chosen for each picture cannot be pooled")
        if self.averaging == "pooled" and self.metric in RANKED:
            raise ValueError(f"{self.metric} is taken per picture")
        if (self.metric == "class_recall") != (self.of is not None) or self.of not in (None, *CLASSES):
            raise ValueError(f"class_recall, and nothing else, names one of {', '.join(CLASSES)} in `of`")
        if self.metric == "image_detection_rate" and self.at is None:
            raise ValueError("image_detection_rate needs the rate of false alarms allowed in `at`")

    @property
    def pixel(self) -> bool:
        return self.metric in PIXEL

    @property
    def words(self) -> str:
        """What it is, for a person who reads the table and not the protocol."""
        if not self.pixel:
            return _of_pictures(self)
        parts = [f"{self.pictures} pictures"]
        if self.metric not in RANKED:
            parts.append(
                {
                    "own": "the system's own threshold",
                    "fixed": f"threshold {self.at}",
                    "best_per_picture": "best threshold of each picture (not knowable in use)",
                }[self.threshold]
            )
        if self.polarity != "plain":
            parts.append({"inverted": "map inverted", "double": "better of map and inverted map"}[self.polarity])
        parts.append("mean over pictures" if self.averaging == "per_picture" else "pooled over all pixels")
        if self.pictures != "edited" and self.metric not in (*RANKED, "area"):
            left_out = "authentic pictures without a mark left out"
            scored = f"an authentic picture without a mark scores {'1' if self.empty == 'one' else '0'}"
            parts.append(left_out if self.empty == "skip" else scored)
        if self.gated:
            parts.append("masks count only where the system says edited")
        return f"pixel {self.metric.replace('_', ' ')}: " + ", ".join(parts)


@dataclass(frozen=True)
class Size:
    """Where maps and masks meet: as stored; resized to side×side; longest side reduced to `side`; padded to side×side.

    What is padded is never scored, so padding only reduces what is larger.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    policy: Literal["native", "resize", "longest", "pad"] = "native"
    side: int | None = None

    def __post_init__(self) -> None:
        if (self.policy == "native") != (self.side is None):
            raise ValueError("every size policy but native needs `side`, in pixels")


@dataclass(frozen=True)
class Protocol:
    """A versioned list of numbers. `band` (inner, outer) leaves out that many pixels each side of a mask's outline."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    version: int
    words: str
    numbers: dict[str, Number]
    source: str = ""
    size: Size = Size()
    band: tuple[int, int] = (0, 0)
    headline: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = set(self.headline) - set(self.numbers)
        if unknown:
            raise ValueError(f"the headline names numbers that are not listed: {', '.join(sorted(unknown))}")

    @property
    def digest(self) -> str:
        """Changes whenever anything that could move a number changes."""
        told = {k: v for k, v in asdict(self).items() if k not in ("words", "source", "headline")}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def names() -> tuple[str, ...]:
    """The shipped protocols, in alphabetical order."""
    folder = files("ifdl") / "protocols"
    found = (p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))
    return tuple(sorted(n for n in found if n != "published"))


def load(name_or_path: str | Path = "native-1") -> Protocol:
    """A protocol by the name of a shipped one, or by its path. Raises ValueError that names an unknown key."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ValueError(f"there is no protocol at {path}")
        text = path.read_text(encoding="utf-8")
    elif str(name_or_path) in names():
        text = (files("ifdl") / "protocols" / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    else:
        known = ", ".join(names())
        raise ValueError(f"no protocol is called {str(name_or_path)!r}; there are {known}, or give a YAML file's path")
    return parse(yaml.safe_load(text), str(name_or_path))


def parse(raw: Any, name: str = "protocol") -> Protocol:
    """A protocol from what YAML holds. Raises ValueError that names what is wrong."""
    try:
        return _ADAPTER.validate_python(raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise ValueError(f"protocol {name}: {problems}") from error


def _of_pictures(number: Number) -> str:
    own = "the system's own answer" if number.at is None else f"threshold {number.at}"
    return {
        "image_auc": "AUC of whole-picture scores, edited or synthetic against authentic, ties counting half",
        "image_average_precision": "average precision of whole-picture scores",
        "image_accuracy": f"share of pictures told right, {own}",
        "image_balanced_accuracy": f"mean of the shares told right among edited and authentic pictures, {own}",
        "image_f1": f"F1 of edited pictures, {own}",
        "image_mcc": f"Matthews correlation of whole-picture answers, {own}",
        "image_eer": "equal error rate of whole-picture scores",
        "image_detection_rate": f"share of edited pictures found at a false-alarm rate of {number.at}",
        "false_alarms": f"authentic photographs called edited, counted by source, {own}",
        "class_accuracy": "share of pictures whose class (authentic, edited, synthetic) is told right",
        "class_macro_f1": "mean F1 of the three classes",
        "class_recall": f"share of {number.of} pictures told as such",
        "sida_f1": "what SIDA's released code prints as F1: harmonic mean of pooled IoU and 3-class accuracy",
        "sida_auc": "what SIDA's released code prints as AUC: macro precision times macro recall of the 3-class answer",
    }[number.metric]


_ADAPTER = TypeAdapter(Protocol)
