"""Local noise: does a compact part of the picture hold more noise than the rest leads one to expect?

Noise alone says little, since texture looks like noise and noise changes with brightness. Their proportions differ:
noise added after capture is about as strong in the finest detail as pixels allow, while what came through a lens,
demosaicing and compression falls off towards it. So the finest detail of every cell is compared with that of cells as
rich in coarser detail elsewhere in the picture, in the line of Mahdian and Saic ("Using noise inconsistencies for blind
image forensics", Image and Vision Computing 27(10), 2009) with texture compensated.

Only more noise than expected is reported: less is what any lens leaves out of focus. Everything is measured at native
size; `_noise_cells` measures.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.evidence._noise_cells import CELL, FLOOR, WHITE, Cells, cells_of, excess
from ifdl.signal.regions import regions_of
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Number, Picture, Question, State

Floats = NDArray[np.float32]
Cellwise = NDArray[np.bool_]

SMALLEST = 192  # pixels a side
UNCLIPPED = 0.3  # share of the cells that must not be clipped
FEWEST_NEAR = 5  # valid cells of 3×3
LEAST, FAINT = 0.4, 0.3  # excess (natural logarithm) from which a cell belongs to a part
FINE = 1.0  # grey levels of finest detail below which rounding and compression decide
FEWEST, SMALLEST_SHARE, LARGEST_SHARE = 24, 0.004, 0.35  # cells, and shares of the picture
MEAN, ALIKE = 0.5, 0.5  # mean excess of a part, and standard deviation of the logarithm of its finest detail
FINEST = 0.9  # logarithm of fine over coarse detail that noise cannot pass; combing and doubled pixels do
UNEVEN = 0.35  # excess that 5 % of the rest may pass
_NEAR = np.ones((3, 3), np.uint8)

CARD = Card(
    id="noise",
    title="Local noise",
    questions=(Question.LOCAL_EDIT,),
    version="1",
    citation="Mahdian and Saic, Using noise inconsistencies for blind image forensics, Image and Vision Computing "
    "27(10), 2009; Immerkær, Fast noise variance estimation, CVIU 64(2), 1996",
    url="https://doi.org/10.1016/j.imavis.2009.02.001",
    domain=f"Photographs of at least {SMALLEST} pixels a side, of which {UNCLIPPED:.0%} or more is not clipped to "
    "black or white and whose finest detail follows the coarser detail alike in most places.",
    threshold=f"A connected part of at least {FEWEST} cells of {CELL} pixels and {SMALLEST_SHARE:.1%} of the picture, "
    f"at most {LARGEST_SHARE:.0%}, each with {np.exp(LEAST):.1f} times the finest detail expected or more, "
    f"{np.exp(MEAN):.2f} times on average (white noise: about 2 to 4), and with about as much everywhere in it "
    f"(standard deviation of its logarithm at most {ALIKE}). Chosen on camera folds 0-7.",
    false_alarms=FalseAlarms(
        data="camera",
        alarms=0,
        photographs=137,
        upper=0.0216,
        note="The pictures as they are; thresholds were chosen on 111 of the 137 photographs.",
    ),
    look_for="A compact part with the outline of an object, grainier than surfaces like it elsewhere.",
    ignore="Lettering, hatching, roof tiles, foliage, water and fabric; dithered or halftone print.",
    experimental=True,
    limits=(
        "Experimental: it marks a wrong place on a bundled example, and the calibration does not weigh it yet; "
        "it is shown, never counted.",
        "A part with less noise than the rest is not reported: out of focus, it would look the same.",
        "Noise that a later JPEG save or reduction smoothed away is not found; nor is noise as strong as the texture "
        "or the grain around it.",
        "It was tested with grain of 4 to 10 grey levels added to a part; fainter differences between two cameras are "
        "mostly too small for it.",
        "Regions are marked in steps of 16 pixels, and flat or clipped parts inside them may be missed.",
    ),
)
_INNOCENT = (
    Innocent(
        "A surface of very fine texture (gravel, grass, fabric, a screen or print) is in sharp focus there only",
        "Look at the marked part enlarged: texture follows the surface, noise does not.",
    ),
    Innocent(
        "The camera or phone put the picture together from several exposures, or smoothed all but this part",
        "Ask for other pictures taken with the same device in similar light.",
    ),
    Innocent(
        "The photographer sharpened, brightened or added grain to a part when developing the picture",
        "Ask for the raw file or the file as the camera wrote it.",
    ),
)


def run(picture: Picture) -> list[Finding]:
    """One finding for LOCAL_EDIT."""
    if min(picture.height, picture.width) < SMALLEST:
        return [_outside(f"The picture is smaller than {SMALLEST} pixels on one side, too small to compare noise.")]
    cells = cells_of(picture.pixels)
    if cells.valid.mean() < UNCLIPPED:
        return [_outside("Most of the picture is clipped to black or white, where no noise is left.")]
    above = excess(cells)
    if above is None:
        return [_outside("Detail differs too much from place to place to say how much noise to expect.")]
    around, known = _around(above, cells.valid)
    part, faint = (_part(around, known, cells, least) for least in (LEAST, FAINT))
    # Where next to no detail is left, rounding sets its proportions.
    rest = np.where(cells.fine > FINE, around, np.minimum(around, 0))[known & ~_widened(faint)]
    if rest.size < FEWEST:
        return [_outside("Too little of the picture is left to compare noise with.")]
    spread = float(np.quantile(rest, 0.95))
    if spread > UNEVEN:
        reason = (
            "The finest detail varies all over the picture (resized, sharpened or drawn in parts), not in one part."
        )
        return [_outside(reason, spread=round(spread, 2))]
    return [_finding(picture, cells, around, known, part, faint)]


def _outside(reason: str, **numbers: Number) -> Finding:
    return Finding(CARD.id, CARD.questions[0], State.OUT_OF_DOMAIN, reason, numbers=numbers, citation=CARD.citation)


def _around(above: Floats, valid: Cellwise) -> tuple[Floats, Cellwise]:
    """Mean excess over the valid cells of 3×3, and where there are enough of them."""
    weight = valid.astype(np.float32)
    sums = [
        cv2.boxFilter(a, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT) for a in (above * weight, weight)
    ]
    known = np.asarray(sums[1] > FEWEST_NEAR - 0.5)
    return np.where(known, sums[0] / np.maximum(sums[1], 1), 0).astype(np.float32), known


def _part(around: Floats, known: Cellwise, cells: Cells, least: float) -> Cellwise:
    """The largest connected part whose excess is at least `least`; empty if there is none."""
    labels, count = ndimage.label((around > least) & known & (cells.fine > FINE), structure=_NEAR)
    if not count:
        return np.zeros(known.shape, bool)
    return np.asarray(labels == 1 + int(np.bincount(labels.ravel())[1:].argmax()))


def _widened(part: Cellwise) -> Cellwise:
    return np.asarray(cv2.dilate(part.astype(np.uint8), _NEAR) > 0)


def _holds(part: Cellwise, around: Floats, cells: Cells, mean: float) -> bool:
    """Whether a part is of the right size, and grainy enough throughout: within it texture varies, noise hardly."""
    count = int(np.count_nonzero(part))
    if not max(FEWEST, SMALLEST_SHARE * part.size) <= count <= LARGEST_SHARE * part.size:
        return False
    fine, coarse = np.log(cells.fine[part]), np.log(np.maximum(cells.coarse[part], FLOOR))
    return bool(around[part].mean() >= mean and fine.std() <= ALIKE and np.median(fine - coarse) <= FINEST)


def _finding(
    picture: Picture, cells: Cells, around: Floats, known: Cellwise, part: Cellwise, faint: Cellwise
) -> Finding:
    """Words, map and region for the part, or for the faint one if only that is large enough."""
    size = (picture.height, picture.width)
    chart = Map.of(around / WHITE, size, CELL, valid=known)
    question = CARD.questions[0]
    strong = _holds(part, around, cells, MEAN)
    if not strong and not _holds(faint, around, cells, LEAST):
        sentence = "No compact part of the picture holds more noise than the rest leads one to expect."
        return Finding(CARD.id, question, State.NO_TRACE_FOUND, sentence, map=chart, citation=CARD.citation)
    # The fainter cells that touch a part belong to it; those of a faint part have shown nothing more.
    grown = np.asarray(ndimage.binary_propagation(part, structure=_NEAR, mask=(around > FAINT) & known))
    shown = grown if strong else faint
    filled = np.asarray(ndimage.binary_fill_holes(shown))
    mask = np.zeros(size, bool)
    wide = np.repeat(np.repeat(filled, CELL, axis=0), CELL, axis=1)
    mask[: wide.shape[0], : wide.shape[1]] = wide
    regions = regions_of(mask, picture.item.orientation, most=1)
    times = round(float(np.exp(around[part if strong else faint].mean())), 2)
    numbers: dict[str, Number] = {
        "times_expected": times,
        "fine_detail": round(float(np.median(cells.fine[shown])), 2),
        "fine_detail_elsewhere": round(float(np.median(cells.fine[cells.valid & ~_widened(shown)])), 2),
        "share_percent": round(100 * regions[0].area, 1),
        "cells": int(np.count_nonzero(shown)),
    }
    verb = "holds" if strong else "may hold"
    sentence = (
        f"The part at the {regions[0].position} ({numbers['share_percent']} % of the picture) {verb} more noise than "
        f"the rest: its finest detail is {times} times what places of like texture elsewhere have."
    )
    return Finding(
        CARD.id,
        question,
        State.SUPPORTED if strong else State.INCONCLUSIVE,
        sentence,
        strength=float(np.clip(np.log(times) / (2 * WHITE) + 0.2, 0.0, 1.0)) if strong else 0.2,
        map=chart,
        regions=regions,
        numbers=numbers,
        innocent=_INNOCENT,
        citation=CARD.citation,
    )
