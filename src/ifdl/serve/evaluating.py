"""`ifdl evaluate`: one system on one set under one protocol, with progress, and go on after an interruption."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ifdl import data
from ifdl.data import Bad, Record
from ifdl.data.manifest import split_of
from ifdl.evaluate import maps
from ifdl.evaluate import protocol as protocols
from ifdl.evaluate import result as results
from ifdl.evaluate.protocol import Protocol
from ifdl.evaluate.run import Job, Row, rows
from ifdl.evaluate.systems import Spec
from ifdl.forge.change import SWEEPS, Change, all_changes
from ifdl.serve import progress


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line."""

    spec: Spec
    root: Path
    protocol: str = "native-1"
    set_name: str | None = None
    out: Path | None = None
    cache: Path | None = None
    change: Change | None = None
    robustness: bool = False
    limit: int | None = None
    robust_limit: int = 300
    seed: int = 0
    workers: int = 2
    draws: int = 1000
    readings: Path | None = None
    splits: tuple[str, ...] = ()
    copy: Path | None = None
    command: str = ""


def run(order: Order, console: Console) -> tuple[dict[str, Any], Path]:
    """Evaluate; returns the result and the folder it was written to. Raises ValueError with the cure."""
    chosen = protocols.load(order.protocol)
    try:
        system = order.spec.build()
    except (KeyError, FileNotFoundError) as error:
        raise ValueError(str(error.args[0])) from error
    needs_own = any(
        n.pixel and n.threshold == "own" and n.metric not in protocols.RANKED for n in chosen.numbers.values()
    )
    if needs_own and system.threshold is None and order.spec.kind not in ("clue", "verdict"):
        raise ValueError(f"{chosen.name} wants the system's own threshold; give one (--threshold)")
    found, bad = listed(order.root, order.set_name)
    name = order.root.resolve().name if order.root.is_dir() else order.root.resolve().parent.name
    found = some(of_splits(found, order.splits), order.limit, order.seed)
    out = order.out or Path("evaluation") / slug(system.name, name, order.change, chosen.name)
    cache = order.cache or out / "predictions"
    for problem in bad[:5]:
        console.print(f"passed over: {problem.name}: {problem.reason}", markup=False)
    if len(bad) > 5:
        console.print(f"… and {len(bad) - 5} more", markup=False)
    if order.spec.kind == "maps":
        twice = maps.ambiguous((r.shown for r in found), maps.index(Path(order.spec.what)))
        if twice:
            raise ValueError(f"{twice[0]} and {twice[1]} would get the same map; save maps below the set's own folders")
    note_reading(order, system.name, name, chosen)
    made = _rows(Job(order.spec, chosen, cache, order.change), found, order.workers, console, system.name)
    altered: dict[Change, Sequence[Row]] = {}
    if order.robustness:
        few = some(found, order.robust_limit, order.seed)
        for change in all_changes():
            altered[change] = _rows(Job(order.spec, chosen, cache, change), few, order.workers, console, change.words)
    told = results.result(
        system, chosen, name, found, made, change=order.change, command=order.command, draws=order.draws
    )
    told["counts"]["passed_over"] = [{"name": b.name, "reason": b.reason} for b in bad]
    if altered:
        those = {r.shown for r in few}
        clean = [r for r in made if r.image in those]
        told["robustness"] = results.robust(chosen, clean, altered)
        told["worst_case"] = results.worst_case(chosen, told["robustness"])
        told["stability"] = results.stability(clean, altered)
        told["robustness_of"] = {"pictures": len(few), "sweeps": {k: list(v) for k, v in SWEEPS.items()}}
    out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(r.to_json(), ensure_ascii=False) for r in made]
    (out / "rows.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    results.write(out / "result.json", told)
    if order.copy is not None:
        results.write(order.copy, told)
    return told, out


def listed(root: Path, set_name: str | None) -> tuple[list[Record], list[Bad]]:
    """Records of a set below `root`; without a name, a manifest where there is one, else a folder."""
    chosen = set_name or ("manifest" if root.is_file() or (root / "manifest.jsonl").is_file() else "folder")
    try:
        everything = list(data.load(chosen).records(root))
    except KeyError as error:
        raise ValueError(str(error.args[0])) from error
    except OSError as error:
        raise ValueError(str(error)) from error
    records = [r for r in everything if isinstance(r, Record)]
    if not records:
        raise ValueError(f"{root} holds no pictures that can be scored")
    return records, [b for b in everything if isinstance(b, Bad)]


def of_splits(records: list[Record], splits: tuple[str, ...]) -> list[Record]:
    """Records whose photograph is in one of the camera sets' splits. Raises ValueError where sources are no ids."""
    if not splits:
        return records
    try:
        found = [r for r in records if split_of(r.source) in splits]
    except ValueError as error:
        raise ValueError("--split needs sources that are hexadecimal ids, as the camera sets have them") from error
    if not found:
        raise ValueError(f"no picture of this set is of the split {', '.join(splits)}")
    return found


def some(records: list[Record], limit: int | None, seed: int) -> list[Record]:
    """All, or a share of whole sources drawn by chance until `limit` pictures are there: pairs stay together."""
    if limit is None or len(records) <= limit:
        return records
    sources = sorted({r.source for r in records})
    order = np.random.default_rng(seed).permutation(len(sources))
    rank = {sources[n]: k for k, n in enumerate(order)}
    by_rank = sorted(range(len(records)), key=lambda n: (rank[records[n].source], n))
    kept = set(by_rank[:limit])
    return [r for n, r in enumerate(records) if n in kept]


def slug(system: str, name: str, change: Change | None, protocol: str) -> str:
    """A folder name that says what lies in it."""
    parts = (system, name, *((change.words,) if change else ()), protocol)
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", part).strip("_") for part in parts)


def note_reading(order: Order, system: str, name: str, protocol: Protocol) -> None:
    """One line in the log of readings, so that nobody can tune on a set without it showing."""
    if order.readings is None:
        return
    row = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": name,
        "system": system,
        "protocol": protocol.name,
        "change": order.change.words if order.change else None,
        "commit": results.commit(),
        "command": order.command,
    }
    order.readings.parent.mkdir(parents=True, exist_ok=True)
    with order.readings.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _rows(job: Job, records: Sequence[Record], workers: int, console: Console, what: str) -> list[Row]:
    made = []
    with progress.bar(console, console.is_terminal) as bar:
        task = bar.add_task(what, total=len(records)) if bar else None
        for row in rows(job, records, workers):
            made.append(row)
            if bar and task is not None:
                bar.advance(task)
    return made


