"""A report as PDF: the answers can be read in it, hostile text stays text, the same report gives the same bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ifdl
from ifdl.report import pdf, redacted
from ifdl.serve.cli import app
from ifdl.types import Report

pytest.importorskip("reportlab", reason="the extra `pdf` is not installed")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "splice.jpg"


@pytest.fixture(scope="module")
def made() -> Report:
    return ifdl.examine(EXAMPLE, clues=["jpeg_grid", "structure"])


def text_of(data: bytes) -> str:
    reader = pytest.importorskip("pypdfium2", reason="the extra `pdf` is not installed")
    document = reader.PdfDocument(data)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


def test_it_says_what_the_report_says(made: Report) -> None:
    said = text_of(pdf.to_pdf(made))
    for answer in made.verdict.answers:
        assert " ".join(answer.sentence.split()[:6]) in said
    assert made.item.sha256 in said.replace(" ", "") and "sign-off" in said
    for row in made.verdict.coverage:
        assert row.title.split()[0] in said


def test_the_same_report_gives_the_same_bytes(made: Report) -> None:
    assert pdf.to_pdf(made) == pdf.to_pdf(made)
    assert pdf.to_pdf(made).startswith(b"%PDF-")


def test_hostile_names_stay_text(made: Report) -> None:
    name = "<b>&amp;</para><img src='/etc/passwd'/> Москва \u202egpj.exe\x00 " + "x" * 3000
    item = dataclasses.replace(made.item, name=name)
    said = text_of(pdf.to_pdf(dataclasses.replace(made, item=item)))
    assert "<b>&amp;</para><img" in said
    assert "<U+041C>" in said and "<U+202E>" in said, "what the font lacks is shown by its code point"


def test_a_sentence_longer_than_a_page_is_cut_not_fatal(made: Report) -> None:
    answers = tuple(dataclasses.replace(a, sentence="word " * 20_000) for a in made.verdict.answers)
    verdict = dataclasses.replace(made.verdict, answers=answers)
    assert "characters in all" in text_of(pdf.to_pdf(dataclasses.replace(made, verdict=verdict)))


def test_without_the_picture_it_says_so(made: Report) -> None:
    assert "not included" in text_of(pdf.to_pdf(dataclasses.replace(made, picture=None)))


def test_private_values_are_redacted_unless_asked(made: Report) -> None:
    assert "shareable edition" in text_of(pdf.to_pdf(made))
    assert "full edition" in text_of(pdf.to_pdf(made, full=True))
    assert redacted(made).redacted


def test_the_command_writes_it_and_names_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "r.pdf"
    done = CliRunner().invoke(app, ["report", str(EXAMPLE), "--format", "pdf", "--out", str(out)])
    assert done.exit_code == 0 and out.read_bytes().startswith(b"%PDF-")
    monkeypatch.setattr(pdf, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["report", str(EXAMPLE), "--format", "pdf", "--out", str(out)])
    assert done.exit_code == 2 and 'pip install "ifdl[pdf]"' in done.output
