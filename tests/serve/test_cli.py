"""The command line as a user types it: streams, exit codes, folders, resume, errors as rows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ifdl.types import State
from tests.intake import hostile

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SPLICE = EXAMPLES / "splice.jpg"


def ifdl(*arguments: object, data: bytes | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ifdl.serve.cli", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, check=False, cwd=cwd)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good pictures, a broken one, a text file and a hidden file, one level deep."""
    place = tmp_path / "case"
    (place / "deeper").mkdir(parents=True)
    shutil.copy(EXAMPLES / "untouched.jpg", place / "a.jpg")
    (place / "deeper" / "b").write_bytes(hostile.saved("PNG"))
    (place / "broken.jpg").write_bytes((EXAMPLES / "retouch.jpg").read_bytes()[:9000])
    (place / "notes.txt").write_text("not a picture")
    (place / ".hidden.jpg").write_bytes(SPLICE.read_bytes())
    return place


def test_json_on_stdout_words_on_stderr() -> None:
    plain = ifdl("examine", SPLICE)
    assert plain.returncode == 0 and plain.stdout == ""
    assert "LOCAL EDIT" in plain.stderr and "Coverage" in plain.stderr
    as_json = ifdl("examine", SPLICE, "--json")
    report = json.loads(as_json.stdout)
    assert report["schema_version"] and "LOCAL EDIT" not in as_json.stdout
    assert report["item"]["name"] == "splice.jpg", "the path of a picture is nobody's business"


def test_stdin() -> None:
    done = ifdl("examine", "-", "--json", "--clue", "metadata", data=SPLICE.read_bytes())
    assert json.loads(done.stdout)["item"]["name"] == "stdin"
    assert ifdl("examine", "-", data=b"").returncode == 2


def test_folder_gives_rows_and_errors_and_exit_2(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = ifdl("examine", folder, "--json", "--out", out, "--clue", "metadata")
    assert done.returncode == 2
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["item"]["name"] for r in rows] == ["a.jpg", "broken.jpg", "b"]
    assert rows[1]["error"]["kind"] == "truncated"
    assert (out / "results.jsonl").read_text().splitlines() == done.stdout.splitlines()
    for row in (rows[0], rows[2]):
        assert (out / row["item"]["sha256"][:16] / "report.html").exists()
    assert "broken.jpg" in done.stderr and "2 examined, 1 could not be" in done.stderr


def test_a_second_run_keeps_what_is_done(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = ifdl("examine", folder, "--json", "--out", out, "--clue", "metadata")
    stamp = next(out.glob("*/report.html")).stat().st_mtime_ns
    second = ifdl("examine", folder, "--json", "--out", out, "--clue", "metadata")
    assert "2 of them from an earlier run" in second.stderr and first.stdout == second.stdout
    assert next(out.glob("*/report.html")).stat().st_mtime_ns == stamp
    other = ifdl("examine", folder, "--out", out, "--clue", "structure")
    assert "earlier" not in other.stderr, "another pipeline must not reuse these reports"


def test_globs_and_missing_files(folder: Path) -> None:
    done = ifdl("examine", "*.jpg", "--json", "--clue", "metadata", cwd=folder)
    assert len(done.stdout.splitlines()) == 2
    nothing = ifdl("examine", folder / "absent.jpg", "--json")
    assert nothing.returncode == 2
    assert json.loads(nothing.stdout)["error"]["kind"] == "missing"
    assert ifdl("examine", "*.none", cwd=folder).returncode == 2


def test_fail_on() -> None:
    assert ifdl("examine", SPLICE, "--fail-on", "local_edit").returncode == 3
    assert ifdl("examine", SPLICE, "--fail-on", "any").returncode == 3
    assert ifdl("examine", SPLICE, "--fail-on", "synthetic_origin").returncode == 0
    wrong = ifdl("examine", SPLICE, "--fail-on", "fakeness")
    assert wrong.returncode == 2 and "local_edit" in wrong.stderr


def test_limits_are_settable() -> None:
    done = ifdl("examine", SPLICE, "--max-pixels", "0.1")
    assert done.returncode == 2 and "--max-pixels" in done.stderr


def test_report_files(tmp_path: Path) -> None:
    done = ifdl("examine", SPLICE, "--out", tmp_path / "r")
    names = {p.relative_to(tmp_path / "r").as_posix() for p in (tmp_path / "r").rglob("*") if p.is_file()}
    assert {"report.html", "report.json", "overlay.png", "mask.png", "mask_display.png", "mask.json"} <= names
    assert str(tmp_path / "r" / "report.html") in done.stderr.replace("\n", "")


def test_evidence_saves_a_layer(tmp_path: Path) -> None:
    from PIL import Image

    layer = tmp_path / "grid.png"
    done = ifdl("evidence", SPLICE, "--clue", "jpeg_grid", "--out", layer, "--json")
    assert done.returncode == 0
    states = {f["question"]: f["state"] for f in json.loads(done.stdout)}
    assert states["local_edit"] == State.SUPPORTED
    assert Image.open(layer).size == (600, 400)
    unknown = ifdl("evidence", SPLICE, "--clue", "astrology")
    assert unknown.returncode == 2 and "jpeg_grid" in unknown.stderr


def test_models_and_doctor() -> None:
    cards = json.loads(ifdl("models", "--json").stdout)
    assert {"metadata", "structure", "jpeg_grid", "copymove"} <= {c["id"] for c in cards}
    assert "cites" in ifdl("models", "card", "copymove").stderr
    rows = json.loads(ifdl("doctor", "--json").stdout)
    assert all(row["ok"] for row in rows if row["needed"])
    assert any("memory" in row["what"] for row in rows)


def test_hostile_file_name_cannot_move_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\u202egpj.jpg"
    path.write_bytes(SPLICE.read_bytes())
    done = ifdl("examine", path, "--clue", "metadata")
    assert done.returncode == 0 and "\x1b[2J" not in done.stderr and "\u202e" not in done.stderr


def test_help_is_quick_and_has_examples() -> None:
    began = time.perf_counter()
    done = ifdl("--help")
    assert done.returncode == 0 and time.perf_counter() - began < 1.0
    code = "import sys; import ifdl.serve.cli; print([m for m in ('numpy', 'pydantic', 'cv2') if m in sys.modules])"
    heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.stdout.strip() == "[]", "heavy imports belong inside the commands"
    for command in (["examine"], ["evidence"], ["models", "card"], ["models", "fetch"], ["doctor"]):
        assert "Example:" in ifdl(*command, "--help").stdout


def test_version() -> None:
    import ifdl as package

    assert ifdl("--version").stdout.strip() == package.__version__


def test_weights_are_stored_by_hand_and_their_hash_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IFDL_HOME", str(tmp_path / "home"))
    (tmp_path / "other.onnx").write_bytes(b"another export")
    done = ifdl("models", "fetch", "yolox_nano", "--from", tmp_path / "other.onnx")
    assert done.returncode == 0 and "not the expected" in done.stderr
    assert (tmp_path / "home" / "weights" / "yolox_nano.onnx").read_bytes() == b"another export"
    assert ifdl("models", "fetch", "yolox_nano", "--from", tmp_path / "absent").returncode == 2
    assert "yolox_nano" in ifdl("models", "fetch", "resnet", "--from", tmp_path / "other.onnx").stderr
