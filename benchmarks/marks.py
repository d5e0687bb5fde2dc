"""Choose, on forged calibration photographs, how small pictures are looked at.

    python benchmarks/marks.py OUT [--expert-weights FILE.onnx] [--scenes 60]

Whole scenes of 256×384, 176×256 and 128×192: one look at stored size, one at half as large again, one at twice the
size, and means of them. IoU is at the expert's own threshold. Rows are kept in OUT; a second run goes on where the
first stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from ifdl import experts, intake
from ifdl.data.manifest import Split, split_of, write_text
from ifdl.data.shortcuts import auc
from ifdl.evaluate.pixel import level_of
from ifdl.evaluate.result import environment
from ifdl.experts.ifdl_small import STRIDE, WHOLE, IfdlSmall
from ifdl.forge import material, produce, recipe
from ifdl.types import Map

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT.parent / "shared" / "data" / "camera_whole"
# What is averaged: looks at the picture so many times as large.
WAYS = {"stored": (1.0,), "1.5": (1.5,), "twice": (2.0,), "stored and 1.5": (1.0, 1.5), "stored and twice": (1.0, 2.0)}
SIZES = ((256, 384), (176, 256), (128, 192))
SEED = 90210


def scenes(count: int) -> Iterator[tuple[int, produce.Pair]]:
    found = [p for p in material.find(PLACE, (Split.CALIBRATE,)) if split_of(p.source) is Split.CALIBRATE]
    sources, chosen = material.Sources(found), replace(recipe.load("forge"), size=SIZES[0], whole=1.0)
    for n in track(range(count), PLACE.name):
        try:
            yield n, produce.pair(sources, chosen, SEED, n)
        except produce.Unforgeable:
            continue


def measured(expert: IfdlSmall, count: int, done: set[str]) -> Iterator[dict[str, Any]]:
    """A row for each scene, side and size: IoU, whether more than 0.5 % is marked, and the score, of every way."""
    for n, made in scenes(count):
        for side, data in (("edited", made.edited), ("sibling", made.sibling)):
            pixels = intake.decode(data, name=f"made.{made.suffix}").pixels
            for size in SIZES:
                name = f"{n} {side} {size[0]}"
                if name in done:
                    continue
                reduced = pixels if size == SIZES[0] else cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)
                shown = cv2.resize(made.mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) >= 0.5
                row: dict[str, Any] = {"id": name, "size": list(size), "label": side, "source": made.sources[0]}
                for way, (heat, votes) in looks(expert, np.asarray(reduced, np.uint8)).items():
                    marked = Map.of(1 / (1 + np.exp(-heat)), size, STRIDE).at_full_size() >= level_of(expert.THRESHOLD)
                    told = {"flagged": bool(marked.mean() > 0.005), "score": score(votes)}
                    row[way] = told | ({"iou": iou(marked, shown)} if side == "edited" else {})
                yield row


def looks(expert: IfdlSmall, pixels: Any) -> dict[str, tuple[Any, Any]]:
    """Map logits on the picture's cells and class votes of every way: means of maps, votes of all looks."""
    longest = max(pixels.shape[:2])
    own = {
        1.0: expert._look(pixels),
        1.5: expert._enlarged(pixels, 1.5, max(WHOLE, round(1.5 * longest))),
        2.0: expert._enlarged(pixels, 2.0, WHOLE),
    }
    return {
        way: (np.mean([own[t][0] for t in times], 0), np.concatenate([own[t][2] for t in times]))
        for way, times in WAYS.items()
    }


def score(votes: Any) -> float:
    """The logarithm of the mean odds of an edit, as the expert scores a picture."""
    odds = np.exp(np.clip(votes[:, 1].astype(float) - votes[:, 0], -30, 30))
    return float(np.log(odds.mean()))


def iou(marked: Any, truth: Any) -> float:
    return round(float((marked & truth).sum() / max(1, (marked | truth).sum())), 4)


def compared(rows: list[dict[str, Any]], ways: Sequence[str]) -> dict[str, Any]:
    """IoU on edited pictures, share of untouched ones marked, and picture AUC, of each way to look."""
    edited, untouched = ([r for r in rows if r["label"] == side] for side in ("edited", "sibling"))
    labels = np.array([True] * len(edited) + [False] * len(untouched))
    return {"edited": len(edited), "untouched": len(untouched)} | {
        way: {
            "iou": mean([r[way]["iou"] for r in edited]),
            "flagged": mean([r[way]["flagged"] for r in untouched]),
            "picture_auc": auc(np.array([r[way]["score"] for r in edited + untouched]), labels),
        }
        for way in ways
    }


def table(found: dict[str, Any]) -> str:
    """In Markdown."""
    lines = ["| picture | look | IoU | untouched ones marked | picture AUC |", "|---|---|---|---|---|"]
    for size, own in found.items():
        for way in WAYS:
            told = own[way]
            numbers = f"{told['iou']:.3f} | {100 * told['flagged']:.0f} % | {told['picture_auc']:.3f}"
            lines.append(f"| {size.replace('x', '×')} | {way} | {numbers} |")
    return "\n".join(lines)


def updated(text: str, table: str) -> str:
    """docs/study.md with this table."""
    begin, end = "<!-- marks:begin -->", "<!-- marks:end -->"
    return f"{text.split(begin)[0]}{begin}\n{table}\n{end}{text.split(end)[1]}"


def mean(values: list[Any]) -> float:
    return round(float(np.mean(values)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--expert-weights", type=Path, help="instead of the shipped ones")
    parser.add_argument("--scenes", type=int, default=60, help="whole scenes")
    parser.add_argument("--copy", type=Path, help="results/marks.json; docs/study.md gets its table then")
    options = parser.parse_args()
    expert = experts.load("ifdl_small", options.expert_weights)
    assert isinstance(expert, IfdlSmall)
    place = options.out / f"{expert.weights_sha256[:12]}.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()] if place.exists() else []
    with place.open("a", encoding="utf-8") as file:
        for row in measured(expert, options.scenes, {r["id"] for r in rows}):
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
    found = {
        f"{size[0]}x{size[1]}": compared([r for r in rows if r["size"] == list(size)], list(WAYS)) for size in SIZES
    }
    about = {
        "weights_sha256": expert.weights_sha256,
        "threshold": expert.THRESHOLD,
        "run": environment(f"python benchmarks/marks.py OUT --scenes {options.scenes}"),
    }
    print(table(found))
    if options.copy:
        write_text(options.copy, json.dumps({"small": found} | about, indent=1) + "\n")
        page = ROOT / "docs" / "study.md"
        write_text(page, updated(page.read_text(encoding="utf-8"), table(found)))


if __name__ == "__main__":
    main()
