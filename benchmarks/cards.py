"""Write docs/cards/EXPERT.md for every shipped expert, from its card in code and what was measured.

    python benchmarks/cards.py

results/EXPERT.json is what `ifdl train export` wrote, results/EXPERT-gate.json what `benchmarks/gate.py` chose.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.tables import SETS, percent  # noqa: E402
from ifdl.evaluate import leaderboard  # noqa: E402
from ifdl.verdict import battery  # noqa: E402


def page(name: str) -> str:
    """The card in Markdown."""
    card = battery.card(name)
    made = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
    gate = json.loads((ROOT / "results" / f"{name}-gate.json").read_text(encoding="utf-8"))
    data = made["trained"]["recipe"]["data"]
    resumed = "weights" in made["trained"]["recipe"]["expert"]["init"]
    lines = [f"# {card.title}", "", f"Version {card.version}. {card.citation}", ""]
    lines += [
        f"**For**: {card.domain}",
        "",
        "**Not for, and known failures**",
        "",
        *[f"- {x}" for x in card.limits],
        "",
    ]
    lines += [
        "**Training data and terms.** "
        f"{' and '.join(Path(p).name for p in data['places'])}: photographs whose terms allow any use, those of the "
        f"training folds alone; forged on the fly by the recipe `{data['forge']}`. Initial weights: ViT-Tiny/16 of "
        "ImageNet-21k and -1k (Apache-2.0). No evaluation set was trained on. Licence of code and weights: Apache-2.0.",
        "",
        f"**Run.** {made['step']} steps of {data['batch']} pictures of {data['size'][0]}×{data['size'][1]}, "
        f"{made['trained']['seconds'] / 60:.0f} minutes on {made['trained']['environment']['machine']} "
        f"(commit {made['trained']['environment']['commit']})"
        + (
            f", recipe `{made['trained']['recipe']['name']}`: on from what the recipe `small` made." if resumed else "."
        ),
        "",
        "| file | bytes | sha256 |",
        "|---|---|---|",
        *[f"| {file} | {about['bytes']:,} | `{about['sha256']}` |" for file, about in made["files"].items()],
        "",
        f"Network and graph differ by {max(made['largest_difference'].values()):.1e} at most.",
        "",
        "**Thresholds**, chosen on calibration photographs alone "
        f"({gate['photographs']} photographs, {gate['untouched']} untouched pictures, {gate['edited']} forgeries): the "
        f"map marks from {gate['threshold']:.2f}, the expert speaks from a score of {gate['gate']:.3f}. There it finds "
        f"{percent(round(gate['detected'], 3))} of the forgeries (IoU {gate['iou']:.3f}, pixel AUC "
        f"{gate['pixel_auc']:.3f}, whole-picture AUC {gate['picture_auc']:.3f}).",
        "",
        "| forged by | pictures | IoU | found |",
        "|---|---|---|---|",
        *[
            f"| {kind} | {own['pictures']} | {own['iou']:.3f} | {percent(round(own['detected'], 3))} |"
            for kind, own in gate["by_kind"].items()
        ],
        "",
        *measured(name),
    ]
    return "\n".join(lines).rstrip() + "\n"


def measured(name: str) -> list[str]:
    """The expert under native-1, with intervals, on every set."""
    results = leaderboard.load(ROOT / "results" / "native-1")
    own = [r for r in results if r["system"]["name"] == name and r["data"]["name"] in SETS and not r.get("robustness")]
    if not own:
        return ["**Measured**: not yet.", ""]
    lines = ["**Measured under native-1**, 95 % intervals by photograph", ""]
    lines += ["| set | IoU | F1 | pixel AUC | false alarms by photograph |", "|---|---|---|---|---|"]
    for result in sorted(own, key=lambda r: list(SETS).index(r["data"]["name"])):
        cells = [leaderboard.cell(result["numbers"][n]) for n in ("iou", "f1", "auc")]
        alarms: dict[str, Any] = result["numbers"]["false_alarms"]
        counted = f"{alarms['k']} of {alarms['n']}" if alarms["n"] else "–"
        lines.append(f"| {SETS[result['data']['name']]} | {' | '.join(cells)} | {counted} |")
    return [*lines, ""]


def main() -> None:
    out = ROOT / "docs" / "cards"
    out.mkdir(parents=True, exist_ok=True)
    for name in battery.EXPERTS:
        (out / f"{name}.md").write_text(page(name), encoding="utf-8")
        print(out / f"{name}.md")


if __name__ == "__main__":
    main()
