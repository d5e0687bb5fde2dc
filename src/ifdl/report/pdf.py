"""A report as a PDF to print, file or mail: the answers first, then what they rest on. Made by reportlab (extra `pdf`).

Everything a file says about itself is hostile text: it is escaped, so that nothing in it becomes markup, and what the
built-in fonts cannot show (other scripts, control characters) stands there by its code point, never as a blank. The
same report gives the same bytes.
"""

from __future__ import annotations

import io
import unicodedata
from importlib.util import find_spec
from typing import Any

from ifdl.report import overlay, parts, words
from ifdl.report.json import rounded
from ifdl.report.redact import redacted
from ifdl.signal.orientation import to_display
from ifdl.types import Finding, Number, Report, State

MARGIN, PICTURE_HIGH = 50.0, 210.0  # points
PREVIEW = 1200  # pixels
CELL = 900  # characters; a cell of a table cannot be longer than its page
PLAIN = {"≤": "at most ", "≥": "at least ", "→": "->", "−": "-", "≈": "about "}
TELLING = (State.SUPPORTED, State.INCONCLUSIVE)


def check() -> None:
    """Raises ImportError, with the cure, where reportlab is not installed."""
    if find_spec("reportlab") is None:
        raise ImportError('a PDF needs reportlab: pip install "ifdl[pdf]"')


def to_pdf(report: Report, full: bool = False) -> bytes:
    """The whole report as PDF bytes, A4. Private values are redacted unless `full`.

    Raises ImportError, with the cure, where reportlab is not installed.
    """
    check()
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    report = report if full else redacted(report)
    buffer = io.BytesIO()
    margins = {f"{side}Margin": MARGIN for side in ("left", "right", "top", "bottom")}
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        invariant=1,
        lang="en",
        title=f"Examination report of {_shown(report.item.name, 120)}",
        author="",
        creator=f"ifdl {report.environment.ifdl}",
        **margins,
    )
    page = _Page(A4[0] - 2 * MARGIN)

    def foot(canvas: Any, of: Any) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 7)
        canvas.drawString(MARGIN, 28, f"ifdl {report.environment.ifdl}   SHA-256 {report.item.sha256}")
        canvas.drawRightString(A4[0] - MARGIN, 28, f"page {of.page}")
        canvas.restoreState()

    document.build(_story(report, page), onFirstPage=foot, onLaterPages=foot)
    return buffer.getvalue()


def _story(report: Report, page: _Page) -> list[Any]:
    """The flow of the document, front to back."""
    item, verdict = report.item, report.verdict
    letters = parts.letters(report)
    size = (item.width, item.height) if item.orientation < 5 else (item.height, item.width)
    edition = (
        "shareable edition, private values redacted" if report.redacted else "full edition, may hold private values"
    )
    made = [
        page.text(f"Examination report ({edition})", "small"),
        page.text(_shown(item.name, 160), "title"),
        page.text(f"{item.format}, {size[0]} × {size[1]} pixels, {item.bytes:,} bytes", "small"),
        *page.pictures(report),
        page.heading("Answers"),
        page.table(
            ("Question", "Answer", "In words"),
            [
                (
                    f"<b>{words.QUESTIONS[a.question]}</b><br/>{_text(words.ASKED[a.question])}",
                    f"<b>{_text(words.state_words(a))}</b>",
                    _text(
                        " ".join(
                            filter(
                                None,
                                (
                                    a.sentence,
                                    f"({a.cap})" if a.cap else "",
                                    _named([letters.get(r, r) for r in a.regions]),
                                ),
                            )
                        )
                    ),
                )
                for a in verdict.answers
            ],
            (0.27, 0.15, 0.58),
        ),
        page.text("A test that found no trace does not vouch for the picture.", "small"),
    ]
    if report.explanation.sentences:
        made += [page.heading("In plain words")]
        made += [page.text(f"{s.text} [{', '.join(s.findings)}]") for s in report.explanation.sentences]
    telling = [f for f in verdict.findings if f.state in TELLING]
    made += [page.heading("Findings")]
    made += [] if telling else [page.text("No test gave a supported or an inconclusive finding.")]
    for finding in telling:
        made += _finding(finding, page)
    made += [
        page.heading("What was tested, and what was not"),
        page.table(
            ("Test", "State", "Reason"),
            [(_text(row.title), _text(words.STATES[row.state][1]), _text(row.reason)) for row in verdict.coverage],
            (0.34, 0.16, 0.5),
        ),
        page.heading("The file, and how to repeat this"),
        page.table(("What", "Value"), [(_text(k), _text(v)) for k, v in _facts(report)], (0.22, 0.78)),
        page.heading("What this report does not claim"),
        *(page.text(f"• {line}") for line in report.not_claimed),
        page.heading("Examiner's notes and sign-off"),
        page.text("Written by a person. The program leaves these lines empty.", "small"),
        *page.rules(),
    ]
    return made


def _finding(finding: Finding, page: _Page) -> list[Any]:
    card = parts.card_of(finding.clue)
    title = card.title if card else finding.clue
    state = "established as a fact" if finding.established else words.STATES[finding.state][1]
    if finding.experimental:
        state += "; this test is experimental"
    numbers = "; ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in finding.numbers.items())
    places = "; ".join(
        f"{r.position}, x {r.box[0]} to {r.box[0] + r.box[2]}, y {r.box[1]} to {r.box[1] + r.box[3]}"
        for r in finding.regions
    )
    made = [
        page.text(f"{finding.id}  {title}: {state}", "strong"),
        page.text(finding.sentence),
    ]
    if places:
        made.append(page.text(f"Where (stored pixels): {places}", "small"))
    for other in finding.innocent:
        made.append(page.text(f"• It could also be: {other.cause.rstrip('.')}. To check: {other.check}"))
    if numbers:
        made.append(page.text(f"{finding.clue}: {numbers}", "small"))
    return made


