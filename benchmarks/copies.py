"""Choose, on calibration photographs, when a likeness that the expert marks at one end is spoken of, and when shown.

    python benchmarks/copies.py OUT [--pairs 120] [--sets camera camera_whole] [--copy results/copies.json]

Calibration photographs of both camera sets are examined as they are, and pairs forged from them by all engines (an
edited picture and its untouched sibling). `speaks` is the lowest score of the test `marked_copy` that at most 0.5 % of
the untouched pictures reach, every photograph counting alike; `shows` the level from which the likelier copy joins the
expert's map with the best mean IoU over all edited pictures. Rows are kept in OUT; a second run goes on where the first
stopped. Two runs, each with one of `--sets`, may share the work: put their rows together for a third that reports.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.gate import gate_of, pictures  # noqa: E402
from ifdl.data.manifest import write_text  # noqa: E402
from ifdl.data.shortcuts import auc  # noqa: E402
from ifdl.evaluate.pixel import level_of  # noqa: E402
from ifdl.evaluate.result import environment  # noqa: E402
from ifdl.experts.ifdl_small import IfdlSmall  # noqa: E402
from ifdl.joint import marked_copy  # noqa: E402
from ifdl.signal import rle  # noqa: E402
from ifdl.signal.stats import upper_bound  # noqa: E402
from ifdl.types import Picture, Question, State  # noqa: E402
from ifdl.verdict import battery  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
SETS = ("camera", "camera_whole")
COPYING = ("copymove", "remove", "sequence")
LEVELS = np.round(np.arange(0.45, 1.0, 0.05), 2)
ALARMS = 0.005
SEED = 4711


def row_of(name: str, source: str, kind: str, picture: Picture, mask: Any) -> dict[str, Any]:
    """The best score, and with a mask the IoU of the expert and of each level at which likelier copies join its map."""
    copies = [f for f in battery.run("copymove", picture).findings if f.question == Question.LOCAL_EDIT]
    expert = battery.run("ifdl_small", picture)
    assert expert.prediction is not None
    found = marked_copy.marked([pair for f in copies for pair in f.alike], expert.prediction.heat)
    row: dict[str, Any] = {
        "id": name,
        "source": source,
        "kind": kind,
        "score": round(found[0].score, 4) if found else 0.0,
        "likeness": round(max((m.agreement for m in found), default=0.0), 4),
        "alone": any(f.state == State.SUPPORTED for f in copies),
    }
    if mask is not None:
        heat = expert.prediction.heat
        own = heat.at_full_size() >= level_of(IfdlSmall.THRESHOLD)
        ends = [
            (m.score, _full(marked_copy.on_cells(rle.decode(m.ends[0]), heat), heat.stride, mask.shape)) for m in found
        ]
        row["iou"] = {"expert": iou(own, mask)}
        for level in LEVELS:
            joined = np.logical_or.reduce([own] + [end for score, end in ends if score >= level])
            row["iou"][f"{level:.2f}"] = iou(joined, mask)
    return row


def _full(cells: Any, stride: int, size: tuple[int, int]) -> Any:
    return np.kron(cells, np.ones((stride, stride), bool))[: size[0], : size[1]]


def iou(marked: Any, truth: Any) -> float:
    return round(float((marked & truth).sum() / max(1, (marked | truth).sum())), 4)


def chosen(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Both levels, and what they give on the pictures they were chosen on."""
    edited, untouched = [r for r in rows if "iou" in r], [r for r in rows if "iou" not in r]
    copied = [r for r in edited if r["kind"] in COPYING]
    own = [r for r in untouched if r["kind"] == "as it is"]
    siblings = [r for r in untouched if r["kind"] != "as it is"]
    speaks, alone = (gate_of([(r["source"], r[name]) for r in untouched], ALARMS) for name in ("score", "likeness"))
    ways = list(edited[0]["iou"])
    mean = {way: float(np.mean([r["iou"][way] for r in edited])) for way in ways}
    alarming, photographs = {r["source"] for r in own if r["score"] >= speaks}, {r["source"] for r in own}
    labels = np.array([True] * len(copied) + [False] * len(siblings))
    return {
        "speaks": speaks,
        "shows": float(max(ways[1:], key=lambda way: mean[way])),
        "pictures": {"edited": len(edited), "of them with a copy": len(copied), "untouched": len(untouched)},
        "own_files": {
            "alarming_photographs": len(alarming),
            "photographs": len(photographs),
            "upper_95": upper_bound(len(alarming), len(photographs)),
        },
        "copies_found": {
            "copymove": float(np.mean([r["alone"] for r in copied])),
            "likeness without the expert, as seldom alarmed": float(np.mean([r["likeness"] >= alone for r in copied])),
            "marked_copy": float(np.mean([r["score"] >= speaks for r in copied])),
        },
        "siblings_alarmed": {
            "copymove": float(np.mean([r["alone"] for r in siblings])),
            "marked_copy": float(np.mean([r["score"] >= speaks for r in siblings])),
        },
        "picture_auc_of_copies": {
            name: auc(np.array([r[name] for r in copied + siblings]), labels) for name in ("likeness", "score")
        },
        "iou": {
            name: {way: round(float(np.mean([r["iou"][way] for r in some])), 4) for way in ways}
            for name, some in (("all", edited), ("copies", copied))
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=int, default=120, help="of each set of photographs")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--copy", type=Path, help="where the numbers go too, as results/copies.json")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    place = options.out / "rows.jsonl"
    rows = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()] if place.exists() else []
    with place.open("a", encoding="utf-8") as file:
        left = pictures(options.pairs, {r["id"] for r in rows}, SEED, [DATA / name for name in options.sets])
        for name, source, _, kind, picture, mask in track(left, "examining", total=None):
            rows.append(row_of(name, source, kind, picture, mask))
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    about = {
        "versions": {part: battery.card(part).version for part in marked_copy.PARTS},
        "weights": battery.weights(marked_copy.PARTS),
        "run": environment(f"python benchmarks/copies.py OUT --pairs {options.pairs}"),
    }
    text = json.dumps(chosen(rows) | about, indent=1, default=float) + "\n"
    print(text)
    if options.copy:
        write_text(options.copy, text)


if __name__ == "__main__":
    main()
