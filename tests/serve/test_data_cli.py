"""`ifdl data` as a user types it: JSON on stdout, words on stderr, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ifdl.data import _fabric, casia1, folder, manifest
from ifdl.serve.data_cli import app


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_list_and_info() -> None:
    plain = run("list")
    assert plain.exit_code == 0 and plain.stdout == "" and "casia1" in plain.stderr
    cards = json.loads(run("list", "--json").stdout)
    assert {"casia1", "columbia", "coverage", "folder", "manifest"} <= {c["id"] for c in cards}
    shown = run("info", "casia1")
    assert shown.exit_code == 0 and shown.stdout == ""
    for word in ("How to obtain", "Cite", "Terms", "quantisation tables"):
        assert word in " ".join(shown.stderr.split())
    assert json.loads(run("info", "coverage", "--json").stdout)["id"] == "coverage"


def test_list_says_what_is_here_and_what_has_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ifdl.data import _unknown

    monkeypatch.setattr(_unknown, "UNKNOWN", {"atlantis": "searched everywhere"})
    casia1.fabricate(tmp_path / "casia1")
    (tmp_path / "coverage").mkdir()
    monkeypatch.setenv("IFDL_DATA", str(tmp_path))
    rows = {r["id"]: r for r in json.loads(run("list", "--json").stdout)}
    assert rows["casia1"]["place"] == str(tmp_path / "casia1")
    assert rows["coverage"]["place"] is None, "an empty folder is no set"
    assert rows["trace"]["tasks"] == ["localisation"] and rows["trace"]["size"] and rows["folder"]["tasks"] == []
    words = run("list").stderr
    assert "atlantis: searched everywhere" in words and "yes" in words
    assert "searched everywhere" in run("info", "atlantis").stderr
    monkeypatch.delenv("IFDL_DATA")
    assert "set IFDL_DATA" in run("list").stderr


def test_info_shows_where_the_layout_was_learned() -> None:
    words = " ".join(run("info", "trace").stderr.split())
    assert "qbammey/trace" in words and "jpeg_grid_exo.png" in words and "For: localisation" in words
    assert json.loads(run("info", "trace", "--json").stdout)["layout"]["names"]


def test_check_repeats_the_known_defects(tmp_path: Path) -> None:
    casia1.fabricate(tmp_path)
    words = " ".join(run("check", "casia1", tmp_path, "--headers").stderr.split())
    assert "warning: known defect" in words and "almost disjoint JPEG quantisation tables" in words


def test_help_has_examples() -> None:
    for command in ("list", "info", "check", "convert"):
        assert f"ifdl data {command}" in " ".join(run(command, "--help").stdout.split())


def test_check_of_a_good_set(tmp_path: Path) -> None:
    casia1.fabricate(tmp_path)
    done = run("check", "casia1", tmp_path, "--workers", 1)
    assert done.exit_code == 0 and done.stdout == ""
    assert "6 pictures (3 authentic, 3 edited)" in done.stderr and "0 errors" in done.stderr
    assert "tables" in done.stderr


def test_check_in_json_and_exit_code(tmp_path: Path) -> None:
    folder.fabricate(tmp_path)
    _fabric.save(_fabric.forged(0)[1][:9], tmp_path / "masks" / "beach.png")
    done = run("check", "folder", tmp_path, "--json", "--workers", 1)
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["errors"] == 1 and report["problems"][0]["kind"] == "mask_size"
    assert set(report["shortcuts"]) >= {"width", "tables", "format"}
    words = run("check", "folder", tmp_path, "--workers", 1)
    assert words.exit_code == 1 and "mask size" in words.stderr and "images/beach.jpg" in words.stderr
    assert run("check", "folder", tmp_path, "--headers").exit_code == 0, "masks go unseen"


def test_several_roots_are_several_splits(tmp_path: Path) -> None:
    for part in ("train", "test"):
        manifest.fabricate(tmp_path / part)
    done = run("check", "manifest", tmp_path / "train", tmp_path / "test", "--json", "--workers", 1)
    assert done.exit_code == 1
    kinds = {p["kind"] for p in json.loads(done.stdout)["problems"]}
    assert {"same_bytes_two_splits", "source_two_splits"} <= kinds


def test_hostile_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"image": "\x1b[31mx\x07.jpg", "label": "edited"}))
    done = run("check", "manifest", tmp_path)
    assert done.exit_code == 1 and "\x1b[31m" not in done.stderr and "\x07" not in done.stderr


@pytest.mark.parametrize("arguments", [("check", "astrology", "."), ("info", "astrology"), ("convert", "x", ".", "y")])
def test_unknown_set_names_the_known_ones(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2 and "casia1" in done.stderr and "Traceback" not in done.stderr


def test_wrong_folder(tmp_path: Path) -> None:
    done = run("check", "coverage", tmp_path)
    assert done.exit_code == 2 and "ifdl data info coverage" in done.stderr
    assert run("check", "casia1", tmp_path / "nowhere").exit_code == 2
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00\xd8")
    assert run("check", "manifest", tmp_path / "binary.jsonl").exit_code == 2
    (tmp_path / "hub.json").write_text('{"dataset": "nobody/nothing", "columns": {}}')
    done = run("check", "hub", tmp_path)
    assert done.exit_code == 2 and "columns names image" in done.stderr and "Traceback" not in done.stderr


def test_convert_both_ways(tmp_path: Path) -> None:
    casia1.fabricate(tmp_path / "in")
    done = run("convert", "casia1", tmp_path / "in", tmp_path / "out")
    assert done.exit_code == 0 and done.stdout == "" and "6 pictures" in done.stderr
    assert run("convert", "casia1", tmp_path / "in", tmp_path / "out").exit_code == 2, "never writes over"
    listed = run("convert", "manifest", tmp_path / "out", tmp_path / "list.json", "--to", "imdlbenco", "--json")
    assert json.loads(listed.stdout)["written"] == 6
    assert run("check", "manifest", tmp_path / "list.json", "--workers", 1).exit_code == 0
    assert run("convert", "manifest", tmp_path / "out", tmp_path / "list.json", "--to", "imdlbenco").exit_code == 2


def test_convert_names_what_it_passes_over(tmp_path: Path) -> None:
    folder.fabricate(tmp_path / "in")
    (tmp_path / "in" / "images" / "beach.jpg").write_bytes(b"nonsense")
    done = run("convert", "folder", tmp_path / "in", tmp_path / "out", "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["written"] == 5 and answer["bad"][0]["name"] == "images/beach.jpg"
    assert "passed over" in done.stderr


def test_importing_the_command_is_cheap() -> None:
    heavy = ("numpy", "cv2", "PIL", "ifdl.data")
    code = f"import sys, ifdl.serve.data_cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