def _number(value: Number) -> str:
    return str(rounded(value)) if type(value) is float else str(value)


def _facts(report: Report) -> list[tuple[str, str]]:
    item, made_by = report.item, report.environment
    return [
        ("SHA-256", item.sha256),
        ("SHA-512", item.sha512),
        ("Decoded by", item.decoder or "not recorded"),
        ("Conversion", "; ".join(item.conversion) or "none: the samples were measured as stored"),
        ("Started", report.run.started),
        ("Libraries", ", ".join(f"{name} {version}" for name, version in made_by.libraries.items())),
        ("Weights", ", ".join(f"{name} {digest}" for name, digest in made_by.weights.items()) or "none used"),
        ("Pipeline", made_by.pipeline),
        ("Custody log", f"{len(report.run.custody)} entries; the last has hash {_last_hash(report)}"),
        ("To check", "ifdl verify report.json PICTURE examines again and names every difference"),
    ]


def _last_hash(report: Report) -> str:
    return report.run.custody[-1].sha256 if report.run.custody else "-"


def _named(letters: list[str]) -> str:
    return f"Region{'s' if len(letters) > 1 else ''} {', '.join(letters)} in the picture." if letters else ""


# ---------------------------------------------------------------- text


def _shown(text: str, most: int = CELL) -> str:
    """The text in what Helvetica has (Windows-1252); anything else by its code point."""
    found = []
    for letter in words.shortened(words.visible(unicodedata.normalize("NFC", text)), most):
        letter = {"⟨": "<", "⟩": ">", "\n": " ", "\t": " "}.get(letter, PLAIN.get(letter, letter))
        try:
            letter.encode("cp1252")
        except UnicodeEncodeError:
            letter = f"<U+{ord(letter):04X}>"
        found.append(letter)
    return "".join(found)


def _text(text: str) -> str:
    """`_shown`, safe inside reportlab's markup."""
    return _shown(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Page:
    """Paragraphs, tables and pictures of one width (points) and one set of styles."""

    def __init__(self, width: float) -> None:
        from reportlab.lib.styles import ParagraphStyle

        plain = ParagraphStyle("plain", fontName="Helvetica", fontSize=9, leading=12, spaceAfter=3, splitLongWords=1)
        self.width = width
        self.styles = {
            "plain": plain,
            "small": ParagraphStyle("small", plain, fontSize=7.5, leading=10, textColor="#444444"),
            "strong": ParagraphStyle("strong", plain, fontName="Helvetica-Bold", spaceBefore=6, keepWithNext=1),
            "heading": ParagraphStyle(
                "heading", plain, fontName="Helvetica-Bold", fontSize=12, leading=15, spaceBefore=12, keepWithNext=1
            ),
            "title": ParagraphStyle("title", plain, fontName="Helvetica-Bold", fontSize=16, leading=20),
        }

    def text(self, text: str, style: str = "plain") -> Any:
        return self._paragraph(_text(text), style)

    def heading(self, text: str) -> Any:
        return self._paragraph(_text(text), "heading")

    def _paragraph(self, markup: str, style: str) -> Any:
        from reportlab.platypus import Paragraph

        return Paragraph(markup, self.styles[style])

    def table(self, head: tuple[str, ...], rows: list[tuple[str, ...]], shares: tuple[float, ...]) -> Any:
        """`rows` are markup, escaped by the caller; `shares` of the width for each column."""
        from reportlab.platypus import Table, TableStyle

        cells = [[self._paragraph(f"<b>{_text(name)}</b>", "small") for name in head]]
        cells += [[self._paragraph(cell, "small") for cell in row] for row in rows]
        table = Table(cells, [share * self.width for share in shares], repeatRows=1, hAlign="LEFT")
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LINEBELOW", (0, 0), (-1, -1), 0.4, "#aaaaaa"),
                    ("LEFTPADDING", (0, 0), (-1, -1), 2),
                    ("TOPPADDING", (0, 0), (-1, -1), 2),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ]
            )
        )
        return table

    def pictures(self, report: Report) -> list[Any]:
        """The picture without marks, and where the verdict has regions beside it the same with their outlines."""
        from reportlab.platypus import Image, Table

        if report.picture is None:
            return [self.text("The picture is not included in this edition.", "small")]
        shown = [overlay.reduced(to_display(report.picture.pixels, report.item.orientation), PREVIEW)]
        if report.verdict.regions:
            shown.append(overlay.overlay(report.picture, report.verdict, longest=PREVIEW))
        height, width = shown[0].shape[:2]
        room = self.width / len(shown) - 8
        factor = min(room / width, PICTURE_HIGH / height)
        drawn = [Image(io.BytesIO(overlay.jpeg(p, 88)), width * factor, height * factor) for p in shown]
        said = "As displayed" + (", and with the regions that the answers name." if len(shown) > 1 else ".")
        return [Table([drawn], hAlign="LEFT"), self.text(said, "small")]

    def rules(self) -> list[Any]:
        from reportlab.platypus import HRFlowable

        lines = [HRFlowable(width="100%", thickness=0.4, color="#888888", spaceBefore=20) for _ in range(4)]
        return [*lines, self.text("Name, role, date, signature:", "small")]
