"""Tables of `benchmarks/explainer.py`: results/explainer.json and docs/explainer.md.

A number is the mean over seeds of the means over pictures; intervals draw photographs, and differences are paired by
picture and seed. `swapped` is the control of every score: the same texts, each held against another picture.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import explainer_data as data
from benchmarks.explainer import ARMS, TESTED, TESTS, case, cells
from ifdl.data.manifest import write_text
from ifdl.evaluate import judge
from ifdl.evaluate.intervals import bootstrap, paired
from ifdl.evaluate.result import environment

BOARD, DOCS = data.ROOT / "results" / "explainer.json", data.ROOT / "docs" / "explainer.md"
NUMBERS = {
    "areas": "Mask (areas)",
    "tampered_content": "Tampered content",
    "visual_inconsistencies": "Cues",
    "type": "Type",
    "overall": "Overall",
    "rouge_l": "ROUGE-L",
    "likeness": "TF-IDF cosine",
}
FEWEST = 20  # pictures below which no difference is told
SHOWN = ("areas", "tampered_content", "overall")
VIEWS = {
    "off": "nothing (alpha 0)",
    "predicted": "what the expert's mask shows",
    "true": "what the true mask shows",
    "random": "what a random mask shows (control)",
}
WORDS = {
    "none": "no mask",
    "predicted": "the expert's mask (two stages)",
    "true": "the true mask",
    "random": "a random mask (control)",
    "joint": "no mask, finds and explains at once (end to end)",
}


def report(out: Path) -> None:
    """Write both from the runs below OUT."""
    told = gathered(out)
    write_text(BOARD, json.dumps(told, indent=1) + "\n")
    if DOCS.is_file():
        write_text(DOCS, updated(DOCS.read_text(encoding="utf-8"), told))
    print("\n\n".join(f"{name}\n{table}" for name, table in tables(told).items()))


def gathered(out: Path) -> dict[str, Any]:
    """Every arm's scores of edited pictures, their differences to the arm without a mask, and the swapped control."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / "runs").glob("*.json"))]
    tests = {part: data.load(out / part, TESTED) for part in TESTS}
    arms: dict[str, Any] = {}
    for name in ARMS:
        own = sorted((r for r in runs if r["arm"] == name), key=lambda r: r["seed"])
        if not own:
            continue
        arms[name] = {"seeds": [r["seed"] for r in own], "seconds": [r["seconds"] for r in own]}
        arms[name] |= {"loss": [r["loss"] for r in own], "parameters": own[0]["parameters"]}
        leaks = [r["type_of_untouched_with_a_mask"] for r in own if "type_of_untouched_with_a_mask" in r]
        arms[name] |= {"type_of_untouched_with_a_mask": leaks} if leaks else {}
        for part in TESTS:
            rows = [row for r in own for row in edited(r, part)]
            arms[name][part] = {n: interval(rows, n) for n in NUMBERS}
            arms[name][part]["swapped"] = round(float(np.mean([swapped(edited(r, part), tests[part]) for r in own])), 4)
            first = {r["seed"]: edited(r, part) for r in runs if r["arm"] == "none"}
            pairs = [(a, b) for r in own for a, b in zip(edited(r, part), first.get(r["seed"], ()), strict=False)]
            arms[name][part]["above_none"] = {n: apart(pairs, n) for n in NUMBERS} if pairs and name != "none" else {}
            # A mask tells the class besides the place, where untouched pictures have none: the place alone.
            both = [(a, b) for a, b in pairs if a["type"] > 0 and b["type"] > 0]
            if name != "none" and len(both) >= FEWEST:
                arms[name][part]["above_none_where_both_say_edited"] = {n: apart(both, n) for n in SHOWN} | {
                    "n": len(both)
                }
            ious = [row["cell_iou"] for row in rows if "cell_iou" in row]
            arms[name][part] |= {"cell_iou": round(float(np.mean(ious)), 4)} if ious else {}
    return {
        "command": "python benchmarks/explainer.py make OUT; … run OUT; … contrast OUT --seeds 0; … grounded OUT; "
        "… report OUT",
        "environment": environment("python benchmarks/explainer.py report OUT"),
        "pictures": {part: len(test.rows) for part, test in tests.items()},
        "cell_iou_of_the_expert": {part: expert_iou(test) for part, test in tests.items()},
        "arms": arms,
        "contrast": under_contrast(out, runs),
        "grounded": against_grounded(out, runs),
    }


