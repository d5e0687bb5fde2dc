"""Pictures, masks and words to train an explainer on, and which mask it is shown with each picture.

The paper shows true masks, and none with authentic and synthetic pictures. So whether there is a mask tells the class,
whatever the picture shows: `unmasked` "borrowed" gives those pictures the mask of another one, and nothing is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from ifdl import data, experts
from ifdl.data import Bad, Record, _fabric
from ifdl.forge.caption import Caption, caption
from ifdl.forge.record import Step, box_of
from ifdl.types import Picture

Mask = NDArray[np.bool_]
QUESTION = (
    "Act as a forensic analyst of pictures. Say whether the picture was changed, where, what was changed there, and "
    "what shows it: light and shadow, edges and texture, perspective and proportion, resolution, noise, repetition, "
    "context. Say plainly where nothing clear is seen, and do not guess.\nAnswer in four lines: Type, Areas, Tampered "
    "content, Visual inconsistencies."
)


@dataclass(frozen=True)
class Masks:
    """Which mask is shown. `kind` truth is the set's own, perturbed the same moved and swollen or shrunk by chance,
    predicted what the expert `predictor` finds (in any picture, as in use). `unmasked`: ones (none) or borrowed.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    kind: Literal["truth", "predicted", "perturbed"] = "truth"
    unmasked: Literal["ones", "borrowed"] = "ones"
    predictor: str = "ifdl_small"


@dataclass(frozen=True, eq=False)
class Example:
    """One picture uint8 H×W×3, the mask bool H×W it is shown with (None: none), and what is to be said."""

    picture: NDArray[np.uint8]
    mask: Mask | None
    answer: str
    label: str


def described(places: Sequence[Path], kind: str) -> list[Record]:
    """The records of sets of that kind that say in words what was done; authentic ones need no words.

    Raises ValueError where there are none.
    """
    found = []
    for place in places:
        try:
            listed = list(data.load(kind).records(place))
        except (KeyError, FileNotFoundError) as error:
            raise ValueError(str(error.args[0])) from error
        found += [r for r in listed if not isinstance(r, Bad) and words(r)]
    if not any(r.label == "edited" for r in found):
        raise ValueError(f"{', '.join(map(str, places))}: no edited pictures with words; `ifdl forge` writes some")
    return found


def words(record: Record) -> str:
    """What is to be said of a record's picture, "" where nothing is known."""
    told = record.extra.get("caption")
    if isinstance(told, Mapping):
        try:
            return Caption(**told).text()
        except TypeError:
            return ""
    if record.extra.get("description"):
        return str(record.extra["description"])
    return caption((), (1, 1), np.random.default_rng(0)).text() if record.label == "authentic" else ""


class Examples:
    """The examples of these records. Each depends on (seed, epoch, its number) alone."""

    def __init__(self, records: Sequence[Record], masks: Masks, seed: int) -> None:
        self.records, self.masks, self.seed = list(records), masks, seed
        self._masked = [n for n, record in enumerate(self.records) if record.mask is not None]
        if masks.unmasked == "borrowed" and not self._masked:
            raise ValueError("data.masks.unmasked: there is no picture with a mask to borrow from")
        self._expert: Any = None

    def __len__(self) -> int:
        return len(self.records)

    def get(self, epoch: int, number: int) -> Example:
        """The example of that number (order of the records). Raises IntakeError for a file that cannot be read."""
        record = self.records[number]
        picture = data.sample(record, decode=True).picture
        assert isinstance(picture, Picture)
        rng = np.random.default_rng([self.seed, epoch, number])
        mask = self._mask(record, picture, rng)
        return Example(picture.pixels, mask, words(record), record.label)

    def _mask(self, record: Record, picture: Picture, rng: np.random.Generator) -> Mask | None:
        size = (picture.height, picture.width)
        if self.masks.kind == "predicted":
            own: Mask | None = self._predicted(picture)
        else:
            own = data.mask_of(record)
            if own is not None and self.masks.kind == "perturbed":
                own = perturbed(own, rng)
        if own is not None and own.any():
            return own
        if self.masks.unmasked == "ones":
            return None
        lender = self.records[self._masked[int(rng.integers(len(self._masked)))]]
        lent = data.mask_of(lender)
        assert lent is not None
        if self.masks.kind == "perturbed":
            lent = perturbed(lent, rng)
        fitted = cv2.resize(lent.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
        return fitted if fitted.any() else None

    def _predicted(self, picture: Picture) -> Mask:
        if self._expert is None:
            self._expert = experts.module(self.masks.predictor).build()
        heat = self._expert.predict(picture).heat.at_full_size()
        return np.asarray(heat > self._expert.THRESHOLD * 65535)


def perturbed(mask: Mask, rng: np.random.Generator) -> Mask:
    """The mask moved by up to a quarter of its size, and swollen or shrunk by up to an eighth; never empty."""
    width, height = box_of(mask)[2:]
    by = rng.uniform(-0.25, 0.25, 2) * (width, height)
    moved = cv2.warpAffine(mask.astype(np.uint8), np.array([[1, 0, by[0]], [0, 1, by[1]]]), mask.shape[::-1])
    side = 1 + 2 * int(rng.integers(1, max(2, min(width, height) // 8 + 1)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    changed = (cv2.dilate if rng.random() < 0.5 else cv2.erode)(moved, kernel) > 0
    return changed if changed.any() else mask


def fabricated(place: Path, count: int = 4) -> Path:
    """A small described set, edited and authentic by turns, for `--smoke` and tests. Returns its folder."""
    rows = []
    for n in range(count):
        pixels, mask = _fabric.forged(n)
        row: dict[str, Any] = {"image": f"{n}.png", "label": "authentic", "mask": None, "source": f"{n:010x}"}
        if n % 2 == 0:
            step = Step("splice", "pasted from another picture", "a patch", box_of(mask), cues=("noise", "edges"))
            told = caption((step,), mask.shape, np.random.default_rng(n))
            row |= {"label": "edited", "mask": f"{n}_mask.png", "caption": told.__dict__}
            _fabric.save(mask, place / f"{n}_mask.png")
        _fabric.save(pixels if n % 2 == 0 else _fabric.scene(n), place / f"{n}.png")
        row["sha256"] = hashlib.sha256((place / f"{n}.png").read_bytes()).hexdigest()
        rows.append(row)
    (place / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return place
