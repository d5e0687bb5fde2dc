"""What the page shows of a picture, as HTML fragments by the id of the place they go to.

The same templates fill the page when it is first sent and when something new arrives, so there is one rendering.
Everything a file says about itself is hostile text: Jinja2 escapes it, invisible characters are shown by code point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ifdl.ask.region import Asked, Say
from ifdl.report import parts, words
from ifdl.report import trace as traces
from ifdl.report.html import TELLING
from ifdl.serve.web import case_views, drawings
from ifdl.serve.web.jobs import Job
from ifdl.serve.web.settings import Settings
from ifdl.types import Coverage, Question, Report, State
from ifdl.verdict import battery

FRAGMENTS = ("facts", "viewer", "coverage", "answers", "layers", "ask", "more")  # and "case"
APART = ("calibration", "stability")  # rows about the answers, which look for no trace of their own
SAYS = {Say.SUPPORTS: "●", Say.AGAINST: "○", Say.CANNOT_TELL: "◇"}


def render(template: str, **data: Any) -> str:
    """One template of this room."""
    return _templates().get_template(template).render(**data)


@dataclass(frozen=True)
class Cell:
    """One test in the strip; `row` once it has run."""

    test: str
    title: str
    row: Coverage | None
    running: bool = False


def fragments(job: Job, case: Path | None = None) -> dict[str, str]:
    """Every part of the page that changes while a picture is examined."""
    view = _view(job)
    made = {name: render(f"{name}.html", **view) for name in FRAGMENTS}
    told = case_views.section(case, job.report.item.sha256) if case is not None and job.report else None
    return made | {"case": render("case_part.html", **told) if told else ""}


def status(job: Job) -> str:
    """One line that a screen reader is told."""
    if job.error:
        return "The picture could not be examined."
    if job.report:
        tests = [row for row in _rows(job) if row.test not in APART]
        ran = sum(row.state in (State.SUPPORTED, State.INCONCLUSIVE, State.NO_TRACE_FOUND) for row in tests)
        return f"Examined: {ran} of {len(tests)} tests could judge."
    if not job.picture:
        return "Waiting for its turn…"
    return f"Running: {title(job.step)}…" if job.step in battery.names() else "File read. Running the tests…"


def tabs(job: Job, settings: Settings, here: str) -> dict[str, Any]:
    """What the head of a picture's pages shows; `here` is the tab that is open."""
    case = settings.case.name if settings.case is not None else None
    return {
        "tabs": [("", "Examination"), ("trace", "Archive’s Trace")] if settings.index else [],
        "here": here,
        "case": case,
    }


def traced(job: Job) -> str:
    """What the archive says of where a picture comes from."""
    if job.traced is None:
        return render("traced.html", error=job.error, hits=(), said=())
    return render("traced.html", error=None, hits=job.drawn, said=traces.lines(job.traced), told=job.traced)


def region(asked: Asked) -> str:
    """The answer about a part of the picture."""
    titles = {t.test: title(t.test) for t in asked.tests}
    return render("region.html", asked=asked, titles=titles)


def title(test: str) -> str:
    card = parts.card_of(test)
    return card.title if card else test


def about(report: Report, home: str) -> dict[str, Any]:
    """What the templates need to show a report; `home` is the address that its files lie under."""
    answers = {a.question: a for a in report.verdict.answers}
    rows = report.verdict.coverage
    return {
        "home": home,
        "error": None,
        "report": report,
        "item": report.item,
        "size": drawings.displayed_size(report.item),
        "answers": [(q, words.QUESTIONS[q], words.ASKED[q], answers.get(q)) for q in Question],
        "letters": parts.letters(report),
        "rows": rows,
        "strip": [Cell(row.test, row.title, row) for row in rows if row.test not in APART],
        "trials": {row.test for row in rows if (card := parts.card_of(row.test)) and card.experimental},
        "telling": [f for f in report.verdict.findings if f.state in TELLING],
        "forms": _forms(),
    }


def _rows(job: Job) -> tuple[Coverage, ...]:
    return job.report.verdict.coverage if job.report else job.rows


def _view(job: Job) -> dict[str, Any]:
    report, picture = job.report, job.picture
    home = f"/pictures/{job.id}"
    shared = {"job": job, "picture": picture, "home": home}
    if report is not None:
        drawn = {"layers": drawings.layers(report), "grid": (0, 0)}
        grid = {"grid": drawings.grid_offset(picture, report)} if picture else {}
        return about(report, home) | shared | drawn | grid
    done = {row.test: row for row in job.rows}
    answers = {a.question: a for a in job.early}
    return shared | {
        "error": job.error,
        "report": None,
        "item": picture.item if picture else None,
        "size": drawings.displayed_size(picture.item) if picture else (0, 0),
        "answers": [(q, words.QUESTIONS[q], words.ASKED[q], answers.get(q)) for q in Question],
        "letters": {},
        "strip": [Cell(name, battery.card(name).title, done.get(name), name == job.step) for name in battery.names()],
        "trials": {name for name in done if battery.card(name).experimental},
    }


@cache
def _forms() -> list[tuple[str, str]]:
    """What a report can be taken as here: ending and words."""
    from ifdl.report import pdf

    forms = [("html", "HTML"), ("pdf", "PDF"), ("json", "JSON")]
    try:
        pdf.check()
    except ImportError:
        forms.remove(("pdf", "PDF"))
    return forms


def _clean(value: object) -> object:
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=ChoiceLoader([PackageLoader("ifdl.serve.web"), PackageLoader("ifdl.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["short"] = words.shortened
    templates.globals.update(
        STATES=words.STATES, MEANINGS=words.MEANINGS, SAYS=SAYS, state_words=words.state_words, title=title
    )
    return templates