def under_contrast(out: Path, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The arm without a mask, decoded under contrast with each mask's view, against the same net decoded plainly."""
    plain = {r["seed"]: r for r in runs if r["arm"] == "none"}
    found: dict[str, Any] = {}
    for place in sorted((out / "contrast").glob("*.json")):
        told = json.loads(place.read_text(encoding="utf-8"))
        own = found.setdefault(place.stem.rpartition("-")[0], {part: [] for part in TESTS})
        for part in TESTS:
            own[part] += zip(told["rows"][part], edited(plain[told["seed"]], part), strict=True)
    return {
        name: {
            part: {n: interval([a for a, _ in pairs], n) | apart(pairs, n) for n in SHOWN}
            | {"same_texts": round(float(np.mean([a["text"] == b["text"] for a, b in pairs])), 4)}
            for part, pairs in own.items()
        }
        for name, own in found.items()
    }


def against_grounded(out: Path, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The rule for shipping: each arm that could be shipped against the rules, on all pictures of held-out engines."""
    place = out / "grounded.json"
    if not place.is_file():
        return {}
    told = json.loads(place.read_text(encoding="utf-8"))
    base = {row["id"]: row for row in told["rows"]}
    found: dict[str, Any] = {"grounded": {n: interval(told["rows"], n) for n in ("type", "areas", "overall")}}
    bare = told["unsupported_claims_per_picture"]
    for name in ("none", "predicted", "joint"):
        own = [r for r in runs if f"{r['arm']}-{r['seed']}" in bare and r["arm"] == name]
        pairs = [(row, base[row["id"]]) for r in own for row in r["rows"]["unseen"] if row["id"] in base]
        found[name] = {"overall": interval([a for a, _ in pairs], "overall"), "above_grounded": apart(pairs, "overall")}
        found[name]["seeds"] = [r["seed"] for r in own]
        claims = [bare[f"{name}-{r['seed']}"] for r in own]
        found[name]["unsupported_claims_per_picture"] = round(float(np.mean(claims)), 2)
    return found


def edited(run: dict[str, Any], part: str) -> list[dict[str, Any]]:
    """The run's rows of edited pictures."""
    return [row for row in run["rows"][part] if row["engine"] != "untouched"]


def interval(rows: list[dict[str, Any]], number: str) -> dict[str, float]:
    """Mean of a number with its interval over photographs."""
    values = np.array([row[number] for row in rows])
    low, high = bootstrap(lambda n: float(values[n].mean()), len(rows), [row["source"] for row in rows])
    return {"value": round(float(values.mean()), 4), "low": round(low, 4), "high": round(high, 4)}


def apart(pairs: list[tuple[dict[str, Any], dict[str, Any]]], number: str) -> dict[str, float]:
    """How far the first of each pair is above the second."""
    sources = [a["source"] for a, _ in pairs]
    found = paired([a[number] for a, _ in pairs], [b[number] for _, b in pairs], sources)
    told = {"difference": found.difference, "low_apart": found.low, "high_apart": found.high}
    return {name: round(value, 4) for name, value in told.items()}


def swapped(rows: list[dict[str, Any]], test: data.Examples) -> float:
    """Overall score of the texts, each held against the next edited picture of another photograph."""
    facts = {row["id"]: (row, mask) for row, mask in zip(test.rows, test.masks["true"], strict=True)}
    scores = []
    for n, row in enumerate(rows):
        others = (rows[(n + k) % len(rows)] for k in range(1, len(rows)))
        other = next((o for o in others if o["source"] != row["source"]), None)
        if other is not None:
            scores.append(judge.by_rules(case(*_with(facts[other["id"]], row["text"]))).scores["overall"])
    return float(np.mean(scores))


def _with(fact: tuple[Any, Any], said: str) -> tuple[Any, str, Any]:
    return fact[0], said, fact[1]


def expert_iou(test: data.Examples) -> float:
    """The expert's mask on the cells on which the joint arm is judged, over edited pictures."""
    true, found = (cells(test.masks[name]) >= 0.5 for name in ("true", "predicted"))
    own = true.any(1)
    both, either = (true & found)[own].sum(1), (true | found)[own].sum(1)
    return round(float((both / either).mean()), 4)


def tables(told: dict[str, Any]) -> dict[str, str]:
    """The scores of each test, and what each arm adds, in the shape of the paper's table."""
    made = {}
    for part in TESTS:
        heads = [*NUMBERS.values(), "Overall, texts swapped"]
        lines = [f"| arm | {' | '.join(heads)} |", f"|---{'|---' * len(heads)}|"]
        for name, arm in told["arms"].items():
            values = [arm[part][n] for n in NUMBERS]
            lines.append(f"| {WORDS[name]} | {' | '.join(span(v) for v in values)} | {arm[part]['swapped']:.2f} |")
        made[part] = "\n".join(lines)
        lines = [f"| against no mask | {' | '.join(NUMBERS[n] for n in SHOWN)} |", "|---|---|---|---|"]
        for name, arm in told["arms"].items():
            if arm[part]["above_none"]:
                values = [arm[part]["above_none"][n] for n in SHOWN]
                lines.append(f"| {WORDS[name]} | {' | '.join(gap(v) for v in values)} |")
        lines += ["", f"| where both say edited | {' | '.join(NUMBERS[n] for n in SHOWN)} | texts |", "|---" * 5 + "|"]
        for name, arm in told["arms"].items():
            if own := arm[part].get("above_none_where_both_say_edited"):
                lines.append(f"| {WORDS[name]} | {' | '.join(gap(own[n]) for n in SHOWN)} | {own['n']} |")
        made[f"{part}_apart"] = "\n".join(lines)
    lines = [
        "| decoded under contrast with | engines | Mask (areas) | Overall | against plain | same texts |",
        "|---" * 6 + "|",
    ]
    for name, own in told["contrast"].items():
        for part in TESTS:
            areas, overall = own[part]["areas"], own[part]["overall"]
            same = f"{100 * own[part]['same_texts']:.0f} %"
            values = f"{areas['value']:.2f} | {overall['value']:.2f} | {gap(overall)} | {same}"
            lines.append(f"| {VIEWS[name]} | {part} | {values} |")
    made["contrast"] = "\n".join(lines)
    if told["grounded"]:
        rules = told["grounded"]["grounded"]["overall"]
        lines = [
            "| text by | Overall, all pictures | against the rules | unsupported claims a picture |",
            "|---" * 4 + "|",
        ]
        lines.append(f"| the rules (`grounded`) | {span(rules)} | | 0 |")
        for name in ("none", "predicted", "joint"):
            own = told["grounded"][name]
            values = f"{span(own['overall'])} | {gap(own['above_grounded'])}"
            lines.append(f"| {WORDS[name]} | {values} | {own['unsupported_claims_per_picture']:.2f} |")
        made["grounded"] = "\n".join(lines)
    return made


def span(told: dict[str, float]) -> str:
    return f"{told['value']:.2f} [{told['low']:.2f}–{told['high']:.2f}]"


def gap(told: dict[str, float]) -> str:
    return f"{told['difference']:+.2f} [{told['low_apart']:+.2f}, {told['high_apart']:+.2f}]"


def updated(text: str, told: dict[str, Any]) -> str:
    """docs/explainer.md with its tables made anew."""
    for name, table in tables(told).items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    return text
