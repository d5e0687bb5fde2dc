"""Prove that a forged file's outside does not tell it from its authentic sibling.

    python benchmarks/shortcuts.py [--count 1500] [--seed 3] [--out results/shortcuts.json]

Makes `count` pairs with the shipped recipe from the training photographs of the camera set, half of them
at 256×256 and half as their chains leave them, and trains two classifiers on what a header gives away:
logistic regression on binned features, and boosted stumps. Trained on one half of the photographs,
tested on the other, and the other way round. The forge passes if every AUC lies in 0.45-0.55.

File size is the one feature that differs between siblings at all. It is offered as bytes, bytes per
pixel, and bytes per pixel relative to other files of its chain group (same half, format, tables,
subsampling and scan order): that is all anyone has who sees one file and not its sibling. How often the edited
one of two siblings is the larger is reported beside it and decides nothing: nobody with both files in
hand needs a detector, and an edit that adds or removes detail must show there.

The control shows that the audit can fail: the same pairs, but edited JPEG files are saved once more at
quality 90 and their siblings are not, the fault of many a data set.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.photographs import CAMERA  # noqa: E402

from ifdl import forge, intake  # noqa: E402
from ifdl.data.shortcuts import auc  # noqa: E402
from ifdl.forge import material, produce, recipe  # noqa: E402
from ifdl.forge.launder import decode, preset  # noqa: E402
from ifdl.signal.jpeg import estimate_quality, tables_of  # noqa: E402

LOW, HIGH = 0.45, 0.55
BINS = 8
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class File:
    """What the outside of one file says. `group` is what else is known of its chain."""

    pair: int
    source: str
    engine: str
    edited: bool
    numbers: dict[str, float]
    words: dict[str, str]
    group: tuple[str, ...]


def read(data: bytes, pair: int, source: str, engine: str, edited: bool) -> File:
    item = intake.decode(data).item
    luma, chroma = tables_of(item.container.quantisation, item.container.component_tables)
    quality, exact = estimate_quality(luma, chroma) if luma else (0, False)
    numbers = {
        "width": item.width,
        "height": item.height,
        "aspect": item.width / item.height,
        "pixels": item.width * item.height,
        "quality": quality,
        "bytes": item.bytes,
        "bytes_per_pixel": item.bytes / (item.width * item.height),
    }
    words = {
        "format": item.format,
        "tables": hashlib.sha256(repr((luma, chroma)).encode()).hexdigest()[:12],
        "exact": str(exact),
        "subsampling": str(item.container.subsampling),
        "progressive": str(item.container.progressive),
        "markers": ",".join(dict.fromkeys(item.container.markers)),
    }
    group = (words["format"], words["tables"], words["subsampling"], words["progressive"])
    return File(pair, source, engine, edited, {k: float(v) for k, v in numbers.items()}, words, group)


# ---------------------------------------------------------------- features


def relative(files: Sequence[File]) -> Floats:
    """log bytes per pixel less the mean of the file's group, blind to labels; groups of one pair pool by format."""
    sizes = np.log([f.numbers["bytes_per_pixel"] for f in files])
    count = Counter(f.group for f in files)
    keys = [f.group if count[f.group] > 2 else f.group[:1] for f in files]
    by_key: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for key, size in zip(keys, sizes, strict=True):
        by_key[key].append(float(size))
    return np.array([s - np.mean(by_key[k]) for k, s in zip(keys, sizes, strict=True)])


def columns(train: Sequence[File], test: Sequence[File], with_size: bool) -> tuple[Floats, Floats]:
    """One column a bin or category, 0 or 1; bins and categories are those of the training half."""
    made: list[tuple[Floats, Floats]] = []
    numbers = ["width", "height", "aspect", "pixels", "quality"] + (["bytes", "bytes_per_pixel"] if with_size else [])
    pairs = [(np.array([f.numbers[n] for f in train]), np.array([f.numbers[n] for f in test])) for n in numbers]
    if with_size:
        pairs.append((relative(train), relative(test)))
    for seen, held in pairs:
        edges = np.unique(np.quantile(seen, np.linspace(0, 1, BINS + 1)[1:-1]))
        made.append(
            (_one_hot(np.digitize(seen, edges), len(edges) + 1), _one_hot(np.digitize(held, edges), len(edges) + 1))
        )
    for word in train[0].words:
        known = {w: n for n, w in enumerate(sorted({f.words[word] for f in train}))}
        a, b = (np.array([known.get(f.words[word], len(known)) for f in half]) for half in (train, test))
        made.append((_one_hot(a, len(known) + 1), _one_hot(b, len(known) + 1)))
    return np.hstack([a for a, _ in made]), np.hstack([b for _, b in made])


def _one_hot(values: NDArray[Any], count: int) -> Floats:
    return np.asarray(values[:, None] == np.arange(count), float)


# ---------------------------------------------------------------- classifiers


