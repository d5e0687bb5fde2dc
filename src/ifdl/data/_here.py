"""Which sets are on this disk: the folders of IFDL_DATA that are called by a set's name."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "IFDL_DATA"


def home() -> Path | None:
    """The folder that IFDL_DATA names, if there is one."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else None


def place(name: str, below: Path | None = None) -> Path | None:
    """The set's folder below `below` (else below IFDL_DATA) if it is there and holds anything: a look, no reading."""
    above = below or home()
    if above is None:
        return None
    folder = above / name
    try:
        return folder if folder.is_dir() and any(folder.iterdir()) else None
    except OSError:
        return None
