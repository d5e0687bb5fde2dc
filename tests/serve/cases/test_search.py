"""Finding pictures of a case, and those that look alike."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from ifdl.serve.cases import Case, Mark, Query, search
from ifdl.types import Question, Report, State

TODAY = date.today()


def names(case: Case, **asked: object) -> set[str]:
    query = Query(**asked)  # type: ignore[arg-type]
    found = {p.name for p in search.pictures(case, query)}
    assert search.count(case, query) == len(found)
    return found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {"splice.jpg", "again.jpg", "retouch.jpg"}),
        ({"name": "SPLICE"}, {"splice.jpg"}),
        ({"name": "/in/"}, {"splice.jpg", "again.jpg", "retouch.jpg"}),
        ({"name": "%"}, set()),
        ({"name": "' OR 1=1 --"}, set()),
        ({"note": "größe"}, {"splice.jpg"}),
        ({"note": "GRÖSSE"}, {"splice.jpg"}),
        ({"note": "light"}, set()),
        ({"mark": Mark.TO_BE_CHECKED}, {"splice.jpg"}),
        ({"mark": Mark.WARNING}, set()),
        ({"mark": Mark.NONE}, {"again.jpg", "retouch.jpg"}),
        ({"since": str(TODAY - timedelta(2))}, {"splice.jpg", "again.jpg", "retouch.jpg"}),
        ({"since": str(TODAY + timedelta(2))}, set()),
        ({"until": str(TODAY - timedelta(2))}, set()),
        ({"name": "a", "mark": Mark.NONE, "note": "shadow"}, set()),
    ],
)
def test_filters(case: Case, asked: dict[str, object], found: set[str]) -> None:
    assert names(case, **asked) == found


def test_states(case: Case, reports: dict[str, Report]) -> None:
    for state in State:
        for question in Question:
            expected = {n for n, r in reports.items() if r.verdict.answer(question).state == state}
            assert names(case, question=question, state=state) == expected
        anywhere = {n for n, r in reports.items() if any(a.state == state for a in r.verdict.answers)}
        assert names(case, state=state) == anywhere
    assert names(case, question=Question.LOCAL_EDIT, state=State.SUPPORTED), "the test can fail"


def test_examined_again_is_one_picture(case: Case, reports: dict[str, Report]) -> None:
    case.record(reports["splice.jpg"], "/in/second.jpg")
    found = search.pictures(case)
    assert len(found) == 3 and found[0].times == 2 and found[0].mark == Mark.TO_BE_CHECKED and found[0].notes == 1
    assert found[0].path == "/in/second.jpg" and search.pictures(case, most=1, skip=1)[0].name == "retouch.jpg"


def test_near_duplicates(case: Case, reports: dict[str, Report]) -> None:
    near = search.near(case, reports["splice.jpg"].item.sha256)
    assert [p.name for _, p in near] == ["again.jpg"] and near[0][0] <= 8
    assert search.near(case, reports["retouch.jpg"].item.sha256) == []
    assert search.near(case, "f" * 64) == []