def logistic(x: Floats, y: Floats, held: Floats, ridge: float = 1.0, steps: int = 12) -> Floats:
    """Scores of the held-out rows by ridge logistic regression (Newton's method)."""
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(x @ weights)))
        slope = x.T @ (y - p) - ridge * weights
        bend = (x * (p * (1 - p))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        weights += np.linalg.solve(bend, slope)
    return np.asarray(held @ weights)


def stumps(x: Floats, y: Floats, held: Floats, rounds: int = 150, rate: float = 0.2) -> Floats:
    """Scores by gradient-boosted stumps on the same 0-or-1 columns (Friedman 2001, logistic loss)."""
    score, out = np.zeros(len(y)), np.zeros(len(held))
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-score))
        gradient, weight = y - p, p * (1 - p)
        on_g, on_w = x.T @ gradient, x.T @ weight
        off_g, off_w = gradient.sum() - on_g, weight.sum() - on_w
        best = int(np.argmax(on_g**2 / (on_w + 1) + off_g**2 / (off_w + 1)))
        on, off = rate * on_g[best] / (on_w[best] + 1), rate * off_g[best] / (off_w[best] + 1)
        score += np.where(x[:, best] > 0, on, off)
        out += np.where(held[:, best] > 0, on, off)
    return out


def judge(files: Sequence[File], with_size: bool) -> dict[str, Any]:
    """AUC of both classifiers, halves by photograph; `auc` is the mean of the two directions."""
    order = sorted({f.source for f in files}, key=lambda s: hashlib.sha256(s.encode()).digest())
    first = set(order[: len(order) // 2])
    halves = [[f for f in files if (f.source in first) == side] for side in (True, False)]
    found: dict[str, Any] = {}
    for name, classifier in (("logistic", logistic), ("stumps", stumps)):
        areas = []
        for train, test in (halves, halves[::-1]):
            x, held = columns(train, test, with_size)
            scores = classifier(x, np.array([f.edited for f in train], float), held)
            # Rounded, so that siblings that look alike tie instead of differing in the last bit.
            areas.append(auc(np.round(scores, 9), np.array([f.edited for f in test])) or 0.0)
        found[name] = {"auc": round(float(np.mean(areas)), 4), "halves": [round(a, 4) for a in areas]}
    return found | {"files": [len(h) for h in halves], "photographs": [len(first), len(order) - len(first)]}


def larger(files: Sequence[File]) -> dict[str, Any]:
    """Among siblings: how often the edited file is the larger, and by how much, by engine."""
    sizes: dict[int, dict[bool, float]] = defaultdict(dict)
    engines = {f.pair: f.engine for f in files}
    for f in files:
        sizes[f.pair][f.edited] = f.numbers["bytes"]
    rows: dict[str, list[float]] = defaultdict(list)
    for pair, both in sizes.items():
        change = float(np.log(both[True] / both[False]))
        rows["all"].append(change)
        rows[engines[pair]].append(change)
    return {
        name: {
            "pairs": len(changes),
            "edited_larger": round(float(np.mean([(c > 0) + (c == 0) / 2 for c in changes])), 3),
            "median_change_percent": round(100 * float(np.expm1(np.median(changes))), 2),
        }
        for name, changes in sorted(rows.items())
    }


# ---------------------------------------------------------------- the run


def make(count: int, seed: int) -> tuple[list[File], list[File]]:
    """The files of all pairs, and those of the control."""
    shipped = recipe.load()
    at_hand = {n: w for n, w in shipped.engines.items() if _is_engine(n)}
    photographs = material.find(CAMERA)
    files, control = [], []
    for number, size in enumerate((None, (256, 256))):
        own = replace(shipped, engines=at_hand, size=size)
        stream = produce.pairs(photographs, own, seed + number, range(count // 2))
        for n, pair in enumerate(track(stream, f"pairs, size {size or 'free'}", total=count // 2)):
            again = preset("jpeg", 90).apply(decode(pair.edited)).data if pair.suffix == "jpg" else pair.edited
            made = [
                read(data, 2 * n + number, pair.sources[0], pair.engine, edited)
                for edited, data in ((True, pair.edited), (False, pair.sibling), (True, again))
            ]
            files += made[:2]
            control += made[1:]
    return files, control


def _is_engine(name: str) -> bool:
    try:
        return callable(getattr(import_module(f"{forge.__name__}.{name}"), "forge", None))
    except ModuleNotFoundError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1500, help="pairs of edited and authentic files")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "shortcuts.json")
    options = parser.parse_args()
    if not CAMERA.exists():
        raise SystemExit(f"the camera set is not at {CAMERA}")
    began = time.perf_counter()
    files, control = make(options.count, options.seed)
    judged = {"header": judge(files, False), "header_and_file_size": judge(files, True)}
    areas = [a for kind in judged.values() for name in ("logistic", "stumps") for a in kind[name]["halves"]]
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    result = {
        "command": f"python benchmarks/shortcuts.py --count {options.count} --seed {options.seed}",
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "edited": sum(f.edited for f in files),
        "authentic": sum(not f.edited for f in files),
        "engines": dict(sorted(Counter(f.engine for f in files if f.edited).items())),
        "allowed": [LOW, HIGH],
        "passed": all(LOW <= a <= HIGH for a in areas),
        "auc": judged,
        "control": judge(control, False),
        "size_against_sibling": larger(files),
        "seconds": round(time.perf_counter() - began),
    }
    text = json.dumps(result, indent=2)
    print(text)
    options.out.write_text(text + "\n", encoding="utf-8")
    if not result["passed"]:
        raise SystemExit(f"an AUC lies outside {LOW}-{HIGH}: {min(areas)} to {max(areas)}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
