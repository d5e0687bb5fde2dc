"""Choose, on forged calibration photographs, how copies and small pictures are marked.

    python benchmarks/marks.py OUT [--expert-weights FILE.onnx] [--pairs 200] [--small 120]

`copies`: pictures with a copy that the copy-move test supports; what to mark besides the expert: nothing, every
end, the end that the expert marks more and nothing else, or that end and whatever else the expert marks.
`small`: whole scenes of 256×384, 176×256 and 128×192; one look at stored size, one at twice the size, or the mean.
IoU is at the expert's own threshold. Rows are kept in OUT; a second run goes on where the first stopped.
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

from ifdl import evidence, experts, intake
from ifdl.data.manifest import Split, split_of, write_text
from ifdl.data.shortcuts import auc
from ifdl.evaluate.pixel import level_of
from ifdl.evaluate.result import environment
from ifdl.experts.ifdl_small import STRIDE, IfdlSmall
from ifdl.forge import material, produce, recipe
from ifdl.signal.regions import mask_of
from ifdl.types import Map, Question, State
from ifdl.verdict import marks

ROOT = Path(__file__).resolve().parents[1]
PLACES = [ROOT.parent / "shared" / "data" / name for name in ("camera", "camera_whole")]
ENGINES = {"copymove": 0.28, "remove": 0.10, "sequence": 0.10}  # as often as in the recipe; the others make no copy
LOOKS = ("stored", "twice", "both")
SIZES = ((256, 384), (176, 256), (128, 192))
SEED = 4711


def forged(place: Path, chosen: recipe.Recipe, count: int, seed: int) -> Iterator[tuple[int, produce.Pair]]:
    found = [p for p in material.find(place, (Split.CALIBRATE,)) if split_of(p.source) is Split.CALIBRATE]
    sources = material.Sources(found)
    for n in track(range(count), place.name):
        try:
            yield n, produce.pair(sources, chosen, seed, n)
        except produce.Unforgeable:
            continue


def copies(expert: IfdlSmall, count: int, done: set[str]) -> Iterator[dict[str, Any]]:
    """A row for each forgery: whether a copy is supported, and the IoU of every rule there."""
    chosen = replace(recipe.load("forge"), engines=ENGINES)
    for place in PLACES:
        for n, made in forged(place, chosen, count, SEED):
            row: dict[str, Any] = {"id": f"copies {place.name} {n}", "kind": made.engine, "source": made.sources[0]}
            if row["id"] in done:
                continue
            picture = intake.decode(made.edited, name=f"made.{made.suffix}")
            found = [f for f in evidence.run("copymove", picture) if f.question == Question.LOCAL_EDIT]
            held = [f for f in found if f.state == State.SUPPORTED]
            if held:
                size = (picture.height, picture.width)
                prediction = expert.predict(picture)
                heat = prediction.heat
                assert heat is not None
                ends = held[0].regions
                best = marks.put_in(ends, heat)
                own = heat.at_full_size() >= level_of(expert.THRESHOLD)
                one, every = mask_of(best, size), mask_of(ends, size)
                shipped = marks.together(held, [prediction])
                assert shipped is not None
                rules = {"expert": own, "every end": own | every, "likelier end alone": one, "likelier end": own | one}
                rules["as shipped"] = shipped.at_full_size() >= level_of(expert.THRESHOLD)
                row["iou"] = {name: iou(marked, made.mask) for name, marked in rules.items()}
                right = max(ends, key=lambda end: iou(mask_of((end,), size), made.mask))
                row |= {
                    "right": any(right is end for end in best),
                    "clear": iou(mask_of((right,), size), made.mask) >= 0.2,
                }
            yield row


def small(expert: IfdlSmall, count: int, done: set[str]) -> Iterator[dict[str, Any]]:
    """A row for each scene, side and size: IoU, whether more than 0.5 % is marked, and the score, of every look."""
    chosen = replace(recipe.load("forge"), size=SIZES[0], whole=1.0)
    for n, made in forged(PLACES[1], chosen, count, SEED + 1):
        for side, data in (("edited", made.edited), ("sibling", made.sibling)):
            pixels = intake.decode(data, name=f"made.{made.suffix}").pixels
            for size in SIZES:
                name = f"small {n} {side} {size[0]}"
                if name in done:
                    continue
                reduced = pixels if size == SIZES[0] else cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)
                shown = cv2.resize(made.mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) >= 0.5
                row: dict[str, Any] = {"id": name, "size": list(size), "label": side, "source": made.sources[0]}
                for look, (heat, votes) in looks(expert, np.asarray(reduced, np.uint8)).items():
                    marked = Map.of(1 / (1 + np.exp(-heat)), size, STRIDE).at_full_size() >= level_of(expert.THRESHOLD)
                    told = {"flagged": bool(marked.mean() > 0.005), "score": score(votes)}
                    row[look] = told | ({"iou": iou(marked, shown)} if side == "edited" else {})
                yield row


def looks(expert: IfdlSmall, pixels: Any) -> dict[str, tuple[Any, Any]]:
    """Map logits on the picture's cells and class votes: at stored size, at twice the size, and the mean map of both
    with the votes of the first."""
    heat, _, votes = expert._look(pixels)
    closer, _, more = expert._enlarged(pixels)
    return {"stored": (heat, votes), "twice": (closer, more), "both": ((heat + closer) / 2, votes)}


def score(votes: Any) -> float:
    """The logarithm of the mean odds of an edit, as the expert scores a picture."""
    odds = np.exp(np.clip(votes[:, 1].astype(float) - votes[:, 0], -30, 30))
    return float(np.log(odds.mean()))


def iou(marked: Any, truth: Any) -> float:
    return round(float((marked & truth).sum() / max(1, (marked | truth).sum())), 4)


def told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means of all rows."""
    some = [r for r in rows if r["id"].startswith("copies")]
    held = [r for r in some if "iou" in r]
    clear = [r for r in held if r["clear"] and r["kind"] == "copymove"]
    found: dict[str, Any] = {"copies": {"forgeries": len(some), "supported": len(held)}}
    rules = list(dict.fromkeys(k for r in held for k in r["iou"]))
    found["copies"]["iou"] = {k: mean([r["iou"][k] for r in held]) for k in rules}
    found["copies"]["likelier_end_is_the_copy"] = {"of": len(clear), "share": mean([r["right"] for r in clear])}
    found["small"] = {}
    for size in SIZES:
        own = [r for r in rows if r.get("size") == list(size)]
        found["small"][f"{size[0]}x{size[1]}"] = compared(own, LOOKS)
    return found


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


