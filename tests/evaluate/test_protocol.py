"""Protocols: shipped ones load and say what they count; nothing unknown or contradictory gets in."""

from __future__ import annotations

from pathlib import Path

import pytest

from ifdl.evaluate import protocol
from ifdl.evaluate.protocol import Number, Protocol, Size

NAMED = {
    "native-1", "imdlbenco-mvss", "imdlbenco-cat", "forensichub-iff", "trufor-2023", "fakeshield-2024", "sida-legacy",
    "sidset-3way", "aigc-cross-generator",
}  # fmt: skip


def test_the_named_protocols_are_shipped() -> None:
    assert set(protocol.names()) == NAMED


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_shipped_protocol_is_complete(name: str) -> None:
    chosen = protocol.load(name)
    assert chosen.name == name and chosen.version >= 1 and chosen.headline and chosen.source
    assert len(chosen.words) > 100
    told = [n.words for n in chosen.numbers.values()]
    assert len(set(told)) == len(told), "two numbers of one protocol say the same of themselves"


def test_the_headline_protocol_is_what_the_project_says_it_is() -> None:
    native = protocol.load("native-1")
    assert native.size == Size("native") and native.band == (0, 0)
    for name in ("iou", "f1"):
        number = native.numbers[name]
        assert (number.pictures, number.threshold, number.averaging) == ("edited", "own", "per_picture")
        assert (number.polarity, number.empty, number.gated) == ("plain", "zero", False)
        assert native.numbers[f"gated_{name}"].gated


def test_digest_follows_every_number_and_no_words() -> None:
    native = protocol.load("native-1")
    raw = {"name": "x", "version": 1, "words": "a", "numbers": {"f1": {"metric": "f1"}}}
    one = protocol.parse(raw)
    assert protocol.parse({**raw, "words": "b"}).digest == one.digest
    changed = protocol.parse({**raw, "numbers": {"f1": {"metric": "f1", "gated": True}}})
    assert len({one.digest, changed.digest, native.digest}) == 3


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"numbres": {}}, "numbres"),
        ({"numbers": {"f1": {"metric": "F1"}}}, "metric"),
        ({"numbers": {"f1": {"metric": "f1", "treshold": "own"}}}, "treshold"),
        ({"numbers": {"f1": {"metric": "f1", "threshold": "fixed"}}}, "needs `at`"),
        ({"numbers": {"f1": {"metric": "f1", "threshold": "best_per_picture", "averaging": "pooled"}}}, "pooled"),
        ({"numbers": {"f1": {"metric": "f1"}}, "headline": ["iou"]}, "iou"),
        ({"numbers": {}, "size": {"policy": "resize"}}, "side"),
        ({"numbers": {"r": {"metric": "class_recall"}}}, "class_recall"),
    ],
)
def test_what_is_wrong_is_named(raw: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        protocol.parse({"name": "x", "version": 1, "words": "w", "numbers": {}} | raw)


def test_unknown_names_and_missing_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="native-1"):
        protocol.load("native-2")
    with pytest.raises(ValueError, match="there is no protocol at"):
        protocol.load(tmp_path / "mine.yaml")


def test_a_protocol_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nversion: 3\nwords: mine\nnumbers: {f: {metric: f1, threshold: fixed, at: 0.3}}\n")
    assert protocol.load(path) == Protocol("mine", 3, "mine", {"f": Number("f1", threshold="fixed", at=0.3)})
