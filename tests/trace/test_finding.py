"""What a trace amounts to for the verdict: differs, agrees, the very same, nothing proved; its place in a report."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import ifdl
from ifdl import intake
from ifdl.signal.regions import mask_of
from ifdl.trace import finding, query
from ifdl.trace.index import Index
from ifdl.types import Finding, Picture, Question, State
from tests.photographs import bundled

BOX = (slice(150, 260), slice(120, 250))  # rows, columns of the edit


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    found = {p.name: intake.decode(p.data, name=p.name).pixels for p in bundled()}
    return {name: p for name, p in found.items() if min(p.shape[:2]) >= 300}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, pictures: dict[str, np.ndarray]) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for name, pixels in pictures.items():
        (folder / f"{Path(name).stem}.png").write_bytes(saved(pixels, "PNG"))
    with Index(folder / "own.index", write=True) as index:
        index.update(sorted(folder.glob("*.png")))
    return folder / "own.index"


def saved(pixels: np.ndarray, form: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def said(data: bytes, archive: Path) -> tuple[Picture, Finding]:
    picture = intake.decode(data, name="asked.jpg")
    with Index(archive) as index:
        (one,) = finding.findings(query.trace(picture, index), picture, len(index))
    return picture, one


def edited(pictures: dict[str, np.ndarray]) -> np.ndarray:
    """The first picture with a part of the second in `BOX`."""
    names = sorted(pictures)
    pixels, donor = pictures[names[0]].copy(), pictures[names[1]]
    pixels[BOX] = cv2.resize(donor[40:300, 40:300], (130, 110), interpolation=cv2.INTER_AREA)
    return pixels


def test_a_changed_copy_differs_where_it_was_changed(pictures: dict[str, np.ndarray], archive: Path) -> None:
    picture, one = said(saved(edited(pictures), quality=80), archive)
    truth = np.zeros((picture.height, picture.width), bool)
    truth[BOX] = True
    found = mask_of(one.regions, truth.shape)
    assert one.state == State.SUPPORTED and one.question == Question.LOCAL_EDIT and one.strength > 0.5
    assert np.count_nonzero(found & truth) / np.count_nonzero(found | truth) > 0.7
    assert "does not tell" in one.sentence and one.innocent


def test_an_unchanged_copy_agrees(pictures: dict[str, np.ndarray], archive: Path) -> None:
    pixels = pictures[sorted(pictures)[0]]
    small = cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    _, one = said(saved(small, quality=70), archive)
    assert one.state == State.NO_TRACE_FOUND and one.strength == 0 and not one.regions
    assert "no part differs" in one.sentence


def test_the_very_same_file_and_a_stranger(archive: Path) -> None:
    same = min(archive.parent.glob("*.png"))
    _, one = said(same.read_bytes(), archive)
    assert one.state == State.NO_TRACE_FOUND and same.name in one.sentence
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    _, other = said(saved(cv2.GaussianBlur(noise, (0, 0), 3)), archive)
    assert other.state == State.OUT_OF_DOMAIN and other.strength == 0


def test_the_report_compares_with_the_archive_that_is_named(
    pictures: dict[str, np.ndarray], archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "changed.jpg"
    path.write_bytes(saved(edited(pictures), quality=85))
    report = ifdl.examine(path, clues=["metadata"], index=archive)
    answer = report.verdict.answer("local_edit")
    assert answer.state == State.SUPPORTED and answer.findings == ("trace.1",)
    assert any("differs from it" in s.text for s in report.explanation.sentences)
    assert report.environment.clues["trace"] == finding.CARD.version
    without = ifdl.examine(path, clues=["metadata"])
    row = next(c for c in without.verdict.coverage if c.test == "trace")
    assert row.state == State.NOT_RUN and "--index" in row.reason
    with pytest.raises(ValueError, match="no index"):
        ifdl.examine(path, clues=["metadata"], index=tmp_path)
