"""What an expert's prediction amounts to for the verdict: a finding on local edits, and at most a remark on generation.

The picture's score decides whether anything is said (the gate); the map, at its own threshold, says where. Both
thresholds were chosen on calibration photographs. A synthetic answer is never more than inconclusive.
"""

from __future__ import annotations

import cv2
import numpy as np

from ifdl.experts._base import Expert
from ifdl.signal.regions import regions_of
from ifdl.types import Finding, Innocent, Map, Number, Picture, Prediction, Question, Region, State

LEAST_AREA = 0.002  # share of the picture: smaller parts are not shown
MOST_REGIONS = 6
INNOCENT = (
    Innocent(
        "Another lens blur, reflection, screen or print inside the scene looks like another origin.",
        "Look whether the marked part has its own light, sharpness or grain for a reason in the scene.",
    ),
    Innocent(
        "Selective sharpening, noise reduction or portrait blur by the camera's own software.",
        "Compare with another picture of the same camera and mode.",
    ),
    Innocent("Lettering, logos and frames added openly.", "See whether the marked part is such an addition."),
)


def findings(expert: Expert, prediction: Prediction, picture: Picture) -> list[Finding]:
    """LOCAL_EDIT supported where the score passes the gate and the map marks a place; its map is the heat."""
    score = score_of(prediction)
    regions = regions_above(prediction.heat, expert.THRESHOLD, picture.item.orientation)
    share = round(100 * sum(region.area for region in regions), 1)
    numbers: dict[str, Number] = {"score": round(score, 3), "gate": round(expert.GATE, 3)}
    if score >= expert.GATE and regions:
        numbers |= {"share_percent": share, "regions": len(regions)}
        trust = _reliability(prediction, regions, picture)
        if trust is not None:
            numbers["reliability"] = trust
        many = "one part" if len(regions) == 1 else f"{len(regions)} parts"
        sentence = (
            f"The learned expert marks {many} of the picture ({share} % of it) as of another origin than the rest; it "
            f"scores {numbers['score']} and {numbers['gate']} is asked for."
        )
        state = State.SUPPORTED
    else:
        regions, state = (), State.NO_TRACE_FOUND
        sentence = f"The learned expert scores {numbers['score']}, and {numbers['gate']} is asked for."
        if score >= expert.GATE:
            sentence = "The learned expert suspects an edit and can mark no place for it."
            state = State.INCONCLUSIVE
    card = expert.CARD
    found = [
        Finding(
            card.id,
            Question.LOCAL_EDIT,
            state,
            sentence,
            strength=score,
            map=prediction.heat,
            regions=regions,
            numbers=numbers,
            innocent=INNOCENT,
            citation=card.citation,
        )
    ]
    shares = prediction.probabilities
    if shares and max(shares, key=lambda name: shares[name]) == "synthetic":
        numbers = {"synthetic": round(shares["synthetic"], 3)}
        sentence = f"The learned expert takes the picture for a generated one ({numbers['synthetic']} of 1)."
        question, state = Question.SYNTHETIC_ORIGIN, State.INCONCLUSIVE
        found.append(Finding(card.id, question, state, sentence, shares["synthetic"], numbers=numbers))
    return found


def score_of(prediction: Prediction) -> float:
    """0-1, higher where the picture is more likely edited: the expert's own, or the mean of its heat's top 2 %."""
    if prediction.score is not None:
        return prediction.score
    if "authentic" in prediction.probabilities:
        return 1 - prediction.probabilities["authentic"]
    levels = np.sort(prediction.heat.values.ravel())
    return float(levels[-max(1, levels.size // 50) :].mean() / 65535)


def regions_above(heat: Map, threshold: float, orientation: int = 1) -> tuple[Region, ...]:
    """The parts of a heat map at or above the threshold (0-1), in stored pixels, largest first."""
    height, width = heat.size
    marked = (heat.values >= round(threshold * 65535)).astype(np.uint8)
    # Cells to pixels first, cut afterwards: the last cells reach beyond the picture.
    full = (marked.shape[1] * heat.stride, marked.shape[0] * heat.stride)
    mask = cv2.resize(marked, full, interpolation=cv2.INTER_NEAREST)[:height, :width]
    return regions_of(mask, orientation, LEAST_AREA, MOST_REGIONS)


def _reliability(prediction: Prediction, regions: tuple[Region, ...], picture: Picture) -> float | None:
    """The mean of the reliability map inside the regions' boxes, 0-1."""
    if prediction.reliability is None:
        return None
    levels, stride = prediction.reliability.values, prediction.reliability.stride
    inside = np.zeros(levels.shape, bool)
    for x, y, width, height in (region.box for region in regions):
        inside[y // stride : -(-(y + height) // stride), x // stride : -(-(x + width) // stride)] = True
    return round(float(levels[inside].mean()) / 65535, 3)
