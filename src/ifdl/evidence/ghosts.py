"""JPEG ghosts: has a part of the picture been through another JPEG save than the rest?

Farid ("Exposing digital forgeries from JPEG ghosts", IEEE TIFS 4(1), 2009) saves the picture again at many qualities
and looks for a part that changes least at another one than the rest. The same question is asked here of the histograms
of coefficients, as Lin et al. (Pattern Recognition 42(11), 2009) and Bianchi and Piva (IEEE TIFS 7(3), 2012) do: the
past that explains most of the picture is found first (an earlier save with one of many tables, or none that shows),
then every other past is tried against it, and a compact part must prefer that other past while the rest refuses it.

Everything is measured at native size, on cells of 32 pixels; `_ghosts_blocks` counts and weighs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.evidence._ghosts_blocks import CELL, Cells, cells_of, evidence, whole
from ifdl.signal import jpeg
from ifdl.signal.double_jpeg import FREQUENCIES, coefficients, on_grid
from ifdl.signal.regions import regions_of
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Number, Picture, Question, State

Floats = NDArray[np.float32]
Cellwise = NDArray[np.bool_]

SMALLEST = 192  # pixels a side
QUALITIES = tuple(range(35, 98))
FREE = 20.0  # log-likelihood that a frequency's own best first step must gain over the whole picture
MOST_OF_ONE = 8.0  # a cell counts up to here where the past of most of the picture is sought
SHOWN = 1.0  # log-likelihood a cell above which a lossless file shows an earlier save
VALUES = 20  # coefficients in 3×3 cells below which their middle says nothing
INFORMATIVE = 0.15  # share of the cells that must say something
PREFERS = 9.0  # log-likelihood of 3×3 cells above which their middle prefers the other past
FEWEST = 4  # cells
LARGEST_PART, AGREE, AGAINST = 0.35, 0.98, 2.0
SUM, EACH = 180.0, 10.0
FAINT = 0.5  # share of SUM and EACH from which the finding is inconclusive
FULL = 100.0  # log-likelihood of 3×3 cells that is drawn brightest
_NEAR = np.ones((3, 3), np.uint8)

CARD = Card(
    id="ghosts",
    title="JPEG ghosts",
    questions=(Question.LOCAL_EDIT,),
    version="1",
    citation="Farid, Exposing digital forgeries from JPEG ghosts, IEEE TIFS 4(1), 2009; Bianchi and Piva, Image "
    "forgery localization via block-grained analysis of JPEG artifacts, IEEE TIFS 7(3), 2012",
    url="https://doi.org/10.1109/TIFS.2011.2170836",
    domain=f"JPEG files, and lossless files that show an earlier JPEG save, of at least {SMALLEST} pixels a side, of "
    f"which {INFORMATIVE:.0%} of the cells or more hold some detail; the traces show on the file's own 8×8 grid.",
    threshold=f"A connected part of at least {FEWEST} cells of {CELL} pixels, no more than {LARGEST_PART:.0%} of what "
    f"can be judged, whose log-likelihood for another JPEG past exceeds that of the rest by {SUM:g} in all and "
    f"{EACH:g} a cell, while {AGREE:.0%} of the rest prefers its own. Chosen on camera folds 0-7.",
    false_alarms=FalseAlarms(
        data="camera",
        alarms=1,
        photographs=137,
        upper=0.0342,
        note="The pictures as they are; thresholds were chosen on 111 of the 137 photographs.",
    ),
    look_for="A compact part with the outline of an object, whether or not it has much detail.",
    ignore="Lettering, logos and frames added later; parts along the border of flat or clipped areas.",
    experimental=True,
    limits=(
        "Experimental until the calibration weighs it: it is shown, never counted.",
        "A part saved at a higher quality than the file's last save leaves no ghost.",
        "A part on another 8×8 grid shows only where the rest still shows an earlier save of its own; the test of the "
        "block grid looks for the others.",
        "It cannot tell which of the two, the part or the rest, is the original.",
        "Flat, black and white parts hold no coefficients and say nothing; often only some of a part is marked.",
        "Pictures saved three times or more can show a mixture of pasts in textured and in flat areas.",
    ),
)
_INNOCENT = (
    Innocent(
        "A caption, date stamp, logo or frame was added, or a face or plate blurred, and the picture saved again",
        "See whether the marked part is lettering, a border or an openly blurred area, and ask for the earlier file.",
    ),
    Innocent(
        "The picture was assembled openly, such as a collage or a screenshot that holds other pictures",
        "See whether the marked part ends at the straight edges of a layout.",
    ),
    Innocent(
        "A program corrected red eyes, dust or a blemish and saved the picture again",
        "See whether the part hides anything that matters, and ask for the file as the camera wrote it.",
    ),
)


@dataclass(frozen=True, eq=False)
class Part:
    """A connected part that prefers past number `past`: log-likelihood in all, its share, and how the rest differs."""

    cells: Cellwise
    sum: float
    past: int
    share: float
    agree: float
    against: float

    def holds(self, factor: float = 1.0) -> bool:
        """Whether part and rest disagree enough; `factor` lowers what is asked of the part."""
        each = self.sum / np.count_nonzero(self.cells)
        rest = self.agree >= AGREE and self.against >= AGAINST
        return bool(rest and self.share <= LARGEST_PART and self.sum >= factor * SUM and each >= factor * EACH)


def run(picture: Picture) -> list[Finding]:
    """One finding for LOCAL_EDIT."""
    if min(picture.height, picture.width) < SMALLEST:
        return [_outside(f"The picture is smaller than {SMALLEST} pixels on one side, too small to compare parts.")]
    is_jpeg = picture.item.format == "JPEG"
    table: jpeg.Table | None = (1,) * 64
    if is_jpeg:
        container = picture.item.container
        table = jpeg.tables_of(container.quantisation, container.component_tables)[0]
    if table is None or (is_jpeg and not on_grid(coefficients(picture.pixels), table)):
        return [_outside("The pixels do not follow this file's own compression steps (an unusual colour space).")]
    cells = cells_of(picture.pixels, table)
    informative = _around(cells.histograms.sum(axis=(2, 3))) >= VALUES
    share = float(informative.mean())
    if share < INFORMATIVE:
        reason = f"Only {share:.0%} of the picture holds enough detail to show an earlier save."
        return [_outside(reason, informative_percent=round(100 * share))]

    pasts = _pasts(cells)
    logs = evidence(cells, pasts)
    held = np.clip(logs, -MOST_OF_ONE, MOST_OF_ONE).sum(axis=(1, 2))
    base = int(held.argmax())
    parts = [p for n in range(len(pasts)) if n != base and (p := _part(logs[n] - logs[base], n, informative))]
    if not is_jpeg and held[base] < SHOWN * np.count_nonzero(informative) and not any(p.holds() for p in parts):
        return [_outside("This file shows no earlier JPEG save, so there is no other to look for.")]
    return [_finding(picture, pasts, logs, base, parts, informative)]


def _outside(reason: str, **numbers: Number) -> Finding:
    return Finding(CARD.id, CARD.questions[0], State.OUT_OF_DOMAIN, reason, numbers=numbers, citation=CARD.citation)


def _around(values: Floats) -> Floats:
    """Sums over 3×3 cells."""
    return np.asarray(cv2.boxFilter(values, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT), np.float32)


def _pasts(cells: Cells) -> NDArray[np.int64]:
    """First steps pasts×frequencies: none, the standard tables, and the steps that fit most of the picture best."""
    standard = [[jpeg.standard_table(q)[index] for index in FREQUENCIES] for q in QUALITIES]
    each = whole(cells)
    free = np.where(each.max(axis=1) > FREE, each.argmax(axis=1), 0)
    return np.array([[0] * len(FREQUENCIES), *standard, free.tolist()], np.int64)


def _part(gain: Floats, past: int, informative: Cellwise) -> Part | None:
    """The connected part that gains most from another past than that of the whole."""
    around = _around(gain)
    labels, count = ndimage.label(around > PREFERS, structure=_NEAR)
    if not count:
        return None
    sums = ndimage.sum_labels(gain, labels, np.arange(1, count + 1))
    best = int(np.argmax(sums))
    part = np.asarray(labels == best + 1)
    # Beside the part the sums over 3×3 cells hold some of it.
    rest = informative & (cv2.dilate(part.astype(np.uint8), _NEAR) == 0)
    if np.count_nonzero(part) < FEWEST or not rest.any():
        return None
    return Part(
        part,
        float(sums[best]),
        past,
        float(np.count_nonzero(part) / np.count_nonzero(part | informative)),
        float((around[rest] < 0).mean()),
        float(-gain[rest].mean()),
    )


def _named(past: int, pasts: NDArray[np.int64]) -> str:
    if past == 0:
        return "no earlier JPEG save that shows"
    if past == len(pasts) - 1:
        return "an earlier JPEG save with tables of its own"
    return f"an earlier JPEG save at a quality near {QUALITIES[past - 1]}"


def _finding(
    picture: Picture, pasts: NDArray[np.int64], logs: Floats, base: int, parts: list[Part], informative: Cellwise
) -> Finding:
    """Words, map and regions for the part that prefers another past most, if one does."""
    size = (picture.height, picture.width)
    numbers: dict[str, Number] = {"informative_percent": round(100 * float(informative.mean()))}
    faint = [p for p in parts if p.holds(FAINT)]
    strong = [p for p in faint if p.holds()]
    if not faint:
        heat = np.zeros(informative.shape, np.float32)
        sentence = "No compact part of the picture shows another JPEG past than the rest."
        chart = Map.of(heat, size, CELL, valid=informative)
        return Finding(
            CARD.id,
            CARD.questions[0],
            State.NO_TRACE_FOUND,
            sentence,
            map=chart,
            numbers=numbers,
            citation=CARD.citation,
        )
    best = max(strong or faint, key=lambda p: p.sum)
    gain = logs[best.past] - logs[base]
    around = _around(gain)
    # Along its border a part's sums over 3×3 cells hold much of the rest, so it is grown over single cells.
    grown = np.asarray(ndimage.binary_propagation(best.cells, structure=_NEAR, mask=(gain > 0) & informative))
    filled = np.asarray(ndimage.binary_fill_holes(cv2.morphologyEx(grown.astype(np.uint8), cv2.MORPH_CLOSE, _NEAR)))
    mask = np.zeros(size, bool)
    wide = np.repeat(np.repeat(filled, CELL, axis=0), CELL, axis=1)
    mask[: wide.shape[0], : wide.shape[1]] = wide
    regions = regions_of(mask, picture.item.orientation, most=1)
    numbers |= {
        "log_likelihood": round(best.sum),
        "each_cell": round(best.sum / int(np.count_nonzero(best.cells)), 1),
        "rest_agrees_percent": round(100 * best.agree),
        "share_percent": round(100 * regions[0].area, 1),
        "part_past": _named(best.past, pasts),
        "rest_past": _named(base, pasts),
    }
    may = "shows" if strong else "may show"
    sentence = (
        f"The part at the {regions[0].position} ({numbers['share_percent']} % of the picture) {may} "
        f"{numbers['part_past']}, and the rest {numbers['rest_past']}. Which of the two is the original cannot be told."
    )
    return Finding(
        CARD.id,
        CARD.questions[0],
        State.SUPPORTED if strong else State.INCONCLUSIVE,
        sentence,
        strength=float(np.clip(np.log10(best.sum / SUM) / 4 + 0.5, 0.0, 1.0)) if strong else 0.3,
        map=Map.of(around / FULL, size, CELL, valid=informative),
        regions=regions,
        numbers=numbers,
        innocent=_INNOCENT,
        citation=CARD.citation,
    )
