"""A small explainer, trained five ways on the forge's captions: what does the mask add?

    python benchmarks/explainer.py make OUT [--samples 6000] [--tests 400]   pictures and tokens, an hour of a core
    python benchmarks/explainer.py run OUT [--only ARM …] [--seeds 0 1 2]    train and judge; goes on where it stopped
    python benchmarks/explainer.py contrast OUT                            decode the arm without a mask under contrast
    python benchmarks/explainer.py grounded OUT                            the rules' own texts, and the claims of all
    python benchmarks/explainer.py report OUT                              results/explainer.json, docs/explainer.md

Arms: no mask, the expert's mask, the true one, a random one, and `joint`, which is to find and to explain at once.
All have the same parts, pictures and steps. The pictures of the test are of other photographs; half of them by engines
that training never saw.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_model, save_model

if __package__ in (None, ""):
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import explainer_data as data
from benchmarks.explainer_net import Budget, Explainer, Words, seen_of, train
from ifdl.evaluate import judge
from ifdl.evaluate._judge_tfidf import TfIdf
from ifdl.evaluate.text import rouge_l
from ifdl.forge.record import Step
from ifdl.nets.contrast import ALPHA

ARMS = {"none": None, "predicted": "predicted", "true": "true", "random": "random", "joint": None}
SEEDS = (0, 1, 2)
TESTS = ("seen", "unseen")
TESTED = 240  # pictures of each test that are told and judged


def run(out: Path, names: list[str], seeds: list[int], budget: Budget) -> None:
    """Every arm with every seed; what is done is not done again."""
    material = data.load(out / "train")
    words = Words([row["text"] for row in material.rows])
    for seed in seeds:
        for name in names:
            place = out / "runs" / f"{name}-{seed}.json"
            if not place.is_file():
                told = one(out, material, words, name, seed, budget)
                place.parent.mkdir(exist_ok=True)
                place.write_text(json.dumps(told) + "\n", encoding="utf-8")
                print(f"{name}, seed {seed}: {told['seconds']} s, loss {told['loss']}, {told['means']}", flush=True)


def one(out: Path, material: data.Examples, words: Words, name: str, seed: int, budget: Budget) -> dict[str, Any]:
    """Train one arm and judge what it says of the test pictures."""
    torch.manual_seed(seed)
    net = Explainer(len(words.pieces), joint=name == "joint")
    view = ARMS[name]
    began = time.monotonic()
    told = [words.encode(row["text"], net.shape.most) for row in material.rows]
    masked = None if view is None else material.view(view)
    losses = train(net, material.view("plain"), masked, told, cells(material.masks["true"]), budget, seed)
    found: dict[str, Any] = {"arm": name, "seed": seed, "parameters": sum(p.numel() for p in net.parameters())}
    found |= {"seconds": round(time.monotonic() - began), "loss": round(float(np.mean(losses[-50:])), 4)}
    tests = {part: data.load(out / part, TESTED) for part in TESTS}
    found["rows"] = {part: judged(net, words, test, view, budget) for part, test in tests.items()}
    if view is not None:  # the class leaks where untouched pictures alone carry no mask: what if they carry one?
        leak = judged(net, words, tests["seen"], view, budget, leakless=True)
        found["type_of_untouched_with_a_mask"] = mean(leak, "type", "untouched")
    found["means"] = {part: mean(rows, "overall", "edited") for part, rows in found["rows"].items()}
    (out / "nets").mkdir(exist_ok=True)
    save_model(net, str(net_of(out, name, seed)))
    return found


def net_of(out: Path, name: str, seed: int) -> Path:
    return out / "nets" / f"{name}-{seed}.safetensors"


def contrast(out: Path, seeds: list[int]) -> None:
    """The edited pictures of the tests told again by the arm without a mask, under contrast with what each mask shows.

    Only decoding differs; alpha 0 is the arm itself, told word by word, and has to say the same.
    """
    words = Words([row["text"] for row in data.load(out / "train").rows])
    (out / "contrast").mkdir(exist_ok=True)
    for seed in seeds:
        net = Explainer(len(words.pieces))
        load_model(net, str(net_of(out, "none", seed)))
        net.eval()
        for view, alpha in (("true", 0.0), *((v, ALPHA) for v in data.VIEWS[1:])):
            place = out / "contrast" / f"{view if alpha else 'off'}-{seed}.json"
            if not place.is_file():
                rows = {part: under(net, words, data.load(out / part, TESTED), view, alpha) for part in TESTS}
                place.write_text(json.dumps({"view": view, "alpha": alpha, "seed": seed, "rows": rows}) + "\n")
                means = {part: mean(own, "overall", "edited") for part, own in rows.items()}
                print(f"contrast with {view}, alpha {alpha}, seed {seed}: {means}", flush=True)


def under(net: Explainer, words: Words, test: data.Examples, view: str, alpha: float) -> list[dict[str, Any]]:
    """Rows as of `judged`, for edited pictures alone."""
    chosen = [n for n, row in enumerate(test.rows) if row["engine"] != "untouched"]
    said = []
    for n in range(0, len(chosen), 50):
        own = chosen[n : n + 50]
        seen, shown = (seen_of(test.view(name)[own], None, 1.0) for name in ("plain", view))
        said += [words.decode(numbers) for numbers in net.say_under_contrast(seen, shown, alpha).tolist()]
    return scored(test, chosen, said, [None] * len(chosen))


def judged(
    net: Explainer, words: Words, test: data.Examples, view: str | None, budget: Budget, leakless: bool = False
) -> list[dict[str, Any]]:
    """A row a picture: the text, the rule judge's scores, ROUGE-L, TF-IDF cosine, and the joint arm's IoU of cells.

    `leakless` gives untouched pictures a random mask in place of none.
    """
    masked = None if view is None else test.view(view)
    if leakless and masked is not None:
        untouched = np.array([row["engine"] == "untouched" for row in test.rows])
        masked = np.where(untouched[:, None, None], test.view("random"), masked)
    said, marks = [], []
    for n in range(0, len(test.rows), 50):
        rows = slice(n, n + 50)
        seen = seen_of(test.view("plain")[rows], None if masked is None else masked[rows], budget.alpha)
        numbers, mask = net.say(seen)
        said += [words.decode(own) for own in numbers.tolist()]
        marks += [None] * len(numbers) if mask is None else list(mask > 0)
    return scored(test, range(len(test.rows)), said, marks)


def scored(test: data.Examples, chosen: Sequence[int], said: list[str], marks: list[Any]) -> list[dict[str, Any]]:
    """A row for each chosen picture, from what was said and marked of it."""
    rows = [test.rows[n] for n in chosen]
    cases = [case(row, text, test.masks["true"][n]) for n, row, text in zip(chosen, rows, said, strict=True)]
    alike = judge.by_likeness(cases, TfIdf())
    true = cells(test.masks["true"][list(chosen)]) >= 0.5
    made = []
    for n, (own, row) in enumerate(zip(cases, rows, strict=True)):
        scores = judge.by_rules(own).scores
        told = {"id": own.id, "engine": row["engine"], "source": own.source, "text": own.said, **scores}
        told |= {"rouge_l": rouge_l(own.said, row["text"]), "likeness": alike[n].scores["overall"]}
        if marks[n] is not None and true[n].any():
            told["cell_iou"] = float((marks[n] & true[n]).sum() / (marks[n] | true[n]).sum())
        made.append(told)
    return made


def case(row: dict[str, Any], said: str, mask: NDArray[np.bool_]) -> judge.Case:
    """What the judges take: the text beside what was done."""
    steps = tuple(
        Step(s["engine"], s["action"], s["content"], tuple(s["target_box"]), cues=tuple(s["cues"]))
        for s in row["steps"]
    )
    return judge.Case(row["id"], said, row["text"], steps, mask, row["source"])


def cells(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """N×H×W → N×64: the share of each cell that is set, rows first."""
    side = masks.shape[1] // data.CELLS
    parts = masks.reshape(len(masks), data.CELLS, side, data.CELLS, side)
    return np.asarray(parts.mean((2, 4)).reshape(len(masks), -1), np.float32)


def mean(rows: list[dict[str, Any]], number: str, which: str) -> float:
    """Of the edited or the untouched pictures."""
    own = [row[number] for row in rows if (row["engine"] == "untouched") == (which == "untouched") and number in row]
    return round(float(np.mean(own)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "run", "contrast", "grounded", "report"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--tests", type=int, default=400, help="pictures of each of the two tests")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--steps", type=int, default=Budget.steps)
    options = parser.parse_args()
    if options.what == "make":
        for part in data.PARTS:
            count = options.samples if part.name == "train" else options.tests
            data.make(part, count, options.out / part.name, options.workers)
    elif options.what == "run":
        run(options.out, options.only, options.seeds, Budget(steps=options.steps))
    elif options.what == "contrast":
        contrast(options.out, options.seeds)
    elif options.what == "grounded":
        from benchmarks import explainer_grounded

        explainer_grounded.compare(options.out)
    else:
        from benchmarks import explainer_tables

        explainer_tables.report(options.out)


if __name__ == "__main__":
    main()
