"""Examine one picture or many: rows as they come, errors as rows, and nothing done twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ifdl import intake, report, spine
from ifdl.intake import IntakeError
from ifdl.report.json import error_row, to_json, to_line
from ifdl.report.redact import redacted
from ifdl.serve import sources, terminal
from ifdl.serve.progress import bar
from ifdl.types import Picture, Report, State
from ifdl.verdict import battery
from ifdl.verdict.deep import TEST as STABILITY


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    limits: intake.Limits
    clues: tuple[str, ...] | None = None
    out: Path | None = None
    full: bool = False
    json: bool = False
    again: bool = False
    calibration: Path | None = None
    deep: bool = False
    index: Path | None = None
    page: int | None = None


@dataclass(frozen=True)
class Job:
    """One picture to examine: the file it is in, and which of its pictures; `data` where the file was read already."""

    source: str
    part: intake.Part = intake.MAIN
    data: tuple[bytes, str] | IntakeError | None = None


@dataclass
class Tally:
    """What came of it: pictures examined and failed, questions with a SUPPORTED answer, the last report."""

    examined: int = 0
    failed: int = 0
    kept: int = 0
    supported: set[str] = field(default_factory=set)
    report: Path | None = None


def run(wanted: Sequence[str], options: Options, console: Console) -> Tally:
    """Examine every source in order. Several pictures give one JSON line each and a folder each under `out`.

    A PDF of which no page was named stands for every picture in it, or every page where it holds none.
    """
    tally = Tally()
    jobs = [job for source in wanted for job in _jobs(source, options, console)]
    several = len(jobs) > 1
    rows = (options.out / "results.jsonl") if options.out and several else None
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    with (
        rows.open("w", encoding="utf-8") if rows else nullcontext() as file,
        bar(console, several) as progress,
    ):
        task = progress.add_task("examining", total=len(jobs)) if progress else None
        outcomes = _outcomes(jobs, options, console if not several else None)
        for job, outcome in zip(jobs, outcomes, strict=True):
            line = _settle(outcome, job.part, options, several, console, tally)
            if options.json:
                print(line if several else _pretty(outcome, options), flush=True)
            if file is not None:
                file.write(line + "\n")
                file.flush()
            if progress and task is not None:
                progress.advance(task)
    if several:
        kept = f", {tally.kept} of them from an earlier run" if tally.kept else ""
        where = f"; rows in {rows}" if rows else ""
        console.print(f"{tally.examined} examined{kept}, {tally.failed} could not be{where}", markup=False)
    return tally


Outcome = Report | IntakeError | dict[str, Any]


def _jobs(source: str, options: Options, console: Console) -> list[Job]:
    """The pictures meant by one source: one, but for a PDF of which no page was named."""
    if options.page is not None or not sources.may_be_pdf(source):
        return [Job(source, intake.Part(options.page))]
    read = sources.read(source, options.limits)
    if isinstance(read, IntakeError) or not intake.is_pdf(read[0]):
        return [Job(source, data=read)]
    try:
        with intake.Decoder(options.limits) as decoder:
            found = decoder.outline(*read)
    except IntakeError as error:
        return [Job(source, data=error)]
    if found.note:
        console.print(terminal.clean(f"{read[1]}: {found.note}"), markup=False, highlight=False)
    return [Job(source, part, read if source == sources.STDIN else None) for part in found.parts]


def _outcomes(wanted: Sequence[Job], options: Options, console: Console | None) -> Iterator[Outcome]:
    """A Report, an error, or the stored JSON of an earlier run, for each job in order.

    The next picture is decoded while one is examined. `console` is None where several are.
    """
    pipeline = _pipeline(options)

    def load(decoder: intake.Decoder, job: Job) -> Picture | IntakeError | dict[str, Any]:
        read = job.data or sources.read(job.source, options.limits)
        if isinstance(read, IntakeError):
            return read
        if console is None and (earlier := _earlier(read[0], job.part, pipeline, options)) is not None:
            return earlier
        try:
            return decoder.decode(*read, job.part)
        except IntakeError as error:
            return error

    pool = intake.Pool(options.limits, workers=min(2, len(wanted)))
    with console.status("decoding…") if console else nullcontext() as status:

        def tell(step: str) -> None:
            if status is not None:
                status.update(f"{step}…")

        for loaded in pool.map(load, wanted):
            if isinstance(loaded, Picture):
                yield spine.examine_picture(
                    loaded,
                    clues=options.clues,
                    progress=tell,
                    calibration=options.calibration,
                    deep=options.deep,
                    index=options.index,
                )
            else:
                yield loaded


def _settle(
    outcome: Outcome, part: intake.Part, options: Options, several: bool, console: Console, tally: Tally
) -> str:
    """Write and show one outcome; returns its JSON line."""
    if isinstance(outcome, IntakeError):
        tally.failed += 1
        console.print(terminal.clean(str(outcome)), markup=False, highlight=False)
        return json.dumps(error_row(outcome.name, outcome.kind, outcome.reason), ensure_ascii=False)
    tally.examined += 1
    if isinstance(outcome, dict):
        tally.kept += 1
        answers = outcome["verdict"]["answers"]
        tally.supported |= {a["question"] for a in answers if a["state"] == State.SUPPORTED}
        return json.dumps(outcome, ensure_ascii=False)
    tally.supported |= {str(a.question) for a in outcome.verdict.answers if a.state == State.SUPPORTED}
    if options.out is not None:
        folder = options.out / f"{outcome.item.sha256[:16]}{part.suffix}" if several else options.out
        tally.report = report.write(outcome, folder, full=options.full)["report.html"]
    if not several and not options.json:
        terminal.show(outcome, console)
        place = f"Report: {tally.report}" if tally.report else "For a report: add --out FOLDER or --open"
        console.print(place, markup=False)
    elif tally.report and not several:
        console.print(f"Report: {tally.report}", markup=False)
    return to_line(outcome if options.full else redacted(outcome))


def _pretty(outcome: Outcome, options: Options) -> str:
    if isinstance(outcome, Report):
        return to_json(outcome if options.full else redacted(outcome))
    if isinstance(outcome, IntakeError):
        return json.dumps(error_row(outcome.name, outcome.kind, outcome.reason), ensure_ascii=False, indent=2)
    return json.dumps(outcome, ensure_ascii=False, indent=2)


def _earlier(
    data: bytes, part: intake.Part, pipeline: tuple[str, bool, bool], options: Options
) -> dict[str, Any] | None:
    """The stored report of this part of these very bytes by this very pipeline, if `out` holds it."""
    if options.out is None or options.again:
        return None
    path = options.out / f"{hashlib.sha256(data).hexdigest()[:16]}{part.suffix}" / "report.json"
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        deep = any(row["test"] == STABILITY for row in stored["verdict"]["coverage"])
        same = (stored["environment"]["pipeline"], not stored["redacted"], deep) == pipeline
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stored if same else None


def _pipeline(options: Options) -> tuple[str, bool, bool]:
    chosen = battery.names() if options.clues is None else options.clues
    ran = (*chosen, battery.ARCHIVE) if options.index is not None else chosen
    versions = {test: battery.card(test).version for test in ran}
    return spine.environment(versions, options.calibration, options.index).pipeline, options.full, options.deep
