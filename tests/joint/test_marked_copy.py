"""A likeness that the expert marks at one end: the sum decides, either part alone does not, and nothing is guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ifdl import intake
from ifdl.joint import marked_copy
from ifdl.signal import rle
from ifdl.types import Finding, Likeness, Map, Prediction, Question, Rle, State
from ifdl.verdict import battery

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PICTURE = intake.decode((EXAMPLES / "untouched.jpg").read_bytes(), name="untouched.jpg")
SIZE = (PICTURE.height, PICTURE.width)


def part(x: int) -> Rle:
    mask = np.zeros((96, 128), bool)  # of the whole picture, at another size
    mask[24:48, x : x + 24] = True
    return rle.encode(mask)


def prediction(left: float, right: float) -> Prediction:
    """A map that is `left` in the left half and `right` in the right one."""
    rows, columns = (-(-n // 4) for n in SIZE)
    values = np.full((rows, columns), right)
    values[:, : columns // 2] = left
    return Prediction("ifdl_small", Map.of(values, SIZE, 4))


def copies(agreement: float = 0.5, **changed: Any) -> Finding:
    alike = (Likeness((part(8), part(90)), agreement),)
    return replace(Finding("copymove", Question.LOCAL_EDIT, State.NO_TRACE_FOUND, "", alike=alike), **changed)


def find(copymove: Finding, expert: Prediction | None, *said: Finding) -> Finding:
    predictions = {} if expert is None else {"ifdl_small": expert}
    return marked_copy.find({"copymove": [copymove], "ifdl_small": said}, predictions, PICTURE)


def test_likeness_and_mark_add_up() -> None:
    found = find(copies(), prediction(0.1, 0.7))
    assert found.state == State.SUPPORTED
    assert found.numbers["score"] == pytest.approx(1.1, abs=0.01) and found.strength == pytest.approx(0.55, abs=0.01)
    likelier, like = found.regions
    assert likelier.box[0] > SIZE[1] // 2 > like.box[0] and likelier.name == "likelier copy"
    assert "so it is the likelier copy" in found.sentence
    assert found.alike[0].ends[0] == part(90)


def test_places_that_the_copy_test_shows_are_not_shown_again() -> None:
    found = find(copies(state=State.SUPPORTED), prediction(0.1, 0.7))
    assert found.state == State.SUPPORTED and not found.regions and len(found.alike) == 1


@pytest.mark.parametrize(("agreement", "left", "right"), [(0.5, 0.1, 0.2), (0.5, 0.9, 0.9), (0.3, 0.2, 0.5)])
def test_neither_is_enough_alone(agreement: float, left: float, right: float) -> None:
    found = find(copies(agreement), prediction(left, right))
    assert found.state == State.NO_TRACE_FOUND and not found.regions
    shown = agreement + abs(left - right) >= marked_copy.MARKS
    assert bool(found.alike) == shown


def test_a_copy_that_the_expert_cannot_tell_apart_is_said_so() -> None:
    found = find(copies(0.9), prediction(0.4, 0.42))
    assert found.state == State.SUPPORTED and "hardly tells copy and original apart" in found.sentence


def test_without_a_part_it_is_out_of_its_domain() -> None:
    outside = Finding("copymove", Question.LOCAL_EDIT, State.OUT_OF_DOMAIN, "Too small.")
    assert find(outside, prediction(0, 1)).state == State.OUT_OF_DOMAIN
    assert "Too small." in find(outside, prediction(0, 1)).sentence
    drawn = Finding("ifdl_small", Question.LOCAL_EDIT, State.OUT_OF_DOMAIN, "Flat.")
    assert find(copies(), prediction(0, 1), drawn).state == State.OUT_OF_DOMAIN
    assert find(copies(), None).state == State.OUT_OF_DOMAIN


def test_an_end_between_the_cells_is_left_out() -> None:
    speck = np.zeros(SIZE, bool)
    speck[0, 0] = True
    found = marked_copy.marked([Likeness((rle.encode(speck), part(8)), 0.9)], prediction(0, 1).heat)
    assert found == []


def test_it_takes_what_ran_before_and_runs_what_did_not(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = battery.run("marked_copy", PICTURE).findings[0]
    said = {part: battery.run(part, PICTURE) for part in marked_copy.PARTS}
    monkeypatch.setattr(battery.evidence, "run", None)
    monkeypatch.setattr(battery, "_expert", None)
    again = battery.run("marked_copy", PICTURE, said).findings[0]
    assert (again.state, again.strength) == (alone.state, alone.strength)
