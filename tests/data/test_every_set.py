"""The contract sweep: every set reads its own published layout, matches by name, and names what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ifdl import data, intake
from ifdl.data import Bad, DataSet, Record, manifest
from ifdl.data.check import check
from ifdl.data.convert import to_manifest
from ifdl.types import Picture


@pytest.fixture(params=data.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def decoder() -> Iterator[intake.Decoder]:
    with intake.Decoder() as one:
        yield one


@pytest.fixture
def tree(name: str, tmp_path: Path) -> Path:
    """The set's own fake tree, below a folder whose name has a space."""
    root = tmp_path / "a set"
    data.load(name).fabricate(root)
    return root


def listed(chosen: DataSet, root: Path) -> tuple[dict[str, Record], list[Bad]]:
    rows = list(chosen.records(root))
    records = [r for r in rows if isinstance(r, Record)]
    assert len({r.shown for r in records}) == len(records), "names must tell pictures apart"
    return {r.shown: r for r in records}, [r for r in rows if isinstance(r, Bad)]


def test_the_expected_sets_are_there() -> None:
    assert set(data.names()) >= {"folder", "manifest", "casia1", "columbia", "coverage"}
    assert not {"check", "convert", "shortcuts"} & set(data.names()), "tools are not sets"
    with pytest.raises(KeyError, match="columbia"):
        data.load("astrology")


def test_card_is_complete(name: str) -> None:
    card = data.load(name).CARD
    assert card.id == name
    for part in ("title", "citation", "domain", "limits", "licence"):
        assert getattr(card, part), f"{name}: CARD.{part} is empty"
    assert "How to obtain" in card.domain
    assert data.load(name).__doc__, "where was the layout learned?"


def test_fabricated_tree_is_read_whole(name: str, tree: Path, decoder: intake.Decoder) -> None:
    records, bad = listed(data.load(name), tree)
    assert not bad, bad
    assert len(records) == 6
    assert sorted(r.label for r in records.values()) == ["authentic"] * 3 + ["edited"] * 3
    for record in records.values():
        sample = data.sample(record, decoder, decode=True)
        mask = sample.truth.mask
        assert isinstance(sample.picture, Picture)
        assert mask is not None and mask.dtype == bool
        assert mask.shape == sample.picture.pixels.shape[:2]
        assert (0 < mask.mean() < 0.5) if record.label == "edited" else not mask.any()
        assert sample.truth.label == record.label and sample.source
        assert (record.mask is not None) == (record.label == "edited")


def test_masks_lie_where_the_pictures_differ(name: str, tree: Path, decoder: intake.Decoder) -> None:
    """The fake forgeries are a patch on a known scene: a mask of another picture would not fit."""
    from ifdl.data import _fabric

    def patch(mask: np.ndarray) -> tuple[int, ...]:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])

    records, _ = listed(data.load(name), tree)
    plain = {seed: _fabric.scene(seed).astype(float) for seed in range(12)}
    for record in records.values():
        if record.label != "edited":
            continue
        sample = data.sample(record, decoder, decode=True)
        assert isinstance(sample.picture, Picture) and sample.truth.mask is not None
        mask, pixels = sample.truth.mask, sample.picture.pixels.astype(float)
        outside = {seed: np.abs(pixels - scene)[~mask].mean() for seed, scene in plain.items()}
        seed = min(outside, key=outside.__getitem__)
        assert outside[seed] < 12, "outside its mask the picture is the scene"
        assert np.abs(pixels - plain[seed])[mask].mean() > 2 * outside[seed], "inside it is not"
        exact = patch(_fabric.forged(seed)[1])
        assert np.abs(np.subtract(patch(mask), exact)).max() <= 1, record.shown


def test_a_stray_file_shifts_no_pair(name: str, tree: Path) -> None:
    chosen = data.load(name)
    before, _ = listed(chosen, tree)
    edited = next(r for r in before.values() if r.mask is not None)
    assert edited.mask is not None
    # Both sort before everything else: matching by order would now be off by one.
    stray, lone = edited.image.with_stem("!0stray"), edited.mask.with_stem("!1lone")
    shutil.copy(edited.image, stray)
    shutil.copy(edited.mask, lone)
    after, bad = listed(chosen, tree)
    assert {k: (r.image, r.mask, r.label) for k, r in after.items() if k in before} == {
        k: (r.image, r.mask, r.label) for k, r in before.items()
    }
    if name == "manifest":  # a file that is not listed is not part of the set
        assert after.keys() == before.keys() and not bad
        return
    named = " ".join([b.name for b in bad] + [k for k in after if k not in before])
    assert "!0stray" in named and "!1lone" in named, "never silent"
    assert all(r.mask is None for k, r in after.items() if k not in before)


def test_a_missing_mask_is_no_mask_and_not_the_next_one(name: str, tree: Path) -> None:
    chosen = data.load(name)
    before, _ = listed(chosen, tree)
    victim = next(r for r in before.values() if r.mask is not None)
    assert victim.mask is not None
    victim.mask.unlink()
    after, _ = listed(chosen, tree)
    assert {k: r.mask for k, r in after.items() if k != victim.shown} == {
        k: r.mask for k, r in before.items() if k != victim.shown
    }
    kinds = {p.kind for p in check(after.values(), pixels=False).problems if p.names == (victim.shown,)}
    assert kinds & {"no_mask", "missing_mask"}


def test_another_folder_is_refused_in_words(name: str, tmp_path: Path) -> None:
    (tmp_path / "unrelated").mkdir()
    with pytest.raises(FileNotFoundError, match="expected"):
        list(data.load(name).records(tmp_path / "unrelated"))
    with pytest.raises(OSError):
        list(data.load(name).records(tmp_path / "nowhere"))


def test_check_finds_nothing_wrong(name: str, tree: Path) -> None:
    report = check(data.load(name).records(tree), isolated=False)
    assert report.pictures == 6 and report.masks == 3
    assert not report.errors, report.problems


def test_converts_to_a_manifest_and_back(name: str, tree: Path, tmp_path: Path, decoder: intake.Decoder) -> None:
    records, _ = listed(data.load(name), tree)
    done = to_manifest(records.values(), tmp_path / "out")
    assert done.written == 6 and not done.bad
    again, bad = listed(data.load("manifest"), done.path.parent)
    assert not bad
    before = {r.image.read_bytes(): data.sample(r, decoder) for r in records.values()}
    for record in again.values():
        sample, old = data.sample(record), before[record.image.read_bytes()]
        assert np.array_equal(sample.truth.mask, old.truth.mask)
        assert (sample.truth.label, sample.licence) == (old.truth.label, old.licence)
        assert record.marks == "white" and record.sha256
    assert manifest.FILE == done.path.name
