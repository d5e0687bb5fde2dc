"""The command line. JSON goes to stdout, words to stderr; commands import what they need when they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ifdl.serve import (
    batch_cli,
    cases_cli,
    data_cli,
    evaluate_cli,
    explain_cli,
    export_cli,
    judge_cli,
    region_cli,
    report_cli,
    trace_cli,
    train_cli,
    web_cli,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ifdl.intake import Limits

app = typer.Typer(
    help="Examine pictures for traces of processing, local edits and synthetic origin, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(rich_markup_mode=None)
app.add_typer(models_app, name="models")
app.add_typer(cases_cli.app, name="case")
app.add_typer(data_cli.app, name="data")
app.add_typer(judge_cli.app, name="judge")
batch_cli.register(app)
evaluate_cli.register(app)
explain_cli.register(app)
export_cli.register(app)
region_cli.register(app)
report_cli.register(app)
trace_cli.register(app)
train_cli.register(app)
web_cli.register(app)
FAILED, FOUND, BAD_CALL = 2, 3, 2

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; one object a line for several pictures.")]
MaxSeconds = Annotated[float, typer.Option(min=0.1, help="Wall-clock limit for decoding one file.")]
Page = Annotated[
    int | None, typer.Option("--page", "--frame", min=1, help="A page or frame other than the first, from 1.")
]
MaxMemory = Annotated[float, typer.Option(min=0.25, help="Memory limit for decoding, in GB.")]
MaxPixels = Annotated[float, typer.Option(min=0.01, help="Pixel limit, in megapixels, read from the header.")]
MaxMegabytes = Annotated[float, typer.Option(min=0.001, help="File size limit, in megabytes.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        import ifdl

        typer.echo(ifdl.__version__)
        raise typer.Exit


@app.command(
    epilog="Example: ifdl examine photo.jpg --out report/   Exit codes: 0 examined; 2 a picture could not be "
    "(the rest are written); 3 a --fail-on condition holds."
)
def examine(
    pictures: Annotated[list[str], typer.Argument(help="Files, folders, globs, or - for stdin.")],
    json_: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write report, overlay and masks here; a folder of its own for each of several pictures."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in a browser (one picture).")] = False,
    full: Annotated[bool, typer.Option("--full", help="Keep GPS, serial numbers and owners' names.")] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(help="Exit 3 if this is supported: history, local_edit, synthetic_origin, claims, or any."),
    ] = None,
    clue: Annotated[list[str] | None, typer.Option(help="Run only this test; may be repeated.")] = None,
    expert: Annotated[
        list[str] | None,
        typer.Option(help="Run this trained system too (`ifdl models` lists them), or beside --clue; may be repeated."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Repeat the answers after six mild changes; unstable ones say so.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Examine anew what --out holds already.")] = False,
    page: Page = None,
    calibration: Annotated[Path | None, typer.Option(help="A file of `ifdl calibrate`, not the shipped one.")] = None,
    index: Annotated[Path | None, typer.Option(help="An archive's index (`ifdl index`) to compare with.")] = None,
    max_seconds: MaxSeconds = 20.0,
    max_memory: MaxMemory = 2.0,
    max_pixels: MaxPixels = 100.0,
    max_megabytes: MaxMegabytes = 512.0,
) -> None:
    """Examine pictures and answer: history, local edit, synthetic origin, claims."""
    from ifdl.serve import batch
    from ifdl.serve.sources import expand
    from ifdl.types import Question

    questions = {str(q) for q in Question}
    wanted = set(fail_on or [])
    if unknown := wanted - questions - {"any", "supported"}:
        _refuse(f"--fail-on takes {', '.join(sorted(questions))} or any, not {', '.join(sorted(unknown))}")
    _check_clues(clue or [])
    chosen = _with_experts(clue or [], expert or [])
    _check_calibration(calibration)
    _check_index(index)
    sources = expand(pictures)
    if not sources:
        _refuse(f"no pictures in {', '.join(pictures)}")
    if open_ and len(sources) > 1:
        _refuse("--open shows one report; use --out for several pictures")
    options = batch.Options(
        limits=_limits(max_seconds, max_memory, max_pixels, max_megabytes),
        clues=chosen,
        out=out if out is not None or not open_ else Path("ifdl-reports"),
        full=full,
        json=json_,
        again=again,
        calibration=calibration,
        deep=deep,
        index=index,
        page=page,
    )
    tally = batch.run(sources, options, _console())
    if open_ and tally.report is not None:
        typer.launch(tally.report.resolve().as_uri())
    if tally.failed:
        raise typer.Exit(FAILED)
    if wanted and (tally.supported & (questions if wanted & {"any", "supported"} else wanted)):
        raise typer.Exit(FOUND)


@app.command(epilog="Example: ifdl evidence photo.jpg --clue jpeg_grid --out grid.png")
def evidence(
    picture: Annotated[str, typer.Argument(help="One picture, or - for stdin.")],
    clue: Annotated[str, typer.Option(help="The test to run; `ifdl models` lists them.")],
    out: Annotated[Path | None, typer.Option(help="Where its layer is saved (PNG).")] = None,
    json_: Json = False,
    page: Page = None,
    max_seconds: MaxSeconds = 20.0,
    max_memory: MaxMemory = 2.0,
    max_pixels: MaxPixels = 100.0,
) -> None:
    """Run one test on one picture and save its layer."""
    import json

    from pydantic import TypeAdapter

    from ifdl import intake
    from ifdl.report import overlay
    from ifdl.serve import sources, terminal
    from ifdl.spine import examine_picture
    from ifdl.types import Finding

    _check_clues([clue])
    console = _console()
    limits = _limits(max_seconds, max_memory, max_pixels, 512.0)
    data = sources.read(picture, limits)
    try:
        if isinstance(data, intake.IntakeError):
            raise data
        report = examine_picture(intake.load(data[0], limits, name=data[1], page=page), clues=[clue])
    except intake.IntakeError as error:
        console.print(terminal.clean(str(error)), markup=False, highlight=False)
        raise typer.Exit(FAILED) from error
    findings = report.verdict.findings
    if json_:
        typer.echo(json.dumps(TypeAdapter(list[Finding]).dump_python(list(findings), mode="json"), ensure_ascii=False))
    for finding in findings:
        console.print(f"{finding.question}: {finding.state}", style="bold", markup=False)
        console.print(f"    {terminal.clean(finding.sentence)}", markup=False)
        for name, value in finding.numbers.items():
            console.print(f"    {name} = {terminal.clean(str(value))}", style="dim", markup=False, highlight=False)
    assert report.picture is not None
    layered = next((f for f in findings if f.map is not None), None)
    if layered is None or layered.map is None:
        console.print("this test draws no layer on this picture", style="dim")
        return
    path = out or Path(f"{layered.id}.png")
    overlay.save_png(overlay.layer(layered.map, report.picture), path)
    console.print(f"layer: {path}", markup=False)


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, json_: Json = False) -> None:
    """List tests, experts and weight files; `ifdl models card NAME` shows one, `fetch` stores weights."""
    if context.invoked_subcommand is None:
        _cards(None, json_)


@models_app.command(epilog="Example: ifdl models card copymove")
def card(
    name: Annotated[str, typer.Argument(help="A test or expert; `ifdl models` lists them.")], json_: Json = False
) -> None:
    """Show one card: what it sees, cites and cannot do."""
    from ifdl import experts

    _check_clues([name] if name not in experts.names() else [])
    _cards(name, json_)


@models_app.command(epilog="Example: ifdl models fetch yolox_nano --from yolox_nano.onnx")
def fetch(
    name: Annotated[str, typer.Argument(help="The weight file's name.")],
    from_: Annotated[Path, typer.Option("--from", help="The file as you got it; nothing is downloaded.")],
) -> None:
    """Store a weight file on this machine and say whether its hash is the expected one."""
    from ifdl.nets import weights
    from ifdl.serve.cards import weight_files

    known = weight_files()
    if name not in known:
        _refuse(f"there is no weight file called {name!r}; there are {', '.join(known)}")
    if not from_.is_file():
        _refuse(f"there is no file at {from_}; get {known[name].source}")
    place, expected = weights.install(known[name], from_)
    typer.echo(f"stored: {place} ({known[name].licence})", err=True)
    if not expected:
        typer.echo(f"warning: its sha256 is not the expected {known[name].sha256}; it may be another export", err=True)


def _cards(name: str | None, as_json: bool) -> None:
    import json

    from pydantic import TypeAdapter

    from ifdl import experts
    from ifdl.serve import cards
    from ifdl.types import Card
    from ifdl.verdict import battery

    wanted = [name] if name else list(dict.fromkeys((*battery.names(), *(experts.names() if as_json else ()))))
    shown = [battery.card(n) for n in wanted]
    if as_json:
        typer.echo(json.dumps(TypeAdapter(list[Card]).dump_python(shown, mode="json"), ensure_ascii=False))
    elif name:
        cards.show(shown[0], _console())
    else:
        cards.table(shown, _console())
        cards.systems(_console())


@app.command(
    epilog="Example: ifdl forge photos/ forged/ --count 100 --seed 1   An interrupted run goes on where it stopped."
)
def forge(
    sources: Annotated[Path, typer.Argument(help="A folder of authentic pictures, or a manifest.jsonl.")],
    out: Annotated[Path, typer.Argument(help="Where images, masks, records and the contact sheet go.")],
    count: Annotated[int, typer.Option(min=1, help="How many pairs (edited and untouched sibling).")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same bytes.")] = 0,
    recipe: Annotated[str, typer.Option(help="A shipped recipe's name, or a YAML file.")] = "forge",
    size: Annotated[int | None, typer.Option(min=64, help="Fix the finished pictures to SIZE×SIZE.")] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Which photographs of camera sets: train (default), calibrate, test.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the result does not depend on it.")] = 2,
    objects: Annotated[bool, typer.Option(help="Cut whole objects; needs `ifdl models fetch yolox_nano`.")] = False,
) -> None:
    """Make forgeries with exact masks and records, each with an untouched sibling."""
    from ifdl.data.manifest import Split
    from ifdl.serve import forging

    known = [str(s) for s in Split]
    if unknown := set(split or []) - set(known):
        _refuse(f"--split takes {', '.join(known)}, not {', '.join(sorted(unknown))}")
    splits = tuple(Split(s) for s in split or [Split.TRAIN])
    try:
        forging.run(forging.Order(sources, out, count, seed, recipe, size, splits, workers, objects), _console())
    except (ValueError, ImportError, FileNotFoundError) as error:
        _refuse(str(error))


@app.command(epilog="Example: ifdl doctor")
def doctor(json_: Json = False) -> None:
    """Check this installation: versions, formats, limits the platform enforces, a decode in the child."""
    import json

    from ifdl.serve import checkup

    rows = checkup.run()
    if json_:
        typer.echo(json.dumps([row.__dict__ for row in rows], ensure_ascii=False))
    else:
        checkup.show(rows, _console())
    if any(row.needed and not row.ok for row in rows):
        raise typer.Exit(1)


def _limits(seconds: float, memory: float, pixels: float, megabytes: float) -> Limits:
    from ifdl.intake import Limits

    return Limits(seconds, int(memory * 1024**3), int(pixels * 1e6), int(megabytes * 1024**2))


def _check_clues(wanted: list[str]) -> None:
    from ifdl.verdict.battery import names

    for clue in wanted:
        if clue not in names():
            _refuse(f"there is no test called {clue!r}; there are {', '.join(names())}")


def _with_experts(clues: list[str], wanted: list[str]) -> tuple[str, ...] | None:
    """The tests to run, None for all that always run. Refuses an expert that is not there, or cannot predict here."""
    from ifdl import experts
    from ifdl.serve import cards
    from ifdl.verdict.battery import names

    for name in wanted:
        if name not in experts.names():
            _refuse(f"there is no expert called {name!r}; there are {', '.join(experts.names())}")
        try:
            missing = experts.missing(name)
        except ValueError as error:
            missing = str(error)
        if missing:
            _refuse(missing)
        about = cards.scores().get(name, {})
        if about.get("undertrained"):
            text = f"{name} is undertrained: on {about['data']} it is no better than a control that sees no picture."
            _console().print(text, style="yellow")
    if not wanted:
        return tuple(clues) or None
    return tuple(dict.fromkeys((*(clues or names()), *wanted)))


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 100)


def _check_index(place: Path | None) -> None:
    if place is None:
        return
    from ifdl.trace.index import Index

    try:
        with Index(place):
            return
    except ValueError as error:
        _refuse(str(error))


def _check_calibration(path: Path | None) -> None:
    from ifdl.verdict import calibration

    try:
        calibration.load(path)
    except (ValueError, OSError) as error:
        _refuse(str(error))


def _refuse(sentence: str) -> None:
    typer.echo(f"ifdl: {sentence}", err=True)
    raise typer.Exit(BAD_CALL)


def main() -> None:
    """Entry point of the `ifdl` command."""
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        typer.echo("ifdl: interrupted; what was finished is written", err=True)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
