"""`ifdl region`: does this part of the picture differ from places like it?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from ifdl.ask.region import Asked, Box, Mask

FAILED = 2


def register(app: typer.Typer) -> None:
    """Add the command to the main program."""
    app.command(
        "region",
        epilog="Example: ifdl region photo.jpg --box 465,49,113,115   Exit codes: 0 answered, whatever was found; "
        "2 it could not be.",
    )(region)


def region(
    picture: Annotated[Path, typer.Argument(help="One picture.")],
    box: Annotated[str, typer.Option(help="The part: X,Y,WIDTH,HEIGHT in stored pixels.")] = "",
    polygon: Annotated[str, typer.Option(help='The part by its corners: "X,Y X,Y X,Y …" in stored pixels.')] = "",
    mask: Annotated[Path | None, typer.Option(help="The part as a picture of the same size, marked white.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Ask every test about one part of a picture: supports, against or cannot tell."""
    from ifdl import intake, spine
    from ifdl.ask import region as regions
    from ifdl.serve import terminal

    try:
        corners = [_numbers(pair, 2) for pair in polygon.split()]
        asked_box = _box(box) if box else None
        shown = intake.load(picture)
        drawn = _mask(mask) if mask else None
        part = regions.part(shown, asked_box, [(x, y) for x, y in corners] or None, drawn)
    except (intake.IntakeError, ValueError) as error:
        _refuse(terminal.clean(str(error)))
    verdict = spine.examine_picture(shown).verdict
    asked = regions.ask(shown, verdict.findings, verdict.predictions, part)
    if json_:
        typer.echo(json.dumps(regions.to_dict(asked, shown), ensure_ascii=False))
    else:
        _show(asked)


def _show(asked: Asked) -> None:
    from ifdl.report.parts import card_of
    from ifdl.serve.terminal import clean

    x, y, width, height = asked.region.box
    typer.echo(f"{asked.region.position}, x {x}-{x + width}, y {y}-{y + height} (stored pixels): {asked.sentence}")
    for test in asked.tests:
        card = card_of(test.test)
        title = (card.title if card else test.test) + (" (experimental)" if test.experimental else "")
        typer.echo(f"{test.say.upper():12} {title}\n             {clean(test.sentence)}")


def _box(text: str) -> Box:
    x, y, width, height = _numbers(text, 4)
    return x, y, width, height


def _numbers(text: str, count: int) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise ValueError(f"{text!r} is not {count} whole numbers with commas between them")
    return numbers


def _mask(path: Path) -> Mask:
    from ifdl import intake

    marked: Mask = intake.load(path).pixels.max(axis=2) >= 128
    return marked


def _refuse(why: str) -> NoReturn:
    typer.echo(f"ifdl: {why}", err=True)
    raise typer.Exit(FAILED)
