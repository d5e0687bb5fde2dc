"""A case on disk: what is put in comes out, nothing is changed afterwards, and a changed byte is named."""

from __future__ import annotations

import itertools
import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from ifdl import report as reports_
from ifdl.serve.cases import Case, Mark, custody, export
from ifdl.serve.cases.store import FILE, PICTURES, TABLES, VERSION
from ifdl.types import Report


def raw(case: Case) -> sqlite3.Connection:
    """The database as somebody without scruples opens it."""
    other = sqlite3.connect(case.folder / FILE, isolation_level=None)
    for table in TABLES:
        for verb in ("UPDATE", "DELETE"):
            other.execute(f"DROP TRIGGER IF EXISTS {table}_{verb}")
    return other


def test_whole_case_is_unbroken(case: Case) -> None:
    assert case.broken() is None
    rows = list(custody.rows(case.db))
    assert [r.what.split(":")[0] for r in rows] == ["case opened", *["examined"] * 3, "noted", "marked", "marked"]
    assert {r.who for r in rows} == {"Ada"}
    assert all(b.previous == a.sha256 for a, b in itertools.pairwise(rows))


def test_notes_and_marks_stay_apart_from_the_report(case: Case, reports: dict[str, Report]) -> None:
    report = reports["splice.jpg"]
    assert case.report(report.item.sha256) == reports_.to_line(report), "the analyst's words are no part of it"
    assert [w.text for w in case.notes(report.item.sha256)] == ["The Größe of the shadow is odd."]
    assert [w.text for w in case.marks(report.item.sha256)] == ["Warning", "To be checked"]


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_only_ever_added(case: Case, table: str) -> None:
    for change in (f"DELETE FROM {table}", f"UPDATE {table} SET n = n + 100"):
        with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
            case.db.execute(change)


@pytest.mark.parametrize("column", ["at", "who", "what", "picture", "content", "previous", "sha256"])
@pytest.mark.parametrize("number", [1, 4, 7])
def test_one_changed_byte_of_a_row_is_named(case: Case, column: str, number: int) -> None:
    value = raw(case).execute(f"SELECT {column} FROM custody WHERE n = ?", (number,)).fetchone()[0]
    changed = chr(ord(value[0]) ^ 1) + value[1:] if value else "x"
    raw(case).execute(f"UPDATE custody SET {column} = ? WHERE n = ?", (changed, number))
    found = case.broken()
    assert found is not None and found.n == number


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ("UPDATE examined SET report = replace(report, 'SUPPORTED', 'SUPPORTEd') WHERE n = 1", 2),
        ("UPDATE examined SET local_edit = 'NO_TRACE_FOUND' WHERE n = 1", 2),
        ("UPDATE examined SET phash = '0000000000000000' WHERE n = 2", 3),
        ("UPDATE examined SET name = 'x' WHERE n = 2", 3),
        ("UPDATE examined SET path = 'x' WHERE n = 3", 4),
        ("DELETE FROM examined WHERE n = 3", 4),
        ("UPDATE note SET text = 'The shadow is fine.'", 5),
        ("UPDATE note SET who = 'Bob'", 5),
        ("UPDATE mark SET text = 'Ok' WHERE n = 2", 7),
        ("DELETE FROM custody WHERE n = 3", 3),
        ("DELETE FROM custody WHERE n = 1", 1),
        ("INSERT INTO note VALUES (NULL, 99, 'a', 'b', 'c', 'd')", 0),
        ("INSERT INTO note SELECT NULL, row, sha256, at, who, 'more' FROM note", 0),
    ],
)
def test_what_the_log_tells_of_is_held_to_it(case: Case, change: str, number: int) -> None:
    assert raw(case).execute(change).rowcount
    found = case.broken()
    assert found is not None and found.n == number, found


def test_kept_pictures(tmp_path: Path, reports: dict[str, Report]) -> None:
    report = reports["splice.jpg"]
    assert report.picture is not None
    data, sha256 = report.picture.data, report.item.sha256
    with Case(tmp_path / "c", create=True) as case:
        case.record(report)
        assert case.kept(sha256) is None and not (case.folder / PICTURES).exists(), "only where that was asked for"
        case.record(report, data=data)
        case.record(report, data=data)
        assert case.kept(sha256) == data and case.broken() is None
        stored = export.stored(case, sha256)
        assert stored.picture is not None and (stored.picture.pixels == report.picture.pixels).all()
        (case.folder / PICTURES / sha256).write_bytes(data[:-1])
        assert case.kept(sha256) is None
        found = case.broken()
        assert found is not None and "kept" in found.why


def _write(folder: Path, who: str) -> None:
    with Case(folder, create=True, who=who) as case:
        for number in range(20):
            case.log(f"look {number}")


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(folder, who)) for who in ("Ada", "Bob")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    with Case(folder) as case:
        rows = list(custody.rows(case.db))
        assert case.broken() is None and sum(r.what.startswith("look") for r in rows) == 40


def test_what_is_no_case_says_so(tmp_path: Path, case: Case) -> None:
    with pytest.raises(ValueError, match="is no case; `ifdl case add"):
        Case(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / FILE).write_text("no database " * 100)
    with pytest.raises(ValueError, match="cannot be read"):
        Case(tmp_path / "text")
    (tmp_path / "other").mkdir()
    with sqlite3.connect(tmp_path / "other" / FILE) as other:
        other.execute("CREATE TABLE t (a)")
    with pytest.raises(ValueError, match="no case of ifdl"):
        Case(tmp_path / "other")
    raw(case).execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(ValueError, match="later ifdl"):
        Case(case.folder)


def test_wrong_words_are_refused(case: Case, reports: dict[str, Report]) -> None:
    sha256 = reports["splice.jpg"].item.sha256
    for text in ("", "  \n", "x" * 20_001):
        with pytest.raises(ValueError, match="a note has"):
            case.note(sha256, text)
    for unknown in ("", "f" * 64):
        with pytest.raises(ValueError, match="has no picture"):
            case.mark(unknown, Mark.OK)
        with pytest.raises(ValueError, match="has no picture"):
            case.report(unknown)
    case.note(sha256, "half a character: \ud800")
    assert case.broken() is None
