"""The commands of the page on cases, as they stand there."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from tests.serve.cases.test_cases_cli import ifdl
from tests.serve.test_cli import EXAMPLES

PAGE = EXAMPLES.parent / "docs" / "cases.md"


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.symlink(EXAMPLES, tmp_path / "examples")  # noqa: PTH211
    commands = [shlex.split(line, comments=True) for line in PAGE.read_text("utf-8").split("```")[1].splitlines()[1:]]
    cases = [command[2:] for command in commands if command[:2] == ["ifdl", "case"]]
    assert len(cases) == 6
    for command in cases:
        ifdl(*command)
    assert list(tmp_path.glob("report-*.zip"))
