"""`ifdl case …`: a folder that holds what was examined, what the analyst says of it, and who did what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ifdl.serve.cases import Case, Picture, Query

FAILED, BROKEN = 2, 1
MARKS = {"ok": "Ok", "check": "To be checked", "warning": "Warning", "none": "no mark"}

app = typer.Typer(
    help="A case is a folder: everything examined, notes and marks, and a log that shows if it was changed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The case.")]
Key = Annotated[str, typer.Argument(metavar="PICTURE", help="The start of its sha256, its name, or the file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; one object a line.")]
Who = Annotated[str, typer.Option(envvar="IFDL_ANALYST", help="Who does this; by default the account's name.")]


class Form(StrEnum):
    """What can be exported."""

    HTML = "html"
    PDF = "pdf"
    JSON = "json"
    BUNDLE = "bundle"


class Marked(StrEnum):
    """The analyst's marks, short."""

    OK = "ok"
    CHECK = "check"
    WARNING = "warning"
    NONE = "none"


@app.command(epilog="Example: ifdl case add claim-7/ photos/*.jpg   A folder that is no case yet becomes one.")
def add(
    folder: Folder,
    pictures: Annotated[list[str], typer.Argument(help="Files, folders or globs.")],
    keep_pictures: Annotated[bool, typer.Option("--keep-pictures", help="Copy the pictures into the case.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Repeat the answers after six mild changes.")] = False,
    who: Who = "",
) -> None:
    """Examine pictures into a case; the other commands read it."""
    import ifdl
    from ifdl.serve import sources
    from ifdl.serve.progress import bar

    found = sources.expand(pictures)
    if not found:
        _refuse(f"no pictures in {', '.join(pictures)}")
    limits, failed = ifdl.intake.Limits(), []
    with _opened(folder, create=True, who=who) as case, bar(_console()) as progress:
        task = progress.add_task("examining", total=len(found)) if progress else None
        for source in found:
            try:
                got = sources.read(source, limits)
                if isinstance(got, ifdl.intake.IntakeError):
                    raise got
                data, name = got
                report = ifdl.examine(data, name=name, limits=limits, deep=deep)
                case.record(report, str(Path(source).absolute()), data if keep_pictures else None)
            except ifdl.intake.IntakeError as error:
                case.log(f"could not be examined: {error}")
                failed.append(str(error))
            if progress and task is not None:
                progress.advance(task)
    for line in failed:
        _say(line)
    _say(f"{len(found) - len(failed)} of {len(found)} examined into {folder}")
    if failed:
        raise typer.Exit(FAILED)


@app.command("list", epilog="Example: ifdl case list claim-7/")
def list_(folder: Folder, json_: Json = False) -> None:
    """List every picture of a case, newest first."""
    from ifdl.serve.cases import Query

    _found(folder, Query(), json_)


@app.command(
    epilog="Example: ifdl case search claim-7/ --question local_edit --state supported --mark none   "
    "All conditions must hold."
)
def search(
    folder: Folder,
    name: Annotated[str, typer.Option(help="A part of the name or path.")] = "",
    note: Annotated[str, typer.Option(help="A part of a note.")] = "",
    question: Annotated[str, typer.Option(help="history, local_edit, synthetic_origin or claims.")] = "",
    state: Annotated[str, typer.Option(help="The answer's state, as supported or no_trace_found.")] = "",
    mark: Annotated[Marked | None, typer.Option(help="The analyst's mark.")] = None,
    since: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "",
    until: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD.")] = "",
    like: Annotated[str, typer.Option(metavar="PICTURE", help="Instead: what looks like this picture.")] = "",
    json_: Json = False,
) -> None:
    """Find pictures of a case by name, answer, mark, date or note."""
    from ifdl.serve.cases import Mark, Query
    from ifdl.types import Question, State

    try:
        asked = Query(
            name=name,
            note=note,
            question=Question(question.lower()) if question else None,
            state=State(state.upper()) if state else None,
            mark=Mark(MARKS[mark]) if mark else None,
            since=since and date.fromisoformat(since).isoformat(),
            until=until and date.fromisoformat(until).isoformat(),
        )
    except ValueError as error:
        _refuse(f"{error}; see `ifdl case search --help`")
    _found(folder, asked, json_, like)


@app.command(epilog='Example: ifdl case note claim-7/ photo.jpg "The shadow falls the other way."')
def note(folder: Folder, picture: Key, text: Annotated[str, typer.Argument(help="The note.")], who: Who = "") -> None:
    """Write a note on a picture; notes are only ever added."""
    with _opened(folder, who=who) as case:
        case.note(case.find(picture), text)


@app.command(epilog="Example: ifdl case mark claim-7/ photo.jpg warning")
def mark(folder: Folder, picture: Key, mark: Annotated[Marked, typer.Argument()], who: Who = "") -> None:
    """Mark a picture as Ok, To be checked or Warning; it is the analyst's word, no finding."""
    from ifdl.serve.cases import Mark

    with _opened(folder, who=who) as case:
        case.mark(case.find(picture), Mark(MARKS[mark]))


