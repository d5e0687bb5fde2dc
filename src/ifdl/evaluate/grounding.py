"""Whether a text is right: its fields against the forge's record, its position words against the mask.

Print each number beside the same one with texts swapped between pictures (`ifdl.evaluate.text.swapped`): what a text
gets right about a picture that it was not written for is chance. A negated word counts as said, but for the type. An
empty or missing field scores 0. Places are thirds of the picture, as in `ifdl.signal.regions.position_words`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ifdl.evaluate.labels import Overlap, overlap
from ifdl.evaluate.text import Fields, tokens
from ifdl.forge.record import CUES, Step
from ifdl.signal.regions import position_words

Cell = tuple[int, int]  # row and column of the picture's thirds
LEAST = 0.1  # of the mask's pixels, for a third of the picture to be where the mask is
NONE = Overlap(0.0, 0.0, 0.0)

_TYPES = {
    "synthetic": re.compile(r"synthe(?:tic|tically|sis|si[sz]ed)|generated"),
    "edited": re.compile(
        r"edit(?:s|ed|ing)?|tamper(?:ed|ing)|manipulat(?:ed|ion|ions)|alter(?:ed|ation|ations)|forge(?:d|ry|ries)|"
        r"splic(?:ed|ing)|inpaint(?:ed|ing)|retouch(?:ed|ing)|removal|copymove|fake|doctored|inauthentic"
    ),
    "authentic": re.compile(r"authentic|real|genuine|original|pristine|un(?:touched|edited|altered|modified|tampered)"),
}
_NEGATIONS = {"no", "not", "non", "without", "never", "isn", "hasn"}
_OPPOSITE = {"edited": "authentic", "authentic": "edited"}
_IN_PART = {"part", "partial", "partially", "partly", "local", "locally"}
_CELLS = {position_words(column + 0.5, row + 0.5, (3, 3)): (row, column) for row in range(3) for column in range(3)}
_ROWS = {"upper": 0, "top": 0, "lower": 2, "bottom": 2}
_COLUMNS = {"left": 0, "right": 2}
_CENTRES = {"middle", "centre", "center", "central"}
_PLACE_WORDS = _ROWS.keys() | _COLUMNS.keys() | _CENTRES
_PLACE = re.compile(r"\b({0})(?:[\s-]+({0}))?\b".format("|".join(sorted(_PLACE_WORDS))))
_COMMON = set(
    tokens(
        "a an the and or of in on at from to by with into for as is are was were be been it its this that there has "
        "have picture image photo photograph region area part none nothing known"
    )
)
_CUE_OF = {cue.rstrip("s"): cue for cue in CUES} | {"color": "colour"}


def label_of(type_words: str | None) -> str | None:
    """The first of "authentic", "edited", "synthetic" that a type names; None if none.

    A negation before it in its clause turns authentic and edited round; "synthetic in part" is edited.
    """
    every = tokens(type_words or "")
    for clause in re.split(r"[.,;:!?]|\bbut\b", type_words or ""):
        words = tokens(clause)
        for n, word in enumerate(words):
            label = next((label for label, pattern in _TYPES.items() if pattern.fullmatch(word)), None)
            if label and _NEGATIONS & set(words[:n]):
                label = _OPPOSITE.get(label)
            elif label == "synthetic" and _IN_PART & set(every):
                label = "edited"
            if label:
                return label
    return None


class Place(NamedTuple):
    """Part of the picture that words name; a bare "left" or "top" is true of all three thirds there."""

    rows: frozenset[int]
    columns: frozenset[int]

    def holds(self, cell: Cell) -> bool:
        return cell[0] in self.rows and cell[1] in self.columns


def places(text: str) -> set[Place]:
    """Every place that a text names: "upper left", "bottom-right", "left", "centre"."""
    return {_place([word for word in match.groups() if word]) for match in _PLACE.finditer(text.lower())}


def cues(text: str) -> set[str]:
    """The cue words of a text, plural or American spelling alike."""
    return {_CUE_OF[word] for token in tokens(text) if (word := token.rstrip("s")) in _CUE_OF}


@dataclass(frozen=True)
class Accuracy:
    """One text against one record. `type` is right (1) or not; the rest compare sets of words or places."""

    type: float
    areas: Overlap
    content: Overlap
    cues: Overlap


def against_record(fields: Fields, steps: Sequence[Step], size: tuple[int, int]) -> Accuracy:
    """A text's fields against the forge's record of a picture of (height, width) `size`; no steps means authentic.

    Areas: places named against the thirds in which the steps' boxes have their centres. Content: words that
    carry meaning, against those of what was edited and what was done to it. Cues: cue words named under visual
    inconsistencies. A missing field scores 0.
    """
    boxes = [step.target_box for step in steps]
    cells = {_CELLS[position_words(x + w / 2, y + h / 2, size)] for x, y, w, h in boxes}
    content = {word for step in steps for word in _meaning(f"{step.content} {step.action}")}
    planted = {cue for step in steps for cue in step.cues}
    return Accuracy(
        float(label_of(fields.type) == ("edited" if steps else "authentic")),
        NONE if fields.areas is None else _held(places(fields.areas), cells),
        NONE if fields.tampered_content is None else overlap(_meaning(fields.tampered_content), content),
        NONE if fields.visual_inconsistencies is None else overlap(cues(fields.visual_inconsistencies), planted),
    )


@dataclass(frozen=True)
class Agreement:
    """`pointed`: share of the places named where the mask is; `covered`: share of the mask in the places named."""

    pointed: float
    covered: float


def mask_agreement(text: str | None, mask: NDArray[np.bool_], orientation: int = 1) -> Agreement:
    """Whether the position words of a text (its areas, best) describe where a mask H×W is.

    The mask, in stored pixels, is where at least a tenth of it lies, and at the centre of its box; words are of the
    picture as displayed. An empty mask and no place named agree.
    """
    named = places(text or "")
    if not mask.any():
        return Agreement(float(not named), float(not named))
    shares = _shares(mask, orientation)
    cells = {cell for cell, share in shares.items() if share >= LEAST} | {_centre(mask, orientation)}
    covered = sum(share for cell, share in shares.items() if any(place.holds(cell) for place in named))
    return Agreement(_held(named, cells).precision, min(covered, 1.0))


def _place(words: list[str]) -> Place:
    rows = [_ROWS[word] for word in words if word in _ROWS]
    columns = [_COLUMNS[word] for word in words if word in _COLUMNS]
    centred = any(word in _CENTRES for word in words)
    every, middle = frozenset(range(3)), frozenset({1})
    return Place(
        frozenset(rows) or (middle if centred else every), frozenset(columns) or (middle if centred else every)
    )


def _meaning(text: str) -> set[str]:
    return {word for word in tokens(text) if word not in _COMMON and word not in _PLACE_WORDS}


def _held(named: set[Place], cells: set[Cell]) -> Overlap:
    """Places against thirds: a place is right if it holds one, a third is found if a place holds it."""
    if not named or not cells:
        return overlap(named, cells)
    precision = sum(any(place.holds(cell) for cell in cells) for place in named) / len(named)
    recall = sum(any(place.holds(cell) for place in named) for cell in cells) / len(cells)
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall) if precision else 0.0)


def _shares(mask: NDArray[np.bool_], orientation: int) -> dict[Cell, float]:
    """Share of the mask's pixels in each third as displayed."""
    height, width = mask.shape
    rows = (np.arange(height) * 2 + 1) * 3 // (2 * height)
    columns = (np.arange(width) * 2 + 1) * 3 // (2 * width)
    share: dict[Cell, float] = {}
    for row in range(3):
        for column in range(3):
            shown = _CELLS[position_words(column + 0.5, row + 0.5, (3, 3), orientation)]
            inside = np.count_nonzero(mask[np.ix_(rows == row, columns == column)])
            share[shown] = float(inside / np.count_nonzero(mask))
    return share


def _centre(mask: NDArray[np.bool_], orientation: int) -> Cell:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = (columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2
    return _CELLS[position_words(float(x), float(y), mask.shape, orientation)]
