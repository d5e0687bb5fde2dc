"""Masks agree with the regions of the local-edit answer, in stored pixels and as displayed."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.report import mask, write
from ifdl.signal import rle
from ifdl.types import Question, Report, Rle
from tests.report.fixtures import HEIGHT, WIDTH, cards, report  # noqa: F401


def expected() -> NDArray[np.bool_]:
    marked = np.zeros((HEIGHT, WIDTH), bool)
    marked[20:65, 40:100] = True
    marked[20:35, 40:60] = False
    return marked


def pointing_nowhere() -> Report:
    given = report()
    answers = tuple(replace(a, regions=()) for a in given.verdict.answers)
    return replace(given, verdict=replace(given.verdict, answers=answers))


def opened(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(path.read_bytes())))


def test_union_holds_the_answers_regions_only() -> None:
    stored = mask.union(report())
    assert stored is not None and stored.dtype == np.uint8
    assert np.array_equal(stored == 255, expected())
    assert set(np.unique(stored)) == {0, 255}


def test_orientation_6_is_turned_clockwise(tmp_path: Path) -> None:
    files = write(report(), tmp_path)
    assert np.array_equal(opened(files["mask.png"]), np.where(expected(), 255, 0))
    # Turned by 90° clockwise: the last stored row becomes the first displayed column.
    assert np.array_equal(opened(files["mask_display.png"]), np.rot90(np.where(expected(), 255, 0), -1))
    assert Image.open(files["mask_display.png"]).size == (HEIGHT, WIDTH)


def test_run_lengths_there_and_back(tmp_path: Path) -> None:
    runs = json.loads(write(report(), tmp_path)["mask.json"].read_text())
    assert runs["size"] == [HEIGHT, WIDTH] and runs["space"] == "stored"
    assert np.array_equal(rle.decode(Rle((HEIGHT, WIDTH), runs["counts"])), expected())
    assert "log10 of the number of false alarms below -3" in runs["threshold"]


def test_run_lengths_read_by_the_coco_tools() -> None:
    coco = pytest.importorskip("pycocotools.mask")
    runs = mask.to_coco(report())
    assert runs is not None
    assert np.array_equal(coco.decode({"size": runs["size"], "counts": runs["counts"]}).astype(bool), expected())


def test_no_region_no_mask(tmp_path: Path) -> None:
    files = write(pointing_nowhere(), tmp_path)
    assert not {"mask.png", "mask_display.png", "mask.json"} & set(files)
    assert {"report.html", "report.json", "overlay.png"} <= set(files)


def test_an_earlier_mask_does_not_outlive_its_report(tmp_path: Path) -> None:
    write(report(), tmp_path)
    assert (tmp_path / "mask.png").exists()
    write(pointing_nowhere(), tmp_path)
    assert not (tmp_path / "mask.png").exists()


def test_strangers_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(b"somebody else's")
    write(pointing_nowhere(), tmp_path)
    assert (tmp_path / "mask.png").read_bytes() == b"somebody else's"


def test_a_verdict_without_that_question_has_no_mask() -> None:
    given = report()
    answers = tuple(a for a in given.verdict.answers if a.question != Question.LOCAL_EDIT)
    assert mask.union(replace(given, verdict=replace(given.verdict, answers=answers))) is None
