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
    The picture itself is in it only in full, and where it is at hand. Raises ValueError for an unknown picture or
    form, ImportError without the pdf extra.
    """
    if form not in FORMS:
        raise ValueError(f"a report is exported as {', '.join(FORMS)}, not {form!r}")
    if form == "pdf":
        pdf.check()
    whole = report or stored(case, sha256)
    shared = whole if full else reports.redacted(whole)
    if form == "json":
        data = (reports.to_json(shared) + "\n").encode()
    elif form == "html":
        data = reports.to_html(_drawable(shared), full=True).encode()
    elif form == "pdf":
        data = pdf.to_pdf(_drawable(shared), full=True)
    else:
        files = reports.contents(_drawable(shared))
        files |= {"report.json": (reports.to_json(shared) + "\n").encode(), "analyst.json": _analyst(case, sha256)}
        data = bundle.to_bundle(shared, files, picture=full)
    edition = "full" if full else "redacted"
    case.log(f"exported: {form}, {edition}", sha256, hashlib.sha256(data).hexdigest())
    return data


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
