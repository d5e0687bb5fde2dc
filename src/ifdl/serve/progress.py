"""The one progress bar of the command line: what is done, of how many, and the time left; none where nobody looks."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def bar(console: Console, wanted: bool = True) -> AbstractContextManager[Progress | None]:
    """A bar on a terminal, if `wanted`; else a context that gives None."""
    if not wanted or not sys.stderr.isatty():
        return nullcontext()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)
