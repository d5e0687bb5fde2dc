"""Names of marked parts are guesses, said as guesses, in every place where the part is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

import ifdl
from ifdl.explain import claims, grounded
from ifdl.nets.objects import NAMES, Detection
from ifdl.types import Report
from ifdl.verdict import names

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def report() -> Report:
    return ifdl.examine(EXAMPLES / "splice.jpg")


def test_named_region_is_named_everywhere_and_said_as_a_guess(report: Report) -> None:
    assert report.picture is not None
    first = report.verdict.regions[0]
    told = names.named(report.picture, report.verdict, lambda pixels: [Detection(first.box, "elephant", 0.9)])
    assert told.regions[0].name == "perhaps an elephant"
    assert all(r.name is None for r in told.regions[1:])
    places = [r for f in told.findings for r in f.regions if r.id == first.id]
    assert [r.name for r in places] == ["perhaps an elephant"]
    assert [a.sentence for a in told.answers] == [a.sentence for a in report.verdict.answers]
    said = [s.text for s in grounded.explain(report.picture, told).sentences if "elephant" in s.text]
    assert said
    assert all("perhaps an elephant: " in text for text in said)
    for text in said:  # a model may repeat the guess, and only this one
        assert " ".join(s.text for s in claims.checked(text, report.picture, told)) == text
        assert not claims.checked(text, report.picture, report.verdict)


def test_without_a_known_object_nothing_changes(report: Report) -> None:
    assert report.picture is not None
    assert names.named(report.picture, report.verdict, lambda pixels: []) is report.verdict
    assert report.verdict.regions


def test_a_name_that_a_test_gave_stays() -> None:
    report = ifdl.examine(EXAMPLES / "copymove.jpg")
    assert report.picture is not None
    boxes = [Detection(r.box, "cup", 0.9) for r in report.verdict.regions]
    told = names.named(report.picture, report.verdict, lambda pixels: boxes)
    assert [r.name for r in told.regions] == [r.name for r in report.verdict.regions] == ["copy A", "copy B"]


@pytest.mark.parametrize(("name", "words"), [("cup", "perhaps a cup"), ("skis", "perhaps skis")])
def test_articles(name: str, words: str) -> None:
    assert names.guess(name) == words
    assert set(names.PLURAL) < set(NAMES)


def test_weights_are_part_of_the_fingerprint_where_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IFDL_HOME", str(tmp_path))
    assert names.weights() == {}
    file = tmp_path / "weights" / "yolox_nano.onnx"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    assert list(names.weights()) == ["yolox_nano"]


def test_a_user_without_a_home_has_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> bool:
        raise PermissionError(13, "denied", str(self))

    monkeypatch.setattr(Path, "is_file", denied)
    assert names.weights() == {}
