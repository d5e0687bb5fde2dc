"""Does the fused verdict beat its parts, and what does each part add? Measured on photographs it was not fitted on.

    python benchmarks/fusion.py collect WORK [--pairs 150]     examine untouched and forged test photographs
    python benchmarks/fusion.py report CALIBRATION_WORK WORK   write results/fusion.json and docs/calibration.md

CALIBRATION_WORK is the folder that `ifdl calibrate --work` kept. Its rows, and the test's, must hold the
experimental tests too to weigh them (collect both with the cards' flag off). Every part alone, and all but each, are
fitted exactly as the whole is; then all are asked about the test rows. Intervals are by photograph (bootstrap), and
the control fits on shuffled labels. Nothing is chosen here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from ifdl.data import shortcuts
from ifdl.data.manifest import Split, split_of, write_text
from ifdl.evaluate import _examined, calibrate, likelihood, plots
from ifdl.evaluate._examined import Row
from ifdl.evaluate.likelihood import Floats, Scored
from ifdl.evaluate.result import environment
from ifdl.forge import material, recipe
from ifdl.signal.stats import upper_bound
from ifdl.types import Question
from ifdl.verdict import battery, calibration
from ifdl.verdict.calibration import Tables

ROOT = Path(__file__).resolve().parents[1]
PLACES = [ROOT.parent / "shared" / "data" / name for name in ("camera", "camera_whole")]
EDIT = Question.LOCAL_EDIT
SEED, ROUNDS = 71, 400
MOSTLY = 0.8  # share of the pictures in whose domain the best single part must be
WORDED = float(np.log10(2))
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="630" font-family="sans-serif" font-size="12" '
STYLE = "<style>.grid{stroke:#ddd}.chance{stroke:#888;stroke-dasharray:4}</style>"


def collect(work: Path, pairs: int) -> None:
    """Rows of the test photographs' own files and of pairs forged from them, on 640 pixels as calibration does."""
    photographs = [
        p for place in PLACES for p in material.find(place, (Split.TEST,)) if split_of(p.source) is Split.TEST
    ]
    chosen = replace(recipe.load("forge"), longest=640, objects=False)
    work.mkdir(parents=True, exist_ok=True)
    rows = work / "rows.jsonl"
    done = {row.name for row in _examined.read(rows)}
    tasks = chain(_examined.as_they_are(photographs), _examined.pairs(photographs, chosen, pairs, SEED, done))
    left = (t for t in tasks if t.name not in done)
    for _ in track(_examined.gather(left, rows, battery.names()), "examining", total=len(photographs) + 2 * pairs):
        pass


def only(rows: Sequence[Row], parts: set[str]) -> list[Row]:
    """The rows with what these parts said of local edits."""
    kept = []
    for row in rows:
        said = {c: s for c, s in (row.scores or {}).get(str(EDIT), {}).items() if c in parts}
        kept.append(replace(row, scores={str(EDIT): said} if said else {}))
    return kept


def asked(tables: Tables | None, rows: Sequence[Row]) -> Floats:
    """log10 ratio of each row, 0 where nothing can be weighed."""
    said = []
    for row in rows:
        strengths = (row.scores or {}).get(str(EDIT), {})
        weighed = calibration.ratio(tables, strengths, row.stratum) if tables else None
        said.append(weighed.log10 if weighed else 0.0)
    return np.array(said)


def measured(rows: Sequence[Row], log10: Floats) -> dict[str, Any]:
    """Order and cost of ratios on the rows; pairs alone for the order, since nothing but the edit tells them apart."""
    edited = np.array([r.edited for r in rows])
    paired = np.array([r.name.startswith("pair") for r in rows])
    scored = Scored.of(log10.tolist(), edited.tolist(), [r.source for r in rows])
    alarming = {r.source for r, v in zip(rows, log10, strict=True) if not r.edited and v >= WORDED}
    sources = {r.source for r in rows if not r.edited}
    return {
        "picture_auc": shortcuts.auc(log10[paired], edited[paired]),
        "cllr": likelihood.cllr(scored, log10),
        "worded_edited": float((log10[edited] >= WORDED).mean()),
        "worded_authentic_photographs": len(alarming),
        "authentic_photographs": len(sources),
        "upper_95": upper_bound(len(alarming), len(sources)),
        "worded_authentic_pictures": int((log10[~edited] >= WORDED).sum()),
        "authentic_pictures": int((~edited).sum()),
    }


def gained(rows: Sequence[Row], one: Floats, other: Floats) -> list[float]:
    """95 % interval, by photograph, of how much higher the picture AUC of `one` is than that of `other`."""
    rng = np.random.default_rng(0)
    edited = np.array([r.edited for r in rows])
    places: dict[str, list[int]] = {}
    for n, row in enumerate(rows):
        if row.name.startswith("pair"):
            places.setdefault(row.source, []).append(n)
    names = sorted(places)
    found = []
    for _ in range(ROUNDS):
        drawn = np.concatenate([places[s] for s in rng.choice(names, len(names))])
        a, b = (shortcuts.auc(v[drawn], edited[drawn]) for v in (one, other))
        if a is not None and b is not None:
            found.append(a - b)
    return [round(float(q), 4) for q in np.quantile(found, (0.025, 0.975))]


