"""A case on disk: one SQLite file in a folder, and the pictures themselves only where that was asked for.

The machine's findings (`examined`) and the analyst's words (`note`, `mark`) are tables of their own; nothing in one
changes the other. No table's rows are ever changed or deleted, and every one is told of in the custody log. Reports
are kept in full, private values and all: a case is the analyst's own. What is exported is redacted.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import quote

from ifdl import report as reports
from ifdl.serve.cases import custody
from ifdl.types import Question, Report

FILE, PICTURES = "case.sqlite", "pictures"
APPLICATION, VERSION = 0x69666463, 1  # "ifdc"
TABLES = ("examined", "note", "mark", "custody")
SCHEMA = """
CREATE TABLE IF NOT EXISTS examined (
    n INTEGER PRIMARY KEY, row INTEGER NOT NULL, sha256 TEXT NOT NULL, at TEXT NOT NULL, path TEXT NOT NULL,
    name TEXT NOT NULL, phash TEXT, history TEXT NOT NULL, local_edit TEXT NOT NULL,
    synthetic_origin TEXT NOT NULL, claims TEXT NOT NULL, report TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS examined_picture ON examined (sha256);
CREATE TABLE IF NOT EXISTS note (
    n INTEGER PRIMARY KEY, row INTEGER NOT NULL, sha256 TEXT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS note_picture ON note (sha256);
CREATE TABLE IF NOT EXISTS mark (
    n INTEGER PRIMARY KEY, row INTEGER NOT NULL, sha256 TEXT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS mark_picture ON mark (sha256);
"""
FIXED = """
CREATE TRIGGER IF NOT EXISTS {table}_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'rows of a case are only ever added'); END;
"""
LONGEST = 20_000  # characters of a note


class Mark(StrEnum):
    """What the analyst makes of a picture; no finding."""

    OK = "Ok"
    TO_BE_CHECKED = "To be checked"
    WARNING = "Warning"
    NONE = "no mark"


@dataclass(frozen=True)
class Words:
    """A note or a mark: when, who, and its text."""

    at: str
    who: str
    text: str


@dataclass(frozen=True)
class Picture:
    """One picture of the case as last examined: `states` by question; `mark` and the count of `notes` are of people.

    `times` it was examined; `phash` are 16 hexadecimal digits, or None where the picture is too plain for one.
    """

    sha256: str
    name: str
    path: str
    at: str
    phash: str | None
    states: dict[str, str]
    mark: Mark
    notes: int
    times: int


class Case:
    """An open case; a context manager. Raises ValueError where the folder is none, or of a later version."""

    def __init__(self, folder: Path, create: bool = False, who: str = "") -> None:
        self.folder, self.who = folder, _text(who or custody.analyst())
        file = folder / FILE
        fresh = not file.exists()
        if fresh and not create:
            raise ValueError(f"{folder} is no case; `ifdl case add {folder} PICTURE` makes one")
        if fresh:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A copy on a medium that cannot be written to can still be read and verified.
        mode = "rwc" if fresh else "rw" if os.access(folder, os.W_OK) else "ro&immutable=1"
        self.db = sqlite3.connect(
            f"file:{quote(str(file.absolute()))}?mode={mode}", uri=True, timeout=20, isolation_level=None
        )
        try:
            self._begin()
        except sqlite3.DatabaseError as error:
            self.db.close()
            raise ValueError(f"{file} cannot be read: {error}") from error
        except ValueError:
            self.db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_what: object) -> None:
        self.db.close()

    def record(self, report: Report, path: str = "", data: bytes | None = None) -> None:
        """Put an examination into the case; `data` is the file itself, where it shall be kept."""
        text, path, item = reports.to_line(report), _text(path), report.item
        if data is not None:
            self._keep(item.sha256, data)
        with self._writing():
            what = f"examined: {path}" if path else "examined"
            row = custody.append(self.db, self.who, what, item.sha256, digest(text))
            index = _indexed(text)
            self._add("examined", [row.n, item.sha256, row.at, path, *index, text])

    def note(self, sha256: str, text: str) -> None:
        """Write a note. Raises ValueError for an unknown picture, an empty or a very long text."""
        text = _text(text).strip()
        if not text or len(text) > LONGEST:
            raise ValueError(f"a note has 1 to {LONGEST:,} characters")
        self._say("note", "noted", sha256, text)

    def mark(self, sha256: str, mark: Mark) -> None:
        """Mark a picture; the last mark holds. Raises ValueError for an unknown picture."""
        self._say("mark", f"marked: {mark}", sha256, str(mark))

    def log(self, what: str, sha256: str = "", content: str = "") -> None:
        """Add to the custody log what changed nothing in the case: an export, a look."""
        with self._writing():
            custody.append(self.db, self.who, _text(what), sha256, content)

    def report(self, sha256: str) -> str:
        """The last report of a picture as JSON, in full. Raises ValueError for an unknown picture."""
        found = self.db.execute("SELECT report FROM examined WHERE sha256 = ? ORDER BY n DESC LIMIT 1", (sha256,))
        row = found.fetchone()
        if row is None:
            raise ValueError(f"{self.folder} has no picture {sha256[:16]}")
        return str(row[0])

    def notes(self, sha256: str) -> list[Words]:
        """All notes on a picture, oldest first."""
        return self._words("note", sha256)

    def marks(self, sha256: str) -> list[Words]:
        """All marks that a picture was given, oldest first."""
        return self._words("mark", sha256)

    def kept(self, sha256: str) -> bytes | None:
        """The picture's own file, where it was kept and is still the same."""
        try:
            data = (self.folder / PICTURES / sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def find(self, key: str) -> str:
        """sha256 of the picture that `key` means: the beginning of its sha256, its name or path, or a file at hand.

        Raises ValueError where it is none or several.
        """
        if Path(key).is_file():
            key = hashlib.sha256(Path(key).read_bytes()).hexdigest()
        by_hash = "OR substr(sha256, 1, length(?1)) = lower(?1)" if len(key) >= 4 else ""
        found = self.db.execute(
            f"SELECT DISTINCT sha256 FROM examined WHERE name = ?1 OR path = ?1 {by_hash}", (_text(key),)
        ).fetchall()
        if len(found) == 1:
            return str(found[0][0])
        several = f"{len(found)} pictures; name it by its sha256" if found else "no picture of the case"
        raise ValueError(f"{_text(key)!r} is {several}")

    def broken(self) -> custody.Break | None:
        """The first row of the log that is not as it was written, or whose content is not."""
        chain = custody.broken(self.db)
        for row in custody.rows(self.db):
            if chain is not None and row.n >= chain.n:
                break
            if why := self._differs(row):
                return custody.Break(row.n, why)
        return chain or self._untold()

    def _differs(self, row: custody.Row) -> str:
        """Why what a row of the log tells of is not what lies in the case; empty if it is."""
        verb, _, rest = row.what.partition(": ")
        if verb == "kept":
            return "" if self.kept(row.picture) is not None else "the file that was kept is gone or changed"
        table = {"examined": "examined", "noted": "note", "marked": "mark"}.get(verb)
        if table is None:
            return ""
        columns = "report, path, name, phash, " + ", ".join(Question) if table == "examined" else "text, who"
        found = self.db.execute(f"SELECT sha256, at, {columns} FROM {table} WHERE row = ?", (row.n,)).fetchone()
        if found is None:
            return f"the {table} that it tells of is missing"
        sha256, at, text, *others = found
        same = (sha256, at, digest(text)) == (row.picture, row.at, row.content)
        if same and others == ([rest, *_indexed(text)] if table == "examined" else [row.who]):
            return ""
        return f"the {table} that it tells of has changed"

    def _untold(self) -> custody.Break | None:
        """Rows of the other tables that the log does not tell of."""
        for table in ("examined", "note", "mark"):
            known = f"SELECT 1 FROM {table} WHERE row NOT IN (SELECT n FROM custody) LIMIT 1"
            twice = f"SELECT 1 FROM {table} GROUP BY row HAVING count(*) > 1 LIMIT 1"
            if self.db.execute(known).fetchone() or self.db.execute(twice).fetchone():
                return custody.Break(0, f"the table {table} has a row that the log does not tell of")
        return None

    def _begin(self) -> None:
        application, version = (
            self.db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("application_id", "user_version")
        )
        if (application, version) == (0, 0) and not self.db.execute("SELECT 1 FROM sqlite_master").fetchone():
            fixed = "".join(FIXED.format(table=t, verb=v) for t in TABLES for v in ("UPDATE", "DELETE"))
            self.db.execute("PRAGMA journal_mode = WAL")
            # One script, one transaction: two processes that make the same case at once do not make half of it each.
            self.db.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} {custody.SCHEMA} {fixed}"
                f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
            )
            self.log("case opened")
        elif application != APPLICATION:
            raise ValueError(f"{self.folder / FILE} is no case of ifdl")
        elif version > VERSION:
            raise ValueError(f"{self.folder} was made by a later ifdl (case version {version}, this reads {VERSION})")
        self.db.create_function("fold", 1, lambda text: str(text).casefold(), deterministic=True)

    def _say(self, table: str, what: str, sha256: str, text: str) -> None:
        with self._writing():
            if not self.db.execute("SELECT 1 FROM examined WHERE sha256 = ?", (sha256,)).fetchone():
                raise ValueError(f"{self.folder} has no picture {sha256[:16]}")
            row = custody.append(self.db, self.who, what, sha256, digest(text))
            self._add(table, [row.n, sha256, row.at, row.who, text])

    def _words(self, table: str, sha256: str) -> list[Words]:
        rows = self.db.execute(f"SELECT at, who, text FROM {table} WHERE sha256 = ? ORDER BY n", (sha256,))
        return [Words(*row) for row in rows]

    def _keep(self, sha256: str, data: bytes) -> None:
        if self.kept(sha256) is not None:
            return
        place = self.folder / PICTURES
        place.mkdir(mode=0o700, exist_ok=True)
        part = place / f".{sha256}.{os.getpid()}.part"
        part.write_bytes(data)
        part.replace(place / sha256)
        self.log("kept", sha256, hashlib.sha256(data).hexdigest())

    def _add(self, table: str, values: list[object]) -> None:
        self.db.execute(f"INSERT INTO {table} VALUES (NULL, {', '.join('?' * len(values))})", values)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")


def digest(text: str) -> str:
    """sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _indexed(text: str) -> list[str | None]:
    """What the index holds of a report: the picture's name, its perceptual hash, and the four answers' states."""
    report = json.loads(text)
    states = {a["question"]: a["state"] for a in report["verdict"]["answers"]}
    hashes = [f["numbers"].get("phash") for f in report["verdict"]["findings"] if f["clue"] == "hashes"]
    return [report["item"]["name"], next(iter(hashes), None), *(states[q] for q in Question)]


def _text(name: str) -> str:
    """A name as text that a database can hold: half characters are shown by their code."""
    return name.encode("utf-8", "backslashreplace").decode()
