"""A report as SARIF, which editors, dashboards and code hosts show. Source: OASIS, SARIF 2.1.0, 2020.

One run, one rule for each test, one result for each finding that says something. A region is given in pixels by its
box, in `properties`, since SARIF's own regions count lines or bytes of text.
"""

from __future__ import annotations

import json
from typing import Any

from ifdl.report.parts import card_of
from ifdl.types import Finding, Report, State

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {State.SUPPORTED: "warning", State.INCONCLUSIVE: "note", State.FAILED: "error"}


def to_sarif(report: Report) -> str:
    """The report as SARIF JSON. Findings below their threshold are left out; coverage keeps every test."""
    tests = [row.test for row in report.verdict.coverage]
    told = [f for f in report.verdict.findings if f.state in LEVELS]
    run = {
        "tool": {
            "driver": {
                "name": "ifdl",
                "version": report.environment.ifdl,
                "rules": [_rule(test) for test in tests if card_of(test) is not None],
            }
        },
        "artifacts": [
            {
                "location": {"uri": _uri(report.item.name)},
                "length": report.item.bytes,
                "hashes": {"sha-256": report.item.sha256, "sha-512": report.item.sha512},
                "mimeType": report.item.media_type,
            }
        ],
        "results": [_result(finding, report) for finding in told],
        "columnKind": "unicodeCodePoints",
        "properties": {
            "pipeline": report.environment.pipeline,
            "answers": {str(a.question): str(a.state) for a in report.verdict.answers},
            "coverage": {row.test: str(row.state) for row in report.verdict.coverage},
            "notClaimed": list(report.not_claimed),
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(test: str) -> dict[str, Any]:
    card = card_of(test)
    assert card is not None
    rule: dict[str, Any] = {"id": test, "name": card.title, "shortDescription": {"text": card.title}}
    if card.domain:
        rule["fullDescription"] = {"text": card.domain}
    if card.url:
        rule["helpUri"] = card.url
    return rule


def _result(finding: Finding, report: Report) -> dict[str, Any]:
    boxes = [{"box": list(r.box), "position": r.position, "area": r.area} for r in finding.regions]
    return {
        "ruleId": finding.clue,
        "level": "note" if finding.experimental else LEVELS[finding.state],
        "message": {"text": finding.sentence},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(report.item.name), "index": 0}}}],
        "properties": {
            "id": finding.id,
            "question": str(finding.question),
            "state": str(finding.state),
            "experimental": finding.experimental,
            "regions": boxes,
            "numbers": finding.numbers,
        },
    }


def _uri(name: str) -> str:
    from urllib.parse import quote

    return quote(name.encode("utf-8", "backslashreplace"))
