"""Write the README's tables from `results/`; `--check` only says whether they are up to date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ifdl import evidence
from ifdl.evaluate import leaderboard

ROOT = Path(__file__).resolve().parents[1]
LEAK = 0.6  # AUC of a file's outside above which a whole-picture number is not shown
BEGIN = "<!-- clues:begin (tests/test_docs.py holds this table to results/clues.json) -->"
END = "<!-- clues:end -->"
MEASURED = ("<!-- native:begin (tests/test_docs.py holds this table to results/native-1) -->", "<!-- native:end -->")
SETS = {
    "camera": "untouched test photographs",
    "casia1_dev": "CASIA v1 (part)",
    "casia1_dev, every picture altered: jpeg 90": "the same, all re-saved at JPEG 90",
    "lalonde_dev": "Lalonde and Efros (part)",
    "forged_test": "forgeries of the test photographs",
}


def table(results: dict[str, Any]) -> str:
    """The table in Markdown, one row a clue."""
    lines = [
        "| test | answers | planted: in domain / found | silent without the trace | false alarms by photograph |",
        "|---|---|---|---|---|",
    ]
    for clue, row in sorted(results["clues"].items()):
        card, planted = evidence.load(clue).CARD, row["planted"]
        name = f"`{clue}`: {card.title}" + (" *(experimental, never counted)*" if row["experimental"] else "")
        alarms = row["false_alarms"]
        if isinstance(alarms, dict):
            words = [
                f"{question.replace('_', ' ')}: {r['all']['alarms']} of {r['all']['photographs']} "
                f"(≤ {percent(r['all']['upper_95'])})"
                for question, r in alarms.items()
            ]
            alarms = "; ".join(words)
        if isinstance(planted, str):
            found, silent = planted, "–"
        else:
            own = planted["all"]
            found = f"{percent(own['in_domain'])} / {percent(own['found'])} of {own['pictures']}"
            silent = percent(own["silent_without"])
        asked = ", ".join(q.replace("_", " ") for q in card.questions)
        lines.append(f"| {name} | {asked} | {found} | {silent} | {alarms} |")
    return "\n".join(lines)


def measured(results: list[dict[str, Any]]) -> str:
    """The headline of native-1, one row a system and set."""
    lines = [
        "| set | system | IoU | F1 | pixel AUC | in domain | false alarms by photograph | whole-picture AUC |",
        "|---|---|---|---|---|---|---|---|",
    ]
    order = list(SETS)
    known = [r for r in results if r["data"]["name"] in SETS and not r.get("robustness")]
    never_counted = {name for name in evidence.names() if evidence.load(name).CARD.experimental}
    known = [r for r in known if r["system"]["name"] not in never_counted]  # theirs are on their own pages
    for row in sorted(known, key=lambda r: (order.index(r["data"]["name"]), r["system"]["kind"] != "verdict")):
        cells = [leaderboard.cell(row["numbers"][n]) for n in ("iou", "f1", "auc")]
        alarms = row["numbers"]["false_alarms"]
        counted = f"{alarms['k']} of {alarms['n']}" if alarms["n"] else "–"
        # Whole-picture numbers of a set whose files give the label away say nothing of forgery.
        leaked = max((row.get("shortcuts") or {"": 0.0}).values()) > LEAK
        whole = "not meaningful here" if leaked else leaderboard.value(row["numbers"]["image_auc"])
        told = [SETS[row["data"]["name"]], row["system"]["name"], *cells, leaderboard.share(row), counted, whole]
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def updated(readme: str) -> str:
    """The README with both tables as the results now are."""
    clues = json.loads((ROOT / "results" / "clues.json").read_text(encoding="utf-8"))
    made = {(BEGIN, END): table(clues), MEASURED: measured(leaderboard.load(ROOT / "results" / "native-1"))}
    for (begin, end), text in made.items():
        head, rest = readme.split(begin)
        readme = f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}"
    return readme


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    path = ROOT / "README.md"
    now = path.read_text(encoding="utf-8")
    new = updated(now)
    if options.check:
        sys.exit(0 if new == now else "README.md does not match results/; run benchmarks/tables.py")
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
