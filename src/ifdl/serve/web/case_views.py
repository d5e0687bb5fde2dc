"""What the page shows of a case: the analyst's words on a picture, what looks like it, lists and the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ifdl.serve.cases import Case, Mark, custody, search

MARKS = (Mark.OK, Mark.TO_BE_CHECKED, Mark.WARNING)


def section(folder: Path, sha256: str) -> dict[str, Any]:
    """Everything people said of one picture of the case, and what looks like it; `known` is None if it is not there."""
    with Case(folder) as case:
        known = search.picture(case, sha256)
        return {
            "case": folder.name,
            "known": known,
            "sha256": sha256,
            "marks": MARKS,
            "notes": case.notes(sha256),
            "given": case.marks(sha256),
            "near": search.near(case, sha256) if known else [],
        }


def log(folder: Path, sha256: str = "") -> list[custody.Row]:
    """The custody log, or one picture's rows of it."""
    with Case(folder) as case:
        return list(custody.rows(case.db, sha256))


def looked(folder: Path, sha256: str, layer: str) -> None:
    """Log that a layer was laid over a picture: from then on its marks lead the eye."""
    with Case(folder) as case:
        case.log(f"looked at: {layer}", sha256)
