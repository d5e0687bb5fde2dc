"""Known pictures: the file's and the pixels' hashes, and a perceptual hash, looked up in a list of one's own.

A perceptual hash changes little when a picture is re-saved or reduced. Ours is the sign of the lowest 8×8 frequencies
of a 32×32 grey thumbnail, against their median. Source: Zauner, "Implementation and benchmarking of perceptual image
hash functions", 2010 (DCT-based hash). The list is a CSV or JSON Lines file that `$IFDL_KNOWN_HASHES` names, with
`label` and `sha256` or `phash` (16 hexadecimal digits), or both.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ifdl.types import Card, FalseAlarms, Finding, Innocent, Number, Picture, Question, State

KNOWN = "IFDL_KNOWN_HASHES"
SIDE, KEPT = 32, 8
NEAR = 8  # of 64 bits
SHOWN = 5
FLAT = 4.0  # grey levels: a thumbnail that varies less has no layout to compare

CARD = Card(
    id="hashes",
    title="Known-picture hashes",
    questions=(Question.HISTORY,),
    version="1",
    citation="Zauner, Implementation and benchmarking of perceptual image hash functions, 2010",
    domain=f"Any picture, where a list of known ones is named (${KNOWN}).",
    threshold=(
        f"The same sha256, or a perceptual hash within {NEAR} of 64 bits, also mirrored. Of 60 photographs (camera, "
        "folds 0-7) no two were nearer than 20 bits; of 58 halved and re-saved at JPEG 40, 56 stayed within 8."
    ),
    false_alarms=FalseAlarms(data="camera", measured=False, note="no list of known pictures belongs to this set"),
    look_for="The entry that is named: compare the two pictures by eye.",
    ignore="Near hashes of pictures with little in them, as skies, logos and pages of text.",
    limits=(
        "A near hash says that two pictures look alike as a whole; a small edit does not change it.",
        "Cropped or turned copies are not found; `ifdl trace` looks for those.",
        "The list is whoever wrote it; its labels are repeated, not checked.",
    ),
)
ALIKE = Innocent(
    "Another picture of the same scene, or one with as little in it, can come as near.",
    "Put the two side by side.",
)


@dataclass(frozen=True)
class Entry:
    """One known picture: its label, and sha256 or perceptual hash, or both."""

    label: str
    sha256: str | None
    phash: int | None


def run(picture: Picture) -> list[Finding]:
    """One finding on HISTORY: the hashes, and the nearest entry of the list where there is one."""
    numbers: dict[str, Number] = {
        "sha256": picture.item.sha256,
        "pixels_sha256": hashlib.sha256(np.ascontiguousarray(picture.pixels).data).hexdigest(),
    }
    own = phash(picture.pixels)
    if own is not None:
        numbers["phash"] = f"{own:016x}"
    path = os.environ.get(KNOWN)
    if not path:
        return [_finding(State.OUT_OF_DOMAIN, "No list of known pictures was given to compare with.", numbers)]
    entries = known(Path(path), Path(path).stat().st_mtime_ns)
    numbers["known"] = len(entries)
    same = next((e for e in entries if e.sha256 == picture.item.sha256), None)
    if same is not None:
        sentence = f"This very file is known: its sha256 is that of “{same.label}” in the list."
        return [_finding(State.SUPPORTED, sentence, numbers | {"label": same.label}, 1.0, established=True)]
    if own is None:
        sentence = f"The file is none of the {len(entries)} known ones, and too plain to compare by its looks."
        return [_finding(State.NO_TRACE_FOUND, sentence, numbers)]
    flipped = phash(picture.pixels[:, ::-1])
    near = sorted(
        (min(distance(own, e.phash), distance(flipped, e.phash)), e.label, distance(own, e.phash))
        for e in entries
        if e.phash is not None and flipped is not None
    )
    if not near or near[0][0] > NEAR:
        numbers |= {"nearest": near[0][0]} if near else {}
        sentence = f"None of the {len(entries)} known pictures looks like this one."
        return [_finding(State.NO_TRACE_FOUND, sentence, numbers)]
    bits, label, upright = near[0]
    numbers |= {"label": label, "nearest": bits, "mirrored": upright > bits}
    how = "mirrored, " if upright > bits else ""
    sentence = f"The picture looks like “{label}” in the list ({how}{bits} of 64 bits differ; {NEAR} are allowed)."
    return [_finding(State.INCONCLUSIVE, sentence, numbers, 1 - bits / 64, (ALIKE,))]


def phash(pixels: NDArray[np.uint8]) -> int | None:
    """64 bits of a picture H×W×3, row by row from the lowest frequency; None where it is as good as flat."""
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    if small.std() < FLAT:
        return None
    low = fft.dctn(small, norm="ortho")[:KEPT, :KEPT].ravel()
    bits = low > np.median(low[1:])
    return int("".join("1" if bit else "0" for bit in bits), 2)


def distance(one: int | None, other: int | None) -> int:
    """Bits in which two hashes differ; 64 where one is missing."""
    return 64 if one is None or other is None else (one ^ other).bit_count()


@lru_cache(4)
def known(path: Path, stamp: int) -> tuple[Entry, ...]:
    """The entries of a list; `stamp` is its time of change. Raises ValueError that names a line that is none."""
    text = path.read_text(encoding="utf-8-sig")
    table = path.suffix.lower() == ".csv"
    rows = list(csv.DictReader(text.splitlines())) if table else [json.loads(x) for x in text.splitlines() if x.strip()]
    found = []
    for number, row in enumerate(rows, 2 if table else 1):
        try:
            sha256, code = row.get("sha256") or None, row.get("phash") or None
            entry = Entry(str(row["label"])[:200], sha256 and str(sha256).lower(), int(str(code), 16) if code else None)
        except (KeyError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}, line {number}: needs label, and sha256 or phash in hexadecimal") from error
        if entry.sha256 is None and entry.phash is None:
            raise ValueError(f"{path}, line {number}: needs sha256 or phash")
        found.append(entry)
    return tuple(found)


def _finding(
    state: State,
    sentence: str,
    numbers: dict[str, Number],
    strength: float = 0.0,
    innocent: tuple[Innocent, ...] = (),
    established: bool = False,
) -> Finding:
    return Finding(
        CARD.id, Question.HISTORY, state, sentence, strength, established, numbers=numbers, innocent=innocent,
        citation=CARD.citation,
    )  # fmt: skip
