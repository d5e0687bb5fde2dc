"""Smoothed parts: has a compact part of the picture been through a median filter or a blur, and the rest not?

A median filter leaves its own output nearly unchanged and makes neighbouring pixels equal ("streaking": Kirchner and
Fridrich, SPIE 7541, 2010; Cao et al., ICME 2010; Kang et al., IEEE TIFS 8(9), 2013); any smoothing takes away fine
detail that its surroundings' contrast leads one to expect (Crete et al., SPIE 6492, 2007). Both are compared with
places of like contrast elsewhere in the picture. What lies out of focus is smooth too, so a part must also have a
median's signature or an outline where the loss begins at once.

Everything is measured at native size, in strips of rows that bound the memory, in time in proportion to the picture
(about 0.02 s a megapixel); `_median_cells` measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.evidence._median_cells import (
    CELL,
    COARSE_WEIGHT,
    Cells,
    cells_of,
    excess,
    idempotence,
    loss,
    streaking,
)
from ifdl.signal.regions import regions_of
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Number, Picture, Question, State

Floats = NDArray[np.float32]
Cellwise = NDArray[np.bool_]

SMALLEST = 192  # pixels a side
KNOWN = 0.3  # share of the cells of which something can be expected
SMOOTH = 0.25  # excess of a cell that belongs to a part
FEWEST, SMALLEST_SHARE, LARGEST_SHARE = 24, 0.01, 0.35  # cells, and shares of the picture
FEWEST_INSIDE, FEWEST_NEAR, FEWEST_ELSEWHERE = 5, 10, 40  # cells
PARTS = 3  # largest parts that are weighed
SIGNATURE, ABRUPT = 0.25, 0.2  # excess of idempotence, and step of the excess across the outline
STREAK_WEIGHT, MOST_STREAK, SIZE_WEIGHT = 0.4, 0.5, 0.1
LEAST, FAINT = 1.57, 1.4  # weight of a part from which it is supported, and inconclusive
FULL = 1.2  # excess that is drawn brightest
_NEAR = np.ones((3, 3), np.uint8)
_WIDE = np.ones((5, 5), np.uint8)

CARD = Card(
    id="median",
    title="Median filter and blur",
    questions=(Question.LOCAL_EDIT,),
    version="1",
    citation="Kirchner and Fridrich, On detection of median filtering in digital images, SPIE 7541, 2010; Kang et al., "
    "Robust median filtering forensics using an autoregressive model, IEEE TIFS 8(9), 2013; Crete et al., The blur "
    "effect, SPIE 6492, 2007",
    url="https://doi.org/10.1117/12.839100",
    domain=f"Photographs of at least {SMALLEST} pixels a side, of which {KNOWN:.0%} or more is not clipped to black or "
    "white and has about the contrast of other places in the same picture.",
    threshold=f"A connected part of at least {FEWEST} cells of {CELL} pixels and {SMALLEST_SHARE:.0%} of the picture, "
    f"at most {LARGEST_SHARE:.0%}, that a median filter changes less than places of like contrast, or whose outline is "
    f"abrupt; its excess over the rest's upper 5 %, how compact it is ({SIZE_WEIGHT} of its log size added), and "
    f"{STREAK_WEIGHT} of its streaking sum to {LEAST} or more. Chosen on camera folds 0-7.",
    false_alarms=FalseAlarms(
        data="camera",
        alarms=2,
        photographs=137,
        upper=0.0452,
        note="The pictures as they are; thresholds were chosen on 111 of the 137 photographs.",
    ),
    look_for="A compact part whose surfaces look waxy or soft while contours next to it stay sharp.",
    ignore="Backgrounds out of focus; dark objects with smooth faces; skin smoothed by a phone.",
    experimental=True,
    limits=(
        "Experimental until the calibration weighs it: it is shown, never counted.",
        "A part that held little fine detail before it was smoothed is not found.",
        "A part pasted from a softer picture looks the same as one smoothed in place.",
        "It cannot always tell a blur made with a program from one made by the lens.",
        "On photographs that no threshold was chosen on, it found 12 of 22 planted parts.",
        "A 3×3 median followed by a JPEG save of quality 90-98 is mostly missed (9 of 25 found).",
        "It was tested on pictures up to 768 pixels; regions are marked in steps of 16 pixels.",
    ),
)
_INNOCENT = (
    Innocent(
        "The part is out of focus or moved while the rest is sharp",
        "See whether the marked part lies at another distance than its surroundings, or whether it is moving.",
    ),
    Innocent(
        "The phone or camera smoothed skin, or blurred a background in its portrait mode",
        "Ask which device and mode were used, and for other pictures taken with it.",
    ),
    Innocent(
        "A face or a number plate was blurred openly, or a blemish or dust was retouched",
        "See whether the part hides anything that matters, and ask for the file as the camera wrote it.",
    ),
)


@dataclass(frozen=True, eq=False)
class Part:
    """A connected part of smooth cells: mean excess of all, of idempotence and of streaking; step; weight."""

    cells: Cellwise
    excess: float
    idempotence: float
    streaking: float
    step: float
    weight: float

    def holds(self, least: float = LEAST) -> bool:
        """Whether it weighs enough and bears a median's signature or an abrupt outline."""
        return self.weight >= least and (self.idempotence >= SIGNATURE or self.step >= ABRUPT)


