"""Judging for `benchmarks/leaderboard.py`: one trained system, or a control, on every development set.

Results and every picture's row are kept, so that systems can be compared picture by picture.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.leaderboard import PAIRS, PLAIN, ROOT, STREAM
from ifdl import experts, intake
from ifdl.data.manifest import Split
from ifdl.evaluate import protocol, result
from ifdl.evaluate.run import Job, rows
from ifdl.evaluate.systems import EXPERT_ROOMS, Named, Output, Spec, _identity, _of_prediction, code
from ifdl.experts import Expert
from ifdl.experts._finding import score_of
from ifdl.forge import change
from ifdl.serve.evaluating import Order, listed, note_reading, some
from ifdl.train import data, recipe, validation
from ifdl.types import Card, Map, Picture, Prediction, Question

SHARED = ROOT.parent / "shared" / "data"
PROTOCOLS = ("native-1", "imdlbenco-mvss", "trufor-2023")
CHANGES = ("jpeg:75", "resize:0.5")  # of a part of CASIA v1
ROBUST = 60  # pictures of that part
ALARMS = 0.02  # share of untouched calibration pictures that may reach the gate


class Centre:
    """A control: a bell over the middle of every picture, half as high at the border of so large a share of it.

    With a share without bounds all of every picture is marked alike.
    """

    def __init__(self, share: float) -> None:
        self.radius = float(np.sqrt(share / np.pi))

    def heat(self, size: tuple[int, int]) -> NDArray[np.float64]:
        """Of a picture of (height, width), at a quarter of its size."""
        y, x = ((np.arange(-(-n // 4)) + 0.5) * 4 / n - 0.5 for n in size)
        return np.asarray(0.5 ** ((y[:, None] ** 2 + x**2) / self.radius**2))

    def predict(self, picture: Picture) -> Prediction:
        size = (picture.height, picture.width)
        return Prediction("control", Map.of(self.heat(size), size, 4), score=0.5)


def evaluate(out: Path, name: str, limit: int | None) -> None:
    """One arm on every development set under every protocol; results go to OUT/NAME/results."""
    place, command = out / name, f"python benchmarks/leaderboard.py judge OUT --only {name}"
    cost = {"pictures": 0, "megapixels": 0.0, "cpu_seconds": 0.0}
    spec = _spec(out, name, cost)
    system = spec.build()
    (place / "results").mkdir(parents=True, exist_ok=True)
    for root in sorted(SHARED.glob("*_dev")):
        records = some(listed(root, None)[0], limit, 0)
        plan: list[tuple[str, Any, list[Any]]] = [(p, None, records) for p in PROTOCOLS]
        if root.name == "casia1_dev":
            part = some(records, ROBUST, 0)
            plan += [(PROTOCOLS[0], change.parse(text), part) for text in CHANGES]
        for wanted, altered, those in plan:
            chosen = protocol.load(wanted)
            words = f"-{altered.words.replace(' ', '')}" if altered else ""
            path = place / "results" / f"{root.name}{words}-{wanted}.json"
            if path.is_file():
                continue
            if limit is None:
                order = Order(spec, root, readings=ROOT / "results" / "readings.jsonl", change=altered, command=command)
                note_reading(order, name, root.name, chosen)
            made = list(rows(Job(spec, chosen, place / "predictions", altered), those))
            told = result.result(system, chosen, root.name, those, made, change=altered, command=command)
            told["rows"] = [row.to_json() for row in made]
            path.write_text(json.dumps(told) + "\n", encoding="utf-8")
            print(name, path.stem, {n: told["numbers"][n]["value"] for n in told["protocol"]["headline"]}, flush=True)
    if cost["pictures"]:
        (place / "speed.json").write_text(json.dumps(cost) + "\n", encoding="utf-8")


def _spec(out: Path, name: str, cost: dict[str, Any]) -> Spec:
    """An arm as `ifdl.evaluate` takes systems: thresholds chosen once on calibration forgeries, kept in chosen.json.

    What predicting took is added to `cost`.
    """
    place = out / name
    predictor, weights = _predictor(out, name)
    about = place / "chosen.json"
    if not about.is_file():
        about.write_text(json.dumps(_chosen(out, predictor), indent=1) + "\n", encoding="utf-8")
    chosen = json.loads(about.read_text(encoding="utf-8"))
    judge = predictor if isinstance(predictor, Expert) else _Plain()
    judge.THRESHOLD, judge.GATE = chosen["threshold"], chosen["gate"]

    def run(picture: Picture) -> Output:
        began = time.process_time()
        prediction = predictor.predict(picture)
        cost["cpu_seconds"] += time.process_time() - began
        cost["megapixels"] += picture.width * picture.height / 1e6
        cost["pictures"] += 1
        return _of_prediction(prediction, Expert.findings(judge, prediction, picture))

    identity = _identity("leaderboard", name, weights, chosen, code(EXPERT_ROOMS))
    named = Named(name, "expert", "small", identity, run, chosen["threshold"], weights)

    class Own(Spec):
        def build(self) -> Named:
            return named

    return Own("expert", name)


class _Plain:
    """What findings need to know of the control."""

    CARD = Card("control", "The same in every picture", (Question.LOCAL_EDIT,))
    THRESHOLD = GATE = 0.5


def _predictor(out: Path, name: str) -> tuple[Any, str]:
    """The expert with its trained weights, or a control, and the weights' hash."""
    if name in PLAIN:
        return Centre(float(_calibration(out).masks.mean()) if name == "centre" else np.inf), ""
    about = json.loads((out / name / "run" / "weights.json").read_text(encoding="utf-8"))
    system = recipe.parse(about["recipe"]).expert
    expert = experts.module(system.name).build(out / name / "weights.safetensors", **system.options)
    return expert, expert.weights_sha256


def _calibration(out: Path) -> Any:
    """Forgeries of calibration photographs and their siblings, from the same forge as the stream."""
    plan = recipe.load("small", STREAM)
    held = data.photographs(plan.data.places, Split.CALIBRATE)
    return data.validation_set(held, replace(plan.data, workers=0), 77, PAIRS, out / "validation")


def _chosen(out: Path, predictor: Any) -> dict[str, Any]:
    """Threshold of the map (best mean IoU) and gate of the score (2 % of untouched pictures), and what they give."""
    shown = _calibration(out)
    answers, untouched = [], []
    for pictures, masks in ((shown.edited, shown.masks), (shown.untouched, np.zeros_like(shown.masks))):
        for pixels, mask in zip(pictures, masks, strict=True):
            picture = intake.decode(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes(), name="calibration.png")
            found = predictor.predict(picture)
            answers.append(validation.Answer(found.heat.at_full_size(), mask, score_of(found)))
            untouched += [] if mask.any() else [answers[-1].score]
    gate = float(np.quantile(untouched, 1 - ALARMS, method="higher"))
    numbers = validation.numbers(answers)
    return {"threshold": numbers["threshold"], "gate": min(1.0, gate + 1e-4), "calibration": numbers}
