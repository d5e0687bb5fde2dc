"""Write a page for every clue to docs/clues/, from its card, its planted trace and what was measured.

    python benchmarks/pages.py [--check]

The figure is a bundled photograph (public domain, from scikit-image) with the clue's trace planted by the second
implementation in `tests/planting/`, and the layer that the clue drew of it. Numbers come from results/, never from
here. `--check` only says whether the texts are up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.photographs import bundled  # noqa: E402

from benchmarks.tables import SETS, percent  # noqa: E402
from ifdl import evidence, intake  # noqa: E402
from ifdl.evaluate import leaderboard  # noqa: E402
from ifdl.report import overlay  # noqa: E402
from ifdl.types import Finding, Picture, State  # noqa: E402

OUT = ROOT / "docs" / "clues"
WIDE = 480  # pixels of one half of a figure
TRIES = 40  # plantings until the clue finds one: a figure shows what a find looks like, the table how often it happens


def example(clue: str) -> tuple[Picture, list[Finding]] | None:
    """A bundled picture with the clue's trace, and what the clue says of it; None where nothing can be planted."""
    name = f"tests.planting.{clue}"
    if find_spec(name) is None:
        return None
    plant, photographs, last = import_module(name).plant, bundled(), None
    for seed in range(TRIES):
        host, donor = photographs[seed % len(photographs)], photographs[(seed + 1) % len(photographs)]
        pair = plant(host.data, donor.data, np.random.default_rng(seed))
        if pair is None:
            continue
        picture = intake.decode(pair.edited, name=host.name)
        last = picture, evidence.run(clue, picture)
        if any(f.state == State.SUPPORTED for f in last[1]):
            return last
    return last


def figure(picture: Picture, findings: list[Finding]) -> Image.Image | None:
    """The picture, and beside it the layer over a paler copy; None where the clue draws no layer."""
    drawn = next((f.map for f in sorted(findings, key=lambda f: f.state != State.SUPPORTED) if f.map is not None), None)
    if drawn is None:
        return None
    plain = Image.fromarray(picture.pixels).convert("RGBA")
    pale = Image.blend(plain, Image.new("RGBA", plain.size, "white"), 0.4)
    heat = Image.fromarray(overlay.layer(drawn, picture)).resize(plain.size)
    both = Image.new("RGB", (2 * plain.width + 8, plain.height), "white")
    both.paste(plain.convert("RGB"), (0, 0))
    both.paste(Image.alpha_composite(pale, heat).convert("RGB"), (plain.width + 8, 0))
    both.thumbnail((2 * WIDE, 2 * WIDE))
    return both


def page(clue: str, measured: dict[str, Any], results: list[dict[str, Any]], shown: bool, said: list[Finding]) -> str:
    """The text in Markdown."""
    card = evidence.load(clue).CARD
    lines = [f"# `{clue}`: {card.title}", ""]
    if card.experimental:
        lines += ["*Experimental: shown in reports, never counted in a verdict.*", ""]
    asked = ", ".join(str(q).replace("_", " ") for q in card.questions)
    lines += [f"Answers: {asked}. Version {card.version}. {card.citation} {card.url}".rstrip(), ""]
    if shown:
        lines += [f"![A bundled photograph with the trace planted, and the layer of {clue}]({clue}.jpg)", ""]
    sentence = next((f.sentence for f in said if f.state == State.SUPPORTED), None)
    if sentence:
        lines += [f"> {sentence}", ""]
    for title, text in (
        ("Where it applies", card.domain),
        ("When it speaks", card.threshold),
        ("Look for", card.look_for),
        ("Ignore", card.ignore),
    ):
        if text:
            lines += [f"**{title}.** {text}", ""]
    lines += ["**What it cannot do**", "", *[f"- {limit}" for limit in card.limits], ""]
    innocent = list(dict.fromkeys((i.cause, i.check) for f in said for i in f.innocent))
    if innocent:
        lines += ["**Innocent causes, and how to check**", "", *[f"- {a} {b}" for a, b in innocent], ""]
    return "\n".join(lines + measures(clue, measured, results)).rstrip() + "\n"


def measures(clue: str, measured: dict[str, Any], results: list[dict[str, Any]]) -> list[str]:
    """What was measured: planted traces, false alarms by photograph, the development sets."""
    row = measured["clues"].get(clue)
    if row is None:
        return ["**Measured**: not yet.", ""]
    if isinstance(row["planted"], str):
        return [f"**Measured**: {row['planted']}. False alarms: {row['false_alarms']}.", ""]
    lines = ["**Measured** (`results/clues.json`; traces planted by a second implementation)", ""]
    lines += [
        "| photographs | planted | in domain | found | silent without | false alarms |",
        "|---|---|---|---|---|---|",
    ]
    alarms = row["false_alarms"]
    for group, words in (("chosen_on", "thresholds were chosen on"), ("test", "test only")):
        planted = row["planted"].get(group)
        if planted is None:
            continue
        told = alarms if isinstance(alarms, str) else "; ".join(
            f"{question.replace('_', ' ')}: {r[group]['alarms']} of {r[group]['photographs']} "
            f"(≤ {percent(r[group]['upper_95'])})"
            for question, r in alarms.items()
        )  # fmt: skip
        lines.append(
            f"| {words} | {planted['pictures']} | {percent(planted['in_domain'])} | {percent(planted['found'])} "
            f"| {percent(planted['silent_without'])} | {told} |"
        )
    own = [r for r in results if r["system"]["name"] == clue and r["data"]["name"] in SETS]
    if own:
        lines += ["", "| set (native-1) | in domain | pixel AUC | IoU |", "|---|---|---|---|"]
        for result in sorted(own, key=lambda r: list(SETS).index(r["data"]["name"])):
            cells = [leaderboard.cell(result["numbers"][name]) for name in ("auc", "iou")]
            lines.append(f"| {SETS[result['data']['name']]} | {leaderboard.share(result)} | {' | '.join(cells)} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is out of date")
    options = parser.parse_args()
    measured = json.loads((ROOT / "results" / "clues.json").read_text(encoding="utf-8"))
    results = leaderboard.load(ROOT / "results" / "native-1")
    OUT.mkdir(parents=True, exist_ok=True)
    stale = []
    for clue in evidence.names():
        made = example(clue)
        drawn = figure(*made) if made else None
        text = page(clue, measured, results, drawn is not None, made[1] if made else [])
        path = OUT / f"{clue}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
        if not options.check:
            path.write_text(text, encoding="utf-8")
            if drawn is not None:
                drawn.save(OUT / f"{clue}.jpg", quality=80)
    print(f"out of date: {', '.join(stale)}" if stale else "all pages are up to date")
    if options.check and stale:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
