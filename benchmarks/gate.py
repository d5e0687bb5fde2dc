"""Choose an expert's two thresholds on calibration photographs: where it marks, and from which score it speaks.

    python benchmarks/gate.py OUT [--expert ifdl_small] [--weights FILE.onnx] [--pairs 150]

Calibration photographs of both camera sets are examined as they are; so are pairs forged from them (an edited picture
and its untouched sibling through the same laundering chain, at whatever size that leaves). The map's threshold is the
one with the best mean IoU over the edited pictures. The gate is the lowest score that at most 0.5 % of the untouched
pictures reach, every photograph counting alike. Rows are kept in OUT; a second run goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from ifdl import experts, intake
from ifdl.data import shortcuts
from ifdl.data.manifest import Split, split_of
from ifdl.evaluate.result import environment
from ifdl.evaluate.tally import LEVELS, Tally
from ifdl.forge import material, produce, recipe
from ifdl.signal.stats import upper_bound
from ifdl.types import Picture

ROOT = Path(__file__).resolve().parents[1]
PLACES = [ROOT.parent / "shared" / "data" / name for name in ("camera", "camera_whole")]
THRESHOLDS = np.arange(5, 100, 2) / 100
ALARMS = 0.005
SEED = 41


@dataclass(frozen=True)
class Row:
    """One picture's score, and for an edited one the IoU at each of `THRESHOLDS`."""

    name: str
    source: str
    label: str
    kind: str
    score: float
    ious: list[float]
    auc: float | None = None


def pictures(pairs: int, done: set[str], seed: int = SEED, places: Sequence[Path] = PLACES) -> Any:
    """(name, source, label, kind, picture, mask or None) of everything that is not done."""
    for place in places:
        found = [p for p in material.find(place, (Split.CALIBRATE,)) if split_of(p.source) is Split.CALIBRATE]
        for photograph in found:
            if (name := f"{place.name}/{photograph.path.name}") not in done:
                yield name, photograph.source, "untouched", "as it is", intake.load(photograph.path), None
        sources, chosen = material.Sources(found), recipe.load("forge")
        for n in range(pairs):
            names = [f"{place.name} pair {n} {side}" for side in ("edited", "sibling")]
            if done.issuperset(names):
                continue
            try:
                made = produce.pair(sources, chosen, seed, n)
            except produce.Unforgeable:
                continue
            kind = made.engine
            for name, data, mask in ((names[0], made.edited, made.mask), (names[1], made.sibling, None)):
                label = "edited" if mask is not None else "untouched"
                picture = intake.decode(data, name=f"made.{made.suffix}")
                yield name, made.sources[0], label, kind if mask is not None else "sibling", picture, mask


def row_of(expert: Any, name: str, source: str, label: str, kind: str, picture: Picture, mask: Any) -> Row:
    from ifdl.experts._finding import score_of

    prediction = expert.predict(picture)
    score = score_of(prediction)
    if mask is None:
        return Row(name, source, label, kind, score, [])
    tally = Tally.of(prediction.heat.at_full_size(), mask)
    curve = tally.at_every_level()
    hit, marked, truth = curve.tp, curve.tp + curve.fp, curve.tp + curve.fn
    iou = hit / np.maximum(marked + truth - hit, 1)
    levels = np.rint(THRESHOLDS * (LEVELS - 1)).astype(int)
    return Row(name, source, label, kind, score, [round(float(v), 4) for v in iou[levels]], float(tally.auc()))


def gate_of(untouched: Sequence[tuple[str, float]], share: float) -> float:
    """The lowest score that at most this share of untouched pictures reach, every photograph counting alike.

    `untouched` are (photograph, score) of each picture.
    """
    count = Counter(source for source, _ in untouched)
    order = sorted(untouched, key=lambda picture: -picture[1])
    spent, gate = 0.0, order[0][1]
    for source, score in order:
        spent += 1 / count[source]
        if spent > share * len(count):
            gate = score
            break
    return float(np.nextafter(gate, np.inf))


def chosen(rows: list[Row]) -> dict[str, Any]:
    """The two thresholds, and what they give on the pictures they were chosen on."""
    edited, untouched = ([r for r in rows if r.label == label] for label in ("edited", "untouched"))
    ious = np.array([r.ious for r in edited])
    at = int(ious.mean(0).argmax())
    gate = gate_of([(r.source, r.score) for r in untouched], ALARMS)
    alarmed = [r for r in untouched if r.score >= gate]
    own = [r for r in untouched if r.kind == "as it is"]
    alarming = {r.source for r in own if r.score >= gate}
    sources = {r.source for r in own}
    kinds = sorted({r.kind for r in edited})
    pairwise = [r for r in rows if r.kind != "as it is"]
    labels = np.array([r.label == "edited" for r in pairwise])
    return {
        "threshold": float(THRESHOLDS[at]),
        "gate": gate,
        "edited": len(edited),
        "untouched": len(untouched),
        "photographs": len({r.source for r in untouched}),
        "iou": float(ious.mean(0)[at]),
        "pixel_auc": float(np.nanmean([r.auc for r in edited])),
        "detected": float(np.mean([r.score >= gate for r in edited])),
        "picture_auc": shortcuts.auc(np.array([r.score for r in pairwise]), labels),
        "alarms": len(alarmed),
        "own_files_alarming_photographs": len(alarming),
        "own_files_photographs": len(sources),
        "own_files_upper_95": upper_bound(len(alarming), len(sources)),
        "by_kind": {
            k: {
                "pictures": sum(r.kind == k for r in edited),
                "iou": float(np.mean([r.ious[at] for r in edited if r.kind == k])),
                "detected": float(np.mean([r.score >= gate for r in edited if r.kind == k])),
            }
            for k in kinds
        },
        "iou_by_threshold": dict(zip([f"{t:.2f}" for t in THRESHOLDS], ious.mean(0).round(4).tolist(), strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--expert", default="ifdl_small")
    parser.add_argument("--weights", type=Path, help="instead of the shipped ones")
    parser.add_argument("--pairs", type=int, default=150, help="of each set of photographs")
    parser.add_argument("--seed", type=int, default=SEED, help="of the forgeries")
    parser.add_argument("--copy", type=Path, help="where the numbers go too, as results/ifdl_small-gate.json")
    options = parser.parse_args()
    expert = experts.load(options.expert, options.weights)
    rows_file = options.out / f"{expert.weights_sha256[:12]}.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    lines = rows_file.read_text(encoding="utf-8").splitlines() if rows_file.exists() else []
    rows = [Row(**json.loads(line)) for line in lines]
    with rows_file.open("a", encoding="utf-8") as file:
        for item in track(pictures(options.pairs, {r.name for r in rows}, options.seed), options.expert, total=None):
            row = row_of(expert, *item)
            rows.append(row)
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()
    command = f"python benchmarks/gate.py OUT --expert {options.expert} --pairs {options.pairs} --seed {options.seed}"
    about = {"version": expert.CARD.version, "weights_sha256": expert.weights_sha256}
    told = chosen(rows) | about | {"run": environment(command)}
    text = json.dumps(told, indent=1, default=float) + "\n"
    print(text)
    for path in (options.out / "gate.json", options.copy):
        if path is not None:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
