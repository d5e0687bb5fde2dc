"""`ifdl report` and `ifdl verify`: one report in one form, and whether an old one can be repeated."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ifdl.serve import export_cli

if TYPE_CHECKING:
    from ifdl.types import Report

FAILED, DIFFERENT, SAME = 2, 1, 0


class Format(StrEnum):
    """The forms of one report; those of `ifdl export` are the same for many."""

    HTML = "html"
    JSON = "json"
    PDF = "pdf"
    SARIF = "sarif"
    BUNDLE = "bundle"
    COCO = "coco"
    LABELSTUDIO = "labelstudio"
    FIFTYONE = "fiftyone"
    CASE = "case"
    CSV = "csv"


PART = re.compile(r", (?:page|frame|picture) (\d+) of \d+(?:, picture (\d+) of \d+)?$")


def register(app: typer.Typer) -> None:
    """Add both commands to the main program."""
    app.command(epilog="Example: ifdl report photo.jpg --format bundle --out evidence.zip")(report)
    app.command(
        epilog="Example: ifdl verify reports/report.json photo.jpg   Exit codes: 0 repeated; 1 something differs; "
        "2 it cannot be checked."
    )(verify)


def report(
    picture: Annotated[Path, typer.Argument(help="One picture.")],
    format_: Annotated[Format, typer.Option("--format", help="What is written.")] = Format.HTML,
    out: Annotated[Path | None, typer.Option(help="The file; by default beside the picture's name, here.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Keep GPS, serial numbers and owners' names.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Repeat the answers after six mild changes.")] = False,
    page: Annotated[
        int | None, typer.Option("--page", "--frame", min=1, help="A page or frame other than the first, from 1.")
    ] = None,
    with_picture: Annotated[bool, typer.Option("--with-picture", help="Put the picture into the bundle too.")] = False,
) -> None:
    """Examine one picture and write its report as one file."""
    import ifdl
    from ifdl import report as reports
    from ifdl.report import bundle, pdf, sarif

    try:
        if format_ is Format.PDF:
            pdf.check()
        made = ifdl.examine(picture, deep=deep, page=page)
    except (ifdl.intake.IntakeError, ImportError) as error:
        _refuse(str(error))
    shared = made if full else reports.redacted(made)
    if format_ in export_cli.SUFFIXES:
        place = out or Path(f"{picture.stem}{export_cli.SUFFIXES[format_]}")
        export_cli.write([reports.to_dict(shared)], export_cli.Exchange(format_), place, picture.parent)
        return
    suffix = "zip" if format_ is Format.BUNDLE else str(format_)
    place = out or Path(f"{picture.stem}.report.{suffix}")
    data = {
        Format.HTML: lambda: reports.to_html(shared, full=True).encode(),
        Format.JSON: lambda: (reports.to_json(shared) + "\n").encode(),
        Format.PDF: lambda: pdf.to_pdf(shared, full=True),
        Format.SARIF: lambda: sarif.to_sarif(shared).encode(),
        Format.BUNDLE: lambda: bundle.to_bundle(shared, reports.contents(shared), with_picture),
    }[format_]()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    except OSError as error:
        _refuse(f"{place} cannot be written: {error.strerror}")
    part = PART.search(made.item.name)
    which = f" ({part.group().removeprefix(', ')}; --page names another)" if part else ""
    typer.echo(f"written: {place}{which}", err=True)


def verify(
    report_file: Annotated[Path, typer.Argument(metavar="REPORT", help="A report.json.")],
    picture: Annotated[Path, typer.Argument(help="The picture it is of.")],
    index: Annotated[Path | None, typer.Option(help="The archive's index, where the report compared with one.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the differences as JSON on stdout.")] = False,
) -> None:
    """Examine again and name every hash, version and number that is not as the report says."""
    from ifdl.report import verify as verifying

    try:
        then = json.loads(report_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _refuse(f"{report_file} cannot be read: {error}")
    if why := verifying.readable(then):
        _refuse(f"{report_file} cannot be verified: {why}")
    found = verifying.differences(then, _again(then, picture, index))
    if json_:
        typer.echo(json.dumps(found, ensure_ascii=False))
    for line in found:
        typer.echo(_printable(line), err=True)
    if found:
        count = "one difference" if len(found) == 1 else f"{len(found)} differences"
        typer.echo(f"{report_file.name}: {count}", err=True)
        raise typer.Exit(DIFFERENT)
    typer.echo(f"{report_file.name}: repeated; hashes, versions and numbers are the same", err=True)


def _again(then: dict[str, Any], picture: Path, index: Path | None) -> dict[str, Any]:
    """The examination of the same tests, run now, as plain as the report."""
    import ifdl
    from ifdl.report import redacted, to_dict
    from ifdl.verdict import battery, deep

    tests = [test for test in then["environment"]["clues"] if test != battery.ARCHIVE]
    if missing := [test for test in tests if test not in battery.names()]:
        _refuse(f"this version has no test called {', '.join(missing)}")
    compared = battery.ARCHIVE in then["environment"]["clues"]
    if compared and index is None:
        _refuse("the report compared the picture with an archive; name its index: --index ARCHIVE.index")
    repeated = any(row["test"] == deep.TEST for row in then["verdict"]["coverage"])
    name = then["item"]["name"]
    found = PART.search(name)  # the name says which page, frame or picture of the file it was
    page, inner = (int(n) if n else None for n in found.groups()) if found else (None, None)
    try:
        now: Report = ifdl.examine(
            picture,
            clues=tests,
            deep=repeated,
            name=name[: found.start()] if found else name,
            index=index if compared else None,
            page=page,
            picture=inner,
        )
    except (ifdl.intake.IntakeError, ValueError) as error:
        _refuse(str(error))
    return to_dict(redacted(now) if then["redacted"] else now)


def _printable(text: str) -> str:
    from ifdl.serve import terminal

    return terminal.clean(text)


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"ifdl: {reason}", err=True)
    raise typer.Exit(FAILED)
