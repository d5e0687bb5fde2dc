"""`ifdl judge`: score explanations, compare two of them blindly, and see how far judges agree."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from ifdl.evaluate.judge import Case, Judged

app = typer.Typer(
    help="Judge explanations: by the forge's record, by likeness, by a model, by people.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
FAILED = 2
RULES, LIKENESS = "rules", "likeness"


@app.command(
    epilog="Example: ifdl judge score texts.jsonl --truth forged/manifest.jsonl --by rules --out rules.jsonl   "
    'A row of texts.jsonl: {"image": "images/000001_edited.jpg", "text": "…"}. An interrupted run with a model asks '
    "only for what is missing."
)
def score(
    texts: Annotated[Path, typer.Argument(help="One text a line, as JSON.")],
    truth: Annotated[
        Path | None, typer.Option(help="The manifest.jsonl of `ifdl forge`; without it, rows hold their own truth.")
    ] = None,
    by: Annotated[str, typer.Option(help="rules, likeness, or the address of a chat server.")] = RULES,
    out: Annotated[Path | None, typer.Option(help="Where the scores go, one JSON line a text.")] = None,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Likeness by TF-IDF where the sentence model is missing; it says so.")
    ] = False,
    model: Annotated[str, typer.Option(help="The model's name at the server, if it has several.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Sent to the server and recorded.")] = 0,
    cache: Annotated[Path, typer.Option(help="Where a model's marks are kept.")] = Path(".ifdl-judge"),
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that a server may take for one text.")] = 120.0,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Let the texts leave this machine.")] = False,
) -> None:
    """Mark every text from 0 to 5, by criterion; pictures are not sent anywhere."""
    from ifdl.evaluate import judge

    try:
        every = judge.cases(texts, truth)
        if not every:
            raise ValueError(f"{texts} holds no texts")
        if by == RULES:
            judged = [judge.by_rules(case) for case in every]
        elif by == LIKENESS:
            judged = judge.by_likeness(every, judge.embedder(fallback))
        elif by.startswith(("http://", "https://")):
            judged = _by_model(every, by, model, seed, cache, timeout, allow_remote)
        else:
            raise ValueError(f"--by takes {RULES}, {LIKENESS} or an address such as http://127.0.0.1:8000/v1")
        if out is not None:
            _write(out, "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in judged))
    except ImportError as error:
        _refuse(f"{error}; or --fallback for TF-IDF")
    except (ValueError, OSError) as error:
        _refuse(str(error))
    told = {"judge": judged[0].judge, "texts": len(judged), "means": judge.means(judged)}
    typer.echo(json.dumps(told, ensure_ascii=False))


@app.command(epilog="Example: ifdl judge sheet A.jsonl B.jsonl --out sheet.html   The key goes to sheet.key.json.")
def sheet(
    a: Annotated[Path, typer.Argument(help="Texts of one explainer.")],
    b: Annotated[Path, typer.Argument(help="Texts of another, on the same pictures.")],
    out: Annotated[Path, typer.Option(help="The page; its key, which raters must not see, goes beside it.")],
    truth: Annotated[Path | None, typer.Option(help="A manifest.jsonl, whose folder holds the pictures.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws order and sides.")] = 0,
) -> None:
    """Make a blinded page with two explanations of each picture side by side; it saves the choices itself."""
    from ifdl.evaluate import _judge_sheet, judge

    try:
        html, key = _judge_sheet.sheet(judge.cases(a, truth), judge.cases(b, truth), seed)
        place = out.with_suffix(".key.json")
        _write(out, html)
        _write(place, json.dumps(key | {"a": a.name, "b": b.name}, indent=1))
    except (ValueError, OSError) as error:
        _refuse(str(error))
    typer.echo(f"{len(key['rows'])} pairs: {out}; which side is whose: {place}", err=True)


@app.command(
    epilog="Example: ifdl judge agree rules.jsonl model.jsonl   ifdl judge agree a.json b.json --key sheet.key.json"
)
def agree(
    first: Annotated[Path, typer.Argument(help="Scores of `ifdl judge score`, or choices that a sheet saved.")],
    second: Annotated[Path | None, typer.Argument(help="Another judge's; without it, a sheet's preference.")] = None,
    key: Annotated[Path | None, typer.Option(help="The sheet's key, for choices.")] = None,
) -> None:
    """Report how far two judges agree, with 95 % intervals, as JSON on stdout."""
    from ifdl.evaluate import _judge_agree, _judge_sheet

    told: dict[str, Any]
    try:
        if key is not None:
            choices = [_judge_sheet.unblinded(path, key) for path in (first, second) if path is not None]
            told = {"preference": [_judge_agree.preference(c) for c in choices]}
            if len(choices) == 2:
                told["agreement"] = _judge_agree.of_choices(choices[0], choices[1])
        elif second is None:
            raise ValueError("two files of scores are needed, or --key with a file of choices")
        else:
            one, other = _scores(first), _scores(second)
            told = {"judges": [one[0].judge, other[0].judge], "agreement": _judge_agree.of_scores(one, other)}
    except ValueError as error:
        _refuse(str(error))
    typer.echo(json.dumps(_finite(told), ensure_ascii=False))


def _by_model(
    every: list[Case], url: str, model: str, seed: int, cache: Path, timeout: float, remote: bool
) -> list[Judged]:
    from rich.console import Console

    from ifdl.evaluate._judge_model import ModelJudge
    from ifdl.explain.openai_compatible import KEY, Server
    from ifdl.serve import progress

    server = Server(url, model, timeout, remote, os.environ.get(KEY, ""))
    with progress.bar(Console(stderr=True)) as bar:
        task = bar.add_task("judging", total=len(every)) if bar else None
        return ModelJudge(server, cache, seed).judge(
            every, lambda: bar.advance(task) if bar is not None and task is not None else None
        )


def _scores(path: Path) -> list[Judged]:
    from ifdl.evaluate import judge

    try:
        found = [judge.Judged(**row) for _, row in judge.rows(path)]
    except TypeError as error:
        raise ValueError(f"{path} does not hold scores of `ifdl judge score`") from error
    if not found:
        raise ValueError(f"{path} holds no scores")
    return found


def _finite(told: Any) -> Any:
    """JSON knows no nan: what is not defined is null."""
    if isinstance(told, dict):
        return {name: _finite(value) for name, value in told.items()}
    if isinstance(told, list):
        return [_finite(value) for value in told]
    return None if isinstance(told, float) and told != told else told


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _refuse(reason: str) -> NoReturn:
    from ifdl.serve.terminal import clean

    typer.echo(f"ifdl: {clean(reason)}", err=True)
    raise typer.Exit(FAILED)
