"""What a run shows and writes while it goes: a progress line with time left, the validation table, JSONL, TensorBoard.

OUT/log.jsonl has one object a line, told apart by `kind`: start (recipe, versions, hashes), step (terms of the
loss, rate, seconds spent, share of them waited for data; of several devices, the first's), validation, end.
A resumed run goes on in the same file; what it does again follows, and the later line counts.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

COLUMNS = ("iou", "f1", "auc", "flagged", "picture_auc")
ROWS = 10  # validations shown while training
PLAIN_EVERY = 30.0  # seconds between lines where nobody can watch


class Board:
    """Progress and logs of one run. Only the main process has one; `shown` False writes nothing but the log."""

    def __init__(self, out: Path, console: Console | None, tensorboard: bool = True, metric: str = "iou") -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._log = (out / "log.jsonl").open("a", encoding="utf-8")
        self._events = _events(out) if tensorboard else None
        self._console, self._metric = console, metric
        self._validations: list[dict[str, Any]] = []
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.1f} %"))
        self._task = self._bar.add_task("starting", total=1.0)
        watched = console is not None and console.is_terminal
        self._live = Live(self._view(), console=console, refresh_per_second=2) if watched else None
        self._told = 0.0

    def __enter__(self) -> Board:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.update(self._view())
            self._live.stop()
        elif self._console and self._validations:
            self._console.print(self._table())
        self._log.close()
        if self._events:
            self._events.close()

    def note(self, kind: str, **row: Any) -> None:
        """One line of the log."""
        # JSON has no nan: what could not be measured is null.
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        self._log.write(json.dumps({"kind": kind, **clean}, ensure_ascii=False) + "\n")
        self._log.flush()

    def step(self, row: dict[str, Any], done: float) -> None:
        """After a step: `row` has step, samples, loss, its terms, rate, seconds; `done` is the share of the run."""
        self.note("step", **row)
        self._write("train", row, row["step"])
        left = row["seconds"] * (1 - done) / done if done > 0 else math.inf
        words = (
            f"step {row['step']}  loss {row['loss']:.4f}  rate {row['rate']:.2g}  "
            f"{row['samples_per_second']:.1f} pictures/s  waited {row['waited']:.0%}  left {_clock(left)}"
        )
        self._bar.update(self._task, completed=done, description=words)
        if self._live is None and self._console and time.monotonic() - self._told > PLAIN_EVERY:
            self._told = time.monotonic()
            self._console.print(f"{done:6.1%}  {words}", markup=False, highlight=False, soft_wrap=True)

    def validation(self, row: dict[str, Any]) -> None:
        """After a validation: `row` has step, samples and the numbers."""
        self.note("validation", **row)
        self._write("validation", row, row["step"])
        self._validations.append(row)
        if self._live:
            self._live.update(self._view())
        elif self._console:
            told = "  ".join(f"{name} {row[name]:.3f}" for name in COLUMNS)
            words = f"validation at step {row['step']}: {told}"
            self._console.print(words, markup=False, highlight=False, soft_wrap=True)

    def _write(self, prefix: str, row: dict[str, Any], step: int) -> None:
        if self._events is None:
            return
        for name, value in row.items():
            if isinstance(value, float) and math.isfinite(value):
                self._events.add_scalar(f"{prefix}/{name}", value, step)

    def _view(self) -> Group:
        return Group(self._table(), self._bar) if self._validations else Group(self._bar)

    def _table(self) -> Table:
        table = Table("step", "samples", *COLUMNS, title=f"validation (best {self._metric} marked)", title_style="dim")
        known = [row for row in self._validations if math.isfinite(row[self._metric])]
        top = max(known, key=lambda row: row[self._metric], default=None)
        for row in self._validations[-ROWS:]:
            cells = [str(row["step"]), str(row["samples"]), *(f"{row[name]:.3f}" for name in COLUMNS)]
            table.add_row(*cells, style="bold" if row is top else None)
        return table


def _events(out: Path) -> Any:
    """A TensorBoard writer, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(out / "events"))


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
