"""One map from expert and clues: supported parts lie above the expert's threshold, of a likeness one end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ifdl
from ifdl.experts.ifdl_small import IfdlSmall
from ifdl.report import to_html
from ifdl.signal import rle
from ifdl.signal.regions import mask_of, region_of
from ifdl.types import Finding, Likeness, Map, Prediction, Question, State
from ifdl.verdict import marks

SIZE = (40, 60)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def heat() -> Map:
    """An expert's map that is a little warmer on the right."""
    return Map.of(np.tile(np.linspace(0.1, 0.3, 15), (10, 1)), SIZE, 4)


def part(x: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[8:24, x : x + 12] = True
    return mask


LEFT, RIGHT = (replace(region_of(part(x)), id=str(x)) for x in (4, 40))
PREDICTION = Prediction("ifdl_small", heat=heat())


def finding(clue: str = "copymove", **changed: Any) -> Finding:
    return replace(Finding(clue, Question.LOCAL_EDIT, State.SUPPORTED, "", regions=(LEFT, RIGHT)), **changed)


def marked(joined: Map | None) -> np.ndarray:
    assert joined is not None
    return joined.at_full_size() >= IfdlSmall.THRESHOLD * 65535


def likeness(*places: int, down: int = 0, agreement: float = 0.6) -> Likeness:
    one, other = (rle.encode(np.roll(part(x), down, 0)) for x in places)
    return Likeness((one, other), agreement)


def test_of_a_likeness_its_first_end_whatever_the_state() -> None:
    for state in (State.SUPPORTED, State.NO_TRACE_FOUND):
        told = finding("marked_copy", state=state, alike=(likeness(40, 4),))
        assert (marked(marks.together([told], [PREDICTION])) == part(40)).all()


def test_of_every_likeness_one_end_and_of_the_copy_test_none_beside_it() -> None:
    told = finding("marked_copy", alike=(likeness(40, 4), likeness(40, 4, down=16)))
    joined = marks.together([finding(), told], [PREDICTION])
    assert (marked(joined) == (part(40) | np.roll(part(40), 16, 0))).all()


def test_both_ends_of_a_copy_where_nothing_tells_them_apart() -> None:
    assert (marked(marks.together([finding()], [PREDICTION])) == (part(4) | part(40))).all()


def test_of_another_test_every_region() -> None:
    assert (marked(marks.together([finding("jpeg_grid")], [PREDICTION])) == (part(4) | part(40))).all()


@pytest.mark.parametrize(
    "silent",
    [
        finding(state=State.INCONCLUSIVE),
        finding(experimental=True),
        finding(question=Question.HISTORY),
        finding("ifdl_small"),
        finding("marked_copy"),
        finding(regions=()),
    ],
)
def test_what_counts_for_nothing_leaves_the_experts_map(silent: Finding) -> None:
    assert marks.together([silent], [PREDICTION]) is PREDICTION.heat


def test_the_expert_still_orders_pixels_and_keeps_what_it_marks() -> None:
    values = np.full((10, 15), 0.6)
    values[:, 10:] = np.linspace(0.7, 0.9, 5)
    own = replace(PREDICTION, heat=Map.of(values, SIZE, 4))
    joined = marks.together([finding()], [own])
    assert joined is not None
    levels = joined.at_full_size()
    assert marked(joined).all()
    inside = levels[mask_of((RIGHT,), SIZE)]
    assert inside.min() >= 32768
    assert len(np.unique(inside)) > 1


def test_no_expert_no_map() -> None:
    assert marks.together([finding()], []) is None


def test_a_report_has_it_as_a_layer() -> None:
    report = ifdl.examine(EXAMPLES / "copymove.jpg")
    own = report.verdict.predictions[0].heat
    assert report.verdict.map is not None
    assert report.verdict.map is not own
    assert "All tests on local edits together" in to_html(report)
    silent = ifdl.examine(EXAMPLES / "copymove.jpg", clues=["ifdl_small"])
    assert silent.verdict.map is silent.verdict.predictions[0].heat
