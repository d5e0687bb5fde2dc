"""Cells: they find what the exact search finds, grow with the index, and can be lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ifdl.trace import candidates, features, index, near
from ifdl.trace.features import Features
from ifdl.trace.index import Entry, Index
from tests.trace.pictures import photographs, turned

pytest.importorskip("faiss")
EACH = 60


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Forty made-up pictures of 60 features and the four photographs, written without reading a file."""
    monkeypatch.setattr(near, "FROM", 500)
    rng = np.random.default_rng(0)
    with Index(tmp_path / "i", write=True) as made:
        made._append([strange(n, rng) for n in range(40)])
        made._append([real(name) for name in photographs()])
        made._read()
        yield made


def strange(number: int, rng: np.random.Generator) -> tuple[Entry, Features]:
    words = rng.gamma(0.5, 40, (EACH, 128)).clip(0, 255).astype(np.uint8)
    places = rng.uniform(0, 300, (EACH, 2)).astype(np.float32)
    ones = np.ones(EACH, np.float32)
    return entry(f"/made/{number}"), Features(places, ones, ones, words)


def real(name: str) -> tuple[Entry, Features]:
    return entry(f"/real/{name}"), features.extract(photographs()[name], 200)


def entry(path: str) -> Entry:
    return Entry(path, 1, 1, layout=bytes(192), width=320, height=213)


def asked(name: str = "coffee") -> Features:
    return features.extract(turned(photographs()[name], 7, 0.8)[0], 150)


def test_a_small_index_has_none(held: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "FROM", 10**6)
    assert not near.refresh(held) and held.cells is None


def test_they_find_what_the_exact_search_finds(held: Index) -> None:
    assert near.refresh(held)
    cells = near.opened(held)
    assert cells is not None and cells.count == len(held.rows)
    words = asked().units()
    found, cosines = cells.nearest(words, held, 10)
    exact = words @ features.unit(np.asarray(held.rows["word"])).T
    best = np.argsort(-exact, axis=1)[:, :10]
    same = [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), best.tolist(), strict=True)]
    assert np.mean(same) > 0.9
    np.testing.assert_allclose(cosines, np.take_along_axis(exact, found, 1), atol=1e-4)
    assert (np.diff(cosines, axis=1) <= 1e-6).all(), "nearest first"


@pytest.mark.parametrize("name", sorted(photographs()))
def test_scores_are_about_those_of_the_exact_search(held: Index, name: str) -> None:
    near.refresh(held)
    own = asked(name)
    quick, exact = candidates.scores(own, held), candidates.scores(own, held, exact=True)
    assert held.cells is not None and held.entries[int(quick.argmax())].path == f"/real/{name}"
    assert quick.argmax() == exact.argmax() and quick.max() == pytest.approx(exact.max(), rel=0.1)


def test_what_came_later_is_found_before_and_after_it_joins_the_cells(held: Index) -> None:
    near.refresh(held)
    before = held.cells
    new = features.extract(np.ascontiguousarray(photographs()["coffee"][:, ::-1]), 200)
    held._append([(entry("/late"), new)])
    held._read()
    cells = held.cells
    assert cells is not None and before is not None and cells.count < len(held.rows)
    for _ in range(2):
        scores = candidates.scores(new, held)
        assert held.entries[int(scores.argmax())].path == "/late"
        assert near.refresh(held)
        held._cells = None
    assert held.cells is not None and held.cells.count == len(held.rows)


def test_removed_pictures_are_not_found_and_a_new_file_of_features_means_new_cells(
    held: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    near.refresh(held)
    gone = next(e for e in held.entries if e.path == "/real/coffee")
    held.update([], remove=[gone.path])
    assert candidates.scores(asked(), held).max() < 0.2
    monkeypatch.setattr(index, "SPARE", 0)
    held.update([], remove=[e.path for e in held.entries if e.path.startswith("/made/")][:35])
    assert held.generation == "1" and held.cells is None
    near.refresh(held)
    assert [p.name for p in held.place.glob("cells-*")] == ["cells-1.faiss"]
    scores = candidates.scores(asked("rocket"), held)
    assert held.entries[int(scores.argmax())].path == "/real/rocket"


def test_spoiled_or_lost_cells_only_cost_time(held: Index) -> None:
    near.refresh(held)
    expected = candidates.scores(asked(), held, exact=True)
    for data in (b"", b"not cells at all" * 50):
        (held.place / "cells-0.faiss").write_bytes(data)
        held._cells = None
        assert held.cells is None
        np.testing.assert_allclose(candidates.scores(asked(), held), expected)


def test_cells_of_another_width_are_not_used(held: Index) -> None:
    near.refresh(held)
    held.extractor = features.RootSift()
    held.extractor.width = 64
    assert near.opened(held) is None
