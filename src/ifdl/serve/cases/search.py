"""Find pictures of a case: by name, answer, mark, date or a word in a note; and those that look alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ifdl.evidence.hashes import NEAR, distance
from ifdl.serve.cases.store import Case, Mark, Picture
from ifdl.types import Question, State

LATEST = """
SELECT * FROM (
    SELECT sha256, name, path, at, phash, history, local_edit, synthetic_origin, claims,
        coalesce((SELECT text FROM mark m WHERE m.sha256 = e.sha256 ORDER BY m.n DESC LIMIT 1), :none) AS mark,
        (SELECT count(*) FROM note k WHERE k.sha256 = e.sha256) AS notes,
        (SELECT count(*) FROM examined x WHERE x.sha256 = e.sha256) AS times, n
    FROM examined e WHERE n IN (SELECT max(n) FROM examined GROUP BY sha256)
)
"""


@dataclass(frozen=True)
class Query:
    """What a picture must have; what is empty is not asked for.

    `name` is a part of its name or path, `note` a part of one of its notes, both in any case of letters. `state` is
    one of its answers' states; with `question`, of that answer. `since` and `until` are days, YYYY-MM-DD, both within.
    """

    name: str = ""
    note: str = ""
    question: Question | None = None
    state: State | None = None
    mark: Mark | None = None
    since: str = ""
    until: str = ""

    def where(self) -> tuple[str, dict[str, str]]:
        """The condition in SQL, and its values."""
        asked = [str(self.question)] if self.question else [str(q) for q in Question]
        parts = {
            "name": "(instr(fold(name), fold(:name)) OR instr(fold(path), fold(:name)))",
            "note": "sha256 IN (SELECT sha256 FROM note WHERE instr(fold(text), fold(:note)))",
            "state": f"({' OR '.join(f'{q} = :state' for q in asked)})",
            "mark": "mark = :mark",
            "since": "at >= :since",
            "until": "substr(at, 1, 10) <= :until",
        }
        given = {name: str(value) for name in parts if (value := getattr(self, name))}
        return " AND ".join(parts[name] for name in given) or "1", given


def pictures(case: Case, query: Query = Query(), most: int = 1000, skip: int = 0) -> list[Picture]:
    """The pictures that a query finds, each by its last examination, newest first."""
    where, values = query.where()
    sql = f"{LATEST} WHERE {where} ORDER BY n DESC LIMIT {int(most)} OFFSET {int(skip)}"
    return list(_read(case, sql, values))


def count(case: Case, query: Query = Query()) -> int:
    """How many a query finds."""
    where, values = query.where()
    found = case.db.execute(f"SELECT count(*) FROM ({LATEST} WHERE {where})", {"none": Mark.NONE, **values})
    return int(found.fetchone()[0])


def picture(case: Case, sha256: str) -> Picture | None:
    """One picture of the case."""
    return next(_read(case, f"{LATEST} WHERE sha256 = :sha256", {"sha256": sha256}), None)


def near(case: Case, sha256: str, most: int = 20) -> list[tuple[int, Picture]]:
    """Other pictures that look like this one as a whole, with the bits of 64 that differ, nearest first.

    A hint for the eye: a near-duplicate can be the one that was edited, and pictures with little in them come near too.
    """
    own = case.db.execute(
        "SELECT phash FROM examined WHERE sha256 = ? AND phash IS NOT NULL ORDER BY n DESC LIMIT 1", (sha256,)
    ).fetchone()
    if own is None:
        return []
    others = dict(
        case.db.execute("SELECT sha256, phash FROM examined WHERE phash IS NOT NULL AND sha256 != ?", (sha256,))
    )
    bits = {other: distance(int(own[0], 16), int(phash, 16)) for other, phash in others.items()}
    nearest = sorted((apart, other) for other, apart in bits.items() if apart <= NEAR)[:most]
    return [(apart, found) for apart, other in nearest if (found := picture(case, other)) is not None]


def _read(case: Case, sql: str, values: dict[str, str]) -> Iterator[Picture]:
    for row in case.db.execute(sql, {"none": Mark.NONE, **values}):
        sha256, name, path, at, phash, *states, mark, notes, times, _ = row
        answers = dict(zip((str(q) for q in Question), states, strict=True))
        yield Picture(sha256, name, path, at, phash, answers, Mark(mark), notes, times)
