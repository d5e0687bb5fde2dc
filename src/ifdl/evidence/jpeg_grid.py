"""Where the 8×8 blocks of JPEG compression lie, in the whole picture and in parts of it.

JPEG rounds most coefficients of each 8×8 block to zero, so a window laid exactly on a block shows more
zero coefficients than windows beside it. Each pixel votes for the position, modulo 8, of the window over
it with most zeros; a binomial test says how unlikely so many equal votes would be by chance.
Re-implemented from Nikoukhah, Anger, Colom, Morel and Grompone von Gioi, "ZERO: a Local JPEG Grid Origin
Detector Based on the Number of DCT Zeros and its Applications in Image Forensics", IPOL 11 (2021), with
three changes: regions are grown on cells of 8 pixels, the picture is recompressed on its own main grid
(not the file's corner) to find parts that lost it, and a second grid that also shows outside the regions
found is put down to an earlier compression of the whole picture.

A grid is a number 0-63, 8·(y modulo 8) + (x modulo 8) of its blocks' corners; arrays are [row, column].
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.evidence._jpeg_votes import CELL, OWN_BLOCKS, VOID, Grids, Patch, grids_of
from ifdl.signal.regions import regions_of
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Picture, Question, State

SMALLEST = 64  # pixels a side: smaller pictures are too small to judge
STRONG = -20.0  # log10 NFA below which a region is supported
ALONE = 0.35  # share of its box that must agree besides, in a picture without a grid of its own


CARD = Card(
    id="jpeg_grid",
    title="JPEG block grid",
    questions=(Question.HISTORY, Question.LOCAL_EDIT),
    version="1",
    citation="Nikoukhah et al., ZERO: a Local JPEG Grid Origin Detector, IPOL 11 (2021)",
    url="https://doi.org/10.5201/ipol.2021.390",
    domain=(
        "Pictures of at least 64 pixels that show the blocks of a JPEG compression: not resized, turned by an angle or "
        "heavily filtered since, and not saved at the highest qualities only. For local edits the pasted part must "
        "still show blocks of its own, or none: the file is lossless, or was last saved at a higher quality than the "
        "paste had."
    ),
    threshold=(
        "History: log10 NFA of the picture's grid below -2, and the grid not confined to a part. Local edit: log10 NFA "
        "of a part's grid, or of its missing grid, below -20 (and 35 % of its box agreeing, where the rest shows no "
        "grid at all)."
    ),
    false_alarms=FalseAlarms(
        data="camera",
        alarms=0,
        photographs=137,
        upper=0.0216,
        note="Either question; the pictures as they are, cut on their own block grid.",
    ),
    look_for="A compact part, with the outline of an object, whose blocks lie elsewhere or are missing.",
    ignore="Lettering, logos, frames and date stamps added later; parts clipped to black or white.",
    limits=(
        "A later save at a quality below the paste's own erases the pasted grid; the result is then no trace found.",
        "A paste that happens to line up with the picture's blocks (1 in 64 by chance) is invisible.",
        "A part without blocks (resampled or generated) shows in lossless files, rarely after a JPEG save, and not in "
        "pictures first compressed at the very highest qualities. Often only some of it is marked.",
        "A crop of a JPEG saved again at quality 97-98 may carry two grids all over: history says so, and local edit "
        "is inconclusive. At 95 or less only the new grid is left, and history finds no trace.",
        "WebP, AVIF and HEIF have blocks of their own on multiples of 4; grids there are not judged in these formats, "
        "and after conversion to PNG they pass for JPEG blocks.",
    ),
)


def run(picture: Picture) -> list[Finding]:
    """One finding on the history of the file, one on local edits."""
    if min(picture.height, picture.width) < SMALLEST:
        reason = f"the picture is smaller than {SMALLEST} pixels on one side, too small to show where JPEG blocks lie."
        return [_outside(question, reason, {"smallest": SMALLEST}) for question in CARD.questions]
    grids = grids_of(picture)
    return [_history(picture, grids), _local(picture, grids)]


def _outside(question: Question, reason: str, numbers: dict[str, Any] | None = None) -> Finding:
    sentence = reason[0].upper() + reason[1:]
    return Finding(CARD.id, question, State.OUT_OF_DOMAIN, sentence, numbers=numbers or {}, citation=CARD.citation)


def _no_grid(picture: Picture) -> str:
    if picture.item.format in OWN_BLOCKS:
        return (
            f"{picture.item.format} files are built of blocks themselves, and no other JPEG block pattern shows in "
            "this one, so this test cannot judge it."
        )
    return (
        "no JPEG block pattern shows in this picture (never a JPEG, saved at very high quality, resized afterwards, "
        "or too flat), so this test cannot judge it."
    )


def _history(picture: Picture, grids: Grids) -> Finding:
    """Where the main grid lies, against the file's own."""
    main, second = grids.main, grids.second
    if main is None:
        return _outside(Question.HISTORY, _no_grid(picture))
    y, x = divmod(main, 8)
    numbers: dict[str, Any] = {"grid_x": x, "grid_y": y, "log10_nfa": round(grids.log_nfa, 1)}
    numbers["share"] = round(grids.share, 3)
    is_jpeg = picture.item.format == "JPEG"
    innocent: tuple[Innocent, ...] = (
        Innocent(
            "The picture was cropped, turned or converted, and nothing in it was changed",
            "Ask for the file as the camera or phone wrote it, and compare the two.",
        ),
    )
    if is_jpeg and main == 0 and second is None:
        state = State.NO_TRACE_FOUND
        sentence = "One JPEG block pattern shows, and it lies where this file's own compression puts it."
        innocent = ()
    elif is_jpeg and main == 0:
        state = State.SUPPORTED
        v, u = divmod(second or 0, 8)
        numbers |= {"second_x": u, "second_y": v}
        sentence = (
            f"Beside this file's own JPEG block pattern a second one, shifted by {u} pixels across and {v} down, shows "
            "over the picture: it was a JPEG before, then cropped or moved and saved again."
        )
    elif is_jpeg:
        state = State.SUPPORTED
        sentence = (
            f"The JPEG block pattern lies {x} pixels across and {y} down from where this file's own compression puts "
            "it: the picture was a JPEG before, then cropped or moved and saved again."
        )
    else:
        state = State.SUPPORTED
        sentence = (
            f"This {picture.item.format} file carries a JPEG block pattern, starting {x} pixels across and {y} down: "
            "the picture was a JPEG before."
        )
        innocent += (
            Innocent(
                "The picture came from another format built of blocks (WebP, AVIF, HEIF, a video frame)",
                "Ask which program or device exported it, and for the file it was exported from.",
            ),
        )
    strength = min(1.0, -grids.log_nfa / 1000) if state is State.SUPPORTED else 0.0
    return Finding(
        CARD.id, Question.HISTORY, state, sentence, strength, numbers=numbers, innocent=innocent, citation=CARD.citation
    )


