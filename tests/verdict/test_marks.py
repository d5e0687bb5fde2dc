"""One map from expert and clues: supported parts lie above the expert's threshold, of a copy only the likelier end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ifdl
from ifdl.experts.ifdl_small import IfdlSmall
from ifdl.report import to_html
from ifdl.signal.regions import mask_of, region_of
from ifdl.types import Finding, Map, Prediction, Question, State
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


def test_of_a_copy_the_end_that_the_expert_marks_more() -> None:
    joined = marks.together([finding()], [PREDICTION])
    assert (marked(joined) == part(40)).all()
    turned = replace(PREDICTION, heat=Map.of(np.tile(np.linspace(0.3, 0.1, 15), (10, 1)), SIZE, 4))
    assert (marked(marks.together([finding()], [turned])) == part(4)).all()


def test_of_every_copy_one_end() -> None:
    right = replace(PREDICTION, heat=Map.of(np.tile(np.linspace(0.1, 0.3, 15), (10, 1)), SIZE, 4))
    low = [replace(region_of(np.roll(part(x), 16, 0)), id=f"low {x}") for x in (40, 4)]
    joined = marks.together([finding(regions=(LEFT, RIGHT, *low))], [right])
    assert (marked(joined) == (part(40) | np.roll(part(40), 16, 0))).all()


def test_of_another_test_every_region() -> None:
    assert (marked(marks.together([finding("jpeg_grid")], [PREDICTION])) == (part(4) | part(40))).all()


@pytest.mark.parametrize(
    "silent",
    [
        finding(state=State.INCONCLUSIVE),
        finding(experimental=True),
        finding(question=Question.HISTORY),
        finding("ifdl_small"),
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
