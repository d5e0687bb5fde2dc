"""`ifdl batch`: very many pictures into one table."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

FAILED, FOUND, INTERRUPTED = 2, 3, 130


class Engine(StrEnum):
    """Where the work is done."""

    LOCAL = "local"
    RAY = "ray"


class Which(StrEnum):
    """Which pictures the expert sees (`ifdl.serve.batching.cascade.Policy`, without importing it)."""

    ALL = "all"
    OPEN = "open"
    SUSPICIOUS = "suspicious"
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Add the command to the main program."""
    app.command(
        "batch",
        epilog="Example: ifdl batch photos/ --out results.parquet --workers 4   Killed or interrupted, it goes on with "
        "--resume. Exit codes: 0 examined; 2 a picture could not be (its row says why); 3 a --fail-on condition holds.",
    )(batch)


def batch(
    source: Annotated[
        list[str],
        typer.Argument(help="Folders, globs, lists (.txt, .jsonl, .json), tar archives, or s3://, gs://, az:// URIs."),
    ],
    out: Annotated[Path, typer.Option(help="The table (Parquet); docs/scale.md lists its columns.")],
    engine: Annotated[Engine, typer.Option(help="This machine's processes, or Ray Data.")] = Engine.LOCAL,
    workers: Annotated[int, typer.Option(min=1, help="Pictures examined at a time; on Ray, of the first pool.")] = 2,
    policy: Annotated[
        Which,
        typer.Option(
            help="Which pictures the expert sees: all; open: those without a supported local edit; suspicious: those "
            "where a cheap test is not silent or the ratio reaches --least; none."
        ),
    ] = Which.ALL,
    least: Annotated[float, typer.Option(min=0, help="For suspicious: the ratio from which a picture is.")] = 1.0,
    clue: Annotated[list[str] | None, typer.Option(help="Run only this test; may be repeated.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep what --out holds and do the rest.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="With --resume: try pictures with an error again.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Drop what --out holds and begin anew.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(help="Exit 3 if this is supported: history, local_edit, synthetic_origin, claims, or any."),
    ] = None,
    calibration: Annotated[Path | None, typer.Option(help="A file of `ifdl calibrate`, not the shipped one.")] = None,
    ray_address: Annotated[str | None, typer.Option(help="A running cluster (host:port, or auto).")] = None,
    experts: Annotated[int, typer.Option(min=1, help="On Ray: members of the expert's pool.")] = 1,
    part_rows: Annotated[int, typer.Option(min=1, help="Rows that a kill can cost at most.")] = 256,
    patience: Annotated[float, typer.Option(min=1, help="Wall-clock limit for examining one picture.")] = 600.0,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="Wall-clock limit for decoding one file.")] = 20.0,
    max_memory: Annotated[float, typer.Option(min=0.25, help="Memory limit for decoding, in GB.")] = 2.0,
    max_pixels: Annotated[float, typer.Option(min=0.01, help="Pixel limit, in megapixels.")] = 100.0,
    max_megabytes: Annotated[float, typer.Option(min=0.001, help="File size limit, in megabytes.")] = 512.0,
) -> None:
    """Examine very many pictures into one Parquet table; errors are rows, and nothing is done twice."""
    from rich.console import Console

    from ifdl.intake import Limits
    from ifdl.serve.batching import run, store, table
    from ifdl.serve.batching.cascade import Plan, Policy
    from ifdl.serve.batching.on_ray import Cluster
    from ifdl.types import Question
    from ifdl.verdict import battery

    questions = {str(q) for q in Question}
    asked = set(fail_on or [])
    if unknown := asked - questions - {"any", "supported"}:
        _refuse(f"--fail-on takes {', '.join(sorted(questions))} or any, not {', '.join(sorted(unknown))}")
    if unknown := set(clue or []) - set(battery.names()):
        _refuse(f"there is no test called {', '.join(sorted(unknown))}; there are {', '.join(battery.names())}")
    if out.is_dir() or not out.absolute().parent.is_dir():
        _refuse(f"--out {out} must be a file in a folder that exists")
    if (out.exists() or store.parts_of(out).exists()) and not (resume or again):
        _refuse(f"{out} holds rows of an earlier run; add --resume to go on, or --again to begin anew")
    limits = Limits(max_seconds, int(max_memory * 1024**3), int(max_pixels * 1e6), int(max_megabytes * 1024**2))
    console = Console(stderr=True, highlight=False)
    try:
        table.schema()
        if again:
            store.remove(out)
        plan = Plan.of(clue, policy=Policy(policy), least=least, calibration=calibration, limits=limits)
        cluster = Cluster(ray_address, workers, experts) if engine is Engine.RAY else None
        order = run.Order(plan, out, workers, patience, retry, part_rows, cluster)
        tally = run.run(source, order, console)
    except (ValueError, ImportError, OSError, RuntimeError) as error:
        _refuse(str(error))
    except KeyboardInterrupt as stop:
        typer.echo("ifdl: interrupted; what was finished is kept, go on with --resume", err=True)
        raise typer.Exit(INTERRUPTED) from stop
    run.summary(tally, order, console)
    if json_:
        typer.echo(json.dumps(tally.as_dict()))
    if tally.failed:
        raise typer.Exit(FAILED)
    if asked and set(tally.supported) & (questions if asked & {"any", "supported"} else asked):
        raise typer.Exit(FOUND)


def _refuse(why: str) -> NoReturn:
    typer.echo(f"ifdl: {why}", err=True)
    raise typer.Exit(FAILED)
