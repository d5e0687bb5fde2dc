"""From a prediction to findings: the gate decides whether, the map where, and a synthetic answer is never more than a
remark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ifdl import intake
from ifdl.experts import Expert
from ifdl.experts._finding import regions_above, score_of
from ifdl.types import Card, Map, Picture, Prediction, Question, State
from tests.photographs import bundled


class Fixed(Expert):
    """An expert that answers what it is told."""

    CARD = Card("fixed", "Fixed expert", (Question.LOCAL_EDIT,), citation="nobody")
    THRESHOLD, GATE = 0.4, 0.6

    def prepare(self, pixels: Any) -> Any:
        raise NotImplementedError

    net = loss = restore = prepare


@pytest.fixture(scope="module")
def picture() -> Picture:
    return intake.decode(bundled()[0].data)


def prediction(picture: Picture, score: float, level: float, **shares: float) -> Prediction:
    heat = np.full((-(-picture.height // 4), -(-picture.width // 4)), 0.1)
    heat[10:20, 5:30] = level
    size = (picture.height, picture.width)
    trust = Map.of(np.full(heat.shape, 0.25), size, 4)
    return Prediction("fixed", Map.of(heat, size, 4), trust, shares, score=score)


def test_above_the_gate_the_map_says_where(picture: Picture) -> None:
    (found,) = Fixed().findings(prediction(picture, 0.7, 0.5), picture)
    assert (found.clue, found.question, found.state) == ("fixed", Question.LOCAL_EDIT, State.SUPPORTED)
    assert [r.box for r in found.regions] == [(20, 40, 100, 40)]
    share = round(100 * 100 * 40 / (picture.width * picture.height), 1)
    assert found.numbers == {
        "score": 0.7, "gate": 0.6, "share_percent": share, "regions": 1, "reliability": 0.25,
    }  # fmt: skip
    assert f"({share} % of it)" in found.sentence and "0.7" in found.sentence and found.strength == 0.7
    assert found.innocent and found.map is not None


def test_below_the_gate_nothing_is_marked_however_hot_the_map(picture: Picture) -> None:
    (found,) = Fixed().findings(prediction(picture, 0.59, 1.0), picture)
    assert (found.state, found.regions) == (State.NO_TRACE_FOUND, ())
    assert "0.59" in found.sentence and "0.6 is asked for" in found.sentence


def test_a_suspicion_without_a_place_is_inconclusive(picture: Picture) -> None:
    (found,) = Fixed().findings(prediction(picture, 0.9, 0.39), picture)
    assert (found.state, found.regions) == (State.INCONCLUSIVE, ())


@pytest.mark.parametrize(("shares", "said"), [((0.1, 0.3, 0.6), True), ((0.1, 0.6, 0.3), False)])
def test_a_synthetic_answer_is_at_most_inconclusive(picture: Picture, shares: tuple[float, ...], said: bool) -> None:
    named = dict(zip(("authentic", "edited", "synthetic"), shares, strict=True))
    found = Fixed().findings(prediction(picture, 0.9, 0.5, **named), picture)
    other = [f.state for f in found if f.question == Question.SYNTHETIC_ORIGIN]
    assert other == ([State.INCONCLUSIVE] if said else [])


def test_the_score_without_one_is_read_from_classes_or_the_hottest_cells(picture: Picture) -> None:
    whole = prediction(picture, 0.0, 0.9)
    heat = whole.heat
    assert score_of(Prediction("x", heat, probabilities={"authentic": 0.2, "edited": 0.8})) == pytest.approx(0.8)
    assert 0.1 < score_of(Prediction("x", heat)) <= 0.9


def test_specks_are_no_regions_and_the_last_cell_ends_with_the_picture() -> None:
    heat = np.zeros((26, 26))
    heat[0, 0] = 1.0  # 16 of 10,404 pixels
    heat[20:, 20:] = 1.0
    (only,) = regions_above(Map.of(heat, (102, 102), 4), 0.5)
    assert only.box == (80, 80, 22, 22)
