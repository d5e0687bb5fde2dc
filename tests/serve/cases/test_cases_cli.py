"""`ifdl case`: examine into a case, note and mark, search, export, and the log that shows a change."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from typer.testing import CliRunner

from ifdl.serve.cases import Case
from ifdl.serve.cases.store import FILE
from ifdl.serve.cli import app
from ifdl.types import Report


def ifdl(*arguments: object, code: int = 0) -> tuple[str, str]:
    """stdout and stderr."""
    done = CliRunner().invoke(app, ["case", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr


def test_the_way_through(case: Case, reports: dict[str, Report], tmp_path: Path) -> None:
    folder, sha256 = case.folder, reports["retouch.jpg"].item.sha256
    ifdl("note", folder, "retouch.jpg", "Sent by the claimant.", "--who", "Bob")
    ifdl("mark", folder, sha256[:8], "warning", "--who", "Bob")
    rows = [json.loads(line) for line in ifdl("search", folder, "--mark", "warning", "--json")[0].splitlines()]
    assert [(r["name"], r["mark"], r["notes"]) for r in rows] == [("retouch.jpg", "Warning", 1)]
    assert "claimant" not in case.report(sha256)
    assert "1 picture\n" in ifdl("search", folder, "--note", "CLAIMANT")[1]
    assert "again.jpg" in ifdl("search", folder, "--like", "splice.jpg")[1]
    ifdl("export", folder, "retouch.jpg", "--format", "bundle", "--out", tmp_path / "out" / "e.zip")
    assert (tmp_path / "out" / "e.zip").read_bytes().startswith(b"PK")
    log = ifdl("log", folder, "--picture", sha256)[1]
    assert "noted" in log and "Bob" in log and "exported: bundle" in log
    said = ifdl("verify", folder)[1]
    assert "10 rows, unbroken" in said
    head = said.split("the last hash is ")[1].split()[0]
    ifdl("verify", folder, "--head", head)
    case.log("one more")
    ifdl("verify", folder, "--head", head)
    assert "rows at its end are gone" in ifdl("verify", folder, "--head", "0" * 64, code=1)[1]
    with sqlite3.connect(folder / FILE) as other:
        other.execute("DROP TRIGGER note_UPDATE")
        other.execute("UPDATE note SET text = 'Sent by the insurer.' WHERE who = 'Bob'")
    assert "row 8: the note" in ifdl("verify", folder, code=1)[1]


def test_wrong_calls_say_what_is_wrong(case: Case, tmp_path: Path) -> None:
    folder = case.folder
    assert "is no case" in ifdl("list", tmp_path / "nothing", code=2)[1]
    assert "no picture of the case" in ifdl("note", folder, "nothing.jpg", "x", code=2)[1]
    assert "has 1 to" in ifdl("note", folder, "splice.jpg", " ", code=2)[1]
    assert "State" in ifdl("search", folder, "--state", "fake", code=2)[1]
    assert "isoformat" in ifdl("search", folder, "--since", "yesterday", code=2)[1]


def test_add_keeps_on_after_a_bad_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no picture")
    folder = tmp_path / "case"
    said = ifdl("add", folder, broken, code=2)[1]
    assert "0 of 1 examined" in said and "broken.jpg" in said
    assert "could not be examined" in ifdl("log", folder)[1]
    ifdl("verify", folder)
