"""The rule of the small study: is a trained explainer better than `grounded`, by the rule judge, on held-out engines?

`grounded` answers in sentences, the judge reads four fields, so its verdict is put into them, generously: what a test's
own finding stands for is written in the judge's words. The explainers' texts are held against the same verdicts, and
claims that nothing measured bears out are counted.
"""

from __future__ import annotations

import json
from pathlib import Path

from rich.progress import track

from benchmarks import explainer_data as data
from benchmarks.explainer import case
from ifdl import intake, spine
from ifdl.data.manifest import write_text
from ifdl.evaluate import judge
from ifdl.explain import claims
from ifdl.report import overlay
from ifdl.types import Question, State, Verdict

PART = "unseen"
COMPARED = 120  # pictures that are examined
TESTS = ("copymove", "jpeg_grid", "thumbnail", "ifdl_small")  # all whose say on local edits counts
ARMS = ("none", "predicted", "joint")  # a true mask is not to be had in use
# What each test's finding stands for, in the words of the forge's captions.
CONTENT = {"copymove": "an object or part of one, copied from elsewhere in the picture"}
CUES = {"copymove": "repetition: the same detail appears twice", "jpeg_grid": "none that a person would see"}
PLAIN = "a part of the picture, altered"


def compare(out: Path) -> None:
    """Write OUT/grounded.json: a row of scores for every picture of the held-out engines, and claims of each run."""
    test = data.load(out / PART, COMPARED)
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / "runs").glob("*.json"))]
    runs = [run for run in runs if run["arm"] in ARMS]
    rows, bare = [], {f"{run['arm']}-{run['seed']}": 0 for run in runs}
    texts = {f"{run['arm']}-{run['seed']}": {row["id"]: row["text"] for row in run["rows"][PART]} for run in runs}
    for picture, mask, row in zip(track(test.pictures), test.masks["true"], test.rows, strict=True):
        shown = intake.decode(overlay.png(picture), name="test.png")
        verdict = spine.examine_picture(shown, clues=TESTS).verdict
        said = fields(verdict)
        scores = judge.by_rules(case(row, said, mask)).scores
        rows.append({"id": row["id"], "engine": row["engine"], "source": row["source"], "text": said, **scores})
        for name, own in texts.items():
            bare[name] += sum(not c.supported for c in claims.check(own[row["id"]], shown, verdict))
    told = {"rows": rows, "unsupported_claims_per_picture": {n: round(b / len(rows), 2) for n, b in bare.items()}}
    write_text(out / "grounded.json", json.dumps(told) + "\n")


def fields(verdict: Verdict) -> str:
    """The verdict on local edits in the four fields of the explanation data."""
    answer = verdict.answer(Question.LOCAL_EDIT)
    if answer.state != State.SUPPORTED:
        return "Type: Authentic\nAreas: none\nTampered content: none\nVisual inconsistencies: none known"
    held = [f for f in verdict.findings if f.id in answer.findings]
    places = "; ".join(dict.fromkeys(r.position for f in held for r in f.regions))
    content = "; ".join(dict.fromkeys(CONTENT.get(f.clue, PLAIN) for f in held))
    cues = "; ".join(dict.fromkeys(CUES[f.clue] for f in held if f.clue in CUES)) or "edges, noise, texture"
    return f"Type: Partially edited\nAreas: {places}\nTampered content: {content}\nVisual inconsistencies: {cues}"
