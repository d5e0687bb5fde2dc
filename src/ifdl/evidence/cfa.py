"""Demosaicing: does a part of the picture lack the trace of the sensor's colour filters that the rest shows?

A camera samples one colour a pixel and interpolates the two others, which leaves a pattern of period 2 in every
picture straight from a camera. Where something from elsewhere was put in, the pattern is gone (it was reduced, drawn,
generated or retouched) or lies on other pixels: Popescu and Farid ("Exposing digital forgeries in color filter array
interpolated images", IEEE TSP 53(10), 2005), and Ferrara, Bianchi, De Rosa and Piva ("Image forgery localization via
fine-grained analysis of CFA artifacts", IEEE TIFS 7(5), 2012), whose local statistic is used here.

The Bayer pattern is found for the whole picture first; then each cell's trace is compared with what cells of as much
fine detail have elsewhere in the picture, and a compact part must lack it. Everything is measured at native size and
in strips, so that memory does not grow with the picture but for its cells; `_cfa_cells` measures.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.evidence._cfa_cells import CELL, NEAR, cells_of, expected, pattern_of
from ifdl.signal import jpeg
from ifdl.signal.regions import region_of
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Number, Picture, Question, State

Floats = NDArray[np.float32]
Cellwise = NDArray[np.bool_]

SMALLEST = 192  # pixels a side
QUALITY = 90  # of JPEG, below which compression hides the trace
WHOLE = 0.15  # trace of the whole picture: variances that differ by 16 %
TRACE, AROUND = 0.1, 0.15  # trace expected of a cell, and of 3×3 on average, from which its absence can be seen
FEWEST_NEAR = 5  # such cells of 3×3
SHARE = 0.25  # of the cells that must be so
EVEN = 0.6  # share of the expected trace that 95 % of the rest must have
LOST = 0.45  # share of the expected trace below which 3×3 cells lack it
FEWEST, SMALLEST_SHARE, LARGEST_SHARE = 12, 0.002, 0.35  # cells, and shares of the picture
MEAN, FAINT_MEAN = 0.25, 0.35  # share of the expected trace left in a part, and in one that may lack it
MOSTLY, FAINT_MOSTLY = 0.8, 0.5  # share of all cells that lack the trace which lies in one part
GROW = 0.75  # share of the expected trace around a cell up to which it may belong to a part
OTHER = -0.3  # share below which the part has a pattern of its own
CARD = Card(
    id="cfa",
    title="Demosaicing",
    questions=(Question.LOCAL_EDIT,),
    version="1",
    citation="Ferrara, Bianchi, De Rosa and Piva, Image forgery localization via fine-grained analysis of CFA "
    "artifacts, IEEE TIFS 7(5), 2012; Popescu and Farid, Exposing digital forgeries in color filter array "
    "interpolated images, IEEE TSP 53(10), 2005",
    url="https://doi.org/10.1109/TIFS.2012.2202227",
    domain=f"Pictures of at least {SMALLEST} pixels a side at the size the camera took them, lossless or JPEG of "
    f"quality {QUALITY} or more, that as a whole and in {SHARE:.0%} or more of their cells show the trace of one Bayer "
    "pattern, and evenly: most pictures, and most JPEGs of cameras, do not.",
    threshold=f"A part of at least {FEWEST} cells of {CELL} pixels and {SMALLEST_SHARE:.1%} of the picture, "
    f"at most {LARGEST_SHARE:.0%}, with less than {LOST:.0%} of the expected trace in each and at most {MEAN:.0%} on "
    f"average, that holds {MOSTLY:.0%} of all cells so poor, while 95 % of the rest has at least {EVEN:.0%} of it. "
    "Chosen on camera folds 0-7.",
    false_alarms=FalseAlarms(
        data="camera",
        alarms=1,
        photographs=137,
        upper=0.0342,
        note="The pictures as they are, of which only 23 photographs are in its domain (the alarm is among them); "
        "thresholds were chosen on 111 of the 137 photographs.",
    ),
    look_for="A compact part with the outline of an object, whose texture is much like that of the rest.",
    ignore="Parts that are clipped or deeply coloured in one tone, fine stripes and lattices, date stamps and frames.",
    experimental=True,
    limits=(
        "Experimental until the calibration weighs it: it is shown, never counted.",
        "It says nothing of pictures that were reduced, sent through a messenger or saved at a low quality, nor of "
        "cameras that sharpen, smooth or reduce what they demosaic.",
        "A part from a picture with the same trace shows only if its greens lie on other pixels than the rest's; "
        "pasted at random, half do not.",
        "Flat, clipped and strongly compressed parts hold no trace and say nothing.",
        "Of several parts put in, none is reported unless one is much larger than the others.",
        "It cannot tell what replaced the part: another picture, a drawing, a generator or a smoothing brush.",
    ),
)
_INNOCENT = (
    Innocent(
        "The camera or phone treated this part differently (portrait mode, noise reduction, several exposures merged)",
        "Ask for other pictures taken with the same device in the same mode.",
    ),
    Innocent(
        "A date stamp, logo or caption was added, or dust, red eyes or a blemish corrected, at full size",
        "See whether the marked part is lettering, an eye or a small repair, and ask for the file before it.",
    ),
    Innocent(
        "Fine stripes, a lattice or one deep colour there misled the camera's interpolation",
        "Look at the marked part enlarged for moiré, or for a single saturated colour.",
    ),
)

_NO_TRACE = "The picture shows no clear trace of demosaicing: it was reduced, compressed or processed after it."


def run(picture: Picture) -> list[Finding]:
    """One finding for LOCAL_EDIT."""
    if min(picture.height, picture.width) < SMALLEST:
        return [_outside(f"The picture is smaller than {SMALLEST} pixels on one side, too small to compare parts.")]
    quality = _quality(picture)
    if quality is not None and quality < QUALITY:
        return [_outside(f"JPEG compression (quality near {quality}) hides any trace of demosaicing.", quality=quality)]
    pattern = pattern_of(picture.pixels)
    numbers: dict[str, Number] = {"trace": round(pattern.trace, 2)}
    if pattern.trace < WHOLE:
        return [_outside(_NO_TRACE, **numbers)]
    cells = cells_of(picture.pixels, pattern)
    usual = expected(cells)
    judged = cells.valid & (usual > TRACE)
    around, known = _around(cells.trace, usual, judged)
    if known.mean() < SHARE:
        return [_outside(_NO_TRACE, **numbers)]
    part = _part(around, known)
    rest = around[known & (cv2.dilate(part.astype(np.uint8), NEAR, iterations=2) == 0)]
    even = float(np.quantile(rest, 0.05)) if rest.size >= FEWEST else 0.0
    if even < EVEN:
        reason = "The trace of demosaicing is uneven all over the picture, not missing in one part."
        return [_outside(reason, even_percent=round(100 * even), **numbers)]
    # A part's border is drawn by single cells, whose traces 3×3 cells mix.
    alone = judged & (cells.trace < 0.5 * usual) & (around < GROW)
    numbers |= {
        "trace_median": round(float(np.median(cells.trace[known])), 2),
        "judged_percent": round(100 * float(known.mean())),
        "rest_percent": round(100 * float(np.median(rest))),
    }
    return [_finding(picture, around, known, part, alone, numbers)]


def _outside(reason: str, **numbers: Number) -> Finding:
    return Finding(CARD.id, CARD.questions[0], State.OUT_OF_DOMAIN, reason, numbers=numbers, citation=CARD.citation)


def _quality(picture: Picture) -> int | None:
    """Nearest libjpeg quality of a JPEG file's tables; None for other files."""
    container = picture.item.container
    luma, chroma = jpeg.tables_of(container.quantisation, container.component_tables)
    if picture.item.format != "JPEG" or luma is None:
        return None
    return jpeg.estimate_quality(luma, chroma)[0]


