"""`ifdl train RECIPE` and `ifdl train pack OUT`: one group, whose unnamed command trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from rich.console import Console

BAD_CALL = 2
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Replace one key, as optim.lr=3e-4; may be repeated.")]


class _RecipeOrCommand(TyperGroup):
    """A group that takes whatever is none of its commands for `run`'s arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


train_app = typer.Typer(
    cls=_RecipeOrCommand,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Train an expert: `ifdl train RECIPE` (options: `ifdl train run --help`). "
    "Write a folder to train from elsewhere: `ifdl train pack OUT`; to use elsewhere: `ifdl train export RUN OUT`.",
)


@train_app.command(epilog="Example: ifdl train recipes/small.yaml --set optim.lr=3e-4 --minutes 60 --out runs/small")
def run(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or a shipped recipe's name.")],
    set_: Set = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint, at the same step.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="Two real steps of a tiny net, and a checkpoint.")] = False,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="End by then; the rate follows.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of checkpoints, log and weights.")] = None,
    shard_mb: Annotated[float | None, typer.Option(min=0.1, help="Split files of tensors into shards.")] = None,
    json_: Json = False,
) -> None:
    """Train as a recipe says (the command to use when none is named)."""
    import json
    from dataclasses import asdict

    from ifdl.serve import training

    try:
        order = training.Order(recipe, tuple(set_ or ()), resume, smoke, minutes, out, shard_mb)
        outcome = training.run(order, _console())
    except (ValueError, OSError) as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        typer.echo("ifdl: interrupted; --resume goes on from the last checkpoint", err=True)
        raise typer.Exit(130) from None
    if json_:
        typer.echo(json.dumps(asdict(outcome) | {"weights": str(outcome.weights)}))
    else:
        training.show(outcome, _console())


@train_app.command(epilog="Example: ifdl train pack small-pack --max-mb 90")
def pack(
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    max_mb: Annotated[float, typer.Option(min=0.1, help="Its size at most, weights included.")] = 100.0,
    recipe: Annotated[str, typer.Option(help="Whose pictures, weights and settings.")] = "small",
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Write one folder that trains without network: pictures as they are, weights, recipe, terms."""
    import json
    from dataclasses import asdict

    from ifdl.serve import training

    try:
        packed = training.pack(recipe, tuple(set_ or ()), out, max_mb)
    except (ValueError, OSError) as error:
        _refuse(str(error))
    if json_:
        typer.echo(json.dumps(asdict(packed)))
    else:
        training.show_packed(packed, out, _console())


@train_app.command(epilog="Example: ifdl train export runs/small exported")
def export(
    run: Annotated[Path, typer.Argument(help="The folder of a run, finished or not.")],
    out: Annotated[Path, typer.Argument(help="Where weights and graphs go.")],
    last: Annotated[bool, typer.Option("--last", help="The last checkpoint, not the best.")] = False,
    json_: Json = False,
) -> None:
    """Write a run's weights in half precision, and an ONNX graph that reads them."""
    import json

    from ifdl.serve import training

    try:
        told = training.export(run, out, last)
    except (ValueError, OSError) as error:
        _refuse(str(error))
    if json_:
        typer.echo(json.dumps(told))
    else:
        training.show_exported(told, out, _console())


def register(app: typer.Typer) -> None:
    """Add the group to the main program."""
    app.add_typer(train_app, name="train")


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"ifdl: {reason}", err=True)
    raise typer.Exit(BAD_CALL)