def show(told: dict[str, Any], console: Console) -> None:
    """The headline first, every number with its interval and what it is."""
    about = told["system"], told["protocol"], told["data"]
    pictures = ", ".join(f"{n} {label}" for label, n in about[2]["pictures"].items())
    console.print(f"{about[0]['name']} on {about[2]['name']} ({pictures}; {about[2]['sources']} sources)", markup=False)
    console.print(f"protocol {about[1]['name']}, version {about[1]['version']}", markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, side in (("number", "left"), ("value", "right"), ("95 % interval", "left"), ("of", "right")):
        table.add_column(column, justify="right" if side == "right" else "left", no_wrap=True)
    headline = about[1]["headline"]
    for name in (*headline, *(n for n in told["numbers"] if n not in headline)):
        row = told["numbers"][name]
        value = "–" if row["value"] is None else f"{row['value']:.3f}"
        interval = "" if row["low"] is None else f"{row['low']:.3f}–{row['high']:.3f}"
        count = f"{row['k']} of {row['n']} sources" if "k" in row else f"{row['n']} pictures"
        table.add_row(name, value, interval, count, style=None if name in headline else "dim")
    console.print(table)
    console.print(f"what each of them counts: ifdl protocols {about[1]['name']}", markup=False)
    share = told["in_domain"]["share"]
    if share is not None:
        console.print(f"in domain: {share:.0%} of the edited pictures", markup=False)
    if told["shortcuts"]:
        worst = next(iter(told["shortcuts"].items()))
        if worst[1] >= 0.6:
            console.print(
                f"the files' {worst[0]} alone tells edited from authentic with AUC {worst[1]:.2f}: "
                "believe no whole-picture number here; localisation is not touched by it",
                markup=False,
            )
    if told["counts"]["failed"]:
        console.print(f"{told['counts']['failed']} pictures failed; rows.jsonl says why", markup=False)
