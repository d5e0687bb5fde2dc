"""Candidates: the search agrees with a plain loop, common texture counts for nothing, the right picture comes first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ifdl.trace import candidates, features, index
from ifdl.trace.features import Features
from ifdl.trace.index import Index
from tests.trace.pictures import archive, photographs, turned


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    place = tmp_path_factory.mktemp("trace")
    archive(place / "a")
    with Index(place / "i", write=True) as made:
        files = index.pictures(place / "a")
        made.update([files[0]], workers=1)
        made.update(files, remove=[str(files[0])], workers=1)  # a gap at the beginning
        yield made


def test_likeness_is_that_of_a_plain_loop(held: Index) -> None:
    asked = features.extract(photographs()["coffee"], 40)
    found = candidates.likeness(asked.units(), held)
    for n, entry in enumerate(held.entries):
        known = held.features(entry).units()
        for q, word in enumerate(asked.units()):
            assert found[q, n] == pytest.approx(max(float(word @ other) for other in known), abs=1e-4)


@pytest.mark.parametrize("name", sorted(photographs()))
def test_the_right_picture_comes_first(held: Index, name: str) -> None:
    asked = features.extract(turned(photographs()[name], 7, 0.8)[0], 200)
    for found in (candidates.scores(asked, held), candidates.votes(asked, held)):
        assert Path(held.entries[int(found.argmax())].path).stem == name


def test_a_feature_that_every_picture_has_counts_for_nothing(held: Index) -> None:
    own = held.features(held.entries[1])
    common = Features(own.places[:1], own.sizes[:1], own.turns[:1], own.words[:1])
    assert candidates.scores(common, held)[1] > 0.5

    class Everywhere:
        """An archive of ten pictures that all have the feature."""

        cells, extractor = None, held.extractor

        def __len__(self) -> int:
            return 10

        def blocks(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
            yield 0, 10, common.words.repeat(10, axis=0), np.arange(10)

    assert candidates.scores(common, Everywhere()).max() == 0  # type: ignore[arg-type]


def test_nothing_asked(held: Index) -> None:
    assert not candidates.scores(features.nothing(), held).any()
