"""The board: time left, the best validation marked, JSON that any reader takes."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from ifdl.train.board import COLUMNS, Board


@pytest.mark.parametrize("watched", [True, False])
def test_progress_table_and_log(tmp_path: Path, watched: bool) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=watched, width=120)
    rates = {"rate": 1e-3, "waited": 0.25, "samples_per_second": 12.0}
    with Board(tmp_path, console, tensorboard=False) as board:
        board.step({"step": 5, "samples": 80, "loss": 0.5, "seconds": 60.0, **rates}, done=0.25)
        for step, iou in ((5, 0.25), (6, 0.125)):
            numbers = dict.fromkeys(COLUMNS, math.nan) | {"iou": iou}
            board.validation({"step": step, "samples": step * 16, **numbers})
    said = screen.getvalue()
    assert "left 0:03:00" in said and "waited 25%" in said and "0.250" in said and "picture_auc" in said
    rows = [json.loads(line, parse_constant=lambda word: pytest.fail(word)) for line in (tmp_path / "log.jsonl").open()]
    assert [row["kind"] for row in rows] == ["step", "validation", "validation"]
    assert rows[0]["loss"] == 0.5 and rows[1]["iou"] == 0.25 and rows[1]["auc"] is None
