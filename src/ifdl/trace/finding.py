"""What a trace amounts to for the verdict: where the picture differs from one of the archive that shows the same.

Points a person can check prove that both show the same; aligned and compared pixel by pixel, they show where they
differ. Which of the two was changed, that does not tell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ifdl.signal.regions import regions_of
from ifdl.trace import direction
from ifdl.trace.prove import State as Proven
from ifdl.trace.query import Differs, Hit, Traced
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Number, Picture, Question, State

LEAST_AREA = 0.0002  # of the picture: smaller parts are not shown
FULL_AREA = 0.05  # of the picture, from which the strength is greatest
AGREES = 0.5  # share of textured blocks outside the difference that must agree once aligned
_LONGEST = 60  # letters of a file's name

CARD = Card(
    id="trace",
    title="Comparison with an archive",
    questions=(Question.LOCAL_EDIT,),
    version="1",
    citation="Arandjelović and Zisserman, RootSIFT, CVPR 2012; Aiger et al., CANN, ICCV 2023; Cheng et al., FoL, AAAI "
    "2025; Barath et al., MAGSAC++, CVPR 2020",
    url="https://doi.org/10.1109/CVPR42600.2020.00138",
    domain="Pictures of which the archive that is named holds an earlier or a later state.",
    threshold="A geometry that enough distinct places agree on (how many was set on wrong pairs of photographs that "
    "are not the test), then differences beyond what re-saving and resizing explain.",
    false_alarms=FalseAlarms(
        data="archive",
        measured=False,
        note="False proofs are in results/trace.json, its ratio in the calibration file.",
    ),
    look_for="The two pictures side by side: an outlined part that one of them does not have.",
    ignore="Differences along strong edges and borders, and captions or logos added openly.",
    limits=(
        "It says in which pixels two pictures differ, never which of them was changed.",
        "What was the same in both before cannot be seen: a change made before the archive's picture was saved stays.",
        "Two captures of one scene can look like one picture changed; their dates and many small differences tell.",
    ),
)
_INNOCENT = (
    Innocent(
        "Both are captures of the same scene, and something moved in between.",
        "Lay one over the other (blink): small differences all over speak for two captures, one place for a change.",
    ),
    Innocent(
        "The archive's picture is the changed one.",
        "Compare dates, sizes and camera data of both files, and look for a third copy.",
    ),
    Innocent(
        "A caption, logo, frame or blurred plate was added openly.",
        "See whether the marked part is such an addition.",
    ),
)


def findings(traced: Traced, picture: Picture, searched: int) -> list[Finding]:
    """One finding on local edits; `searched` is how many pictures the archive's index holds."""
    same = next((hit for hit in traced.hosts if hit.identical), None)
    if same is not None and (traced.differs is None or not traced.differs.mask.any()):
        return [_said(State.NO_TRACE_FOUND, f"The very same file lies in the archive as {_named(same)}.")]
    if traced.compared is None or traced.differs is None:
        sentence = f"Among the {searched:,} pictures of the archive none was proved to show the same."
        if any(hit.proof.inliers or hit.bits < 64 for hit in (*traced.hosts, *traced.donors)):
            sentence = sentence[:-1] + "; some look alike, see the trace itself."
        return [_said(State.OUT_OF_DOMAIN, sentence)]
    return [_compared(traced, traced.compared, traced.differs, picture)]


def _compared(traced: Traced, host: Hit, differs: Differs, picture: Picture) -> Finding:
    share = float(differs.mask.mean())
    regions = regions_of(differs.mask, picture.item.orientation, LEAST_AREA, most=6)
    numbers: dict[str, Number] = {
        "points": host.proof.inliers,
        "compared_percent": round(100 * float(differs.known.mean()), 1),
        "differs_percent": round(100 * share, 2),
        "agreement": round(differs.agreement, 3),
    }
    proof = f"{host.proof.inliers} places of it and of {_named(host)} agree ({host.proof.words})"
    chart = Map.of(differs.mask.astype(np.float32), (picture.height, picture.width), valid=differs.known)
    if not regions:
        sentence = f"The picture shows the same as the archive's {_named(host)}: {proof}, and no part differs."
        return _said(State.NO_TRACE_FOUND, sentence, map=chart, numbers=numbers)
    strength = 0.5 + 0.5 * min(1.0, share / FULL_AREA) ** 0.5
    if differs.agreement < AGREES:
        sentence = f"{_capital(proof)}, but they cannot be laid over each other well enough to compare their pixels."
        return _said(State.INCONCLUSIVE, sentence, strength / 2, map=chart, numbers=numbers)
    donors = [hit for hit in traced.donors if hit.proof.inliers and hit.state is Proven.PROVED]
    taken = ""
    if donors:
        numbers["donor_points"] = donors[0].proof.inliers
        taken = f" The part that differs agrees with {_named(donors[0])} ({donors[0].proof.words})."
    sentence = (
        f"{_capital(proof)}, and {numbers['differs_percent']} % of the picture differs from it.{taken} Which of the "
        "two was changed, that does not tell."
    )
    if speaks := direction.sentence(direction.facts(picture, host)):
        sentence = f"{sentence} {speaks}"
    return _said(State.SUPPORTED, sentence, strength, map=chart, regions=regions, numbers=numbers, innocent=_INNOCENT)


def _said(state: State, sentence: str, strength: float = 0.0, **more: object) -> Finding:
    return Finding(CARD.id, CARD.questions[0], state, sentence, strength, citation=CARD.citation, **more)  # type: ignore[arg-type]


def _named(hit: Hit) -> str:
    name = Path(hit.entry.path).name
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
