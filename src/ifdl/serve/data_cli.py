"""`ifdl data`: public sets, folders and manifests. JSON goes to stdout, words to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ifdl.serve import annotate_cli

if TYPE_CHECKING:
    from rich.console import Console

    from ifdl.data import Bad, DataSet, Record
    from ifdl.data.check import Report

app = typer.Typer(
    help="List, describe, check and convert sets of pictures. Nothing is downloaded but by `hub`, as its file says.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("annotate-pairs", epilog=annotate_cli.EPILOG)(annotate_cli.annotate_pairs)
FOUND, BAD_CALL = 1, 2
SHOWN = 5  # problems of one kind, in words; JSON has them all

Name = Annotated[str, typer.Argument(help="A set; `ifdl data list` names them.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


class To(StrEnum):
    """What a set can be converted to."""

    MANIFEST = "manifest"
    IMDLBENCO = "imdlbenco"


@app.command("list", epilog="Example: IFDL_DATA=~/sets ifdl data list --json")
def list_(json_: Json = False) -> None:
    """List the sets that can be read: what for, how large, their terms, and which are on this disk.

    On this disk are the folders of IFDL_DATA that are called by a set's name.
    """
    import json

    from rich.table import Table
    from rich.text import Text

    from ifdl import data
    from ifdl.data._here import VARIABLE, home, place
    from ifdl.data._unknown import UNKNOWN

    rows = [_facts(data.load(name)) | {"place": str(p) if (p := place(name)) else None} for name in data.names()]
    if json_:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "here", "for", "size", "terms"):
        grid.add_column(column, no_wrap=column in ("name", "here"))
    for row in rows:
        here = "yes" if row["place"] else "-"
        cells = (row["id"], here, ", ".join(row["tasks"]) or row["title"], row["size"], row["licence"])
        grid.add_row(*(Text(cell) for cell in cells))
    console = _console()
    console.print(grid)
    looked = f"looked for below {home()}" if home() else f"set {VARIABLE} to the folder that holds your sets"
    console.print(f"here: on this disk ({looked})", markup=False)
    if UNKNOWN:
        console.print("Layout unknown, no reader:", style="bold")
        for name, reason in sorted(UNKNOWN.items()):
            console.print(f"  - {name}: {reason}", markup=False)


@app.command(epilog="Example: ifdl data info casia1")
def info(name: Name, json_: Json = False) -> None:
    """Say how to obtain a set, what to cite, what is known to be wrong with it, and where its layout was learned."""
    import json

    from ifdl.data._unknown import UNKNOWN

    if name in UNKNOWN:
        _refuse(f"{name} has no reader, for its layout is unknown: {UNKNOWN[name]}")
    row = _facts(_set(name))
    if json_:
        typer.echo(json.dumps(row, ensure_ascii=False))
        return
    console = _console()
    console.print(f"{row['id']}: {row['title']}", style="bold", markup=False)
    if row["tasks"]:
        console.print(f"For: {', '.join(row['tasks'])}. Size: {row['size']}.", markup=False)
    for line in (row["domain"], f"Terms: {row['licence']}.", f"Cite: {row['citation']}. {row['url']}".strip()):
        console.print(line, markup=False)
    console.print("Known defects and limits:", style="bold")
    for limit in row["limits"]:
        console.print(f"  - {limit}", markup=False)
    if row["layout"]:
        console.print("Layout, learned from", style="bold")
        console.print(f"  {row['layout']['source']}", markup=False)
        console.print(f"  with files such as {', '.join(row['layout']['names'])}", markup=False)


@app.command(
    epilog="Examples: ifdl data check casia1 ~/sets/CASIA1 --json   ifdl data check manifest train/ test/   "
    "Exit codes: 0 no errors; 1 errors were found; 2 not such a set."
)
def check(
    name: Name,
    roots: Annotated[
        list[Path], typer.Argument(metavar="ROOT", help="The set's folder or list; several count as one split each.")
    ],
    json_: Json = False,
    headers: Annotated[bool, typer.Option("--headers", help="Read headers only: fast, but masks go unseen.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Decoding processes.")] = 2,
) -> None:
    """Check masks, duplicates and splits, and audit shortcuts: how well file facts alone predict the label."""
    import dataclasses
    import json

    from ifdl.data.check import check as look

    listed = [row for root in roots for row in _records(name, root, str(root) if len(roots) > 1 else None)]
    console = _console()
    with _Progress(console) as tell:
        report = look(listed, pixels=not headers, workers=workers, card=_set(name).CARD, progress=tell)
    if json_:
        typer.echo(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
    else:
        _show(report, console)
    if report.errors:
        raise typer.Exit(FOUND)


@app.command(
    epilog="Examples: ifdl data convert columbia ~/sets/Columbia columbia/   "
    "ifdl data convert manifest columbia/ columbia.json --to imdlbenco   "
    "Exit codes: 0 all written; 1 some records were passed over; 2 not such a set, or OUT is there already."
)
def convert(
    name: Name,
    root: Annotated[Path, typer.Argument(help="The set's folder or list.")],
    out: Annotated[Path, typer.Argument(help="A new folder (manifest), or a new file (imdlbenco).")],
    to: Annotated[To, typer.Option(help="What to write.")] = To.MANIFEST,
    json_: Json = False,
) -> None:
    """Copy a set into a manifest folder (pictures byte for byte), or write an IMDL-BenCo list of it."""
    import dataclasses
    import json

    from ifdl.data import convert as converting
    from ifdl.serve.terminal import clean

    listed = _records(name, root, None)
    console = _console()
    if to is To.IMDLBENCO:
        if out.exists():
            _refuse(f"{out} is there already; name another file")
        done = converting.to_imdlbenco(listed, out)
    else:
        try:
            with _Progress(console) as tell:
                done = converting.to_manifest(listed, out, tell)
        except FileExistsError as error:
            _refuse(str(error))
    if json_:
        rows = [dataclasses.asdict(b) for b in done.bad]
        typer.echo(json.dumps({"path": str(done.path), "written": done.written, "bad": rows}, ensure_ascii=False))
    for bad in done.bad:
        console.print(clean(f"passed over: {bad.name}: {bad.reason}"), markup=False)
    console.print(f"{done.written} pictures: {done.path}", markup=False)
    if done.bad:
        raise typer.Exit(FOUND)


def _show(report: Report, console: Console) -> None:
    from ifdl.serve.terminal import clean

    labels = ", ".join(f"{n} {label}" for label, n in report.labels.items()) or "none"
    console.print(f"{report.pictures} pictures ({labels}) of {report.sources} sources, {report.masks} masks")
    if report.mask_share:
        least, middle, most = (100 * share for share in report.mask_share)
        console.print(f"masks mark {least:.2g} % to {most:.2g} % of their pictures, median {middle:.2g} %")
    kinds: dict[tuple[str, str], list[str]] = {}
    for problem in report.problems:
        line = f"{' and '.join(problem.names[:4])}: {problem.reason}" if problem.names else problem.reason
        kinds.setdefault((problem.severity, problem.kind), []).append(line)
    for severity in ("error", "warning", "note"):
        for (own, kind), lines in kinds.items():
            if own != severity:
                continue
            style = {"error": "bold red", "warning": "bold", "note": "dim"}[severity]
            console.print(f"{severity}: {kind.replace('_', ' ')} ({len(lines)})", style=style)
            for line in lines[:SHOWN]:
                console.print(f"    {clean(line)}", markup=False)
            if len(lines) > SHOWN:
                console.print(f"    … and {len(lines) - SHOWN} more (--json lists all)", style="dim")
    if report.shortcuts:
        console.print(f"shortcuts: AUC of one file fact alone (chance stays below {report.shortcut_chance:.3f})")
        for feature, area in report.shortcuts.items():
            console.print(f"    {feature.replace('_', ' '):16}{area:.3f}")
    else:
        console.print("shortcuts: not audited, there are not both edited and authentic pictures")
    console.print(f"{report.errors} errors, {report.warnings} warnings", style="bold")


def _set(name: str) -> DataSet:
    from ifdl import data

    try:
        return data.load(name)
    except KeyError as error:
        _refuse(str(error.args[0]))


def _facts(chosen: DataSet) -> dict[str, Any]:
    """The card with what is said beside it; sets of your own and third parties' may say nothing more."""
    from dataclasses import asdict

    from pydantic import TypeAdapter

    from ifdl.types import Card

    about = getattr(chosen, "ABOUT", None)
    told = asdict(about) if about else {"tasks": (), "size": "", "layout": None}
    return {**TypeAdapter(Card).dump_python(chosen.CARD, mode="json"), **told}


def _records(name: str, root: Path, split: str | None) -> list[Record | Bad]:
    from dataclasses import replace

    from ifdl.data import Bad

    chosen = _set(name)
    try:
        rows = list(chosen.records(root))
    except (OSError, ImportError, ValueError) as error:
        _refuse(f"{error}; `ifdl data info {name}` says what it should hold")
    if split is None:
        return rows
    return [
        replace(r, name=f"{split}: {r.name}")
        if isinstance(r, Bad)
        else replace(r, split=split, name=f"{split}/{r.shown}")
        for r in rows
    ]


class _Progress:
    """A line that counts up on a terminal, and nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich.progress import Progress

        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.start()
        task = self._bar.add_task("looking", total=None)
        return lambda done, total: self._bar.update(task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 100)


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"ifdl: {sentence}", err=True)
    raise typer.Exit(BAD_CALL)
