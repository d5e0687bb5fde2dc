"""Measure the verdict, copymove, jpeg_grid and ifdl_small under native-1, as `results/` shows them.

    python benchmarks/measure.py OUT [--workers 2] [--only camera casia changed lalonde jpeg90 forged robust]

OUT keeps forgeries, predictions and rows; a second run goes on where the first stopped. Each step is an
`ifdl` command that is printed, logged in results/readings.jsonl where a development set is read, and can be
typed by hand. Nothing is chosen here: thresholds and calibration come with the package.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ifdl.serve.cli import app  # noqa: E402

# As they would be typed: a result's command names no folder of this machine.
SHARED = Path(os.path.relpath(ROOT.parent / "shared" / "data"))
RESULTS = Path(os.path.relpath(ROOT / "results"))
# The verdict first: it runs all clues, whose predictions are then at hand.
SYSTEMS = (("verdict",), ("clue", "copymove"), ("clue", "jpeg_grid"), ("expert", "ifdl_small"))
FORGED = {"camera": 200, "camera_whole": 200}  # pairs of each, test photographs only
SIDE, SEED = 384, 2026
# The expert on a part of CASIA as it is, saved again and halved.
CHANGED = {"part": (), "jpeg75": ("--change", "jpeg:75"), "resize05": ("--change", "resize:0.5")}
PART = 250
UNTOUCHED = 8  # one sibling in so many is examined: silence is measured on the camera pictures themselves


def ifdl(*words: object) -> None:
    """Run one command of the program in this process, as if it were typed."""
    line = [str(w) for w in words]
    print("ifdl", shlex.join(line), flush=True)
    sys.argv = ["ifdl", *line]
    done = CliRunner().invoke(app, line)
    print(done.output, flush=True)
    if done.exit_code:
        raise SystemExit(done.exit_code)


def evaluate(name: str, root: Path, out: Path, workers: int, *more: object) -> None:
    """All systems on one set; results go to results/NAME-SYSTEM.json."""
    read = ("--readings", RESULTS / "readings.jsonl") if root.name.endswith("_dev") else ()
    for system in SYSTEMS:
        own = system[-1]
        place = ("--out", out / f"{name}-{own}", "--cache", out / "predictions", "--workers", workers)
        ifdl("evaluate", f"--{system[0]}", *system[1:], "--data", root, *place,
             "--copy", RESULTS / "native-1" / f"{name}-{own}.json", *read, *more)  # fmt: skip


def forged(out: Path, workers: int) -> Path:
    """Forgeries and siblings of the test photographs of both camera sets, as one set."""
    place = out / "forged_test"
    rows = []
    for name, count in FORGED.items():
        ifdl("forge", SHARED / name, place / name, "--split", "test", "--count", count, "--seed", SEED,
             "--size", SIDE, "--workers", workers)  # fmt: skip
        for line in (place / name / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["label"] == "authentic" and row["pair"] % UNTOUCHED:
                continue
            row["image"], row["mask"] = f"{name}/{row['image']}", row["mask"] and f"{name}/{row['mask']}"
            rows.append(row)
    (place / "manifest.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    steps = ("camera", "casia", "changed", "lalonde", "jpeg90", "forged", "robust")
    parser.add_argument("--only", nargs="+", choices=steps, default=steps)
    options = parser.parse_args()
    out, workers = options.out, options.workers
    if "camera" in options.only:
        evaluate("camera_test", SHARED / "camera", out, workers, "--split", "test")
    if "casia" in options.only:
        evaluate("casia1_dev", SHARED / "casia1_dev", out, workers)
    if "changed" in options.only:
        for name, change in CHANGED.items():
            ifdl("evaluate", "--expert", "ifdl_small", "--data", SHARED / "casia1_dev", "--limit", PART, *change,
                 "--out", out / f"casia_{name}", "--cache", out / "predictions", "--workers", workers,
                 "--copy", RESULTS / "robustness" / f"casia1_dev_{name}-ifdl_small.json",
                 "--readings", RESULTS / "readings.jsonl")  # fmt: skip
    if "lalonde" in options.only:
        evaluate("lalonde_dev", SHARED / "lalonde_dev", out, workers)
    if "jpeg90" in options.only:
        # Its classes have tables of their own: whole-picture numbers mean something only after saving both alike.
        evaluate("casia1_dev_jpeg90", SHARED / "casia1_dev", out, workers, "--change", "jpeg:90")
    if "forged" in options.only or "robust" in options.only:
        place = forged(out, workers)
        if "forged" in options.only:
            evaluate("forged_test", place, out, workers)
        if "robust" in options.only:
            ifdl("evaluate", "--verdict", "--data", place, "--limit", 60, "--robustness", "--robust-limit", 60,
                 "--draws", 200, "--out", out / "robust-verdict", "--cache", out / "predictions", "--workers", workers,
                 "--copy", RESULTS / "native-1" / "forged_test_robust-verdict.json")  # fmt: skip


if __name__ == "__main__":
    main()
