"""docs/scale.md: numbers as measured, columns as in the table, options as in the command."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

pytest.importorskip("pyarrow", reason="the batch extra is not installed")

from benchmarks import batch_tables

from ifdl.serve.batching.cascade import Policy
from ifdl.serve.batching.sources import STORES
from ifdl.serve.batching.table import STAGES, schema
from ifdl.serve.cli import app

PAGE = batch_tables.PAGE.read_text(encoding="utf-8")


def test_numbers_are_generated_from_the_results() -> None:
    assert batch_tables.updated(PAGE) == PAGE, "run: python benchmarks/batch.py docs"


def test_every_column_and_stage_is_explained() -> None:
    table = PAGE[PAGE.index("| column |") : PAGE.index("No number in it")]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`(\w+)`", row)]
    assert named == schema().names
    assert all(f"**{stage}**" in PAGE for stage in STAGES)


def test_options_policies_and_stores_exist() -> None:
    command = get_command(app).commands["batch"]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    own = PAGE[: PAGE.index("<!-- batch:begin")] + PAGE[PAGE.index("batch:end -->") + 13 :]
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", own)) <= known
    assert all(f"| `{policy}`" in own for policy in Policy)
    assert set(re.findall(r"`(\w+)://`", own)) <= set(STORES)


def test_arithmetic_of_a_day() -> None:
    row = {"size": "2 MP", "megabytes": 0.5, "seconds": {"read": 0.0, "decode": 0.1, "clues": 0.3, "expert": 1.2}}
    half = {"untouched": 10, "expert_runs_on": 5}
    said = batch_tables._days({"sizes": [row], "policies": {"open": half}})
    # 0.4 + half of 1.2 = 1 s; 10 million / 86,400 = 116 cores, five times as many are paid for, at 0.96 dollars a day.
    assert "| 10 M | `open` (50 %) | 1.00 | 116 | 579 | 56 | 5.0 TB |" in said