def _local(picture: Picture, grids: Grids) -> Finding:
    """Patches whose grid differs from the picture's, or that lost it."""
    # Where nothing shows the picture's grid, a JPEG's own grid seen in one part is no foreign one.
    known = grids.main is not None
    own = 0 if picture.item.format == "JPEG" else None
    found = [p for p in grids.foreign + grids.missing if known or p.grid != own]
    if not found and not known:
        return _outside(Question.LOCAL_EDIT, _no_grid(picture))
    best = min((p.log_nfa for p in found), default=0.0)
    strong = [
        p for p in found if p.log_nfa < STRONG and (known or p.share >= ALONE) and not _resaved(picture, grids, p)
    ]
    shown = strong or found
    regions = regions_of(_mask(grids, shown), picture.item.orientation) if shown else ()
    foreign, missing = sum(p.grid is not None for p in shown), sum(p.grid is None for p in shown)
    numbers: dict[str, Any] = {"foreign": foreign, "missing": missing, "regions": len(regions)}
    numbers |= {"log10_nfa": round(best, 1), "share": round(grids.share, 3)}
    what = ", or ".join(
        text
        for count, text in (
            (foreign, "carries JPEG blocks that do not line up with those of the rest"),
            (missing, "lacks the JPEG blocks that the rest carries"),
        )
        if count
    )
    if not known:
        what = "carries a JPEG block pattern that the rest does not show"
    if not shown and grids.second is not None:
        state = State.INCONCLUSIVE
        sentence = (
            "Two JPEG block patterns show over much of the picture; cropping and saving again explains them, but could "
            "also hide a part with a pattern of its own."
        )
    elif not shown:
        state, sentence = (
            State.NO_TRACE_FOUND,
            "One JPEG block pattern shows, and no part of the picture departs from it.",
        )
    elif strong:
        state, sentence = State.SUPPORTED, f"Part of the picture {what}, as a part put in from elsewhere would."
    else:
        state = State.INCONCLUSIVE
        sentence = f"Part of the picture {what}, but too faintly, or in a way that an earlier save also explains."
    innocent = (
        Innocent(
            "A caption, date stamp, logo or frame was added after the picture had been compressed",
            "See whether the marked part is lettering, a logo or a border.",
        ),
        Innocent(
            "The picture was assembled openly, such as a collage or a screenshot of several pictures",
            "See whether the marked part ends at straight edges of a layout.",
        ),
    )
    heat = Map.of(grids.heat, (picture.height, picture.width), stride=CELL, valid=grids.valid)
    return Finding(
        CARD.id,
        Question.LOCAL_EDIT,
        state,
        sentence,
        strength=min(1.0, max(0.0, -best / 1000)) if strong else 0.0,
        map=heat,
        regions=regions,
        numbers=numbers,
        innocent=innocent if strong else (),
        citation=CARD.citation,
    )


def _resaved(picture: Picture, grids: Grids, patch: Patch) -> bool:
    """Whether a patch may just be where the newer of two whole-picture compressions shows better.

    A shifted JPEG saved again carries its old grid and the file's own, at (0, 0), each where it shows best.
    """
    if picture.item.format != "JPEG" or grids.main is None:
        return False
    return grids.main != 0 and patch.grid in (0, None)


def _mask(grids: Grids, found: list[Patch]) -> NDArray[np.bool_]:
    """Union of the patches, bool H×W: the pixels that agree in and beside their cells, closed over two blocks."""
    nothing, missing = VOID + 1, VOID + 2
    wanted: NDArray[Any] = np.full(grids.heat.shape, nothing, np.uint8)
    for patch in found:
        left, top, right, bottom = patch.box
        cells = np.zeros(wanted.shape, np.uint8)
        cells[top:bottom, left:right] = patch.cells
        near = cv2.dilate(cells, np.ones((3, 3), np.uint8)) > 0
        wanted[near & ((wanted == nothing) | (cells > 0))] = missing if patch.grid is None else patch.grid
    height, width = wanted.shape[0] * CELL, wanted.shape[1] * CELL
    wide = cv2.resize(wanted, (width, height), interpolation=cv2.INTER_NEAREST)
    agree = grids.voted[:height, :width] == wide
    if grids.lost is not None:
        agree |= grids.lost[:height, :width] & (wide == missing)
    union: NDArray[Any] = np.zeros(grids.voted.shape, np.uint8)
    union[:height, :width] = agree
    square = np.ones((2 * CELL + 1, 2 * CELL + 1), np.uint8)
    closed = cv2.morphologyEx(union, cv2.MORPH_CLOSE, square)
    return np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, square) > 0)
