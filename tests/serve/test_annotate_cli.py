"""`ifdl data annotate-pairs`: a folder of pairs becomes a set with masks; what is doubtful is left out and named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ifdl.data import manifest
from ifdl.data._record import Record, mask_of
from ifdl.serve import annotate_cli
from ifdl.serve.data_cli import app
from tests.photographs import bundled

runner = CliRunner()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Pairs: an edit, a re-saved copy, a broken file; and a picture without a partner."""
    place = tmp_path_factory.mktemp("pairs")
    before, after = place / "before", place / "after"
    (before / "day").mkdir(parents=True)
    (after / "day").mkdir(parents=True)
    whole = cv2.imdecode(np.frombuffer(bundled()[0].data, np.uint8), cv2.IMREAD_COLOR_RGB)[:240, :320]
    Image.fromarray(whole).save(before / "day" / "edit.png")
    edited = whole.copy()
    edited[60:120, 80:170] = whole[120:180, 200:290][::-1]
    Image.fromarray(edited).save(after / "day" / "edit.jpg", quality=90)
    Image.fromarray(whole).save(before / "copy.jpg", quality=95)
    Image.fromarray(whole).save(after / "copy.jpg", quality=80)
    (before / "broken.jpg").write_bytes((after / "copy.jpg").read_bytes()[:700])
    Image.fromarray(whole).save(after / "broken.jpg")
    Image.fromarray(whole).save(after / "alone.jpg")
    return before, after


def test_masks_manifest_reasons_and_going_on(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = folders
    call = ["annotate-pairs", str(before), str(after), "--out", str(tmp_path / "out"), "--json"]
    done = runner.invoke(app, call)
    assert done.exit_code == 1, done.output
    assert "1 of 3 pairs have a mask" in done.stderr and "without a partner: 1" in done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["day/edit"]["kept"] and rows["day/edit"]["pair"] == "scene" and rows["day/edit"]["quality"] > 0.5
    assert not rows["copy"]["kept"] and "re-save" in rows["copy"]["reason"]
    assert not rows["broken"]["kept"] and rows["broken"]["reason"]
    (record,) = list(manifest.records(tmp_path / "out"))
    assert isinstance(record, Record) and record.label == "edited"
    assert record.image.read_bytes() == (after / "day" / "edit.jpg").read_bytes()
    mask = mask_of(record)
    assert mask is not None
    truth = np.zeros((240, 320), bool)
    truth[60:120, 80:170] = True
    assert (mask & truth).sum() / (mask | truth).sum() > 0.8
    # Again: nothing readable is compared a second time, and the answer is the same, a cut-off line or not.
    with (tmp_path / "out" / annotate_cli.ROWS).open("a") as file:
        file.write('{"name": "cop')

    def never(*_: object) -> None:
        raise AssertionError("compared again")

    monkeypatch.setattr("ifdl.signal.annotation.annotate", never)
    again = runner.invoke(app, call)
    assert again.exit_code == 1 and json.loads(again.stdout) == json.loads(done.stdout)
    # A higher bar leaves the mask out, in words.
    higher = runner.invoke(app, [*call, "--least", "1"])
    assert higher.exit_code == 1 and "is below 1 (--least)" in higher.stderr


def test_no_pairs_and_no_folder_are_said(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for call, said in (
        ([str(folders[0]), str(tmp_path / "empty")], "a pair has one name in both folders"),
        ([str(folders[0]), str(tmp_path / "nowhere")], "is no folder"),
    ):
        done = runner.invoke(app, ["annotate-pairs", *call, "--out", str(tmp_path / "out")])
        assert done.exit_code == 2 and said in done.stderr
