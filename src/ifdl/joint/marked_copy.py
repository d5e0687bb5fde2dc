"""Marked copy: of two places that repeat each other, does the learned expert mark one and not the other?

Repeated things in an honest photograph look alike to the expert too: both windows, or neither, seem to be of another
origin. Of a copy, one end was put in. So a likeness too weak to speak alone, and a mark too weak to pass the expert's
gate, can together say more than each. The likelihoods are not modelled: the agreement of the fine detail and the
difference of the expert's mean heat between the ends, both in 0-1, are added, and the thresholds of the sum were chosen
on calibration photographs (`results/copies.json`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.evidence.copymove import INNOCENT
from ifdl.signal import rle
from ifdl.signal.regions import region_of
from ifdl.types import Card, FalseAlarms, Finding, Likeness, Map, Number, Picture, Prediction, Question, Rle, State

PARTS = ("copymove", "ifdl_small")
THRESHOLD = 0.752
CLEAR = 0.1  # difference of the heat of both ends from which one is called the likelier copy
MARKS = 0.65  # what the map of all tests together shows (`ifdl.verdict.marks`)

CARD = Card(
    id="marked_copy",
    title="Copied part that the expert marks",
    questions=(Question.LOCAL_EDIT,),
    citation="this project; BusterNet (Wu et al., ECCV 2018) tells source from target in one network",
    url="https://openaccess.thecvf.com/content_ECCV_2018/html/Rex_Yue_Wu_BusterNet_Detecting_Copy-Move_ECCV_2018_paper.html",
    domain="pictures that both the copy-move test and the learned expert can judge",
    threshold=(
        "The agreement of the fine detail plus the difference of the expert's mean heat between both ends, of at least "
        "0.752: what 0.5 % of untouched calibration pictures reach, every photograph counting alike."
    ),
    false_alarms=FalseAlarms(
        data="camera and camera_whole, calibration photographs",
        alarms=0,
        photographs=41,
        upper=0.0705,
        note="The photographs' own files; the threshold was chosen on them.",
    ),
    look_for="a marked thing whose like stands elsewhere in the picture, down to dirt, leaves and noise",
    ignore="rows of like things, such as windows or seats, of which one is in another light or cut by the border",
    limits=(
        "It is only as good as its parts: copies without texture, and those that the expert does not mark, are missed.",
        "That the marked end is the one put in is likely, not certain.",
        "It adds two alarms to the expert's six on 239 untouched pictures of CASIA v1, and one to its four on 200 of "
        "Lalonde and Efros.",
    ),
)


class Marked(NamedTuple):
    """A likeness as the expert sees it: its ends, the likelier copy first, and the expert's mean heat of both, 0-1."""

    ends: tuple[Rle, Rle]
    agreement: float
    heat: tuple[float, float]

    @property
    def score(self) -> float:
        return self.agreement + self.heat[0] - self.heat[1]


def marked(alike: Sequence[Likeness], heat: Map) -> list[Marked]:
    """Likenesses with both ends on the expert's map, best first."""
    found = []
    for likeness in alike:
        cells = [on_cells(rle.decode(end), heat) for end in likeness.ends]
        if all(end.any() for end in cells):
            means = [float(heat.values[end].mean()) / 65535 for end in cells]
            first = int(means[1] > means[0])
            ends = likeness.ends[first], likeness.ends[1 - first]
            found.append(Marked(ends, likeness.agreement, (means[first], means[1 - first])))
    return sorted(found, key=lambda m: -m.score)


def on_cells(mask: NDArray[np.bool_], heat: Map) -> NDArray[np.bool_]:
    """The cells of the map whose middle lies in a mask of the whole picture, at whatever size the mask is."""
    rows, columns = (
        np.clip((start + heat.stride * (np.arange(count) + 0.5)) * most // full, 0, most - 1).astype(int)
        for start, count, full, most in zip(heat.origin[::-1], heat.values.shape, heat.size, mask.shape, strict=True)
    )
    return np.asarray(mask[np.ix_(rows, columns)])


def find(findings: Mapping[str, Sequence[Finding]], predictions: Mapping[str, Prediction], picture: Picture) -> Finding:
    """One finding for LOCAL_EDIT from what the parts said; its `alike` has the likelier copy first."""
    copies, expert = ([f for f in findings[part] if f.question == Question.LOCAL_EDIT] for part in PARTS)
    prediction = predictions.get("ifdl_small")
    unable = [f for f in (*copies, *expert) if f.state in (State.OUT_OF_DOMAIN, State.FAILED)]
    if unable or prediction is None or not copies:
        why = unable[0].sentence if unable else "it said nothing."
        reason = f"It rests on two tests, and one cannot judge: {why}"
        return Finding(CARD.id, Question.LOCAL_EDIT, State.OUT_OF_DOMAIN, reason, citation=CARD.citation)
    found = marked(copies[0].alike, prediction.heat)
    alike = tuple(Likeness(m.ends, m.score) for m in found if m.score >= MARKS)
    score = found[0].score if found else 0.0
    numbers: dict[str, Number] = {"score": round(score, 3), "threshold": THRESHOLD}
    if score < THRESHOLD:
        sentence = "No place repeats another while the learned expert marks only one of them."
        return Finding(
            CARD.id, Question.LOCAL_EDIT, State.NO_TRACE_FOUND, sentence, score / 2, numbers=numbers,
            citation=CARD.citation, alike=alike,
        )  # fmt: skip
    best = found[0]
    size = picture.pixels.shape[1::-1]
    one, other = (
        region_of(
            cv2.resize(rle.decode(end).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST),
            picture.item.orientation,
            name,
        )
        for end, name in zip(best.ends, ("likelier copy", "its like"), strict=True)
    )
    # Where the copy-move test speaks as well, its places stand already.
    places = () if any(f.state == State.SUPPORTED for f in copies) else (one, other)
    numbers |= {
        "correlation": round(best.agreement, 3),
        "heat": round(best.heat[0], 3),
        "heat_of_the_other": round(best.heat[1], 3),
        "share_percent": round(100 * one.area, 1),
    }
    clear = best.heat[0] - best.heat[1] >= CLEAR
    which = "so it is the likelier copy" if clear else "which hardly tells copy and original apart"
    sentence = (
        f"The part at the {one.position} ({numbers['share_percent']} % of the picture) repeats the one at the "
        f"{other.position}: their fine detail agrees at {numbers['correlation']}. The learned expert gives it "
        f"{numbers['heat']} and the other {numbers['heat_of_the_other']} of 1, {which}; agreement and difference add "
        f"up to {numbers['score']}, and {THRESHOLD:g} is asked for."
    )
    return Finding(
        CARD.id, Question.LOCAL_EDIT, State.SUPPORTED, sentence, min(1.0, score / 2), regions=places,
        numbers=numbers, innocent=INNOCENT, citation=CARD.citation, alike=alike,
    )  # fmt: skip
