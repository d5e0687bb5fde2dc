"""`ifdl evaluate` and `ifdl protocols` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ifdl.data import manifest
from ifdl.serve.cli import app
from tests.serve.test_cli import ifdl


def typed(*words: object) -> Any:
    """The command in this process: a new one costs seconds."""
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("set")
    manifest.fabricate(place)
    return place


def test_a_clue_from_the_command_line_to_result_and_rows(root: Path, tmp_path: Path) -> None:
    asked = (
        "--data",
        root,
        "--out",
        tmp_path,
        "--draws",
        20,
        "--workers",
        1,
        "--readings",
        tmp_path / "readings.jsonl",
    )
    done = ifdl("evaluate", "--clue", "copymove", *map(str, asked), "--copy", str(tmp_path / "copy.json"))
    assert done.returncode == 0, done.stderr
    assert "native-1" in done.stderr and "false_alarms" in done.stderr
    told = json.loads((tmp_path / "result.json").read_text())
    assert told["run"]["command"].startswith("ifdl evaluate --clue copymove")
    assert json.loads((tmp_path / "copy.json").read_text()) == told
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 6 and not any(r["cached"] for r in rows)
    again = typed("evaluate", "--clue", "copymove", *map(str, asked), "--json")
    assert json.loads(again.stdout)["numbers"] == told["numbers"]
    assert all(json.loads(line)["cached"] for line in (tmp_path / "rows.jsonl").read_text().splitlines())
    readings = [json.loads(line) for line in (tmp_path / "readings.jsonl").read_text().splitlines()]
    assert [r["system"] for r in readings] == ["copymove", "copymove"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--clue", "copymove", "--verdict"), "name one thing"),
        ((), "name one thing"),
        (("--clue", "copymoves"), "there are cfa, "),
        (("--clue", "metadata"), "nothing to score"),
        (("--expert", "trufor"), "no expert is called"),
        (("--maps", "nowhere"), "no folder of maps"),
        (("--command", "python infer.py"), "both places"),
        (("--verdict", "--protocol", "f1"), "no protocol is called"),
        (("--verdict", "--change", "jpg:90"), "NAME:LEVEL"),
        (("--verdict", "--set", "casia9"), "casia1"),
        (("--verdict", "--split", "test", "--limit", "1"), "of the split test"),
    ],
)
def test_what_is_wrong_is_one_sentence(root: Path, words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = typed("evaluate", "--data", root, "--out", tmp_path, *words)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split()) and "Traceback" not in done.stderr


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    done = typed("evaluate", "--verdict", "--data", tmp_path)
    assert done.exit_code == 2 and "ifdl:" in done.stderr


def test_protocols_are_listed_and_explained() -> None:
    listed = typed("protocols")
    assert listed.exit_code == 0 and "sida-legacy" in listed.stderr
    assert "better of map and inverted map" in " ".join(typed("protocols", "trufor-2023").stderr.split())
    assert json.loads(typed("protocols", "native-1", "--json").stdout)[0]["numbers"]["f1"]["pictures"] == "edited"
    assert typed("protocols", "none").exit_code == 2
