"""Resampling: was a part of the picture, or the whole of it, enlarged or turned?

Interpolation leaves periodic traces: Popescu and Farid ("Exposing digital forgeries by detecting traces of resampling",
IEEE TSP 53(2), 2005), Gallagher (CRV 2005), Mahdian and Saic (IEEE TIFS 3(3), 2008), Kirchner (ACM MM&Sec 2008). Every
window's spectrum is searched for a frequency that peaks together with itself turned by 90 degrees, as scaling and
turning make it and stripes do not. A local trace is a compact part whose cells all follow that wave in step, in both
directions, while the rest of the picture does not show the frequency at all. Frequencies that blocks of 8 or 16 pixels
make are left out. A whole picture counts as interpolated if most of its windows share one frequency.

`_resampling_spectra` measures, at native size: at most 320 windows of 128 pixels and a few frequencies in cells of 32,
so the time grows little beyond 1.3 megapixels and the memory is one float32 plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.evidence import _resampling_spectra as spectra
from ifdl.evidence._resampling_spectra import CELL, HALF, WINDOW, Floats, Frequency, Windows
from ifdl.signal import jpeg
from ifdl.signal.regions import regions_of
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Number, Picture, Question, State

Cellwise = NDArray[np.bool_]

SMALLEST = 192  # pixels a side
COARSEST = 85  # JPEG quality below which compression leaves next to nothing
DETAIL, INFORMATIVE = 0.01, 0.15  # energy of a cell that says something, and the share of such cells
CANDIDATES = 8
CHANCE = 0.5  # mean of a pair of powers by chance
CLIP = 2.5  # one cell's say
GROWS = 2.0  # standard deviations of 3×3 cells
BESIDE, DOUBT = 0.6, 3.0  # power of a pair that the rest may show without any doubt, and what more of it costs
FEWEST, LARGEST_PART, COMPACT = 9, 0.45, 0.65  # cells, share of what can be judged, share of the convex hull
LEAST, FAINT = 4.2, 3.7  # standard deviations, see `Part.score`
REST = 3.5  # standard deviations by which the rest may follow the part's wave
WHOLE, MOST_WINDOWS_SHOW, SHOWS = 3.5, 0.75, 1.5  # powers of a pair, and the share of windows
FULL = 8.0  # standard deviations of 3×3 cells that are drawn brightest
_NEAR = np.ones((3, 3), np.uint8)

CARD = Card(
    id="resampling",
    title="Traces of resampling",
    questions=(Question.LOCAL_EDIT, Question.HISTORY),
    version="1",
    citation="Popescu and Farid, Exposing digital forgeries by detecting traces of resampling, IEEE TSP 53(2), 2005; "
    "Gallagher, CRV 2005; Mahdian and Saic, IEEE TIFS 3(3), 2008; Kirchner, ACM MM&Sec 2008",
    url="https://doi.org/10.1109/TSP.2004.839932",
    domain=f"Pictures of at least {SMALLEST} pixels a side, lossless or JPEG of quality {COARSEST} or better, of which "
    f"{INFORMATIVE:.0%} of the cells or more hold some detail.",
    threshold=f"Part: connected and compact, of at least {FEWEST} cells of {CELL} pixels and at most "
    f"{LARGEST_PART:.0%} of what can be judged, that follows a wave in step in both directions by {LEAST:g} standard "
    "deviations or more, less what the rest shows of it. Whole: a pair of peaks "
    f"{WHOLE / CHANCE:g} times as strong as by chance on average, seen in {MOST_WINDOWS_SHOW:.0%} of the windows. "
    "Chosen on camera folds 0-7.",
    false_alarms=FalseAlarms(
        data="camera",
        alarms=2,
        photographs=137,
        upper=0.0452,
        note="The pictures as they are, for each of the two questions; thresholds were chosen on 111 of the 137 "
        "photographs.",
    ),
    look_for="A compact part with the outline of an object that was enlarged or turned to fit in.",
    ignore="Woven fabric, meshes, tiles, screens and halftone print, whose own pattern repeats in two directions.",
    experimental=True,
    limits=(
        "Experimental until the calibration weighs it: it is shown, never counted.",
        "Reduced parts and pictures leave no such trace, or one that cannot be told from chance; they are not found.",
        "Factors whose trace falls together with the 8×8 blocks of JPEG (near 8/7, 4/3, 8/5 and 2) and turns of less "
        "than about 3 degrees are not found.",
        "Parts scaled differently in width and height, or warped, are not found.",
        "A JPEG save after the edit hides most traces: of the parts planted for its tests, 8 in 10 were found in PNG "
        "files and 3 in 10 after a save at quality 90-98.",
        "Photographs of screens, whose own grid beats with the sensor's, raised two of its three alarms on the "
        "photographs that its thresholds were chosen on; a scan raised the third.",
        "A picture enlarged or turned as a whole may have a detailed part marked alone, where flat parts keep no "
        "trace: so it was in 7 of 52 such files made of 26 photographs not used for its thresholds.",
        "The frequency does not tell which factor or angle was used, nor that anything was meant to deceive.",
    ),
)
_LOCAL = (
    Innocent(
        "The camera or phone put the picture together from parts (panorama, group shot, corrected faces)",
        "Ask for other pictures taken with the same device and mode.",
    ),
    Innocent(
        "A surface with a fine regular weave or grid lies there only",
        "Look at the marked part enlarged: threads, tiles, meshes and print repeat every few pixels.",
    ),
    Innocent(
        "The picture was assembled openly, such as a collage or a page with pictures",
        "See whether the marked part ends at the straight edges of a layout.",
    ),
)
_WHOLE = (
    Innocent(
        "Digital zoom, lens correction, straightening or a panorama inside the camera or phone",
        "Compare the picture's size with the sizes that this device writes, and ask how it was taken.",
    ),
    Innocent(
        "The picture was scanned, or enlarged or turned for display or print",
        "Ask for the file as the camera or scanner wrote it.",
    ),
)


@dataclass(frozen=True, eq=False)
class Part:
    """Cells that follow one wave in step. `heat` is the agreement of 3×3 cells in standard deviations.

    `weaker` is the agreement of the part in the weaker of the two directions; `rest` that of the remaining cells in
    both; `beside` the pair's mean power in windows without any of the part; `share` of the cells with detail.
    """

    cells: Cellwise
    heat: Floats
    frequency: Frequency
    weaker: float
    rest: float
    beside: float
    share: float

    @property
    def score(self) -> float:
        """Agreement of the weaker direction, less what the rest of the picture shows of the same frequency."""
        return self.weaker - DOUBT * max(0.0, self.beside - BESIDE)

    def local(self) -> bool:
        """Whether it is a part at all: compact, and not shared by the rest."""
        count = int(np.count_nonzero(self.cells))
        if count < FEWEST or self.share > LARGEST_PART or self.rest > REST:
            return False
        own = self.cells.astype(np.uint8)
        hull = cv2.fillConvexPoly(np.zeros_like(own), cv2.convexHull(cv2.findNonZero(own)), 1)
        return bool(count >= COMPACT * np.count_nonzero(hull))


def run(picture: Picture) -> list[Finding]:
    """One finding for LOCAL_EDIT and one for HISTORY."""
    if min(picture.height, picture.width) < SMALLEST:
        return _outside(f"The picture is smaller than {SMALLEST} pixels on one side, too small for spectra of parts.")
    container = picture.item.container
    luma, chroma = jpeg.tables_of(container.quantisation, container.component_tables)
    if picture.item.format == "JPEG" and luma is not None and (q := jpeg.estimate_quality(luma, chroma)[0]) < COARSEST:
        return _outside(f"JPEG compression of quality {q} leaves too little of such traces.", quality=q)
    plane = spectra.unpredicted(picture.pixels)
    energy = spectra.energy(plane)
    valid = energy > DETAIL
    share = float(valid.mean())
    if share < INFORMATIVE:
        reason = f"Only {share:.0%} of the picture holds enough detail to show interpolation."
        return _outside(reason, informative_percent=round(100 * share))
    windows = spectra.windows_of(plane)
    parts = parts_of(plane, energy, valid, windows)
    return [_local(picture, parts, valid), _whole(windows)]


def _outside(reason: str, **numbers: Number) -> list[Finding]:
    return [
        Finding(CARD.id, question, State.OUT_OF_DOMAIN, reason, numbers=numbers, citation=CARD.citation)
        for question in CARD.questions
    ]


def parts_of(plane: Floats, energy: Floats, valid: Cellwise, windows: Windows) -> list[Part]:
    """The parts around the strongest peaks, one for each frequency."""
    frequencies: list[Frequency] = []
    seeds: list[Cellwise] = []
    bins: list[tuple[int, int]] = []
    for row, column, peak in _candidates(windows.pairs):
        box = _box(windows, row, column)
        frequency = spectra.refined(plane[box], (peak[0] / WINDOW, (peak[1] + 1) / WINDOW))
        if spectra.blocked(frequency):
            continue
        seed = np.zeros(valid.shape, bool)
        seed[-(-box[0].start // CELL) : box[0].stop // CELL, -(-box[1].start // CELL) : box[1].stop // CELL] = True
        frequencies += [frequency, spectra.turned(frequency)]
        seeds.append(seed & valid)
        bins.append(peak)
    if not frequencies:
        return []
    waves = spectra.amplitudes(plane, frequencies)
    waves /= np.sqrt(np.maximum(energy, DETAIL))
    found: list[Part] = []
    for n, (seed, peak) in enumerate(zip(seeds, bins, strict=True)):
        part = _part(waves[2 * n : 2 * n + 2], seed, valid, windows, peak, frequencies[2 * n])
        if part is not None:
            found.append(part)
    return found


def _candidates(pairs: Floats) -> list[tuple[int, int, tuple[int, int]]]:
    """(row, column, bin) of the strongest peaks of 2×2 windows, each frequency once, against the whole picture's."""
    common = np.maximum(np.minimum(pairs, 4 * CHANCE).mean(axis=(0, 1)), CHANCE)
    four = (pairs[:-1, :-1] + pairs[1:, :-1] + pairs[:-1, 1:] + pairs[1:, 1:]) * (CHANCE / 4 / common)
    best = four.max(axis=(0, 1))
    found = []
    for _ in range(CANDIDATES):
        y, x = (int(i) for i in np.unravel_index(int(best.argmax()), best.shape))
        row, column = (int(i) for i in np.unravel_index(int(four[:, :, y, x].argmax()), four.shape[:2]))
        found.append((row, column, (y, x)))
        best[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = 0
    return found


def _box(windows: Windows, row: int, column: int) -> tuple[slice, slice]:
    """Rows and columns of 2×2 windows."""
    ys, xs = windows.ys, windows.xs
    return slice(int(ys[row]), int(ys[row + 1]) + WINDOW), slice(int(xs[column]), int(xs[column + 1]) + WINDOW)


def _part(
    waves: NDArray[np.complex64],
    seed: Cellwise,
    valid: Cellwise,
    windows: Windows,
    peak: tuple[int, int],
    frequency: Frequency,
) -> Part | None:
    """The connected cells that follow both waves in step with the seed's cells."""
    if not seed.any():
        return None
    steps = []
    for wave in waves:
        # The median of an exponential law is log 2 of its mean; so scaled, each step has a variance of 1/2 by chance.
        scale = np.sqrt(np.median(np.abs(wave[valid]) ** 2) / np.log(2)) + 1e-9
        phase = wave[seed].sum()
        step = (wave * np.conj(phase) / (abs(phase) + 1e-9)).real / scale
        steps.append(np.where(valid, np.clip(step, -CLIP, CLIP), 0).astype(np.float32))
    both = steps[0] + steps[1]
    heat = _around(both) / np.sqrt(np.maximum(_around(valid.astype(np.float32)), 1))
    labels, count = ndimage.label((heat > GROWS) & valid, structure=_NEAR)
    inside = np.bincount(labels[seed], minlength=count + 1)[1:]
    if not count or not inside.any():
        return None
    cells = np.asarray(labels == 1 + int(inside.argmax()))
    number = int(np.count_nonzero(cells))
    wide = np.asarray(cv2.dilate(cells.astype(np.uint8), _NEAR), np.uint8)
    rest = valid & (wide == 0)
    return Part(
        cells,
        np.asarray(heat, np.float32),
        frequency,
        min(float(step[cells].sum()) for step in steps) / number**0.5,
        abs(float(both[rest].sum())) / max(1, int(np.count_nonzero(rest))) ** 0.5,
        _beside(windows, wide, peak),
        number / int(np.count_nonzero(valid)),
    )


def _around(values: Floats) -> Floats:
    """Sums over 3×3 cells."""
    return np.asarray(cv2.boxFilter(values, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT), np.float32)


def _beside(windows: Windows, wide: NDArray[np.uint8], peak: tuple[int, int]) -> float:
    """Mean power of the pair, in the strongest bin near the peak, over windows that hold nothing of the part."""
    y, x = peak
    near = windows.pairs[:, :, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
    apart = [
        near[i, j]
        for i, top in enumerate(windows.ys)
        for j, left in enumerate(windows.xs)
        if not wide[top // CELL : (top + WINDOW) // CELL, left // CELL : (left + WINDOW) // CELL].any()
    ]
    return float(np.minimum(apart, 12 * CHANCE).mean(axis=0).max()) if apart else BESIDE


def _words(frequency: Frequency) -> str:
    fy, fx = (abs((f + 0.5) % 1 - 0.5) for f in frequency)
    return f"{fx:.3f} across, {fy:.3f} down"


def _local(picture: Picture, parts: list[Part], valid: Cellwise) -> Finding:
    """Words, map and region for the part that stands out most, if one does."""
    question, size = Question.LOCAL_EDIT, (picture.height, picture.width)
    local = [p for p in parts if p.local()]
    best = max(local or parts, key=lambda p: p.score, default=None)
    heat = np.zeros(valid.shape, np.float32) if best is None else best.heat / FULL
    chart = Map.of(heat, size, CELL, valid=valid)
    strength = _strength(best.score / LEAST) if best is not None else 0.0
    numbers: dict[str, Number] = {"informative_percent": round(100 * float(valid.mean()))}
    if best is None or not local or best.score < FAINT:
        return Finding(
            CARD.id,
            question,
            State.NO_TRACE_FOUND,
            "No compact part of the picture shows a trace of interpolation that the rest lacks.",
            strength=min(strength, 0.4),
            map=chart,
            numbers=numbers,
            citation=CARD.citation,
        )
    strong = best.score >= LEAST
    filled = np.asarray(ndimage.binary_fill_holes(best.cells))
    mask = np.zeros(size, bool)
    wide = np.repeat(np.repeat(filled, CELL, axis=0), CELL, axis=1)
    mask[: wide.shape[0], : wide.shape[1]] = wide
    regions = regions_of(mask, picture.item.orientation, most=1)
    numbers |= {
        "agreement": round(best.weaker, 1),
        "score": round(best.score, 1),
        "rest_shows": round(best.beside / CHANCE, 2),
        "cells": int(np.count_nonzero(best.cells)),
        "share_percent": round(100 * regions[0].area, 1),
        "frequency": _words(best.frequency),
    }
    verb = "shows" if strong else "may show"
    sentence = (
        f"The part at the {regions[0].position} ({numbers['share_percent']} % of the picture) {verb} the periodic "
        f"trace of enlarging or turning ({numbers['frequency']} cycles a pixel), which the rest does not show."
    )
    return Finding(
        CARD.id,
        question,
        State.SUPPORTED if strong else State.INCONCLUSIVE,
        sentence,
        strength=strength,
        map=chart,
        regions=regions,
        numbers=numbers,
        innocent=_LOCAL,
        citation=CARD.citation,
    )


def _strength(ratio: float) -> float:
    """0.5 at the threshold, linear below, towards 1 above."""
    return float(max(0.0, 0.5 * ratio) if ratio <= 1 else 1 - 0.5 * np.exp(1 - ratio))


def whole_of(windows: Windows) -> tuple[float, float, Frequency]:
    """Mean power of the pair that most windows share, the share of windows that show it, and its frequency."""
    mean = np.minimum(windows.pairs, 12 * CHANCE).mean(axis=(0, 1))
    y, x = (int(i) for i in np.unravel_index(int(mean.argmax()), mean.shape))
    shows = float((windows.pairs[:, :, y, x] > SHOWS).mean())
    return float(mean[y, x]), shows, (y / (2 * HALF), (x + 1) / (2 * HALF))


def _whole(windows: Windows) -> Finding:
    power, shows, frequency = whole_of(windows)
    ratio = min(power / WHOLE, shows / MOST_WINDOWS_SHOW)
    strong = ratio >= 1
    numbers: dict[str, Number] = {
        "times_chance": round(power / CHANCE, 1),
        "windows_percent": round(100 * shows),
        "frequency": _words(frequency),
    }
    sentence = (
        f"The whole picture shows the periodic trace of interpolation ({numbers['frequency']} cycles a pixel, in "
        f"{numbers['windows_percent']} % of its windows): it was enlarged, turned or otherwise resampled."
        if strong
        else "The picture as a whole shows no periodic trace of interpolation."
    )
    return Finding(
        CARD.id,
        Question.HISTORY,
        State.SUPPORTED if strong else State.NO_TRACE_FOUND,
        sentence,
        strength=_strength(ratio),
        numbers=numbers,
        innocent=_WHOLE if strong else (),
        citation=CARD.citation,
    )
