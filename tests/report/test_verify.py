"""A report can be repeated, and whatever was changed is named: a byte, a number, a version, a link of the log."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import ifdl
from ifdl.report import bundle, contents, redacted, sarif, to_json, verify
from ifdl.serve.cli import app
from ifdl.types import Report

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "splice.jpg"


@pytest.fixture(scope="module")
def made() -> Report:
    return redacted(ifdl.examine(EXAMPLE, clues=["jpeg_grid", "structure"]))


@pytest.fixture
def report(made: Report, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    path = tmp_path / "report.json"
    path.write_text(to_json(made))
    return path, json.loads(path.read_text())


def run(report: Path, picture: Path = EXAMPLE) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", str(report), str(picture)])
    return done.exit_code, done.output


def test_an_unchanged_one_is_repeated(report: tuple[Path, dict[str, Any]]) -> None:
    code, said = run(report[0])
    assert code == 0 and "repeated" in said


def test_one_byte_of_the_picture_is_named(report: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    data = bytearray(EXAMPLE.read_bytes())
    data[-3000] ^= 1
    other = tmp_path / "splice.jpg"
    other.write_bytes(data)
    code, said = run(report[0], other)
    assert code == 1 and "item.sha256: " in said and "item.sha512: " in said


def test_one_number_is_named_with_its_place(report: tuple[Path, dict[str, Any]]) -> None:
    path, told = report
    finding = next(f for f in told["verdict"]["findings"] if any(type(v) is float for v in f["numbers"].values()))
    name = next(n for n, v in finding["numbers"].items() if type(v) is float)
    true = finding["numbers"][name]
    finding["numbers"][name] = round(true + 0.01, 6)
    path.write_text(json.dumps(told))
    code, said = run(path)
    lines = [line for line in said.splitlines() if "→" in line]
    assert code == 1 and len(lines) == 1
    assert lines[0].startswith(f"verdict.findings[{finding['id']}].numbers.{name}: {round(true + 0.01, 6)} → {true}")


def test_one_version_is_named(report: tuple[Path, dict[str, Any]]) -> None:
    path, told = report
    told["environment"]["libraries"]["numpy"] = "1.0"
    path.write_text(json.dumps(told))
    code, said = run(path)
    assert code == 1 and "environment.libraries.numpy: 1.0 → " in said


def test_a_log_that_was_rewritten_is_named(report: tuple[Path, dict[str, Any]]) -> None:
    path, told = report
    told["run"]["custody"][1]["what"] = "decoded by somebody else"
    path.write_text(json.dumps(told))
    code, said = run(path)
    assert code == 1 and "run.custody[1]: the chain of hashes is broken" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot be read"),
        ("[]", "no report"),
        ('{"schema_version": "9.0"}', "schema is 9.0"),
        ('{"schema_version": "1.2"}', "missing"),
        ('{"schema_version": "1.2", "error": {}}', "could not be examined"),
    ],
)
def test_what_is_no_report_is_said(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    code, said = run(tmp_path / "r.json")
    assert code == 2 and why in said


def test_a_test_that_this_version_lacks_is_said(report: tuple[Path, dict[str, Any]]) -> None:
    path, told = report
    told["environment"]["clues"]["astrology"] = "1"
    path.write_text(json.dumps(told))
    code, said = run(path)
    assert code == 2 and "astrology" in said


def test_lists_of_other_lengths_are_one_difference() -> None:
    base: dict[str, Any] = {"run": {"custody": []}, "a": [1, 2]}
    assert verify.differences(base, base | {"a": [1]}) == ["a: 2 entries → 1 entries"]


# ---------------------------------------------------------------- other forms


def test_sarif_names_rules_results_and_the_picture(made: Report) -> None:
    told = json.loads(sarif.to_sarif(made))
    (one,) = told["runs"]
    assert told["version"] == "2.1.0" and one["artifacts"][0]["hashes"]["sha-256"] == made.item.sha256
    rules = {rule["id"] for rule in one["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in one["results"]} <= rules
    assert {result["level"] for result in one["results"]} <= {"warning", "note", "error"}
    assert any(result["properties"]["regions"] for result in one["results"])


def test_a_bundle_is_the_same_twice_and_its_hashes_hold(made: Report) -> None:
    import hashlib

    one, two = (bundle.to_bundle(made, contents(made), picture=True) for _ in range(2))
    assert one == two
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        held = {n for n in archive.namelist() if n != "manifest.json"}
        assert held == set(manifest["files"]) and "report.sarif" in held and "picture.jpeg" in held
        assert all(hashlib.sha256(archive.read(n)).hexdigest() == digest for n, digest in manifest["files"].items())
    with zipfile.ZipFile(io.BytesIO(bundle.to_bundle(made, contents(made)))) as archive:
        assert "picture.jpeg" not in archive.namelist()


@pytest.mark.parametrize("form", ["html", "json", "sarif", "bundle"])
def test_the_command_writes_each_form(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Report) -> None:
    monkeypatch.setattr(ifdl, "examine", lambda *_, **__: made)
    out = tmp_path / "new" / "file"
    done = CliRunner().invoke(app, ["report", str(EXAMPLE), "--format", form, "--out", str(out)])
    assert done.exit_code == 0 and out.stat().st_size > 2000