@app.command(epilog="Example: ifdl case log claim-7/")
def log(
    folder: Folder, picture: Annotated[str, typer.Option(help="Only of this picture.")] = "", json_: Json = False
) -> None:
    """Show the custody log."""
    from rich.table import Table

    from ifdl.serve.cases import custody
    from ifdl.serve.terminal import clean

    with _opened(folder) as case:
        rows = list(custody.rows(case.db, case.find(picture) if picture else ""))
    if json_:
        for row in rows:
            typer.echo(json.dumps(row.__dict__, ensure_ascii=False))
        return
    table = Table("row", "time (UTC)", "who", "what", "picture", "hash", box=None)
    for row in rows:
        table.add_row(str(row.n), row.at, clean(row.who), clean(row.what), row.picture[:12], row.sha256[:12])
    _console().print(table)


@app.command(epilog="Example: ifdl case verify claim-7/   Exit codes: 0 whole; 1 a row is broken; 2 no case.")
def verify(
    folder: Folder, head: Annotated[str, typer.Option(help="The last hash, as it was written down earlier.")] = ""
) -> None:
    """Compute the log's chain again, and the hash of everything that it tells of."""
    from ifdl.serve.cases import custody

    with _opened(folder) as case:
        found = case.broken()
        rows = list(custody.rows(case.db))
    if found is not None:
        _say(f"row {found.n}: {found.why}" if found.n else found.why)
        raise typer.Exit(BROKEN)
    if head and head not in [row.sha256 for row in rows]:
        _say(f"the log has no row with the hash {head}: rows at its end are gone, or it is another case")
        raise typer.Exit(BROKEN)
    _say(f"{len(rows)} rows, unbroken; the last hash is {rows[-1].sha256 if rows else 'none'}")
    if not head:
        _say("Write that hash down elsewhere: --head HASH then shows if rows were cut off at the end.")


@app.command(epilog="Example: ifdl case export claim-7/ photo.jpg --format bundle --out evidence.zip")
def export(
    folder: Folder,
    picture: Key,
    format_: Annotated[Form, typer.Option("--format", help="What is written.")] = Form.HTML,
    out: Annotated[Path | None, typer.Option(help="The file; by default named after the picture, here.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Keep private values; put the picture into the bundle.")] = False,
    who: Who = "",
) -> None:
    """Write a stored report as one file; the log says so."""
    from ifdl.serve.cases import export as exporting

    with _opened(folder, who=who) as case:
        sha256 = case.find(picture)
        try:
            data = exporting.made(case, sha256, str(format_), full)
        except ImportError as error:
            _refuse(str(error))
    place = out or Path(f"report-{sha256[:12]}.{'zip' if format_ is Form.BUNDLE else format_}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    except OSError as error:
        _refuse(f"{place} cannot be written: {error.strerror}")
    _say(f"written: {place}")


def _found(folder: Path, query: Query, as_json: bool, like: str = "") -> None:
    from ifdl.serve.cases import search as searching

    with _opened(folder) as case:
        near = searching.near(case, case.find(like)) if like else None
        found = [picture for _, picture in near] if near is not None else searching.pictures(case, query)
        total = len(found) if near is not None else searching.count(case, query)
    if as_json:
        for picture in found:
            typer.echo(json.dumps(picture.__dict__, ensure_ascii=False))
        return
    _table(found)
    shown = f", the newest {len(found)} shown" if total > len(found) else ""
    _say(f"{total} picture{'' if total == 1 else 's'}{shown}")


def _table(found: list[Picture]) -> None:
    from rich.table import Table

    from ifdl.report.words import QUESTIONS, STATES
    from ifdl.serve.terminal import clean
    from ifdl.types import State

    table = Table("sha256", "name", "time (UTC)", *QUESTIONS.values(), "mark", "notes", box=None)
    for p in found:
        states = [" ".join(STATES[State(p.states[q])]) for q in QUESTIONS]
        at = re.sub(r"T(\d\d:\d\d).*", r" \1", p.at)
        table.add_row(p.sha256[:12], clean(p.name), at, *states, p.mark, str(p.notes or ""))
    if found:
        _console(140).print(table)


@contextmanager
def _opened(folder: Path, create: bool = False, who: str = "") -> Iterator[Case]:
    """The case; what is wrong with it, or with what is asked of it, ends the command with one sentence."""
    import sqlite3

    from ifdl.serve.cases import Case

    try:
        with Case(folder, create, who) as case:
            yield case
    except (ValueError, OSError, sqlite3.Error) as error:
        _refuse(str(error))


def _console(width: int = 100) -> Console:
    import sys

    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else width)


def _say(text: str) -> None:
    from ifdl.serve.terminal import clean

    typer.echo(clean(text), err=True)


def _refuse(reason: str) -> NoReturn:
    _say(f"ifdl: {reason}")
    raise typer.Exit(FAILED)
