"""Put what was examined into the case, if there is one; a case that cannot be written costs no answer."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from ifdl.serve.cases import Case
from ifdl.types import Report


def record(folder: Path, report: Report, data: bytes | None) -> None:
    """One report, and the file itself where it shall be kept. A failure is logged; the page says so."""
    try:
        with Case(folder, create=True) as case:
            case.record(report, data=data)
    except (sqlite3.Error, OSError, ValueError):
        logging.getLogger(__name__).exception("%s: an examination could not be put into the case", folder)
