"""`ifdl explain`: one picture's findings in words; by rules, by a model on this machine, or by a chat server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from ifdl.types import Explanation, Picture, Verdict

FAILED = 2
RULES, LOCAL = "grounded", "llava"


def register(app: typer.Typer) -> None:
    """Add the command to the main program."""
    app.command(
        "explain",
        epilog="Example: ifdl explain photo.jpg --with http://127.0.0.1:8000/v1   A model's sentences are checked "
        "against the findings, and what they do not support is dropped. Exit codes: 0 explained; 2 it could not be.",
    )(explain)


def explain(
    picture: Annotated[Path, typer.Argument(help="One picture.")],
    with_: Annotated[
        str,
        typer.Option(
            "--with",
            help="grounded (no model); llava:FOLDER or llava:OWNER/NAME@COMMIT, a model that is on this machine; "
            "or the address of a chat server.",
        ),
    ] = RULES,
    model: Annotated[str, typer.Option(help="The model's name at the server, if it has several.")] = "",
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that a server may take.")] = 120.0,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let the picture leave this machine, for a server elsewhere.")
    ] = False,
    adapter: Annotated[Path | None, typer.Option(help="A folder that `ifdl train ravfe_llava13b` wrote.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="How the mask guides a local model: alpha, weights, background, soft, prior."),
    ] = None,
    raw: Annotated[Path | None, typer.Option(help="Write the model's own, unchecked text here.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Say in words what the tests found; every sentence names the findings it rests on."""
    from ifdl import intake, spine
    from ifdl.serve import terminal

    console = _console()

    def progress(said: str) -> None:
        console.print(terminal.clean(said), style="dim", markup=False, highlight=False)

    try:
        tell = _explainer(with_, model, timeout, allow_remote, adapter, _options(set_ or []), progress)
        shown = intake.load(picture)
        progress("examining")
        verdict = spine.examine_picture(shown).verdict
        told = tell(shown, verdict)
    except (intake.IntakeError, ValueError) as error:
        _refuse(terminal.clean(str(error)))
    explanation = told if with_ == RULES else told.explanation
    if with_ != RULES:
        progress(f"{told.dropped} of the model's {told.said} sentences rest on no finding and were dropped")
    if raw is not None:
        try:
            raw.write_text(explanation_text(explanation) if with_ == RULES else told.text, encoding="utf-8")
        except OSError as error:
            _refuse(f"{raw} cannot be written: {error.strerror}")
    if json_:
        from pydantic import TypeAdapter

        from ifdl.types import Explanation

        typer.echo(json.dumps(TypeAdapter(Explanation).dump_python(explanation, mode="json"), ensure_ascii=False))
    else:
        typer.echo(explanation_text(explanation))


def explanation_text(explanation: Explanation) -> str:
    """One sentence a line, with the findings it rests on."""
    from ifdl.serve import terminal

    return "\n".join(f"{terminal.clean(s.text)}  [{', '.join(s.findings)}]" for s in explanation.sentences)


def _explainer(
    with_: str,
    model: str,
    timeout: float,
    remote: bool,
    adapter: Path | None,
    how: dict[str, Any],
    progress: Callable[[str], None],
) -> Callable[[Picture, Verdict], Any]:
    """What to call with a picture and its verdict. A model is loaded, and a server's address checked, at once."""
    if with_ != RULES and not with_.startswith(("http://", "https://", f"{LOCAL}:")) and with_ != LOCAL:
        raise ValueError(f"--with takes grounded, llava:ID or http://…, not {with_!r}")
    if (adapter or how) and not with_.startswith(LOCAL):
        raise ValueError("--adapter and --set are for --with llava:ID")
    if with_ == RULES:
        from ifdl.explain import grounded

        return grounded.explain
    if with_.startswith(LOCAL):
        from ifdl.explain import llava

        loaded = llava.load(with_.removeprefix(LOCAL).removeprefix(":"), adapter, progress, **how)
        return llava.Llava(loaded, progress).tell
    import os

    from ifdl.explain import openai_compatible as chat

    server = chat.Server(with_, model, timeout, remote, os.environ.get(chat.KEY, ""))
    return lambda picture, verdict: chat.tell(picture, verdict, server, progress)


def _options(given: list[str]) -> dict[str, Any]:
    import yaml

    known = ("alpha", "weights", "background", "soft", "prior")
    found = {}
    for one in given:
        key, equals, value = one.partition("=")
        if key not in known or not equals:
            raise ValueError(f"--set takes KEY=VALUE with a key of {', '.join(known)}, not {one!r}")
        found[key] = yaml.safe_load(value)
        if key in ("alpha", "prior") and not isinstance(found[key], int | float):
            raise ValueError(f"--set {key} takes a number, not {value!r}")
    return found


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _refuse(why: str) -> NoReturn:
    typer.echo(f"ifdl: {why}", err=True)
    raise typer.Exit(FAILED)
