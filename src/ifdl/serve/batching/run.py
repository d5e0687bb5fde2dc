"""From the sources to the table: what is done already is not done again, and everything is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ifdl.serve.batching import local, on_ray, sources
from ifdl.serve.batching.cascade import READ, Plan
from ifdl.serve.batching.on_ray import Cluster
from ifdl.serve.batching.store import Store
from ifdl.serve.batching.table import ERROR, SEEN, STAGES, Row, error_row, plain
from ifdl.serve.batching.worker import Main, Task, main
from ifdl.serve.progress import bar
from ifdl.types import Question, State


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line. A `cluster` means Ray; `seconds` bind one examination."""

    plan: Plan
    out: Path
    workers: int = 1
    seconds: float = 600.0
    retry: bool = False
    part_rows: int = 256
    cluster: Cluster | None = None


@dataclass
class Tally:
    """What came of it. `kept` were done by an earlier run, or are the same bytes as another file."""

    examined: int = 0
    kept: int = 0
    rows: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    supported: Counter[str] = field(default_factory=Counter)
    read: int = 0  # pictures with an answer that sends a person to them
    seconds: Counter[str] = field(default_factory=Counter)
    pictures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return self.errors.total()

    def add(self, row: Row) -> None:
        """Count one row as it is finished."""
        if row["status"] == ERROR:
            self.errors[row["error"]["kind"]] += 1
            return
        self.examined += 1
        held = [q for q in Question if row[str(q)]["state"] == State.SUPPORTED]
        self.supported.update(map(str, held))
        self.read += any(q in READ for q in held)
        self.seconds.update(row["seconds"])
        self.pictures.update(row["seconds"].keys())

    def as_dict(self) -> dict[str, Any]:
        """For a program that asked."""
        stages = {
            name: {"pictures": self.pictures[name], "seconds": round(self.seconds[name], 3)}
            for name in STAGES
            if self.pictures[name]
        }
        return {
            "examined": self.examined,
            "failed": self.failed,
            "kept": self.kept,
            "rows": self.rows,
            "errors": dict(self.errors),
            "supported": dict(self.supported),
            "to_read": self.read,
            "stages": stages,
        }


def run(wanted: Sequence[str], order: Order, console: Console, serve: Main = main) -> Tally:
    """Examine every picture of the sources and write the table. What is finished when it is interrupted is kept.

    Raises ValueError and ImportError for sources, a table or an engine that cannot be used.
    """
    tally = Tally()
    pieces = list(sources.pieces(wanted))
    archives = any(piece[0].is_archive for piece in pieces)
    total = None if archives else sum(map(len, pieces))
    with Store(order.out, order.plan.pipeline, order.part_rows, order.retry) as store, bar(console) as progress:
        task = progress.add_task("examining", total=total) if progress else None
        if order.cluster is not None:
            rows = on_ray.rows(pieces, order.plan, order.cluster, order.seconds, frozenset(store.done))
        else:
            rows = _local(pieces, order, store, serve)
        for row in rows:
            if row["status"] == SEEN:
                store.seen(row["sha256"], row["uri"])
                tally.kept += 1
            else:
                store.add(row)
                tally.add(row)
            if progress and task is not None:
                progress.advance(task)
        tally.rows = store.finish()
    return tally


def _local(pieces: Iterable[sources.Piece], order: Order, store: Store, serve: Main) -> Iterator[Row]:
    """Rows of the local engine, of files that cannot be read, and of bytes that were seen already."""
    aside: list[Row] = []
    given: set[bytes] = set()

    def tasks() -> Iterator[Task]:
        for item in (item for piece in pieces for item in sources.items(piece, order.plan.limits)):
            if item.error is not None:
                aside.append(error_row(item.uri, item.error.kind, item.error.reason, "read"))
                continue
            digest = item.sha256
            if (raw := bytes.fromhex(digest)) in store.done or raw in given:
                aside.append({"sha256": digest, "uri": plain(item.uri), "status": SEEN})
                continue
            given.add(raw)
            yield Task(item.uri, digest, item.data, item.seconds)

    for row in local.rows(tasks(), order.plan, order.workers, order.seconds, serve):
        yield from aside
        aside.clear()
        yield row
    yield from aside


def summary(tally: Tally, order: Order, console: Console) -> None:
    """What came of it, in a few lines."""
    kept = f", {tally.kept} done before or met twice" if tally.kept else ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in tally.errors.most_common())
    failed = f", {tally.failed} could not be ({kinds})" if tally.failed else ", 0 could not be"
    console.print(f"{tally.examined} examined{failed}{kept}; {tally.rows} rows in {order.out}", markup=False)
    found = ", ".join(f"{question} {count}" for question, count in sorted(tally.supported.items()))
    console.print(f"SUPPORTED: {found or 'nothing'}; {tally.read} to be read by a person", markup=False)
    for stage in STAGES:
        if count := tally.pictures[stage]:
            spent = tally.seconds[stage]
            console.print(
                f"{stage:8}{count:9} pictures{spent:11.1f} s{1000 * spent / count:10.1f} ms each", markup=False
            )
