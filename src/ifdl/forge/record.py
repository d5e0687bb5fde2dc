"""What an engine gives back: pixels, exact mask, and a record of every step that a caption can be made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ifdl.types import Number

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

# Traces of the signal that an edit plants, as clues look for them.
TRACES = (
    "foreign_grid",  # JPEG blocks on another grid than the rest
    "missing_grid",  # no JPEG blocks where the rest has them
    "other_quantisation",  # another compression history than the rest
    "resampled",  # interpolated
    "repeated",  # pixels that stand elsewhere in the picture too
    "foreign_noise",  # another camera's noise
    "smoothed",  # fine detail and noise gone
    "sharpened",
    "added_noise",
    "recoloured",  # colour or brightness shifted
    "blended",  # edges mixed with what was there
)
# Cue words of the explanation data: what a person could point at.
CUES = (
    "edges", "lighting", "shadow", "texture", "resolution", "noise", "colour", "perspective", "proportion",
    "repetition", "sharpness", "context", "reflection", "text",
)  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """An object that a detector found: its box (x, y, width, height) in pixels, and what it is."""

    box: Box
    name: str


@dataclass(frozen=True, eq=False)
class Material:
    """A photograph, or a crop of one, to forge with: `pixels` uint8 H×W×3 RGB.

    `grid` is where its own JPEG blocks start (x, y modulo 8), None if it shows none. `source` is the
    photograph's id, by which splits are made. `things` are its objects, where a detector looked.
    """

    pixels: Pixels
    source: str
    name: str = ""
    grid: tuple[int, int] | None = None
    things: tuple[Thing, ...] = ()


# A stream of other photographs: each call gives one, chosen by the generator.
Donors = Callable[[np.random.Generator], Material]


@dataclass(frozen=True)
class Step:
    """One edit. Boxes are (x, y, width, height) in pixels of the forged picture.

    `source_box` is where the content came from, in the donor (or in the host itself when `donor` is
    None), None where nothing was carried over. `content` says what was edited in plain words ("a
    region of grass", "an object"), `action` what was done to it ("pasted from another picture").
    """

    engine: str
    action: str
    content: str
    target_box: Box
    source_box: Box | None = None
    donor: str | None = None
    parameters: dict[str, Number] = field(default_factory=dict)
    traces: tuple[str, ...] = ()
    cues: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = (set(self.traces) - set(TRACES)) | (set(self.cues) - set(CUES))
        if unknown:
            raise ValueError(f"unknown traces or cues: {', '.join(sorted(unknown))}")


@dataclass(frozen=True, eq=False)
class Forgery:
    """The forged picture uint8 H×W×3, the exact mask bool H×W of what was edited, and the steps in order.

    `untouched` is what the picture was before the edit where that is not the host itself: a document
    engine draws its page first and edits it then.
    """

    pixels: Pixels
    mask: Mask
    steps: tuple[Step, ...]
    untouched: Pixels | None = None


def box_of(mask: Mask) -> Box:
    """(x, y, width, height) of the set pixels; raises ValueError for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise ValueError("an empty mask has no box")
    return (
        int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    )


def filled(box: Box, size: tuple[int, ...]) -> Mask:
    """The box as a mask of (height, width) `size`."""
    x, y, width, height = box
    mask = np.zeros(size, bool)
    mask[y : y + height, x : x + width] = True
    return mask
