"""Write the README's table of clues from results/clues.json; `--check` only says whether it is up to date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ifdl import evidence

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- clues:begin (tests/test_docs.py holds this table to results/clues.json) -->"
END = "<!-- clues:end -->"


def table(results: dict[str, Any]) -> str:
    """The table in Markdown, one row a clue."""
    lines = [
        "| test | answers | planted: in domain / found | silent without the trace | false alarms by photograph |",
        "|---|---|---|---|---|",
    ]
    for clue, row in sorted(results["clues"].items()):
        card, planted = evidence.load(clue).CARD, row["planted"]["all"]
        name = f"`{clue}`: {card.title}" + (" *(experimental, never counted)*" if row["experimental"] else "")
        alarms = row["false_alarms"]
        if isinstance(alarms, dict):
            words = [
                f"{question.replace('_', ' ')}: {r['all']['alarms']} of {r['all']['photographs']} "
                f"(≤ {percent(r['all']['upper_95'])})"
                for question, r in alarms.items()
            ]
            alarms = "; ".join(words)
        lines.append(
            f"| {name} | {', '.join(q.replace('_', ' ') for q in card.questions)} "
            f"| {percent(planted['in_domain'])} / {percent(planted['found'])} of {planted['pictures']} "
            f"| {percent(planted['silent_without'])} | {alarms} |"
        )
    return "\n".join(lines)


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def updated(readme: str, results: dict[str, Any]) -> str:
    head, rest = readme.split(BEGIN)
    return f"{head}{BEGIN}\n{table(results)}\n{END}{rest.split(END)[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    path = ROOT / "README.md"
    now = path.read_text(encoding="utf-8")
    new = updated(now, json.loads((ROOT / "results" / "clues.json").read_text()))
    if options.check:
        sys.exit(0 if new == now else "README.md does not match results/clues.json; run benchmarks/tables.py")
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
