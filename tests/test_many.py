"""Many pictures from Python: in order, a row for each, with one process or several, and with little in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import ifdl
from ifdl import many
from ifdl.types import Report

QUICK = ("metadata",)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{n}.png" for n in range(5)]
    for n, path in enumerate(paths):
        Image.new("RGB", (72 + n, 64), (n * 40, 90, 120)).save(path)
    paths[2].write_bytes(b"no picture at all")
    return paths


def said(found: list[Report | dict[str, object]]) -> list[object]:
    return [one["error"] if isinstance(one, dict) else (one.item.name, one.item.width) for one in found]


def test_in_order_with_a_row_for_what_cannot_be_examined(pictures: list[Path]) -> None:
    given = [*pictures[:3], pictures[3].read_bytes(), "nothing.jpg"]
    one = said(list(ifdl.examine_many(given, clues=QUICK)))
    assert [one[n] for n in (0, 1, 3)] == [("0.png", 72), ("1.png", 73), ("picture", 75)]
    assert [row["kind"] for row in (one[2], one[4]) if isinstance(row, dict)] == ["not_a_picture", "missing"]
    two = list(ifdl.examine_many(given, workers=2, clues=QUICK))
    assert said(two) == one and isinstance(two[0], Report)
    assert two[0].picture is not None and two[0].picture.pixels.shape == (64, 72, 3)


def test_sources_are_read_only_as_results_are_taken(pictures: list[Path]) -> None:
    read = 0

    def supply() -> Iterator[Path]:
        nonlocal read
        while True:  # a list of it would never end
            read += 1
            yield pictures[0]

    found = ifdl.examine_many(supply(), clues=QUICK)
    assert read == 0
    for _ in range(3):
        next(found)
    assert read <= 3 + 2


def test_a_broken_test_or_option(pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from ifdl import spine

    for wrong in ({"workers": 0}, {"calibration": pictures[2]}):
        with pytest.raises(ValueError):
            ifdl.examine_many(pictures, **wrong)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no test is called 'nonsense'"):
        ifdl.examine_many(pictures, clues=["nonsense"])
    monkeypatch.setattr(spine, "fuse", lambda *_: 1 / 0)
    assert said(list(ifdl.examine_many(pictures[:1], clues=QUICK))) == [
        {"kind": "failed", "reason": "ZeroDivisionError: division by zero"}
    ]


def half(number: int) -> int:
    if number == 6:
        os._exit(1)  # as the system ends a process that takes too much memory
    return number // 2


def test_an_item_that_ends_its_process_is_the_only_one_lost() -> None:
    found = list(many.ordered(half, range(0, 16, 2), 2, lost=lambda number: -number))
    assert found == [0, 1, 2, -6, 4, 5, 6, 7]
