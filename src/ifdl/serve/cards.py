"""Cards of tests and experts for a terminal."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from rich.console import Console
from rich.table import Table

from ifdl import experts
from ifdl.nets.objects import YOLOX_NANO
from ifdl.nets.weights import VIT_TINY, WeightFile
from ifdl.types import Card, FalseAlarms


def table(cards: list[Card], console: Console) -> None:
    """One row a card."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "what", "answers", "false alarms by photograph"):
        grid.add_column(column, no_wrap=column == "name")
    for card in cards:
        note = " (experimental)" if card.experimental else ""
        grid.add_row(card.id, card.title + note, ", ".join(card.questions), alarms(card.false_alarms))
    console.print(grid)
    console.print("`ifdl models card NAME` shows one.", style="dim")


def systems(console: Console) -> None:
    """One row for each trainable system: its task, licence and weights, and what the leaderboard measured."""
    measured = scores()
    grid = Table(box=None, pad_edge=False, header_style="bold", title="Trainable systems", title_justify="left")
    for column in ("name", "task", "licence", "weights", "measured"):
        grid.add_column(column, no_wrap=column == "name")
    for name in experts.names():
        card = experts.module(name).CARD
        task = f"{card.title} ({', '.join(card.questions)})"
        licence = card.licence.split(";")[0].split(",")[0]  # the card says under which terms its initial weights are
        grid.add_row(name, task, licence, held(name), score(measured.get(name)))
    console.print(grid)
    console.print("`ifdl examine --expert NAME photo.jpg` runs one beside the tests.", style="dim")


def held(name: str) -> str:
    """Whether a system's weights are at hand, and the cure where they are not."""
    try:
        missing = experts.missing(name)
    except ValueError as error:
        return str(error)
    if missing:
        return missing.removeprefix(f"{name} has ").removeprefix(f"{name}'s weights are ")
    return f"here ({getattr(experts.module(name), 'WEIGHTS_SHA256', '')[:12] or 'its own'})"


def scores() -> dict[str, Any]:
    """What `benchmarks/leaderboard.py` wrote of each system; empty before the first time."""
    path = files("ifdl") / "weights" / "measured.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))["systems"]) if path.is_file() else {}


def score(found: dict[str, Any] | None) -> str:
    """ "IoU 0.21 [0.15-0.27] on casia1_dev (native-1)", and whether that is better than guessing the middle."""
    if found is None:
        return "not yet"
    words = f"{found['number']} {found['value']:.2f} [{found['low']:.2f}-{found['high']:.2f}] on {found['data']}"
    return f"{words} ({found['protocol']})" + ("; undertrained" if found["undertrained"] else "")


def weight_files() -> dict[str, WeightFile]:
    """Every file of weights that `ifdl models fetch` knows, by name."""
    known = {w.name: w for w in (YOLOX_NANO, VIT_TINY)}
    for name in experts.names():
        own, sha256 = experts.module(name), getattr(experts.module(name), "WEIGHTS_SHA256", "")
        file = f"{name}_small.safetensors"
        if sha256 and not (experts.PACKAGE / f"{name}.safetensors").is_file():
            known[name] = WeightFile(name, file, sha256, own.CARD.licence, f"weights/{file} of the ifdl repository")
    return known


def show(card: Card, console: Console) -> None:
    """The whole card."""
    rows = {
        "answers": ", ".join(card.questions),
        "version": card.version + (" (experimental: shown, never counted)" if card.experimental else ""),
        "cites": f"{card.citation} {card.url}".strip(),
        "applies to": card.domain,
        "threshold": card.threshold,
        "false alarms": alarms(card.false_alarms),
        "look for": card.look_for,
        "ignore": card.ignore,
        "cannot": " · ".join(card.limits),
        "licence": card.licence,
    }
    console.print(f"{card.id}: {card.title}", style="bold", markup=False)
    grid = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows.items():
        if value:
            grid.add_row(name, value)
    console.print(grid)


def alarms(measured: FalseAlarms | None) -> str:
    """ "1 of 137 (≤ 3.4 %)" """
    if measured is None:
        return ""
    if not measured.measured:
        return measured.note
    bound = f"{measured.alarms} of {measured.photographs} (rate at most {100 * measured.upper:.1f} %, 95 %)"
    return f"{bound}; {measured.note}" if measured.note else bound
