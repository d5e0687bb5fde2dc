"""What leaves a case: a report, or a bundle with its manifest; redacted unless in full. Each export is logged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ifdl import intake
from ifdl import report as reports
from ifdl.report import bundle, pdf
from ifdl.serve.cases.search import picture
from ifdl.serve.cases.store import Case
from ifdl.types import Report

FORMS = {"html": "text/html", "pdf": "application/pdf", "json": "application/json", "bundle": "application/zip"}


def made(case: Case, sha256: str, form: str, full: bool = False, report: Report | None = None) -> bytes:
    """The file's bytes; `report` is the one in memory with its layers, else the stored one is read.

    The bundle also holds analyst.json: notes, marks and the picture's rows of the custody log, apart from the report.
    Raises ValueError for an unknown picture or form, ImportError without the pdf extra.
    """
    data = rendered(report or stored(case, sha256), form, full, {"analyst.json": _analyst(case, sha256)})
    case.log(f"exported: {form}, {'full' if full else 'redacted'}", sha256, hashlib.sha256(data).hexdigest())
    return data


def rendered(report: Report, form: str, full: bool = False, more: dict[str, bytes] | None = None) -> bytes:
    """A report in one form of `FORMS`; `more` are further files of the bundle.

    The picture itself is in the bundle only in full, and where it is at hand. Raises as `made` does.
    """
    if form not in FORMS:
        raise ValueError(f"a report is exported as {', '.join(FORMS)}, not {form!r}")
    if form == "pdf":
        pdf.check()
    shared = report if full else reports.redacted(report)
    text = (reports.to_json(shared) + "\n").encode()
    if form == "json":
        return text
    if form == "html":
        return reports.to_html(_drawable(shared), full=True).encode()
    if form == "pdf":
        return pdf.to_pdf(_drawable(shared), full=True)
    files = reports.contents(_drawable(shared)) | {"report.json": text} | (more or {})
    return bundle.to_bundle(shared, files, picture=full)


def stored(case: Case, sha256: str) -> Report:
    """The last report of a picture, with the picture where the case keeps it; heat maps are not kept."""
    report = restored(case.report(sha256))
    data = case.kept(sha256)
    if data is None:
        return report
    try:
        return replace(report, picture=intake.load(data, name=report.item.name))
    except intake.IntakeError:
        return report


def restored(text: str) -> Report:
    """A Report from its JSON; its maps are empty, since no JSON holds them."""
    report: Report = TypeAdapter(Report).validate_python(_with_maps(json.loads(text)))
    return report


def _with_maps(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_maps(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _with_maps(entry) for key, entry in value.items()}
    return plain | {"values": np.zeros((0, 0), np.uint16)} if {"stride", "origin", "size"} <= plain.keys() else plain


def _drawable(report: Report) -> Report:
    """Without the maps that are empty: there is nothing of them to draw."""
    verdict = report.verdict
    if not any(f.map is not None and not f.map.values.size for f in verdict.findings):
        return report
    findings = tuple(replace(f, map=None) for f in verdict.findings)
    return replace(report, verdict=replace(verdict, findings=findings, predictions=()))


def _analyst(case: Case, sha256: str) -> bytes:
    from ifdl.serve.cases import custody

    known = picture(case, sha256)
    told = {
        "picture": sha256,
        "note": "Written by people. None of it is a finding of the program.",
        "mark": known.mark if known else None,
        "marks": [w.__dict__ for w in case.marks(sha256)],
        "notes": [w.__dict__ for w in case.notes(sha256)],
        "custody": [row.__dict__ for row in custody.rows(case.db, sha256)],
    }
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()
