"""`ifdl index` and `ifdl trace`: an archive of one's own, and where a picture comes from."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ifdl.trace.features import Extractor
    from ifdl.types import Picture

FAILED = 2


class Kind(StrEnum):
    """Kinds of features."""

    ROOTSIFT = "rootsift"
    SUPERPOINT = "superpoint"


Features = Annotated[
    Kind, typer.Option("--features", help="superpoint is experimental, and needs the train extra and its weights.")
]


def register(app: typer.Typer) -> None:
    """Add both commands to the main program."""
    app.command("index", epilog="Example: ifdl index archive/ --out archive.index")(index_)
    app.command(
        "trace",
        epilog="Example: ifdl trace suspect.jpg --index archive.index --out found/   Exit codes: 0 traced, whatever "
        "was found; 2 it could not be.",
    )(trace_)


def index_(
    archive: Annotated[list[Path], typer.Argument(help="Folders and picture files.")],
    out: Annotated[Path, typer.Option(help="The index, a folder. One that is there is brought up to date.")],
    prune: Annotated[bool, typer.Option("--prune", help="Drop pictures that are no longer there.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Read files again that could not be read.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Pictures read at a time.")] = 2,
    kind: Features = Kind.ROOTSIFT,
) -> None:
    """Index an archive, or bring its index up to date; interrupted, it goes on where it was."""
    from rich.console import Console
    from rich.progress import Progress

    from ifdl.report.words import visible
    from ifdl.trace import index as indexing
    from ifdl.trace import near

    try:
        files = [file for place in archive for file in indexing.pictures(place)]
        with indexing.Index(out, True, _extractor(kind)) as index, Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("indexing", total=len(files))
            bad = [path for path, _ in index.errors()]
            gone = [p for p in (*(e.path for e in index.entries), *bad) if prune and not Path(p).is_file()]
            again = bad if retry else []
            counts = index.update(files, [*gone, *again], lambda n: progress.advance(task, n), workers)
            near.refresh(index)
            held, errors = len(index), index.errors()
    except (OSError, ValueError, ImportError) as error:
        _refuse(str(error))
    for path, why in errors:
        typer.echo(f"not indexed: {visible(path)}: {visible(why)}", err=True)
    typer.echo(
        f"{out}: {held} pictures ({counts.added} new or changed, {counts.unchanged} unchanged, "
        f"{counts.removed} removed, {len(errors)} cannot be read)",
        err=True,
    )


def trace_(
    picture: Annotated[Path, typer.Argument(help="The picture to look up.")],
    index: Annotated[Path, typer.Option(help="The index, made by `ifdl index`.")],
    region: Annotated[
        str, typer.Option(help="The suspected part: X,Y,WIDTH,HEIGHT in stored pixels, or a mask file of its size.")
    ] = "",
    kind: Features = Kind.ROOTSIFT,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write trace.html, trace.json and the mask into this folder.")
    ] = None,
) -> None:
    """Look for the picture's original and for the pictures that parts of it were taken from."""
    from ifdl import intake
    from ifdl.report import trace as report
    from ifdl.trace import query
    from ifdl.trace.index import Index

    try:
        asked = intake.load(picture)
        part = _region(region, asked) if region else None
        with Index(index, extractor=_extractor(kind)) as held:
            found = query.trace(asked, held, part)
            count = len(held)
    except (intake.IntakeError, OSError, ValueError, ImportError) as error:
        _refuse(str(error))
    told = report.to_dict(asked, found, count)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in report.contents(asked, found, count).items():
            (out / name).write_bytes(data)
        typer.echo(f"written: {out / 'trace.html'}", err=True)
    if json_:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        for line in report.lines(told):
            typer.echo(line)


def _extractor(kind: Kind) -> Extractor:
    from ifdl.trace.features import RootSift

    if kind is Kind.ROOTSIFT:
        return RootSift()
    from ifdl.trace.learned import SuperPoint

    return SuperPoint()


def _region(text: str, picture: Picture) -> NDArray[np.bool_]:
    """The region as a mask of the picture. Raises ValueError that says what is wrong with it."""
    import numpy as np

    from ifdl import intake

    parts = text.split(",")
    if len(parts) == 4 and all(p.strip().isdigit() for p in parts):
        x, y, width, height = (int(p) for p in parts)
        mask = np.zeros((picture.height, picture.width), bool)
        mask[y : y + height, x : x + width] = True
        if not mask.any():
            raise ValueError(f"the box {text} lies outside the picture of {picture.width}×{picture.height} pixels")
        return mask
    if not Path(text).is_file():
        raise ValueError(f"{text!r} is neither a box X,Y,WIDTH,HEIGHT nor a mask file")
    given: Any = intake.load(Path(text)).pixels.max(axis=2) >= 128
    if given.shape != (picture.height, picture.width):
        raise ValueError(f"{text} is {given.shape[1]}×{given.shape[0]}, the picture {picture.width}×{picture.height}")
    if not given.any():
        raise ValueError(f"{text} marks nothing")
    return np.asarray(given, bool)


def _refuse(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(FAILED)
