"""Measure every clue: false alarms by photograph, and planted traces found, on the shared camera pictures.

    python benchmarks/clues.py --out results/clues.json [--clue NAME ...]

A photograph (source) alarms if any of its crops is SUPPORTED for the question. Planted traces come from
`tests/planting/`, a second implementation. Thresholds were chosen on folds 0-7; folds 8-9 are test only.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.photographs import Photograph, camera  # noqa: E402

from ifdl import evidence, intake, spine  # noqa: E402
from ifdl.signal.regions import mask_of  # noqa: E402
from ifdl.signal.stats import upper_bound  # noqa: E402
from ifdl.types import Finding, Picture, Question, State  # noqa: E402

FOLDS = {"all": range(10), "chosen_on": range(8), "test": range(8, 10)}
# Header clues cannot raise a false alarm on a set whose metadata was removed.
NOT_MEASURABLE = {
    "metadata": "metadata was removed from this set",
    "credentials": "no file of this set carries credentials",
    "ela": "it never speaks, so it raises no alarm",
    "hashes": "no list of known pictures belongs to this set",
    "thumbnail": "metadata, thumbnails included, was removed from this set",
}
# Checks without a threshold: tests hold them to files whose answer is known.
EXACT = {
    "credentials": "an exact check: 21 of 21 public C2PA test files give their expected codes",
    "hashes": "an exact check for equal files; distances of perceptual hashes are in the card",
    "ela": "draws a layer and never speaks",
}


def state_of(findings: list[Finding], question: Question) -> State | None:
    states = [f.state for f in findings if f.question == question]
    return next((s for s in spine.PRECEDENCE if s in states), None)


def false_alarms(clue: str, photographs: list[Photograph]) -> dict[str, Any]:
    """Per question: alarms by photograph in each group of folds, with the 95 % upper bound, and the names."""
    card = evidence.load(clue).CARD
    states: dict[Question, dict[str, list[tuple[State | None, str]]]] = {q: defaultdict(list) for q in card.questions}
    for photograph in track(photographs, f"{clue}: authentic"):
        picture = decode(photograph.data, photograph.name)
        findings = evidence.run(clue, picture)
        for question in card.questions:
            states[question][photograph.source].append((state_of(findings, question), photograph.name))
    measured: dict[str, Any] = {}
    for question, by_source in states.items():
        rows: dict[str, Any] = {}
        for group, folds in FOLDS.items():
            own = {s: seen for s, seen in by_source.items() if int(s, 16) % 10 in folds}
            alarms = [s for s, seen in own.items() if any(state == State.SUPPORTED for state, _ in seen)]
            domain = [
                s for s, seen in own.items() if any(state not in (State.OUT_OF_DOMAIN, None) for state, _ in seen)
            ]
            rows[group] = {
                "alarms": len(alarms),
                "photographs": len(own),
                "upper_95": round(upper_bound(len(alarms), len(own)), 4),
                "in_domain": len(domain),
                "inconclusive": sum(any(state == State.INCONCLUSIVE for state, _ in seen) for seen in own.values()),
            }
        rows["alarming_files"] = sorted(n for seen in by_source.values() for st, n in seen if st == State.SUPPORTED)
        measured[str(question)] = rows
    return measured


def planted(clue: str, photographs: list[Photograph]) -> dict[str, Any]:
    """Traces planted in one crop of each photograph: share in domain, found, and silent without the trace."""
    plant = import_module(f"tests.planting.{clue}").plant
    questions = evidence.load(clue).CARD.questions
    rows = []
    for n, host in enumerate(track(photographs, f"{clue}: planted")):
        donor = photographs[(n + 7) % len(photographs)]
        pair = plant(host.data, donor.data, np.random.default_rng(int(host.source, 16) % 2**32))
        if pair is None:
            continue
        began = time.perf_counter()
        edited = evidence.run(clue, decode(pair.edited, host.name))
        seconds = time.perf_counter() - began
        clean = evidence.run(clue, decode(pair.clean, host.name))
        overlap = None
        if pair.mask is not None:
            local = [f for f in edited if f.question == Question.LOCAL_EDIT and f.state == State.SUPPORTED]
            found = mask_of(tuple(r for f in local for r in f.regions), pair.mask.shape)
            union = np.count_nonzero(found | pair.mask)
            overlap = float(np.count_nonzero(found & pair.mask) / union) if union else 0.0
        asked = [Question.LOCAL_EDIT] if pair.mask is not None else list(questions)
        mine = [f for f in edited if f.question in asked]
        theirs = [f for f in clean if f.question in asked]
        rows.append(
            {
                "fold": host.fold,
                "in_domain": any(f.state not in (State.OUT_OF_DOMAIN, State.FAILED) for f in mine),
                "found": any(f.state == State.SUPPORTED for f in mine),
                "silent": not any(f.state == State.SUPPORTED for f in theirs),
                "iou": overlap,
                "seconds": seconds,
            }
        )
    summary: dict[str, Any] = {}
    for group, folds in FOLDS.items():
        own = [r for r in rows if r["fold"] in folds]
        if not own:
            continue
        hits = [r["iou"] for r in own if r["found"] and r["iou"] is not None]
        summary[group] = {
            "pictures": len(own),
            "in_domain": round(float(np.mean([r["in_domain"] for r in own])), 4),
            "found": round(float(np.mean([r["found"] for r in own])), 4),
            "silent_without": round(float(np.mean([r["silent"] for r in own])), 4),
            "iou_where_found": round(float(np.mean(hits)), 4) if hits else None,
        }
    return summary


def decode(data: bytes, name: str) -> Picture:
    return intake.decode(data, name=Path(name).name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "clues.json")
    parser.add_argument("--clue", action="append", help="only this clue; others keep their stored numbers")
    options = parser.parse_args()
    crops = camera()
    if not crops:
        parser.error("../shared/data/camera is absent; these numbers are measured on it")
    stored = json.loads(options.out.read_text()) if options.out.exists() else {"clues": {}}
    for clue in options.clue or evidence.names():
        card = evidence.load(clue).CARD
        row: dict[str, Any] = {"version": card.version, "experimental": card.experimental}
        if clue in NOT_MEASURABLE:
            row["false_alarms"] = f"not measurable on this set: {NOT_MEASURABLE[clue]}"
        else:
            row["false_alarms"] = false_alarms(clue, crops)
        row["planted"] = EXACT.get(clue) or planted(clue, camera(one_per_source=True))
        stored["clues"][clue] = row
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    stored |= {
        "command": "python benchmarks/clues.py",
        "data": f"camera: {len(crops)} crops of {len({c.source for c in crops})} photographs",
        "commit": commit.stdout.strip(),
        "environment": spine.environment({c: evidence.load(c).CARD.version for c in evidence.names()}).libraries,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
    options.out.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
