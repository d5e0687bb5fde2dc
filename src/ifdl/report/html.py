"""A report as one HTML file that needs nothing else: no network, no script, nothing executed.

Everything a file says about itself is hostile text. Jinja2 escapes it, control characters and those
that turn text around are shown by their code point, and the page's own content security policy allows
pictures inside the page and this one style sheet only.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ifdl.report import overlay, parts, words
from ifdl.report.json import rounded
from ifdl.report.redact import redacted
from ifdl.signal.orientation import NAMES, to_display
from ifdl.types import PROPOSITIONS, Card, Event, Finding, Number, Question, Region, Report, Sentence, State

PREVIEW = 1600
HEAT_PREVIEW = 1000
FIGURES_PER_FINDING = 2
TELLING = (State.SUPPORTED, State.INCONCLUSIVE)


def to_html(report: Report, full: bool = False) -> str:
    """The whole report as one page. Private values are redacted unless `full`."""
    report = report if full else redacted(report)
    style = (files("ifdl.report") / "templates" / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return _templates().get_template("report.html").render(**_view(report), style=Markup(style), policy=policy)


def chain_break(custody: Sequence[Event]) -> int | None:
    """Number of the first custody entry that does not name the hash of the one before; None if all do."""
    pairs = enumerate(pairwise(custody), 2)
    return next((number for number, (one, other) in pairs if other.previous != one.sha256), None)


def _view(report: Report) -> dict[str, Any]:
    item, verdict = report.item, report.verdict
    clues = dict.fromkeys([c.test for c in verdict.coverage] + [f.clue for f in verdict.findings])
    cards = {clue: parts.card_of(clue) for clue in clues}
    named = {c.test: c.title for c in verdict.coverage}
    titles = {clue: card.title if card else named.get(clue) or clue for clue, card in cards.items()}
    shown = None if report.picture is None else to_display(report.picture.pixels, item.orientation)
    ids = parts.safe_ids([f.id for f in verdict.findings])
    findings = [_finding(f, name, cards[f.clue], report, shown) for f, name in zip(verdict.findings, ids, strict=True)]
    return {
        "report": report,
        "item": item,
        "shown_size": (item.width, item.height) if item.orientation < 5 else (item.height, item.width),
        "orientation": NAMES.get(item.orientation, "unknown"),
        "preview": None if shown is None else _uri("jpeg", overlay.jpeg(overlay.reduced(shown, PREVIEW))),
        "layers": _layers(report, cards),
        "answers": [(a, words.QUESTIONS[a.question], words.state_words(a)) for a in verdict.answers],
        "links": {f.id: name for f, name in zip(verdict.findings, ids, strict=True) if f.id},
        "letters": parts.letters(report),
        "telling": sorted((f for f in findings if f["state"] in TELLING), key=lambda f: TELLING.index(f["state"])),
        "silent": [f for f in findings if f["state"] not in TELLING],
        "credentials": [f for f in findings if f["clue"] == "credentials"],
        "source_types": words.source_types(item),
        "prose": _prose(report),
        "tally": Counter(c.state for c in verdict.coverage),
        "cards": cards,
        "titles": titles,
        "calibrated": "calibration" in report.environment.weights,
        "broken_at": chain_break(report.run.custody),
        "MEANINGS": words.MEANINGS,
        "QUESTIONS": words.QUESTIONS,
        "ASKED": words.ASKED,
        "PROPOSITIONS": [(words.QUESTIONS[q], *PROPOSITIONS[q]) for q in Question],
    }


def _finding(f: Finding, name: str, card: Card | None, report: Report, shown: Any) -> dict[str, Any]:
    regions = [(region, _letter(region, report)) for region in f.regions]
    drawn = regions[:FIGURES_PER_FINDING] if shown is not None and f.state in TELLING else []
    return {
        "id": name,
        "given": f,
        "state": f.state,
        "clue": f.clue,
        "card": card,
        "version": report.environment.clues.get(f.clue) or (card.version if card else "unknown"),
        "regions": regions,
        "figures": [figure for region, letter in drawn if (figure := _figure(region, letter, report, shown))],
        "numbers": {key: _number(v) for key, v in f.numbers.items() if v != ""},
    }


def _number(value: Number) -> Number:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return rounded(value) if isinstance(value, float) else value


def _prose(report: Report) -> list[tuple[str, list[Sentence], list[Sentence]]]:
    """The explanation by question: its title, the sentences that tell, and the harmless causes."""
    groups = [*((q, words.QUESTIONS[q]) for q in Question), (None, "Limits of this examination")]
    found = []
    for question, title in groups:
        own = [s for s in report.explanation.sentences if s.question == question]
        if own:
            harmless = [s for s in own if s.kind == "innocent"]
            found.append((title, [s for s in own if s.kind != "innocent"], harmless))
    return found


def _letter(region: Region, report: Report) -> str | None:
    """The letter of the verdict's region that this one is: by id, or else by place."""
    for number, other in enumerate(report.verdict.regions):
        if (region.id and region.id == other.id) or (region.box, region.mask) == (other.box, other.mask):
            return parts.letter(number)
    return None


