"""`ifdl export`: stored reports in the forms that other programs read; `ifdl report --format` writes them of one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from ifdl.types import Report

BAD_CALL = 2
SUFFIXES = {
    "coco": ".coco.json",
    "labelstudio": ".labelstudio.json",
    "fiftyone": ".fiftyone",
    "case": ".case.jsonld",
    "csv": ".csv",
}


class Exchange(StrEnum):
    """The forms that hold one picture or many; fiftyone is a folder, the others are one file."""

    COCO = "coco"
    LABELSTUDIO = "labelstudio"
    FIFTYONE = "fiftyone"
    CASE = "case"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command to the main program."""
    app.command(epilog="Example: ifdl export reports/ --format coco --out findings.json")(export)


def export(
    results: Annotated[Path, typer.Argument(help="A folder of `ifdl examine --out`, a results.jsonl or report.json.")],
    format_: Annotated[Exchange, typer.Option("--format", help="What is written.")],
    out: Annotated[Path | None, typer.Option(help="The file, or for fiftyone the folder.")] = None,
    pictures: Annotated[
        Path, typer.Option(help="The folder that the pictures lie in, for fiftyone.", show_default="this one")
    ] = Path(),
    prefix: Annotated[
        str | None, typer.Option(help="For labelstudio: what stands before each picture's name in its address.")
    ] = None,
) -> None:
    """Write stored reports for annotation tools, laboratories and spreadsheets: regions, answers, hashes."""
    from ifdl.report import rows

    try:
        found = list(rows.read(results))
    except ValueError as error:
        _refuse(str(error))
    place = out or Path(f"{results.resolve().stem}{SUFFIXES[format_]}")
    write(found, format_, place, pictures, prefix)
    if format_ is Exchange.LABELSTUDIO:
        from ifdl.report import labelstudio

        tests = sorted({mark.test for row in rows.examined(found) for mark in rows.marks(row)})
        typer.echo(f"labelling interface:\n{labelstudio.config(tests)}", err=True)


def write(
    reports: Iterable[Report | dict[str, Any]],
    format_: Exchange,
    place: Path,
    pictures: Path = Path(),
    prefix: str | None = None,
) -> None:
    """Write the reports to `place` in that form, and say so. Leaves with exit code 2 if it cannot be written."""
    from ifdl.report import caseuco, coco, fiftyone, labelstudio, table

    reports = list(reports)
    data: dict[Path, bytes] = {}
    if format_ is Exchange.FIFTYONE:
        data = {place / name: text for name, text in fiftyone.contents(reports, pictures).items()}
    elif format_ is Exchange.LABELSTUDIO:
        data[place] = labelstudio.to_labelstudio(reports, labelstudio.LOCAL if prefix is None else prefix).encode()
    else:
        write_text = {Exchange.COCO: coco.to_coco, Exchange.CASE: caseuco.to_case, Exchange.CSV: table.to_csv}[format_]
        data[place] = write_text(reports).encode()
    try:
        for path, content in data.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        _refuse(f"{error.filename} cannot be written: {error.strerror}")
    many = "one report" if len(reports) == 1 else f"{len(reports)} reports"
    typer.echo(f"written: {place} ({many})", err=True)


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"ifdl: {reason}", err=True)
    raise typer.Exit(BAD_CALL)
