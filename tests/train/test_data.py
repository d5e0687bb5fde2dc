"""The stream: the same whatever the workers, siblings together, splits kept, flips as asked; the validation set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ifdl.data.manifest import Split
from ifdl.forge import material
from ifdl.train import data, recipe
from tests.train import photographs, plain


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module")
def plan(place: Path) -> recipe.Data:
    return recipe.parse(plain(place, place / "out")).data


def same(one: data.Batch, other: data.Batch) -> bool:
    told = [(*batch.pictures, batch.masks, batch.labels, batch.grades) for batch in (one, other)]
    return one.sources == other.sources and all(np.array_equal(a, b) for a, b in zip(*told, strict=True))


def test_workers_and_where_one_starts_change_nothing(place: Path, plan: recipe.Data) -> None:
    found = data.photographs([place], Split.TRAIN)
    made = list(data.batches(found, plan, 3, range(4)))
    assert [batch.number for batch in made] == [0, 1, 2, 3] and not same(made[0], made[1])
    apart = list(data.batches(found, replace(plan, workers=1), 3, range(2, 4)))
    assert all(same(a, b) for a, b in zip(apart, made[2:], strict=True))
    assert not same(next(data.batches(found, plan, 4, [0])), made[0])


def test_kept_batches_are_read_again_and_others_made(
    place: Path, plan: recipe.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = data.photographs([place], Split.TRAIN)
    made = list(data.batches(found, plan, 3, range(5)))
    keeping = replace(plan, kept=tmp_path / "stream")
    list(data.batches(found, keeping, 3, (1, 3)))
    both = list(data.batches(found, replace(keeping, workers=1), 3, range(5)))
    assert all(same(a, b) for a, b in zip(both, made, strict=True)) and [b.number for b in both] == [0, 1, 2, 3, 4]
    monkeypatch.setattr(data, "make", None)
    again = list(data.batches(found, keeping, 3, range(5)))
    assert all(same(a, b) for a, b in zip(again, made, strict=True))
    with pytest.raises(TypeError):  # another stream, nothing of which is kept
        list(data.batches(found, keeping, 4, range(5)))


def test_shares_hold_and_edits_are_masked(place: Path, plan: recipe.Data) -> None:
    found = data.photographs([place], Split.TRAIN)
    made = list(data.batches(found, replace(plan, authentic=0.3), 3, range(12)))
    labels = np.concatenate([batch.labels for batch in made])
    assert abs((labels == data.AUTHENTIC).mean() - 0.3) < 0.1
    for batch in made:
        assert len(batch.pictures) == 4 and batch.masks.shape == (4, 64, 64)
        assert all(picture.shape == (64, 64, 3) and picture.dtype == np.uint8 for picture in batch.pictures)
        assert np.array_equal(batch.masks.any((1, 2)), batch.labels == data.EDITED)
    half = next(data.batches(found, replace(plan, authentic=0.5), 3, [0]))
    by_class = [sorted(s for s, label in zip(half.sources, half.labels, strict=True) if label == c) for c in (0, 1)]
    assert by_class[0] == by_class[1]  # siblings of the same scenes
    assert set(next(data.batches(found, replace(plan, authentic=1.0), 3, [0])).labels) == {data.AUTHENTIC}


def test_training_and_validation_open_only_their_own_photographs(
    place: Path, plan: recipe.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: set[int] = set()
    load = material.Sources.load

    def spied(self: Any, photograph: material.Photograph) -> material.Material:
        opened.add(int(photograph.source, 16) % 10)
        return load(self, photograph)

    monkeypatch.setattr(material.Sources, "load", spied)
    list(data.batches(data.photographs([place], Split.TRAIN), plan, 3, range(8)))
    assert len(opened) > 3 and opened <= set(range(6))
    opened.clear()
    data.validation_set(data.photographs([place], Split.CALIBRATE), plan, 1, 4, tmp_path)
    assert opened == {6, 7}


def test_folders_and_named_sources_are_divided_too(tmp_path: Path) -> None:
    place = photographs(tmp_path, range(40))
    rows = (place / "manifest.jsonl").read_text().replace('"source": "00000000', '"source": "photograph ')
    (place / "manifest.jsonl").write_text(rows)
    folder = [place / "images"]
    for places in ([place], folder):
        parts = [{p.path for p in data.photographs(places, split)} for split in Split]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 40 and all(parts)
    with pytest.raises(ValueError, match="no photographs of split test"):
        data.photographs([photographs(tmp_path / "few", range(3))], Split.TEST)


def test_flips_keep_the_grid_only_where_asked() -> None:
    pixels = np.arange(32 * 24 * 3, dtype=np.uint8).reshape(32, 24, 3)
    mask = pixels[..., 0] > 100

    def ways(how: str) -> set[bytes]:
        rng = np.random.default_rng(0)
        turned = [data._flipped((pixels, mask), how, rng) for _ in range(40)]
        assert all(np.array_equal(t > 100, m) for t, m in ((p[..., 0], m) for p, m in turned))
        return {p.tobytes() for p, _ in turned}

    assert len(ways("any")) == 4 and ways("none") == {pixels.tobytes()}
    assert ways("phase") == {pixels.tobytes(), pixels[::-1].tobytes()}  # 24 columns are no whole blocks of 16


def test_validation_set_is_made_once(place: Path, plan: recipe.Data, tmp_path: Path) -> None:
    held = data.photographs([place], Split.CALIBRATE)
    made = data.validation_set(held, plan, 1, 3, tmp_path)
    assert made.edited.shape == made.untouched.shape == (3, 64, 64, 3) and made.masks.any((1, 2)).all()
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    again = data.validation_set(held, replace(plan, batch=9, workers=5, authentic=0.1), 1, 3, tmp_path)
    assert np.array_equal(again.edited, made.edited) and file.stat().st_mtime_ns == before
    data.validation_set(held, plan, 2, 3, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_data_hash_says_what_is_trained_on(place: Path, plan: recipe.Data) -> None:
    found, forge = data.photographs([place], Split.TRAIN), plan.forging()
    assert data.data_hash(found, forge) == data.data_hash(found[::-1], forge)
    assert data.data_hash(found, forge) != data.data_hash(found[1:], forge)
    assert data.data_hash(found, forge) != data.data_hash(found, replace(forge, camera=0.9))


def test_work_is_done_one_ahead() -> None:
    assert list(data.ahead(range(5), lambda n: n * n)) == [0, 1, 4, 9, 16]

    def fails(n: int) -> int:
        raise ValueError(f"no {n}")

    with pytest.raises(ValueError, match="no 0"):
        next(data.ahead(range(5), fails))