def _figure(region: Region, letter: str | None, report: Report, shown: Any) -> dict[str, Any] | None:
    item = report.item
    size = item.height, item.width
    if 0 in overlay.displayed_box(region.box, size, item.orientation)[2:]:
        return None
    number = next((n for n in range(len(report.verdict.regions)) if parts.letter(n) == letter), 0)
    near = overlay.close_up(shown, region, size, item.orientation, number)
    return {
        "plain": _uri("png", overlay.png(near.plain)),
        "marked": _uri("jpeg", overlay.jpeg(near.marked, 90)),
        "near": near,
        "region": region,
        "letter": letter,
    }


def _layers(report: Report, cards: dict[str, Card | None]) -> list[dict[str, Any]]:
    """Everything that can be laid over the picture, in the order of the switches; all are off at first."""
    picture, item, found = report.picture, report.item, []
    if picture is None:
        return []
    size, stored = (item.height, item.width), item.orientation
    canvas = overlay.fitted(size if stored < 5 else size[::-1], PREVIEW, enlarge=True)
    edited = parts.edited_regions(report)
    if edited:
        drawn = overlay.png(overlay.marks(edited, size, stored, canvas, lines=False))
        found.append(_layer("mask", "Mask", drawn, "the area that the answer on local edits points at"))
    if report.verdict.regions:
        drawn = overlay.png(overlay.marks(report.verdict.regions, size, stored, canvas, tint=False))
        found.append(_layer("outlines", "Outlines", drawn, "every region of this report, with its letter"))
    titles = {f"expert-{p.expert}": f"Trained expert {p.expert}" for p in report.verdict.predictions}
    titles |= {"together": "All tests on local edits together"}
    ids = parts.safe_ids([f.id for f in report.verdict.findings])
    clues = dict(zip(ids, (f.clue for f in report.verdict.findings), strict=True))
    for name, heat in parts.heat_maps(report):
        card = cards.get(clues.get(name, ""))
        label = f"{name} · {card.title}" if card else titles.get(name) or f"{name} · {clues.get(name, name)}"
        found.append(_layer(name, label, overlay.layer_png(heat, picture, HEAT_PREVIEW), card=card, heat=True))
    return found


def _layer(
    name: str, label: str, drawn: bytes, note: str = "", card: Card | None = None, heat: bool = False
) -> dict[str, Any]:
    return {"id": name, "label": label, "uri": _uri("png", drawn), "note": note, "card": card, "heat": heat}


def _uri(kind: str, data: bytes) -> Markup:
    """Bytes of our own making as a data URI; base64 needs no escaping."""
    return Markup(f"data:image/{kind};base64,{base64.b64encode(data).decode()}")


def _clean(value: object) -> object:
    """What Jinja2 does to every value it prints, before escaping it."""
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _web_address(url: str) -> bool:
    return url.startswith(("https://", "http://"))


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("ifdl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["short"] = words.shortened
    templates.globals["STATES"] = words.STATES
    templates.tests["web_address"] = _web_address
    templates.tests["coverage_row"] = lambda name: name.startswith("coverage.")
    return templates
