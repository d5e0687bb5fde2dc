"""What the page shows of a picture, as HTML fragments by the id of the place they go to.

The same templates fill the page when it is first sent and when something new arrives, so there is one rendering.
Everything a file says about itself is hostile text: Jinja2 escapes it, invisible characters are shown by code point.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ifdl.ask.region import Asked, Say
from ifdl.report import parts, words
from ifdl.report.html import TELLING
from ifdl.serve.web import drawings
from ifdl.serve.web.jobs import Job
from ifdl.types import Coverage, Question, State
from ifdl.verdict import battery

FRAGMENTS = ("facts", "viewer", "coverage", "answers", "layers", "ask", "more")
APART = ("calibration", "stability")  # rows about the answers, which look for no trace of their own
SAYS = {Say.SUPPORTS: "●", Say.AGAINST: "○", Say.CANNOT_TELL: "◇"}


def render(template: str, **data: Any) -> str:
    """One template of this room."""
    return _templates().get_template(template).render(**data)


def fragments(job: Job) -> dict[str, str]:
    """Every part of the page that changes while a picture is examined."""
    view = _view(job)
    return {name: render(f"{name}.html", **view) for name in FRAGMENTS}


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


def region(asked: Asked) -> str:
    """The answer about a part of the picture."""
    titles = {t.test: title(t.test) for t in asked.tests}
    return render("region.html", asked=asked, titles=titles)


def title(test: str) -> str:
    card = parts.card_of(test)
    return card.title if card else test


def _rows(job: Job) -> tuple[Coverage, ...]:
    return job.report.verdict.coverage if job.report else ()


def _view(job: Job) -> dict[str, Any]:
    report, picture = job.report, job.picture
    answers = {a.question: a for a in (report.verdict.answers if report else job.early)}
    return {
        "job": job,
        "item": picture.item if picture else None,
        "picture": picture,
        "size": drawings.displayed_size(picture) if picture else (0, 0),
        "report": report,
        "answers": [(q, words.QUESTIONS[q], words.ASKED[q], answers.get(q)) for q in Question],
        "letters": parts.letters(report) if report else {},
        "rows": _rows(job),
        "apart": APART,
        "trials": {row.test for row in _rows(job) if (card := parts.card_of(row.test)) and card.experimental},
        "waiting": [(name, battery.card(name).title) for name in battery.names()],
        "layers": drawings.layers(report) if report else [],
        "grid": drawings.grid_offset(picture, report) if picture and report else (0, 0),
        "telling": [f for f in report.verdict.findings if f.state in TELLING] if report else [],
    }


def _clean(value: object) -> object:
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("ifdl.serve.web"),
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
