"""The JSON obeys its own schema, holds no private value and no pixel, and is the same on a re-run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import jsonschema  # type: ignore[import-untyped, unused-ignore]
import numpy as np
import pytest

from ifdl.report import SCHEMA_VERSION, error_row, redacted, schema, to_dict, to_json, to_line
from ifdl.types import Finding, Number, Question, Report, State
from tests.report.fixtures import HOSTILE, LATITUDE, OWNER, SERIAL, cards, report  # noqa: F401

# Of the schema without its prose. If this changes, raise SCHEMA_VERSION and store both anew.
SCHEMA_HASH = ("1.2", "927a56998cb99a6e89add2e44ac8b1ffc12ae956da2a0abe9eb830169108396a")


def without_prose(node: object) -> object:
    if isinstance(node, dict):
        return {k: without_prose(v) for k, v in node.items() if not (k == "description" and isinstance(v, str))}
    return [without_prose(v) for v in node] if isinstance(node, list) else node


def with_number(value: Number) -> Report:
    made = report()
    finding = Finding("grid", Question.CLAIMS, State.INCONCLUSIVE, "One.", numbers={"odd": value}, id="F1")
    return replace(made, verdict=replace(made.verdict, findings=(finding,)))


@pytest.mark.parametrize("given", [report(), redacted(report())], ids=["full", "redacted"])
def test_obeys_the_schema(given: Report) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(json.loads(to_json(given)))


def test_the_schema_can_refuse() -> None:
    row = to_dict(report())
    row["verdict"]["answers"][0]["state"] = "AUTHENTIC"
    assert list(jsonschema.Draft202012Validator(schema()).iter_errors(row))


def test_a_changed_schema_needs_a_new_version() -> None:
    text = json.dumps(without_prose(schema()), sort_keys=True)
    assert (SCHEMA_VERSION, hashlib.sha256(text.encode()).hexdigest()) == SCHEMA_HASH, (
        "the report's schema changed: raise SCHEMA_VERSION (second number if only additive), then store the new hash"
    )


def test_only_run_differs_between_two_runs() -> None:
    first, second = report(), report("2027-09-08T07:06:05Z", 99.0)
    assert to_json(first) != to_json(second)
    rows = [to_dict(first), to_dict(second)]
    for row in rows:
        del row["run"]
    assert json.dumps(rows[0]) == json.dumps(rows[1])


def test_one_line_a_picture() -> None:
    line = to_line(report())
    assert len(line.splitlines()) == 1
    assert json.loads(line) == json.loads(to_json(report()))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), np.float32("nan")])
def test_numbers_are_finite(number: float) -> None:
    with pytest.raises(ValueError, match=r"findings\[0\]\.numbers\.odd"):
        to_json(with_number(number))


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.1 + 0.2, 0.3),
        (1234567.0, 1234570.0),
        (-0.0, 0.0),
        (7, 7),
        (True, True),
        (np.float32(0.1), 0.1),
        (np.int64(3), 3),
    ],
)
def test_numbers_keep_six_digits(number: Number, written: Number) -> None:
    found = json.loads(to_line(with_number(number)))["verdict"]["findings"][0]["numbers"]["odd"]
    assert found == written and type(found) is type(written)


def test_other_things_are_refused() -> None:
    with pytest.raises(TypeError, match="odd is a complex"):
        to_json(with_number(1j))  # type: ignore[arg-type]


def test_text_is_kept_but_cannot_disturb_a_terminal_or_a_file() -> None:
    text = to_json(report())
    values = {e["name"]: e["value"] for e in json.loads(text)["item"]["metadata"]["entries"]}
    for name in ("script", "image", "turned", "controls", "long"):
        assert values[name] == HOSTILE[name]
    assert values["surrogate"] == "caf\\udce9"
    assert not {"\u202e", "\u2066", "\x1b", "\x9b", "\x00"} & set(text)
    assert "ü…日本" in to_json(replace(report(), not_claimed=("ü…日本",)))
    text.encode("utf-8")


def test_no_array_and_no_file_bytes() -> None:
    row = to_dict(report())
    assert "picture" not in row
    assert set(row["verdict"]["findings"][0]["map"]) == {"size", "stride", "origin"}


def test_private_values_go() -> None:
    shared = redacted(report())
    text = to_json(shared)
    assert shared.redacted and json.loads(text)["redacted"] is True
    for private in (SERIAL, OWNER, LATITUDE):
        assert private in to_json(report())
        assert private not in text
    entries = {e.name: e.value for e in shared.item.metadata.entries}
    assert entries["GPSLatitudeRef"] == "[redacted]"
    assert entries["Credit"] == "Photo: [redacted]"
    assert (
        shared.verdict.findings[0].sentence
        == "The compression grid of a patch is shifted by 3 pixels (camera [redacted])."
    )
    assert shared.verdict.findings[0].numbers["shift"] == 3
    assert shared.verdict.findings[0].numbers["latitude"] == "[redacted]"
    assert shared.explanation.sentences[1].text == "The owner field reads [redacted]."


def test_redaction_leaves_all_else_alone() -> None:
    given, shared = report(), redacted(report())
    assert shared.verdict.regions == given.verdict.regions
    assert shared.item.sha256 == given.item.sha256 and shared.run == given.run
    assert to_json(redacted(shared)) == to_json(shared)


def test_a_private_value_cannot_break_ids_or_masks() -> None:
    given = report()
    runs = given.verdict.regions[0].mask
    assert runs is not None
    stolen = [runs.counts[:6], "grid", "SUPPORTED", given.item.sha256[:8]]
    entries = tuple(replace(given.item.metadata.entries[-1], value=v, private=True) for v in stolen)
    item = replace(given.item, metadata=replace(given.item.metadata, entries=entries))
    shared = redacted(replace(given, item=item))
    assert shared.verdict.regions[0].mask == runs
    assert shared.verdict.findings[0].clue == "grid"
    assert "the [redacted] of the rest" in shared.explanation.sentences[0].text
    jsonschema.Draft202012Validator(schema()).validate(to_dict(shared))


def test_a_failed_picture_is_a_row() -> None:
    row = error_row("odd\udcff.jpg", "Truncated", "the file ends before its picture does")
    assert row["schema_version"] == SCHEMA_VERSION
    assert row["item"] == {"name": "odd\\udcff.jpg"}
    assert row["error"] == {"kind": "Truncated", "reason": "the file ends before its picture does"}
    json.dumps(row, ensure_ascii=False).encode("utf-8")