def _around(trace: Floats, usual: Floats, judged: Cellwise) -> tuple[Floats, Cellwise]:
    """Share of the expected trace that the judged cells of 3×3 have, and where enough of it is expected.

    1 is a trace as elsewhere, 0 none, and less than 0 one that lies on other pixels.
    """
    weight = judged.astype(np.float32)
    found, hoped, count = (
        cv2.boxFilter(a, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        for a in (trace * weight, usual * weight, weight)
    )
    known = (count > FEWEST_NEAR - 0.5) & (hoped > AROUND * count)
    return np.where(known, found / np.maximum(hoped, AROUND), 1).astype(np.float32), np.asarray(known)


def _part(around: Floats, known: Cellwise) -> Cellwise:
    """The part in which most of the trace is lost, its pieces up to two cells apart; empty if none is."""
    poor = (around < LOST) & known
    labels, count = ndimage.label(cv2.dilate(poor.astype(np.uint8), NEAR), structure=NEAR)
    if not count:
        return poor
    lost = ndimage.sum_labels((1 - around) * poor, labels, np.arange(1, count + 1))
    return np.asarray(poor & (labels == 1 + int(np.argmax(lost))))


def _finding(
    picture: Picture, around: Floats, known: Cellwise, part: Cellwise, alone: Cellwise, numbers: dict[str, Number]
) -> Finding:
    """Words, map and region for the part, if it is large, poor and alone enough."""
    size = (picture.height, picture.width)
    chart = Map.of((1 - around) / 2, size, CELL, valid=known)
    question = CARD.questions[0]
    count, least = int(np.count_nonzero(part)), max(FEWEST, SMALLEST_SHARE * part.size)
    mostly = count / max(int(np.count_nonzero(known & (around < LOST))), 1)
    mean = float(around[part].mean()) if count else 1.0
    # Cells that lost all, relative to the fewest that count.
    loss = count * (1 - mean) / (least * (1 - MEAN))
    small = count <= LARGEST_SHARE * part.size
    strong = small and count >= least and mean <= MEAN and mostly >= MOSTLY
    faint = small and count >= least / 2 and mean <= FAINT_MEAN and mostly >= FAINT_MOSTLY
    strength = float(np.clip(0.55 + 0.25 * np.log10(loss), 0.51, 1.0) if strong else 0.5 * min(loss * mostly, 1.0))
    if not strong and not faint:
        sentence = "The trace of demosaicing is missing in no compact part of the picture."
        return Finding(
            CARD.id,
            question,
            State.NO_TRACE_FOUND,
            sentence,
            strength=strength,
            map=chart,
            numbers=numbers,
            citation=CARD.citation,
        )
    grown = ndimage.binary_fill_holes(ndimage.binary_propagation(part, structure=NEAR, mask=alone | part))
    mask = np.zeros(size, bool)
    wide = np.repeat(np.repeat(np.asarray(grown), CELL, axis=0), CELL, axis=1)
    mask[: wide.shape[0], : wide.shape[1]] = wide
    region = region_of(mask, picture.item.orientation)
    numbers |= {
        "part_percent": max(round(100 * mean), 0),
        "other_pixels": mean < OTHER,
        "share_percent": round(100 * region.area, 1),
        "cells": count,
        "mostly_percent": round(100 * mostly),
    }
    what = f"{numbers['part_percent']} % of the trace of demosaicing that places of like detail elsewhere have"
    if mean < OTHER:
        what = "the trace of demosaicing on other pixels than the rest"
    has = "has" if strong else "may have"
    sentence = f"The part at the {region.position} ({numbers['share_percent']} % of the picture) {has} {what}."
    return Finding(
        CARD.id,
        question,
        State.SUPPORTED if strong else State.INCONCLUSIVE,
        sentence,
        strength=strength,
        map=chart,
        regions=(region,),
        numbers=numbers,
        innocent=_INNOCENT,
        citation=CARD.citation,
    )
