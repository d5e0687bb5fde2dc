"""Cards of tests and experts for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

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
