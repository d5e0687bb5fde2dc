"""`ifdl calibrate`: examine, fit, write the file, and say what it is good for."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from ifdl.data.manifest import write_text
from ifdl.evaluate.calibrate import Order, calibrate, summary
from ifdl.report.words import QUESTIONS
from ifdl.serve import progress
from ifdl.signal.stats import upper_bound
from ifdl.verdict import calibration as calibrations
from ifdl.verdict.calibration import Calibration, Level, Tables

USUAL_DETECTION = 0.8


def run(order: Order, out: Path, console: Console, command: str = "", results: Path | None = None) -> Calibration:
    """Write the calibration file `out`, and its measures to `results` if named. Raises ValueError with the cure."""
    with progress.bar(console) as bar:
        task = bar.add_task("examining", total=None) if bar else None

        def told(done: int, total: int) -> None:
            if bar and task is not None:
                bar.update(task, completed=done, total=total)

        try:
            made = calibrate(order, command, told)
        except OSError as error:
            raise ValueError(f"cannot read the pictures: {error}") from error
    write_text(out, calibrations.writing(made))
    if results is not None:
        write_text(results, json.dumps(summary(made), indent=1, sort_keys=True) + "\n")
    show(made, console)
    console.print(f"written: {out}; use it with `ifdl examine --calibration {out}`", markup=False)
    return made


def show(made: Calibration, console: Console) -> None:
    """Measures, the reliability table, and the strongest word the data allow, for each question."""
    counts = ", ".join(f"{n} {what}" for what, n in made.provenance.pictures.items())
    console.print(f"pictures: {counts}", markup=False)
    for question, tables in made.questions.items():
        console.print(QUESTIONS[question], style="bold")
        _measures(tables, console)
        for name, level in {"all kinds pooled": tables.pooled, **tables.strata}.items():
            console.print(f"{name}: {_reach(level)}", markup=False)


def _measures(tables: Tables, console: Console) -> None:
    m = tables.measured
    console.print(
        f"on photographs left out of the fit: Cllr {m['cllr']:.3f} (0 is perfect, 1 says nothing; at best "
        f"{m['min_cllr']:.3f} with this order), expected calibration error {m['calibration_error']:.3f}; a ratio of 2 "
        f"or more for {100 * m['edited_worded']:.0f} % of the edited pictures, and for "
        f"{m['authentic_sources_worded']:.0f} of {m['authentic_sources']:.0f} authentic photographs",
        markup=False,
    )
    grid = Grid(box=None, pad_edge=False, title="said and found, as posterior at even odds", title_justify="left")
    for column in ("said", "found", "pictures"):
        grid.add_column(column, justify="right")
    for row in tables.reliability:
        grid.add_row(f"{row.said:.2f}", f"{row.found:.2f}", str(row.n))
    console.print(grid)


def _reach(level: Level) -> str:
    """What `level` allows, and what its number of photographs could allow at best."""
    allowed = calibrations.word(level.most)
    best = USUAL_DETECTION / upper_bound(0, level.sources)
    could = calibrations.word(math.log10(best))
    return (
        f"{level.sources} authentic photographs, {level.alarms} above the fused score {level.score:.2f} that finds "
        f"{100 * level.detected:.0f} % of the edited pictures: ratios up to {10**level.most:.1f} "
        f"({allowed or 'no word'}). No false alarm and {100 * USUAL_DETECTION:.0f} % found would allow {best:.0f} "
        f"({could or 'no word'})."
    )
