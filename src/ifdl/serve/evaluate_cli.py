"""`ifdl evaluate`, `protocols`, `leaderboard`: numbers with their protocol, intervals and shortcut audit."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

BAD_CALL = 2
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
EVALUATE = "\n\n".join(
    (
        "Example: ifdl evaluate --clue copymove --data CASIA1 --set casia1",
        "Example: ifdl evaluate --maps my_maps --threshold 0.5 --data forgeries --protocol trufor-2023",
        'Example: ifdl evaluate --command "python infer.py {image} {out}" --data forgeries',
    )
)


def evaluate(
    data: Annotated[Path, typer.Option(help="The set's folder, or a manifest.")],
    expert: Annotated[str | None, typer.Option(help="A trained expert's name.")] = None,
    clue: Annotated[str | None, typer.Option(help="A clue that localises edits.")] = None,
    verdict: Annotated[bool, typer.Option("--verdict", help="The fused answer of `ifdl examine`.")] = False,
    maps: Annotated[Path | None, typer.Option(help="Saved maps (npy, npz, png), named as the pictures.")] = None,
    command: Annotated[str | None, typer.Option(help="A program run once a picture: 'CMD {image} {out}'.")] = None,
    protocol: Annotated[str, typer.Option(help="`ifdl protocols` lists them; or a YAML file.")] = "native-1",
    set_: Annotated[str | None, typer.Option("--set", help="How the set is laid out; `ifdl data list`.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for rows.jsonl and result.json.")] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Of saved maps or a command.")] = 0.5,
    scores: Annotated[Path | None, typer.Option(help="JSON object, picture name to score, beside --maps.")] = None,
    change: Annotated[str | None, typer.Option(help="Alter every picture first, as jpeg:90.")] = None,
    robustness: Annotated[bool, typer.Option("--robustness", help="Sweep all changes on a part of the set.")] = False,
    robust_limit: Annotated[int, typer.Option(min=1, help="Pictures of that part.")] = 300,
    limit: Annotated[int | None, typer.Option(min=1, help="Take about so many pictures, whole sources.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of predictions; kept beside the result.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the numbers do not depend on it.")] = 2,
    draws: Annotated[int, typer.Option(min=10, help="Bootstrap draws.")] = 1000,
    split: Annotated[list[str] | None, typer.Option(help="Of camera sets: train, calibrate, test.")] = None,
    copy: Annotated[Path | None, typer.Option(help="Write the result here too, as results/NAME.json.")] = None,
    readings: Annotated[Path | None, typer.Option(help="Log this reading of the set in a JSON Lines file.")] = None,
    json_: Json = False,
) -> None:
    """Measure a clue, the verdict, an expert, saved maps or a stranger's program under a named protocol."""
    import json

    from ifdl.evaluate.systems import Spec
    from ifdl.forge import change as changes
    from ifdl.serve import evaluating

    given = {
        "expert": expert,
        "clue": clue,
        "verdict": "verdict" if verdict else None,
        "maps": str(maps) if maps else None,
        "command": command,
    }
    chosen = {kind: what for kind, what in given.items() if what is not None}
    if len(chosen) != 1:
        _refuse("name one thing to evaluate: --expert, --clue, --verdict, --maps or --command")
    ((kind, what),) = chosen.items()
    try:
        order = evaluating.Order(
            Spec(kind, what, threshold, str(scores) if scores else None),
            data,
            protocol,
            set_,
            out,
            cache,
            changes.parse(change) if change else None,
            robustness,
            limit,
            robust_limit,
            workers=workers,
            draws=draws,
            readings=readings,
            splits=tuple(split or ()),
            copy=copy,
            command="ifdl " + shlex.join(sys.argv[1:]),
        )
        told, place = evaluating.run(order, _console())
    except ValueError as error:
        _refuse(str(error))
    if json_:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        evaluating.show(told, _console())
        _console().print(f"written: {place / 'result.json'}, {place / 'rows.jsonl'}", markup=False)


def protocols(
    name: Annotated[str | None, typer.Argument(help="One protocol in full.")] = None, json_: Json = False
) -> None:
    """List the protocols, or say what one counts."""
    import json
    from dataclasses import asdict

    from ifdl.evaluate import protocol

    try:
        chosen = [protocol.load(n) for n in ([name] if name else protocol.names())]
    except ValueError as error:
        _refuse(str(error))
    if json_:
        typer.echo(json.dumps([asdict(p) for p in chosen], ensure_ascii=False))
        return
    console = _console()
    for p in chosen:
        console.print(f"{p.name}, version {p.version}", style="bold", markup=False)
        console.print(" ".join(p.words.split()), markup=False)
        if name:
            console.print(f"Source: {p.source}", markup=False)
            for key, number in p.numbers.items():
                console.print(f"  {key}: {number.words}", markup=False)


def leaderboard(
    results: Annotated[Path, typer.Argument(help="A folder of results, or of runs' folders.")],
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page here.")] = None,
    gallery: Annotated[Path | None, typer.Option(help="Folder of pictures for the gallery of the worst.")] = None,
    compare: Annotated[list[Path] | None, typer.Option(help="Two result files, side by side.")] = None,
) -> None:
    """Tables of measured numbers, published ones apart from them; with --html plots and the worst pictures too."""
    from ifdl.serve import standings

    try:
        standings.show(results, html, gallery, tuple(compare or ()), _console())
    except (ValueError, OSError) as error:
        _refuse(str(error))


def calibrate(
    authentic: Annotated[list[Path], typer.Argument(help="Folders or manifests of untouched photographs of yours.")],
    forged: Annotated[Path | None, typer.Option(help="Edited pictures; else they are forged from yours.")] = None,
    out: Annotated[Path, typer.Option(help="The calibration file.")] = Path("calibration.json"),
    pairs: Annotated[int, typer.Option(min=20, help="How many forgeries to make.")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same forgeries.")] = 0,
    split: Annotated[
        list[str] | None, typer.Option(help="Which photographs of camera sets: calibrate (default), train, test.")
    ] = None,
    work: Annotated[Path, typer.Option(help="What was examined is kept here, to go on.")] = Path("calibration-work"),
    results: Annotated[Path | None, typer.Option(help="Write the measures here too.")] = None,
    archive: Annotated[
        bool, typer.Option("--archive", help="Also weigh the comparison with an archive that holds the originals.")
    ] = False,
) -> None:
    """Fit how far the tests may be believed on pictures like yours, and write a file for `ifdl examine`."""
    from ifdl.data.manifest import Split
    from ifdl.evaluate.calibrate import Order
    from ifdl.serve import calibrate_cli

    line = "ifdl " + shlex.join(sys.argv[1:])
    try:
        splits = tuple(Split(s) for s in split or [Split.CALIBRATE])
        order = Order(tuple(authentic), work, forged, pairs, seed, splits=splits, archive=archive)
        calibrate_cli.run(order, out, _console(), line, results)
    except ValueError as error:
        _refuse(str(error))


def register(app: typer.Typer) -> None:
    """Add the commands to the main program."""
    app.command(epilog=EVALUATE)(evaluate)
    app.command(epilog="Example: ifdl protocols native-1")(protocols)
    app.command(epilog="Example: ifdl calibrate my_photos/ --out mine.json")(calibrate)
    app.command(epilog="Example: ifdl leaderboard results/ --html leaderboard.html")(leaderboard)


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"ifdl: {reason}", err=True)
    raise typer.Exit(BAD_CALL)
