"""The calibration file: strict reading, tables, words at their bands, the right stratum, the shipped file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from ifdl.types import Question, Word
from ifdl.verdict import battery, calibration
from ifdl.verdict.calibration import Calibration, ClueTable, Level, Provenance, Table, Tables


def level(most: float = 1.0, sources: int = 41, alarms: int = 0) -> Level:
    return Level(Table((0.0, 1.0), (0.0, most)), sources, 30, alarms, 0.8, 1.0, most)


def tables(**strata: Level) -> Tables:
    clues = {"a": ClueTable("1", Table((0.0, 1.0), (0.0, 1.0))), "b": ClueTable("2", Table((0.0, 0.5), (-0.5, 0.6)))}
    return Tables(clues, level(), {name.replace("_", " "): one for name, one in strata.items()})


def made(**strata: Level) -> Calibration:
    about = Provenance(("photos",), "ab", {"authentic": 41}, "2026-01-01", "0.1", "ifdl calibrate photos")
    return Calibration({Question.LOCAL_EDIT: tables(**strata)}, about)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.5, None),
        (1.99, None),
        (2, Word.WEAK),
        (9.99, Word.WEAK),
        (10, Word.MODERATE),
        (100, Word.MODERATELY_STRONG),
        (1000, Word.STRONG),
        (10_000, Word.VERY_STRONG),
    ],
)
def test_words_follow_the_ratio(ratio: float, expected: Word | None) -> None:
    assert calibration.word(math.log10(ratio)) == expected


def test_a_table_is_linear_between_knots_and_flat_outside() -> None:
    table = Table((0.0, 1.0, 3.0), (0.0, 1.0, 2.0))
    assert [table.at(s) for s in (-5, 0.5, 2.0, 9)] == [0.0, 0.5, 1.5, 2.0]


@pytest.mark.parametrize(
    ("scores", "ratios"), [((), ()), ((0.0, 0.0), (0.0, 1.0)), ((0.0, 1.0), (1.0, 0.0)), ((0.0,), (math.inf,))]
)
def test_a_table_that_is_none_is_refused(scores: tuple[float, ...], ratios: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        Table(scores, ratios)


def test_clues_are_fused_by_their_maximum_never_multiplied() -> None:
    weighed = calibration.ratio(tables(), {"a": 0.5, "b": 0.5}, None)
    assert weighed is not None and weighed.log10 == pytest.approx(0.6), "0.6 and 0.5, not 1.1"
    assert calibration.ratio(tables(), {"stranger": 1.0}, None) is None


def test_stratum_is_used_only_with_enough_sources_and_said_either_way() -> None:
    own = tables(reduced=level(0.3), screenshot=level(2.0, sources=19))
    few, enough = (calibration.ratio(own, {"a": 1.0}, kind) for kind in ("screenshot", "reduced"))
    assert few is not None and enough is not None
    assert (few.log10, "pooled" in few.kind, "screenshot" in few.kind) == (1.0, True, True)
    assert (enough.log10, enough.kind) == (0.3, "of the kind “reduced”")


def test_unfit_says_why() -> None:
    assert calibration.unfit(tables(), "a", "1") == ""
    assert "version 2" in calibration.unfit(tables(), "a", "2")
    assert "does not know c" in calibration.unfit(tables(), "c", "1")
    assert calibration.unfit(None, "a", "1")


def test_file_reads_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(calibration.writing(made(re_saved=level())))
    loaded = calibration.load(path)
    assert loaded is not None and loaded.calibration == made(re_saved=level()) and loaded.name == "own.json"


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    path, good = tmp_path / "bad.json", json.loads(calibration.writing(made()))
    for change, name in (({"surprise": 1}, "surprise"), ({"schema": "ifdl-calibration-9"}, "schema")):
        path.write_text(json.dumps(good | change))
        with pytest.raises(ValueError, match=name):
            calibration.load(path)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"bad\.json"):
        calibration.load(path)
    with pytest.raises(ValueError, match="cannot read"):
        calibration.load(tmp_path / "absent.json")


def test_shipped_file_fits_the_clues_and_never_claims_more_than_its_photographs_allow() -> None:
    from ifdl.signal.stats import upper_bound

    shipped = calibration.load()
    assert shipped is not None
    for question, one in shipped.calibration.questions.items():
        for clue, table in one.clues.items():
            assert calibration.unfit(one, clue, battery.card(clue).version) == "", question
            assert table.table.log10_ratios[0] < table.table.log10_ratios[-1], "a clue that orders nothing"
        for reach in (one.pooled, *one.strata.values()):
            allowed = math.log10(reach.detected / upper_bound(reach.alarms, reach.sources))
            assert reach.most == pytest.approx(allowed, abs=1e-3)
            assert max(reach.table.log10_ratios) <= reach.most + 1e-9


def test_frozen() -> None:
    assert replace(made(), schema="ifdl-calibration-1") == made()
    with pytest.raises(AttributeError):
        made().schema = "x"  # type: ignore[misc]
