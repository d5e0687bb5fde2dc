"""Which of two pictures may be the earlier: each fact alone, facts that disagree, facts that say nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ifdl import intake
from ifdl.trace.direction import Earlier, facts, sentence
from ifdl.trace.index import Entry
from ifdl.trace.prove import Proof, State
from ifdl.trace.query import Hit
from ifdl.types import Metadata, MetadataEntry, Picture
from tests.photographs import bundled

PICTURE = intake.decode(bundled()[0].data)
WIDTH, HEIGHT = PICTURE.width, PICTURE.height


def asked(**said: str) -> Picture:
    entries = tuple(MetadataEntry("EXIF", name, value) for name, value in said.items())
    return replace(PICTURE, item=replace(PICTURE.item, metadata=Metadata(entries)))


def hit(
    scale: float = 1.0, shift: tuple[float, float] = (0, 0), size: tuple[int, int] | None = None, **entry: str
) -> Hit:
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1.0]])
    wide, high = size or (round(WIDTH / scale), round(HEIGHT / scale))
    return Hit(
        Entry("a.jpg", 1, 1, width=wide, height=high, **entry),  # type: ignore[arg-type]
        Proof(State.PROVED, 50, 60, matrix, scale=scale),
    )


def test_nothing_speaks_for_either_where_the_files_are_alike() -> None:
    assert facts(asked(), hit()) == ()
    assert sentence(()) == ""
    same = "2020:01:02 03:04:05"
    assert facts(asked(DateTimeOriginal=same, Make="a", Model="b"), hit(dated=same, camera="c d")) == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "side"),
    [
        ("2022:01:02 03:04:05", "2020-01-02T03:04:05+01:00", Earlier.ARCHIVE),
        ("2020:01:02 03:04:05", "2020:01:02 03:04:06", Earlier.EXAMINED),
        ("2020:01:02 03:04:05", "0000:00:00 00:00:00", None),
        ("2020:01:02 03:04:05", "yesterday", None),
        ("2020:01:02 03:04:05", "", None),
    ],
)
def test_the_earlier_date_speaks_for_its_file(ours: str, theirs: str, side: Earlier | None) -> None:
    assert [f.earlier for f in facts(asked(DateTimeOriginal=ours), hit(dated=theirs))] == ([side] if side else [])


def test_the_larger_the_wider_and_the_one_with_a_camera() -> None:
    assert [f.earlier for f in facts(asked(), hit(scale=0.5))] == [Earlier.ARCHIVE]
    assert [f.earlier for f in facts(asked(), hit(scale=2.0))] == [Earlier.EXAMINED]
    wider = hit(shift=(-WIDTH / 2, 0), size=(2 * WIDTH, HEIGHT))
    assert [(f.earlier, "50%" in f.words) for f in facts(asked(), wider)] == [(Earlier.ARCHIVE, True)]
    narrower = hit(shift=(WIDTH / 4, 0), size=(WIDTH // 2, HEIGHT))
    assert [f.earlier for f in facts(asked(), narrower)] == [Earlier.EXAMINED]
    assert [f.earlier for f in facts(asked(Make="a", Model="b"), hit())] == [Earlier.EXAMINED]
    assert [f.earlier for f in facts(asked(Make="a"), hit(camera="c d"))] == [Earlier.ARCHIVE]


def test_facts_that_disagree_are_said_so() -> None:
    told = facts(asked(Make="a", Model="b"), hit(scale=0.5))
    assert {f.earlier for f in told} == set(Earlier)
    assert "disagree" in sentence(told)
    assert "archive's picture as the earlier" in sentence(facts(asked(), hit(scale=0.5)))


def test_the_very_same_file_has_no_earlier() -> None:
    assert facts(asked(), replace(hit(scale=0.5), identical=True)) == ()