def report(fitted_on: Path, work: Path) -> dict[str, Any]:
    """All arms, fitted on calibration rows and measured on test rows."""
    own, test = ([r for r in _examined.read(place / "rows.jsonl") if not r.fault] for place in (fitted_on, work))
    # What is compared with an archive is weighed by itself, and these rows have none.
    parts = sorted({c for r in own for c in (r.scores or {}).get(str(EDIT), {})} - {battery.ARCHIVE})
    counted = {p for p in parts if not battery.card(p).experimental}
    arms = (
        {"counted": counted} | ({"all": set(parts)} if set(parts) > counted else {}) | {f"only {p}": {p} for p in parts}
    )
    arms |= {f"without {p}": (counted if p in counted else set(parts)) - {p} for p in parts}
    told: dict[str, Any] = {}
    said: dict[str, Floats] = {}
    for arm, chosen in track(arms.items(), "fitting"):
        rows = only(own, chosen)
        try:
            tables = calibrate.fit(rows).questions.get(EDIT)
        except ValueError:
            tables = None  # a part that is never in its domain on one of the classes orders nothing
        said[arm] = asked(tables, only(test, chosen))
        heard = float(np.mean([bool(r.scores and r.scores[str(EDIT)]) for r in rows]))
        told[arm] = {"test": measured(test, said[arm]), "in_domain": round(heard, 4)}
        if tables:
            told[arm] |= {"held_out": tables.measured, "rule": tables.rule}
    alone = [a for a in arms if a.startswith("only") and "held_out" in told[a] and told[a]["in_domain"] >= MOSTLY]
    best = min(alone, key=lambda a: told[a]["held_out"]["cllr"])
    for arm in arms:
        whole = "all" if arm.startswith("without") and not arms[arm] < counted else "counted"
        told[arm] |= {"whole": whole, "auc_below_whole": gained(test, said[whole], said[arm])}
    shuffled = np.random.default_rng(0).permutation([r.edited for r in own])
    mixed = [replace(r, edited=bool(e)) for r, e in zip(own, shuffled, strict=True)]
    control = asked(calibrate.fit(mixed).questions.get(EDIT), test)
    scored = Scored.of(said["counted"].tolist(), [r.edited for r in test], [r.source for r in test])
    return {
        "command": "python benchmarks/fusion.py report",
        "best_single_part_on_calibration": best.removeprefix("only "),
        "arms": told,
        "shuffled_control": measured(test, control),
        "reliability_test": [asdict(b) for b in likelihood.reliability(scored, said["counted"])],
        "pictures": {"calibration": len(own), "test": len(test)},
        "run": environment("benchmarks/fusion.py"),
    }


def page(told: dict[str, Any], held: list[dict[str, float]]) -> str:
    """docs/calibration.md: the table of arms, and said against found."""
    lines = [
        "# Is the fused verdict worth more than its parts?",
        "",
        "Made by `python benchmarks/fusion.py report`; numbers are in `results/fusion.json`. Every arm is fitted on",
        f"the calibration photographs and asked about {told['pictures']['test']} pictures of the test photographs:",
        "their own files, and pairs of which one picture is forged. *Worded* means a likelihood ratio of 2 or more,",
        "the least that gets a word. *Counted* is what the shipped verdict fuses"
        + ("; *all* adds the experimental tests." if "all" in told["arms"] else "."),
        "*Gained* is how much higher the AUC of the whole is. *Alarms* are photographs of which any untouched picture",
        "is worded, however it was saved. A ratio alone is no alarm of the verdict, which speaks only where a test is",
        "above its own threshold as well: what it says of untouched pictures is in the README's table.",
        "",
        "| fitted with | rule | Cllr held out | AUC, test | gained [95 %] | edited worded | alarms by photograph |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm, row in told["arms"].items():
        test = row["test"]
        cost = f"{row['held_out']['cllr']:.3f}" if "held_out" in row else "–"
        low, high = row["auc_below_whole"]
        gain = "–" if arm == row["whole"] else f"{low:+.3f} to {high:+.3f}"
        lines.append(
            f"| {arm} | {row.get('rule', '–')} | {cost} | {test['picture_auc']:.3f} | {gain} | "
            f"{100 * test['worded_edited']:.0f} % | {test['worded_authentic_photographs']} of "
            f"{test['authentic_photographs']} (≤ {100 * test['upper_95']:.1f} %) |"
        )
    control = told["shuffled_control"]
    chance = f"AUC {control['picture_auc']:.3f}, {100 * control['worded_edited']:.0f} % of the edited worded"
    lines += [
        "",
        f"Control, fitted on shuffled labels: {chance}.",
        "",
        "![Posterior at even odds, said against found](calibration.svg)",
        "",
        "| said | found on calibration photographs left out | pictures |",
        "|---|---|---|",
        *(f"| {b['said']:.2f} | {b['found']:.2f} | {b['n']} |" for b in held),
        "",
        "| said | found on test photographs | pictures |",
        "|---|---|---|",
        *(f"| {b['said']:.2f} | {b['found']:.2f} | {b['n']} |" for b in told["reliability_test"]),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("collect", "report"))
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=150)
    options = parser.parse_args()
    if options.what == "collect":
        collect(options.places[0], options.pairs)
        return
    told = report(*options.places)
    loaded = calibration.load()
    held = [asdict(b) for b in loaded.calibration.questions[EDIT].reliability] if loaded else []
    write_text(ROOT / "results" / "fusion.json", json.dumps(told, indent=1) + "\n")
    write_text(ROOT / "docs" / "calibration.md", page(told, held))
    series = {
        name: [(b["said"], b["found"]) for b in rows]
        for name, rows in (("left out of the fit", held), ("test photographs", told["reliability_test"]))
    }
    drawn = plots.lines("Said and found", series, "posterior said", "share edited", diagonal=True, dots=True)
    write_text(ROOT / "docs" / "calibration.svg", drawn.replace("<svg ", SVG, 1).replace(">", f">{STYLE}", 1) + "\n")


if __name__ == "__main__":
    main()
