"""`ifdl batch` as a user types it, killed and resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pq = pytest.importorskip("pyarrow.parquet", reason="the batch extra is not installed")

from ifdl.serve.batching.store import parts_of  # noqa: E402
from ifdl.serve.batching.table import schema  # noqa: E402
from ifdl.serve.cli import app  # noqa: E402
from tests.serve.batching import pictures  # noqa: E402

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
QUICK = ("--clue", "metadata", "--workers", "1")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ifdl.serve.cli", "batch", *map(str, arguments)]


def batch(*arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout, done.stderr


def rows(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out).to_pylist()  # type: ignore[no-any-return]


def test_a_mixed_folder(tmp_path: Path) -> None:
    folder, out = tmp_path / "case", tmp_path / "r.parquet"
    pictures.write(folder, 2)
    shutil.copy(EXAMPLES / "splice.jpg", folder / "splice.jpg")
    shutil.copy(folder / "000.jpg", folder / "twin.jpg")
    (folder / "broken.jpg").write_bytes((EXAMPLES / "retouch.jpg").read_bytes()[:9000])
    (folder / "list.txt").write_text("absent.jpg\n")
    code, stdout, stderr = batch(
        folder, folder / "list.txt", "--out", out, "--clue", "structure", "--json", "--workers", "1"
    )
    assert code == 2, stderr
    found = {Path(r["uri"]).name: r for r in rows(out)}
    assert set(found) == {"000.jpg", "001.jpg", "splice.jpg", "broken.jpg", "absent.jpg"}
    assert [Path(n).name for n in found["000.jpg"]["also"]] == ["twin.jpg"]
    assert found["broken.jpg"]["error"]["kind"] == "truncated" and found["absent.jpg"]["error"]["kind"] == "missing"
    assert found["splice.jpg"]["history"]["state"] == "SUPPORTED"
    assert found["splice.jpg"]["seconds"]["clues"] > 0 and found["splice.jpg"]["seconds"]["expert"] is None
    told = json.loads(stdout)
    assert (told["examined"], told["failed"], told["kept"], told["rows"]) == (3, 2, 1, 5)
    assert told["errors"] == {"truncated": 1, "missing": 1} and told["stages"]["clues"]["pictures"] == 3
    assert "3 examined, 2 could not be" in stderr and "SUPPORTED: history" in stderr
    assert pq.read_schema(out).equals(schema(), check_metadata=True)
    code, _, stderr = batch(folder, "--out", out)
    assert code == 2 and "--resume" in stderr, "an earlier table is never written over unasked"
    code, _, stderr = batch(folder / "splice.jpg", "--out", out, "--again", *QUICK)
    assert code == 0 and len(rows(out)) == 1


def test_fail_on_and_refusals(tmp_path: Path) -> None:
    def called(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["batch", *map(str, arguments)])
        return done.exit_code, done.stderr

    splice, out = EXAMPLES / "splice.jpg", tmp_path / "r.parquet"
    assert called(splice, "--out", out, "--clue", "structure", "--workers", "1", "--fail-on", "history")[0] == 3
    for wrong, word in (
        (("--clue", "nonsense"), "no test called"),
        (("--fail-on", "fakeness"), "local_edit"),
        (("--out", tmp_path / "no" / "r.parquet"), "folder"),
        (("--calibration", tmp_path / "no.json"), "no.json"),
    ):
        code, stderr = called(splice, "--out", tmp_path / "s.parquet", *wrong)
        assert code == 2 and word in stderr
    code, stderr = called("https://example.org/a.jpg", "--out", tmp_path / "s.parquet")
    assert code == 2 and "none of the stores" in stderr


def test_killed_twice_and_resumed_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    folder, out = tmp_path / "case", tmp_path / "r.parquet"
    count = len(pictures.write(folder, 60))
    arguments = (folder, "--out", out, "--part-rows", 4, *QUICK)
    before: dict[str, dict[str, Any]] = {}
    for _ in range(2):
        parts = set(parts_of(out).glob("*.parquet"))
        process = subprocess.Popen(command(*arguments, "--resume"), stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            until = time.monotonic() + 120
            while len(set(parts_of(out).glob("*.parquet")) - parts) < 2:
                assert process.poll() is None and time.monotonic() < until, "it ended before it could be killed"
                time.sleep(0.005)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert not out.exists(), "it was killed before the end"
        for part in parts_of(out).glob("*.parquet"):
            before |= {r["sha256"]: r for r in pq.read_table(part).to_pylist()}
        assert 0 < len(before) < count
        assert _left(process.pid), "its workers end with it"
    code, stdout, stderr = batch(*arguments, "--resume", "--json")
    assert code == 0, stderr
    told, final = json.loads(stdout), {r["sha256"]: r for r in rows(out)}
    assert len(rows(out)) == len(final) == count and {Path(r["uri"]).parent for r in final.values()} == {folder}
    assert told["kept"] == len(before) and told["examined"] == count - len(before), "what was written is not redone"
    assert all(final[digest] == row for digest, row in before.items()), "rows of before are kept as they were"
    assert not parts_of(out).exists()


def _left(group: int) -> bool:
    """Whether no process of the killed driver's session is left, a few seconds later."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_interrupted_keeps_what_is_finished(tmp_path: Path) -> None:
    folder, out = tmp_path / "case", tmp_path / "r.parquet"
    pictures.write(folder, 60)
    process = subprocess.Popen(
        command(folder, "--out", out, "--part-rows", 1, *QUICK), stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 120
    while not list(parts_of(out).glob("*.parquet")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and "go on with --resume" in stderr and "Traceback" not in stderr
    assert not out.exists() and list(parts_of(out).glob("*.parquet"))


def test_plain_install_is_told_which_extra(tmp_path: Path) -> None:
    blocked = "import sys; sys.modules['pyarrow'] = None; from ifdl.serve.cli import main; main()"
    out = tmp_path / "r.parquet"
    done = subprocess.run(
        [sys.executable, "-c", blocked, "batch", str(EXAMPLES / "splice.jpg"), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and 'pip install "ifdl[batch]"' in done.stderr and "Traceback" not in done.stderr
    assert not parts_of(out).exists()


def test_the_command_line_imports_neither_arrow_nor_ray() -> None:
    code = "import sys, ifdl.serve.cli; print([m for m in ('pyarrow', 'ray', 'fsspec') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
