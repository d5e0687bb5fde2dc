"""Every trainable system on one stream of forgeries, for as many pictures, judged under three protocols.

    python benchmarks/leaderboard.py run OUT [--only mmfusion imlvit] [--samples 20000] [--threads 1] [--controls]
    python benchmarks/leaderboard.py report OUT     results/leaderboard.json, measured.json and docs/leaderboard.md
    python benchmarks/leaderboard.py ship OUT       weights to weights/, hashes and levels pinned

Each system trains as its `*_small` recipe says, but on the same pictures in the same order, from the same seed; its
last weights (averaged, in half precision) are judged: nothing is chosen on the way. Where it marks and from which
score it speaks is chosen on forged calibration photographs, alike for all. Two controls mark the middle of every
picture, and all of it. `--controls` also trains systems without the part they are named for. What is done is not done
again; what was interrupted goes on. With a GPU the same command runs there (raise --samples).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BATCH, SIDE, SEED = 8, 160, 0
STREAM = (
    f"data.size=[{SIDE},{SIDE}]", f"data.batch={BATCH}", "data.authentic=0.33", "data.flips=phase", "data.workers=1",
    "data.forge=forge", "data.overrides={}", f"seed={SEED}", "tensorboard=false", "save.every=250",
)  # fmt: skip
PAIRS = 100  # forged calibration pictures that choose the thresholds
PLAIN = ("centre", "everything")  # the controls: what is marked in every picture


@dataclass(frozen=True)
class Arm:
    """One row of the table: the recipe it trains by, what is changed of it, and what that is, in words."""

    recipe: str
    changes: tuple[str, ...] = ()
    words: str = ""


CONTROLS = {
    "mmfusion_rgb": Arm("mmfusion_small", ("expert.options.fusion=rgb",), "mmfusion without its filters"),
    "imlvit_flat": Arm("imlvit_small", ("expert.options.edges=0.0",), "imlvit without its edge term"),
    "relayformer_alone": Arm("relayformer_small", ("expert.options.relay=false",), "relayformer without relays"),
    "mfpt_bare": Arm("mfpt_small", ("expert.options.prompts=false",), "mfpt without prompts"),
}


def arms() -> dict[str, Arm]:
    """Every `*_small` recipe under its system's name, ifdl_small's, and the systems without their part."""
    folder = Path(str(files("ifdl") / "recipes"))
    small = {p.stem.removesuffix("_small"): Arm(p.stem) for p in sorted(folder.glob("*_small.yaml"))}
    return {"ifdl_small": Arm("small")} | small | CONTROLS


# ---------------------------------------------------------------- training


def train(out: Path, name: str, samples: int, threads: int) -> None:
    """One run of `ifdl train`, unless it is done; what it cost goes to cost.json, all tries together."""
    place, arm = out / name, arms()[name]
    if (place / "weights.safetensors").is_file():
        return
    steps = max(2, samples // BATCH)
    changes = (
        *arm.changes, *STREAM, f"schedule.steps={steps}", f"schedule.warmup={min(100, steps // 4)}",
        f"validation.every={steps}", f"validation.pictures={min(PAIRS, max(4, samples // 8))}",
        f"validation.cache={out / 'validation'}", f"data.kept={out / 'stream'}",
    )  # fmt: skip
    words = [sys.executable, "-m", "ifdl.serve.cli", "train", arm.recipe, "--out", str(place / "run")]
    words += [word for change in changes for word in ("--set", change)]
    spent(place, "training", words + (["--resume"] if (place / "run").exists() else []), threads)
    half(place / "run" / "weights.safetensors", place / "weights.safetensors")


def half(trained: Path, out: Path) -> None:
    """The weights as they would be shipped."""
    from safetensors.torch import load_file, save_file

    state = load_file(trained)
    halved = {n: t.half().contiguous() if t.is_floating_point() else t for n, t in state.items()}
    part = out.with_suffix(".part")
    save_file(halved, part)
    part.replace(out)


def spent(place: Path, what: str, words: list[str], threads: int) -> None:
    """Run a command; add its CPU seconds, and those of its children, to cost.json, with its greatest memory."""
    place.mkdir(parents=True, exist_ok=True)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    began = time.monotonic()
    with subprocess.Popen(words, cwd=ROOT, env=os.environ | dict.fromkeys(names, str(threads))) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    path = place / "cost.json"
    costs = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    before = costs.get(what, {"cpu_seconds": 0.0, "seconds": 0.0, "peak_mb": 0.0})
    costs[what] = {
        "cpu_seconds": round(before["cpu_seconds"] + usage.ru_utime + usage.ru_stime, 1),
        "seconds": round(before["seconds"] + time.monotonic() - began, 1),
        "peak_mb": round(max(before["peak_mb"], usage.ru_maxrss / 1024), 1),
    }
    path.write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")
    if process.returncode:
        raise SystemExit(process.returncode)


# ---------------------------------------------------------------- the commands


def run(out: Path, names: list[str], samples: int, threads: int, limit: int | None) -> None:
    """Train and judge these arms and the controls, one after another, each in processes of its own."""
    for name in (*PLAIN, *names):
        if name not in PLAIN:
            train(out, name, samples, threads)
        words = [sys.executable, str(Path(__file__).resolve()), "judge", str(out), "--only", name]
        words += ["--limit", str(limit)] if limit else []
        if not (out / name / "judged").is_file():
            spent(out / name, "judging", words, threads)
            (out / name / "judged").touch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "report", "ship", "judge"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="systems to run; all without it")
    parser.add_argument("--samples", type=int, default=20_000, help="training pictures of each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=int, help="about so many pictures of each set, to try it")
    parser.add_argument("--controls", action="store_true", help="also the systems without their part")
    options = parser.parse_args()
    out = options.out.resolve()
    if unknown := set(options.only or ()) - {*arms(), *PLAIN}:
        parser.error(f"no system is called {', '.join(sorted(unknown))}; there are {', '.join(arms())}")
    if options.what == "judge":
        from benchmarks import leaderboard_judge

        for name in options.only or ():
            leaderboard_judge.evaluate(out, name, options.limit)
    elif options.what == "run":
        names = options.only or [n for n in arms() if options.controls or n not in CONTROLS]
        run(out, [n for n in names if n not in PLAIN], options.samples, options.threads, options.limit)
    else:
        from benchmarks import leaderboard_tables

        getattr(leaderboard_tables, options.what)(out)


if __name__ == "__main__":
    main()
