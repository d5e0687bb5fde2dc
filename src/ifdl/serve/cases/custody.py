"""The custody log of a case: rows that are only ever added, each chained to the one before by its hash.

A row says when, who, what, of which picture (sha256) and the sha256 of what was added with it: a report, a note, a
mark, a kept file. So the chain also holds what lies in the other tables. Rows cut off at the end leave a chain that is
whole: who must rule that out writes the last hash down elsewhere and compares (`ifdl case verify --head`).
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime

ANALYST = "IFDL_ANALYST"
SCHEMA = """
CREATE TABLE IF NOT EXISTS custody (
    n INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, picture TEXT NOT NULL,
    content TEXT NOT NULL, previous TEXT NOT NULL, sha256 TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class Row:
    """One row; `picture` and `content` are sha256 or empty, `previous` is the hash of the row before."""

    n: int
    at: str
    who: str
    what: str
    picture: str
    content: str
    previous: str
    sha256: str

    def digest(self) -> str:
        """What `sha256` has to be."""
        return hashlib.sha256(json.dumps(astuple(self)[:-1], separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Break:
    """The first row that is not as it was written; row 0 is what no row tells of."""

    n: int
    why: str


def now() -> str:
    """This moment in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def analyst() -> str:
    """Who works here: $IFDL_ANALYST, else the account's name."""
    try:
        return os.environ.get(ANALYST) or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def append(case: sqlite3.Connection, who: str, what: str, picture: str = "", content: str = "") -> Row:
    """Add one row, inside the caller's transaction."""
    last = case.execute("SELECT n, sha256 FROM custody ORDER BY n DESC LIMIT 1").fetchone()
    number, previous = (last[0] + 1, last[1]) if last else (1, "")
    row = Row(number, now(), who, what, picture, content, previous, "")
    row = replace(row, sha256=row.digest())
    case.execute("INSERT INTO custody VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(row))
    return row


def rows(case: sqlite3.Connection, picture: str = "") -> Iterator[Row]:
    """All rows in order, or those of one picture."""
    chosen = "WHERE picture = ?" if picture else ""
    for values in case.execute(f"SELECT * FROM custody {chosen} ORDER BY n", (picture,) if picture else ()):
        yield Row(*values)


def broken(case: sqlite3.Connection) -> Break | None:
    """The first row whose number, hash or link to the row before does not hold."""
    previous = ""
    for number, row in enumerate(rows(case), 1):
        if row.n != number:
            return Break(number, "the row is missing")
        if row.previous != previous:
            return Break(number, "it does not name the hash of the row before")
        if row.sha256 != row.digest():
            return Break(number, "its words are not those that were hashed")
        previous = row.sha256
    return None
