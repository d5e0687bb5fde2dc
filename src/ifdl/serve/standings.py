"""`ifdl leaderboard`: what was measured as tables, published numbers apart from it, and two runs side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ifdl.evaluate import leaderboard, published
from ifdl.evaluate.intervals import paired

SHOWN = 5  # numbers beside each other in a terminal


def show(results: Path, html: Path | None, gallery: Path | None, pair: Sequence[Path], console: Console) -> None:
    """Print a table for each protocol and set; write the page if asked. Raises ValueError with the cure."""
    if not results.is_dir():
        raise ValueError(f"{results} is no folder of results; `ifdl evaluate --copy {results}/NAME.json` fills one")
    found = leaderboard.load(results)
    if not found:
        raise ValueError(f"{results} holds no result of `ifdl evaluate`")
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault((one["protocol"]["name"], one["data"]["name"]), []).append(one)
    for (protocol, data), rows in sorted(groups.items()):
        console.print(f"{protocol} on {data}", style="bold", markup=False)
        console.print(_table(rows))
    if pair:
        if len(pair) != 2:
            raise ValueError("--compare takes two result files: --compare A.json --compare B.json")
        _compare(pair[0], pair[1], console)
    if html is not None:
        leaderboard.page(found, published.load(), html, gallery)
        console.print(f"written: {html}", markup=False)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    found = leaderboard.table(rows, rows[0]["protocol"]["name"], rows[0]["data"]["name"])
    headline = found["headline"] or found["columns"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("system", no_wrap=True)
    for name in headline[:SHOWN]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("in domain", justify="right", no_wrap=True)
    for row in found["rows"]:
        cells = [leaderboard.value(row["numbers"].get(name)) for name in headline[:SHOWN]]
        table.add_row(row["system"]["name"], *cells, leaderboard.share(row))
    return table


def _compare(first: Path, second: Path, console: Console) -> None:
    """Two runs on the same pictures: differences of means picture by picture, tested by photograph."""
    a, b = (_rows(path) for path in (first, second))
    both = sorted(set(a) & set(b))
    if not both:
        raise ValueError(f"{first} and {second} have no picture in common (rows.jsonl lies beside a run's result.json)")
    console.print(
        f"{first.parent.name} minus {second.parent.name}, on {len(both)} pictures", style="bold", markup=False
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("number", "difference", "95 % interval", "p", "pictures", "sources"):
        table.add_column(column, justify="left" if column == "number" else "right", no_wrap=True)
    names = [n for n in next(iter(a.values()))["values"] | a[both[-1]]["values"] if n in b[both[-1]]["values"]]
    names = list(dict.fromkeys([*names, *(n for p in both for n in a[p]["values"] if n in b[p]["values"])]))
    for name in names:
        values = [[math.nan if (v := r[p]["values"].get(name)) is None else v for p in both] for r in (a, b)]
        test = paired(values[0], values[1], [a[p]["source"] for p in both])
        if test.n:
            interval = f"{test.low:+.3f} – {test.high:+.3f}"
            table.add_row(
                name, f"{test.difference:+.3f}", interval, f"{test.p_value:.4f}", str(test.n), str(test.sources)
            )
    console.print(table)


def _rows(result: Path) -> dict[str, dict[str, Any]]:
    path = result.parent / "rows.jsonl"
    if not path.is_file():
        raise ValueError(
            f"there is no {path}: a comparison needs the rows that `ifdl evaluate` wrote beside the result"
        )
    return {row["image"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
