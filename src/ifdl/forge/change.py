"""One change to a finished picture at one level: re-saved, blurred, reduced, cut, posted or taken off a screen.

Robustness sweeps alter every picture of a set with them, authentic and edited alike, and an examination is repeated
after the mild ones; masks move along. There is no chance in them, but for the noise, which is seeded by the picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl import intake
from ifdl.forge import launder
from ifdl.types import Picture

# Levels from mild to hard. jpeg and webp: quality; blur: standard deviation in pixels; noise: standard deviation in
# grey levels; resize and screenshot: factor; crop: share of each side kept, off the 8×8 grid.
SWEEPS: dict[str, tuple[float, ...]] = {
    "jpeg": (100, 95, 90, 85, 75, 65, 50),
    "blur": (0.5, 1.0, 2.0, 3.0),
    "noise": (1.0, 3.0, 7.0, 15.0),
    "resize": (0.9, 0.75, 0.5, 1.25),
    "crop": (0.95, 0.8),
    "webp": (95, 80, 60),
    "messenger": (75,),
    "platform": (80,),
    "screenshot": (1.0, 0.75),
    "double": (75,),
}
MILD = (("jpeg", 95.0), ("jpeg", 90.0), ("webp", 95.0), ("resize", 0.9), ("crop", 0.95))


@dataclass(frozen=True)
class Change:
    """One alteration at one level; `name` is one of `SWEEPS`."""

    name: str
    level: float

    def __post_init__(self) -> None:
        if self.name not in SWEEPS:
            raise ValueError(f"no change is called {self.name!r}; there are {', '.join(SWEEPS)}")

    @property
    def words(self) -> str:
        return f"{self.name} {self.level:g}"

    def apply(self, picture: Picture, mask: NDArray[np.bool_]) -> tuple[Picture, NDArray[np.bool_]]:
        """The altered file, decoded, and the mask in its geometry."""
        pixels = picture.pixels
        if self.name == "blur":
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), self.level, borderType=cv2.BORDER_REFLECT), np.uint8)
        elif self.name == "noise":
            rng = np.random.default_rng(zlib.crc32(picture.item.sha256.encode()))
            noisy = pixels + rng.normal(0, self.level, pixels.shape).astype(np.float32)
            pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        chain = launder.preset("none") if self.name in ("blur", "noise") else launder.preset(self.name, self.level)
        made = chain.apply(pixels, (mask,))
        return intake.decode(made.data, name=picture.item.name), made.masks[0]


def parse(text: str) -> Change:
    """ "jpeg:90" as a Change. Raises ValueError that says how to write it."""
    name, _, level = text.partition(":")
    try:
        return Change(name, float(level))
    except ValueError as error:
        raise ValueError(f"{text!r}: write NAME:LEVEL, such as jpeg:90 ({error})") from error


def all_changes(names: Sequence[str] = tuple(SWEEPS)) -> list[Change]:
    """Every level of the named sweeps, in order."""
    return [Change(name, level) for name in names for level in SWEEPS[name]]
