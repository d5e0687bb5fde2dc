"""What leaves a case: redacted, with its manifest, and told of in the log."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest

from ifdl import report as reports_
from ifdl.serve.cases import Case, custody, export
from ifdl.types import Report


def test_a_report_comes_back_from_its_json(reports: dict[str, Report]) -> None:
    for report in reports.values():
        text = reports_.to_json(report)
        assert reports_.to_json(export.restored(text)) == text
        shared = reports_.to_json(reports_.redacted(report))
        assert reports_.to_json(reports_.redacted(export.restored(text))) == shared


@pytest.mark.parametrize("form", export.FORMS)
def test_every_form_and_the_log_names_it(case: Case, reports: dict[str, Report], form: str) -> None:
    sha256 = reports["splice.jpg"].item.sha256
    if form == "pdf":
        pytest.importorskip("reportlab", reason="the pdf extra is not installed")
    data = export.made(case, sha256, form)
    last = list(custody.rows(case.db, sha256))[-1]
    assert last.what == f"exported: {form}, redacted" and last.content == hashlib.sha256(data).hexdigest()
    assert case.broken() is None
    starts = {"html": b"<!DOCTYPE", "pdf": b"%PDF", "json": b"{", "bundle": b"PK"}
    assert data.startswith(starts[form])
    if form == "html":
        assert b"The Gr" not in data, "the analyst's note is not in the machine's report"


def test_bundle(case: Case, reports: dict[str, Report]) -> None:
    report = reports["splice.jpg"]
    sha256 = report.item.sha256
    made = zipfile.ZipFile(io.BytesIO(export.made(case, sha256, "bundle")))
    manifest = json.loads(made.read("manifest.json"))
    assert manifest["picture"]["sha256"] == sha256
    for name, digest in manifest["files"].items():
        assert hashlib.sha256(made.read(name)).hexdigest() == digest
    told = json.loads(made.read("analyst.json"))
    assert told["mark"] == "To be checked" and told["notes"][0]["who"] == "Ada"
    assert [row["what"] for row in told["custody"]][1] == "noted"
    assert "shadow" not in made.read("report.json").decode()
    assert made.read("report.json").decode() == reports_.to_json(reports_.redacted(report)) + "\n"
    assert "mask.png" in made.namelist() and not any(n.startswith("picture.") for n in made.namelist())
    whole = zipfile.ZipFile(io.BytesIO(export.made(case, sha256, "bundle", True, report)))
    assert hashlib.sha256(whole.read("picture.jpeg")).hexdigest() == sha256
    assert any(name.startswith("layers/") for name in whole.namelist())


def test_unknown(case: Case, reports: dict[str, Report]) -> None:
    with pytest.raises(ValueError, match="has no picture"):
        export.made(case, "f" * 64, "html")
    with pytest.raises(ValueError, match="exported as"):
        export.made(case, reports["splice.jpg"].item.sha256, "docx")
