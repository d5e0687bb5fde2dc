"""A hook of MkDocs: pages made at each build from cards, commands and docstrings, so that none can be out of date.

`mkdocs.yml` names it. Nothing here is measured: a card's numbers are its own, with their source in results/.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from mkdocs.structure.files import File, Files

from ifdl import data, evidence, experts, forge, joint
from ifdl.serve.cli import app
from ifdl.types import Card
from ifdl.verdict import battery

DOCS = Path(__file__).resolve().parent
FRONT = (
    "ifdl.spine.examine",
    "ifdl.spine.examine_picture",
    "ifdl.many.examine_many",
    "ifdl.pipelines",
    "ifdl.report.write",
    "ifdl.report.table.to_frame",
    "ifdl.experts.load",
    "ifdl.experts._base.Expert",
    "ifdl.intake.limits.Limits",
)
ROOMS = (
    "ifdl.intake",
    "ifdl.evidence",
    "ifdl.experts",
    "ifdl.joint",
    "ifdl.forge",
    "ifdl.data",
    "ifdl.trace.query",
    "ifdl.ask.region",
    "ifdl.verdict.fuse",
    "ifdl.verdict.calibration",
    "ifdl.report",
    "ifdl.report.rows",
    "ifdl.report.coco",
    "ifdl.report.labelstudio",
    "ifdl.report.fiftyone",
    "ifdl.report.caseuco",
    "ifdl.evaluate.pixel",
    "ifdl.evaluate.image",
    "ifdl.evaluate.protocol",
    "ifdl.train.recipe",
)


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_config(config: Any) -> Any:
    """Leave out of the menu what is not there yet."""
    made = pages().keys()
    config["nav"] = _present(config["nav"], lambda name: name in made or (DOCS / name).is_file())
    return config


def pages() -> dict[str, str]:
    """Every generated page by its name below docs/."""
    own = {f"cards/{name}.md": card_page(battery.card(name)) for name in (*experts.names(), *joint.names())}
    return {name: text for name, text in own.items() if not (DOCS / name).is_file()} | {
        "cards/index.md": tests_page(),
        "cards/engines.md": several("Engines that make forgeries", (forge.load(n).CARD for n in forge.names())),
        "cards/sets.md": several("Data sets that can be read", (data.load(n).CARD for n in data.names())),
        "reference/commands.md": commands_page(),
        "reference/python.md": api_page(
            "Python", "What `import ifdl` offers; each is imported when first used.", FRONT, False
        ),
        "reference/types.md": api_page(
            "Types", "The nouns; the report's JSON schema is derived from them.", ["ifdl.types"]
        ),
        "reference/rooms.md": api_page(
            "Rooms", "Where the rest lives; a room imports only from those above it.", ROOMS
        ),
    }


def tests_page() -> str:
    """All clues and experts, one row each."""
    lines = [
        "# Cards",
        "",
        "Every test has a card: what it sees, cites and cannot do. `ifdl models card NAME` prints the same. "
        "An experimental test is shown in reports and never counted.",
        "",
        "| test | answers | counted | false alarms by photograph |",
        "|---|---|---|---|",
    ]
    for name in battery.names():
        card = battery.card(name)
        place = f"../clues/{name}.md" if name in evidence.names() else f"{name}.md"
        counted = "no, experimental" if card.experimental else "yes"
        lines.append(f"| [{card.title}]({place}) | {_questions(card)} | {counted} | {_alarms(card)} |")
    others = [name for name in experts.names() if name not in battery.names()]
    if others:
        lines += ["", "Experts that can be trained and come without weights:", ""]
        lines += [f"- [{experts.module(name).CARD.title}]({name}.md)" for name in others]
    return "\n".join(lines) + "\n"


def several(title: str, cards: Iterable[Card]) -> str:
    """One page for many cards."""
    return "\n".join([f"# {title}", "", *(line for card in cards for line in _card(card, "##"))])


def card_page(card: Card) -> str:
    """One page for one card."""
    return "\n".join(_card(card, "#"))


def commands_page() -> str:
    """Every command with its help, as the program prints it."""
    lines = [
        "# Commands",
        "",
        "JSON goes to stdout, words to stderr. Every command prints this help with `--help`.",
        "",
    ]
    root = typer.main.get_command(app)
    for path, command in _commands(root, "ifdl"):
        text = command.get_help(typer.Context(command, info_name=path, terminal_width=84))
        lines += [f"## {path}", "", "```text", text.rstrip(), "```", ""]
    return "\n".join(lines)


def api_page(title: str, about: str, names: Iterable[str], full: bool = True) -> str:
    """A page that mkdocstrings fills from docstrings; `full` shows where each name lives."""
    options = f"    options:\n      show_root_full_path: {str(full).lower()}\n"
    return "\n".join([f"# {title}", "", about, "", *(f"::: {name}\n{options}" for name in names)])


def _commands(group: Any, path: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, command in sorted(group.commands.items()):
        inner = getattr(command, "commands", None)
        found += [(f"{path} {name}", command)] + (_commands(command, f"{path} {name}") if inner else [])
    return found


def _card(card: Card, level: str) -> list[str]:
    about = f"Answers: {_questions(card)}. " if card.questions else ""
    lines = [
        f"{level} `{card.id}`: {card.title}",
        "",
        f"{about}Terms: {card.licence}. {card.citation} {card.url}".strip(),
        "",
    ]
    for title, text in (("Where it applies", card.domain), ("When it speaks", card.threshold)):
        lines += [f"**{title}.** {text}", ""] if text else []
    lines += ["Known limits:", "", *(f"- {limit}" for limit in card.limits), ""] if card.limits else []
    return lines


def _questions(card: Card) -> str:
    return ", ".join(str(question).replace("_", " ") for question in card.questions) or "–"


def _alarms(card: Card) -> str:
    known = card.false_alarms
    if known is None or not known.measured:
        return f"not measurable: {known.note}" if known and known.note else "–"
    return f"{known.alarms} of {known.photographs} (95 % bound {100 * known.upper:.1f} %)"


def _present(entries: list[Any], there: Any) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        ((title, value),) = entry.items()
        if isinstance(value, list):
            inner = _present(value, there)
            kept += [{title: inner}] if inner else []
        elif there(value):
            kept.append(entry)
    return kept