def run(picture: Picture) -> list[Finding]:
    """One finding for LOCAL_EDIT."""
    if min(picture.height, picture.width) < SMALLEST:
        return [_outside(f"The picture is smaller than {SMALLEST} pixels on one side, too small to compare parts.")]
    cells = cells_of(picture.pixels)
    idem, fine, streaks = (excess(measure(cells), cells) for measure in (idempotence, loss, streaking))
    if idem is None or fine is None or streaks is None:
        return [_outside("Contrast differs too much from place to place to say how much fine detail to expect.")]
    smooth = np.asarray(idem + COARSE_WEIGHT * fine, np.float32)
    known = np.isfinite(smooth)
    share = float(known.mean())
    if share < KNOWN:
        reason = f"Only {share:.0%} of the picture is unclipped and has contrast like other places in it."
        return [_outside(reason, known_percent=round(100 * share))]
    return [_finding(picture, cells, smooth, known, _best(smooth, idem, streaks, known))]


def _outside(reason: str, **numbers: Number) -> Finding:
    return Finding(CARD.id, CARD.questions[0], State.OUT_OF_DOMAIN, reason, numbers=numbers, citation=CARD.citation)


def _best(smooth: Floats, idem: Floats, streaks: Floats, known: Cellwise) -> Part | None:
    """The heaviest of the largest connected parts whose cells are smooth; None if there is none of the right size."""
    labels, count = ndimage.label(known & (smooth > SMOOTH), structure=_NEAR)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    largest = np.argsort(-sizes, kind="stable")[:PARTS] + 1
    parts = [p for n in largest if (p := _part(labels == n, smooth, idem, streaks, known))]
    return max(parts, key=lambda p: (p.holds(), p.weight), default=None)


def _part(cells: Cellwise, smooth: Floats, idem: Floats, streaks: Floats, known: Cellwise) -> Part | None:
    """Weighed against the ring around it and the rest; None if it or either of them is too small."""
    count = int(np.count_nonzero(cells))
    if not max(FEWEST, SMALLEST_SHARE * cells.size) <= count <= LARGEST_SHARE * cells.size:
        return None
    filled = np.asarray(ndimage.binary_fill_holes(cells)).astype(np.uint8)
    # A cell's mean over 3×3 holds some of the part up to one cell away from it.
    ring = known & (cv2.dilate(filled, _NEAR, iterations=4) > 0) & (cv2.dilate(filled, _NEAR) == 0)
    rest = known & (cv2.dilate(filled, _NEAR, iterations=2) == 0)
    found = [np.count_nonzero(a) for a in (cv2.erode(filled, _NEAR), ring, rest)]
    if any(n < least for n, least in zip(found, (FEWEST_INSIDE, FEWEST_NEAR, FEWEST_ELSEWHERE), strict=True)):
        return None
    around = cv2.dilate(cv2.morphologyEx(filled, cv2.MORPH_CLOSE, _WIDE), _NEAR)
    mean, streak = float(smooth[cells].mean()), float(streaks[cells].mean())
    weight = (
        mean
        - float(np.quantile(smooth[rest], 0.95))
        + np.count_nonzero(filled) / np.count_nonzero(around)
        + STREAK_WEIGHT * float(np.clip(streak, 0, MOST_STREAK))
        + SIZE_WEIGHT * float(np.log(count))
    )
    step = mean - float(np.quantile(smooth[ring], 0.8))
    return Part(filled > 0, mean, float(idem[cells].mean()), streak, step, float(weight))


def _finding(picture: Picture, cells: Cells, smooth: Floats, known: Cellwise, part: Part | None) -> Finding:
    """Words, map and region for the heaviest part, if it weighs enough."""
    size, question = (picture.height, picture.width), CARD.questions[0]
    chart = Map.of(np.where(known, smooth, 0) / FULL, size, CELL, valid=known)
    if part is None or not part.holds(FAINT):
        return Finding(
            CARD.id,
            question,
            State.NO_TRACE_FOUND,
            "No compact part of the picture is smoother than places of like contrast lead one to expect.",
            strength=0.0 if part is None else 0.4 * float(np.clip(part.weight / LEAST, 0, 1)),
            map=chart,
            numbers={} if part is None else {"weight": round(part.weight, 2)},
            citation=CARD.citation,
        )
    strong = part.holds()
    mask = np.zeros(size, bool)
    wide = np.repeat(np.repeat(part.cells, CELL, axis=0), CELL, axis=1)
    mask[: wide.shape[0], : wide.shape[1]] = wide
    regions = regions_of(mask, picture.item.orientation, most=1)
    here = part.cells & known
    numbers: dict[str, Number] = {
        "weight": round(part.weight, 2),
        "excess": round(part.excess, 2),
        "median_leaves": round(float(np.exp(-part.idempotence)), 2),
        "zeros_to_ones": round(float(np.exp(part.streaking)), 2),
        "step": round(part.step, 2),
        "fine_detail": round(float(np.median(cells.mean[here])), 2),
        "share_percent": round(100 * regions[0].area, 1),
    }
    filtered = part.idempotence >= SIGNATURE
    may = "has" if strong else "may have"
    how = (
        f"a median filter changes it only {numbers['median_leaves']} times as much as places of like contrast elsewhere"
        if filtered
        else "its finest detail falls off at its outline, against places of like contrast elsewhere"
    )
    kind = "a median filter or a blur" if filtered else "a blur or another loss of fine detail"
    sentence = (
        f"The part at the {regions[0].position} ({numbers['share_percent']} % of the picture) {may} traces of {kind} "
        f"that the rest lacks: {how}."
    )
    # 0.5 is the threshold; a part without signature or outline stays below it however much it weighs.
    strength = 0.5 + (part.weight - LEAST) if strong else 0.5 * min(part.weight / LEAST, 0.98)
    return Finding(
        CARD.id,
        question,
        State.SUPPORTED if strong else State.INCONCLUSIVE,
        sentence,
        strength=float(np.clip(strength, 0.501 if strong else 0.0, 1.0)),
        map=chart,
        regions=regions,
        numbers=numbers,
        innocent=_INNOCENT,
        citation=CARD.citation,
    )