def tables(found: dict[str, Any]) -> str:
    """Both in Markdown."""
    lines = ["| marked, where a copy is supported | IoU |", "|---|---|"]
    lines += [f"| {name} | {value:.3f} |" for name, value in found["copies"]["iou"].items()]
    lines += ["", "| picture | look | IoU | untouched ones marked | picture AUC |", "|---|---|---|---|---|"]
    for size, own in found["small"].items():
        for look in LOOKS:
            told = own[look]
            numbers = f"{told['iou']:.3f} | {100 * told['flagged']:.0f} % | {told['picture_auc']:.3f}"
            lines.append(f"| {size.replace('x', '×')} | {look} | {numbers} |")
    return "\n".join(lines)


def updated(text: str, table: str) -> str:
    """docs/study.md with these tables."""
    begin, end = "<!-- marks:begin -->", "<!-- marks:end -->"
    return f"{text.split(begin)[0]}{begin}\n{table}\n{end}{text.split(end)[1]}"


def mean(values: list[Any]) -> float:
    return round(float(np.mean(values)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--expert-weights", type=Path, help="instead of the shipped ones")
    parser.add_argument("--pairs", type=int, default=200, help="forgeries of each set of photographs")
    parser.add_argument("--small", type=int, default=120, help="whole scenes")
    parser.add_argument("--copy", type=Path, help="results/marks.json; docs/study.md gets its tables then")
    options = parser.parse_args()
    expert = experts.load("ifdl_small", options.expert_weights)
    place = options.out / f"{expert.weights_sha256[:12]}.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()] if place.exists() else []
    done = {r["id"] for r in rows}
    with place.open("a", encoding="utf-8") as file:
        for work in (copies(expert, options.pairs, done), small(expert, options.small, done)):
            for row in work:
                rows.append(row)
                file.write(json.dumps(row) + "\n")
                file.flush()
    about = {
        "weights_sha256": expert.weights_sha256,
        "threshold": expert.THRESHOLD,
        "run": environment("benchmarks/marks.py"),
    }
    found = told(rows)
    text = json.dumps(found | about, indent=1) + "\n"
    print(text)
    if options.copy:
        page = ROOT / "docs" / "study.md"
        write_text(page, updated(page.read_text(encoding="utf-8"), tables(found)))
    for path in (options.out / "marks.json", options.copy):
        if path is not None:
            write_text(path, text)


if __name__ == "__main__":
    main()
