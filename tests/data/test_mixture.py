"""Mixtures: quotas, weights, filters; the same by seed and epoch; what is missing is said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ifdl import data
from ifdl.data import casia1, columbia, mixture
from ifdl.data.mixture import Mixture, Part, gather, load, parse


@pytest.fixture
def home(tmp_path: Path) -> Path:
    casia1.fabricate(tmp_path / "casia1")
    columbia.fabricate(tmp_path / "columbia")
    return tmp_path


def mix(**said: object) -> Mixture:
    return parse({"name": "t", "version": 1, **said})


def test_the_shipped_mixtures_name_sets_that_have_readers() -> None:
    assert mixture.names() == ("cat", "iff")
    for name in mixture.names():
        one = load(name)
        assert {p.set for p in one.sets} <= set(data.names()) and one.source and one.words
    assert load("cat").quotas.values() and set(load("cat").quotas.values()) == {1840} and len(load("cat").sets) == 7
    assert sum(load("iff").quotas.values()) == 4 * 12641


@pytest.mark.parametrize("draw", ["again", "round"])
def test_an_epoch_has_its_quotas_and_comes_again_by_its_seed(home: Path, draw: str) -> None:
    sets = [{"set": "casia1", "take": 4}, {"set": "columbia", "take": 9}]
    one = gather(mix(sets=sets, draw=draw), home=home, seed=3)
    assert one.counts == {"casia1": 6, "columbia": 6} and not one.bad
    first = one.epoch(0)
    assert Counter(r.extra["set"] for r in first) == {"casia1": 4, "columbia": 9}
    assert all(r.shown.startswith(f"{r.extra['set']}/") for r in first)
    shown = [[r.shown for r in one.epoch(n)] for n in (0, 1)]
    assert shown[0] == [r.shown for r in first] and shown[0] != shown[1]
    again = gather(mix(sets=sets, draw=draw), home=home, seed=3)
    assert [r.shown for r in again.epoch(1)] == shown[1]
    assert [r.shown for r in gather(mix(sets=sets, draw=draw), home=home, seed=4).epoch(0)] != shown[0]


def test_rounds_go_through_all_before_any_comes_again(home: Path) -> None:
    one = gather(mix(sets=[{"set": "casia1", "take": 4}]), home=home)
    seen = Counter(r.shown for n in range(3) for r in one.epoch(n))
    assert len(seen) == 6 and set(seen.values()) == {2}
    assert (
        max(Counter(r.shown for r in gather(mix(sets=[{"set": "casia1", "take": 9}]), home=home).epoch(0)).values())
        == 2
    )


def test_weights_fill_what_the_quotas_leave(home: Path) -> None:
    sets = [{"set": "casia1", "take": 4},
            {"set": "columbia", "called": "a", "weight": 2, "only": {"label": ["edited"]}},
            {"set": "columbia", "called": "b", "weight": 1, "only": {"label": ["authentic"]}}]  # fmt: skip
    one = gather(mix(sets=sets, size=15), home=home)
    assert one.mixture.quotas == {"casia1": 4, "a": 7, "b": 4}
    assert Counter(r.label for r in one.epoch(0) if r.extra["set"] == "columbia") == {"edited": 7, "authentic": 4}


def test_sources_of_two_sets_are_two_photographs(home: Path) -> None:
    one = gather(mix(sets=[{"set": "casia1", "take": 6}]), home=home)
    assert all(s.startswith("casia1:") for r in one.epoch(0) for s in r.sources)


def test_what_is_missing_is_said_all_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = mix(sets=[{"set": name, "take": 1} for name in ("casia1", "coverage", "folder")])
    with pytest.raises(mixture.Missing, match="ifdl data info coverage") as missing:
        gather(wanted, home=home)
    assert missing.value.names == ("coverage", "folder")
    monkeypatch.delenv("IFDL_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="IFDL_DATA names no folder"):
        gather(wanted)
    monkeypatch.setenv("IFDL_DATA", str(home))
    assert gather(mix(sets=[{"set": "casia1", "take": 1}])).epoch(0)
    assert gather(mix(sets=[{"set": "casia1", "take": 1}]), {"casia1": home / "casia1"}, home=home / "no").epoch(0)
    with pytest.raises(ValueError, match="nothing is left"):
        gather(mix(sets=[{"set": "casia1", "take": 1, "only": {"split": ["train"]}}]))


def test_nonsense_is_refused_in_words(tmp_path: Path) -> None:
    part = {"set": "casia1", "take": 1}
    for wrong, word in (
        ({"sets": []}, "parts"), ({"sets": [part, part]}, "called"), ({"sets": [part], "size": 9}, "weights"),
        ({"sets": [{"set": "casia1"}]}, "either"), ({"sets": [{"set": "casia1", "take": 0}]}, "above 0"),
        ({"sets": [part], "sise": 9}, "sise"),
        ({"sets": [part, {"set": "x", "weight": 1}], "size": 1}, "leaves nothing"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=word):
            mix(**wrong)
    with pytest.raises(ValueError, match="cat, iff"):
        load("dog")
    with pytest.raises(ValueError, match="no mixture at"):
        load(tmp_path / "x.yaml")
    assert Part("casia1", take=1).name == "casia1"
