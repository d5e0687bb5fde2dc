"""The contract sweep: every set reads its own published layout, matches by name, and names what is wrong."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ifdl import data, intake
from ifdl.data import Bad, DataSet, Record, _fabric, manifest
from ifdl.data._about import About
from ifdl.data._record import LABELS, Here
from ifdl.data._unknown import UNKNOWN
from ifdl.data.check import check
from ifdl.data.convert import to_manifest
from ifdl.evaluate import protocol, summary
from ifdl.evaluate.run import Job, rows
from ifdl.evaluate.systems import Spec
from ifdl.types import Picture

OWN = ("folder", "manifest", "hub", "shards")  # forms for pictures of one's own: nobody published a layout
LISTED = ("manifest",)  # a file that no list names is not part of the set
HERE = Here()


@pytest.fixture(params=data.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every set's own fake tree, once, below a folder whose name has a space: to be read, never changed."""
    root = tmp_path_factory.mktemp("made") / "a set"
    for one in data.names():
        data.load(one).fabricate(root / one)
    return {one: root / one for one in data.names()}


@pytest.fixture
def whole(name: str, made: dict[str, Path]) -> Path:
    return made[name]


@pytest.fixture
def tree(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(whole, tmp_path / "a copy")


def listed(chosen: DataSet, root: Path) -> tuple[dict[str, Record], list[Bad]]:
    found = list(chosen.records(root))
    records = [r for r in found if isinstance(r, Record)]
    assert len({r.shown for r in records}) == len(records), "names must tell pictures apart"
    return {r.shown: r for r in records}, [r for r in found if isinstance(r, Bad)]


def vouched(record: Record) -> Record:
    """The record with its hash, so that it is decoded in this process."""
    return replace(record, sha256=hashlib.sha256(record.image.read_bytes()).hexdigest())


@cache
def plain(seed: int) -> np.ndarray:
    return _fabric.scene(seed).astype(float)


def test_the_expected_sets_are_there() -> None:
    assert set(data.names()) >= {"casia1", "columbia", "coverage", *OWN}
    tools = {"check", "convert", "mixture", "shortcuts"}
    assert not tools & set(data.names()), "tools are not sets"
    assert not set(UNKNOWN) & set(data.names()), "a set has a reader, or an unknown layout"
    assert all(UNKNOWN.values()), "say what was searched"
    with pytest.raises(KeyError, match="columbia"):
        data.load("astrology")


def test_card_is_complete(name: str) -> None:
    card = data.load(name).CARD
    assert card.id == name
    for part in ("title", "citation", "domain", "limits", "licence"):
        assert getattr(card, part), f"{name}: CARD.{part} is empty"
    assert "How to obtain" in card.domain
    assert data.load(name).__doc__, "where was the layout learned?"
    about = getattr(data.load(name), "ABOUT", None)
    if name not in OWN:
        assert isinstance(about, About) and about.tasks and about.size and "." in about.layout.source
        assert card.url.startswith("http")


def test_fabricated_tree_is_read_whole(name: str, whole: Path) -> None:
    records, bad = listed(data.load(name), whole)
    assert not bad, bad
    assert len(records) == 6
    for record in records.values():
        assert record.label in LABELS and record.shown and "\\" not in record.shown
        sample = data.sample(record, HERE, decode=True)
        mask = sample.truth.mask
        assert isinstance(sample.picture, Picture)
        assert record.mask is None or record.label == "edited", "only edits have masks"
        assert (mask is not None) == (record.mask is not None or record.label == "authentic")
        if mask is not None:
            assert mask.dtype == bool and mask.shape == sample.picture.pixels.shape[:2]
            assert (0 < mask.mean() < 0.5) if record.label == "edited" else not mask.any()
        assert sample.truth.label == record.label and sample.source


def test_masks_lie_where_the_pictures_differ(name: str, whole: Path) -> None:
    """The fake forgeries are a patch on a known scene: a mask of another picture would not fit."""

    def patch(mask: np.ndarray) -> tuple[int, ...]:
        down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        return int(down[0]), int(down[-1]), int(across[0]), int(across[-1])

    for record in listed(data.load(name), whole)[0].values():
        if record.mask is None:
            continue
        sample = data.sample(record, HERE, decode=True)
        assert isinstance(sample.picture, Picture) and sample.truth.mask is not None
        mask, pixels = sample.truth.mask, sample.picture.pixels.astype(float)
        outside = {seed: np.abs(pixels - plain(seed))[~mask].mean() for seed in range(12)}
        seed = min(outside, key=outside.__getitem__)
        assert outside[seed] < 12, "outside its mask the picture is the scene"
        assert np.abs(pixels - plain(seed))[mask].mean() > 2 * outside[seed], "inside it is not"
        exact = patch(_fabric.forged(seed)[1])
        assert np.abs(np.subtract(patch(mask), exact)).max() <= 1, record.shown


def test_a_stray_file_shifts_no_pair(name: str, tree: Path) -> None:
    chosen = data.load(name)
    before, _ = listed(chosen, tree)
    victim = next((r for r in before.values() if r.mask is not None), next(iter(before.values())))
    # Both sort before everything else: matching by order would now be off by one.
    strays = ["!0stray"]
    shutil.copy(victim.image, victim.image.with_stem("!0stray"))
    if victim.mask is not None:
        shutil.copy(victim.mask, victim.mask.with_stem("!1lone"))
        strays.append("!1lone")
    after, bad = listed(chosen, tree)
    assert {k: (r.image, r.mask, r.label) for k, r in after.items() if k in before} == {
        k: (r.image, r.mask, r.label) for k, r in before.items()
    }
    if name in LISTED:
        assert after.keys() == before.keys() and not bad
        return
    named = " ".join([b.name for b in bad] + [k for k in after if k not in before])
    assert all(stray in named for stray in strays), "never silent"
    assert all(r.mask is None for k, r in after.items() if k not in before)


def test_a_missing_mask_is_no_mask_and_not_the_next_one(name: str, tree: Path) -> None:
    chosen = data.load(name)
    before, _ = listed(chosen, tree)
    victim = next((r for r in before.values() if r.mask is not None), None)
    if victim is None:
        pytest.skip("a set without masks")
    assert victim.mask is not None
    victim.mask.unlink()
    after, _ = listed(chosen, tree)
    assert {k: r.mask for k, r in after.items() if before[k].mask != victim.mask} == {
        k: r.mask for k, r in before.items() if r.mask != victim.mask
    }
    kinds = {p.kind for p in check(after.values(), pixels=False, isolated=False).problems
             if p.names == (victim.shown,)}  # fmt: skip
    assert kinds & {"no_mask", "missing_mask"}


def test_another_folder_is_refused_in_words(name: str, tmp_path: Path) -> None:
    (tmp_path / "unrelated").mkdir()
    with pytest.raises(FileNotFoundError, match="expected"):
        list(data.load(name).records(tmp_path / "unrelated"))
    with pytest.raises(OSError):
        list(data.load(name).records(tmp_path / "nowhere"))


def test_check_finds_nothing_wrong_and_repeats_what_is_known(name: str, whole: Path) -> None:
    chosen = data.load(name)
    report = check(chosen.records(whole), isolated=False, card=chosen.CARD)
    assert report.pictures == 6 and sum(report.labels.values()) == 6
    assert not report.errors, report.problems
    assert tuple(p.reason for p in report.of("known_defect")) == chosen.CARD.limits


def test_a_data_loader_batches_it(name: str, whole: Path) -> None:
    """Pictures, labels and masks as tensors, through torch's own DataLoader."""
    torch = pytest.importorskip("torch")
    records = list(listed(data.load(name), whole)[0].values())

    class Set(torch.utils.data.Dataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            return len(records)

        def __getitem__(self, index: int) -> tuple[object, ...]:
            sample = data.sample(records[index], HERE, decode=True)
            assert isinstance(sample.picture, Picture)
            mask = sample.truth.mask
            known = mask is not None
            mask = mask if mask is not None else np.zeros(sample.picture.pixels.shape[:2], bool)
            pixels = np.ascontiguousarray(sample.picture.pixels[:64, :64].transpose(2, 0, 1))
            return (
                torch.from_numpy(pixels),
                torch.from_numpy(mask[:64, :64].copy()),
                LABELS.index(sample.truth.label),
                known,
            )

    batches = list(torch.utils.data.DataLoader(Set(), batch_size=3))
    assert [tuple(b[0].shape) for b in batches] == [(3, 3, 64, 64)] * 2
    labels = [LABELS[i] for b in batches for i in b[2].tolist()]
    assert labels == [r.label for r in records]
    masks = [bool(m) for b in batches for m in b[1].flatten(1).any(1)]
    assert masks == [r.mask is not None for r in records]


def test_a_protocol_scores_saved_maps_on_it(name: str, whole: Path, tmp_path: Path) -> None:
    native = protocol.load()
    records = [vouched(r) for r in listed(data.load(name), whole)[0].values()]
    for record in records:
        truth = data.sample(record, HERE, decode=True)
        assert isinstance(truth.picture, Picture)
        mask = truth.truth.mask if truth.truth.mask is not None else np.zeros(truth.picture.pixels.shape[:2], bool)
        path = (tmp_path / "maps" / record.shown).with_suffix(".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, mask.astype(np.float32))
    found = list(rows(Job(Spec("maps", str(tmp_path / "maps")), native), records))
    unknown = {r.shown for r in records if r.label == "edited" and r.mask is None}
    assert {r.image for r in found if r.error} == unknown, "an edit without a mask cannot be scored, and is said"
    numbers = summary.numbers(native, [r for r in found if not r.error], 20) if len(unknown) < 6 else {}
    if any(r.mask is not None for r in records):
        assert numbers["f1"]["value"] == 1.0


def test_converts_to_a_manifest_and_back(
    name: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "Decoder", Here)  # a child for each set would take longer than all the rest
    records, _ = listed(data.load(name), whole)
    done = to_manifest(records.values(), tmp_path / "out")
    assert done.written == 6 and not done.bad
    again, bad = listed(data.load("manifest"), done.path.parent)
    assert not bad
    before = {r.image.read_bytes(): data.sample(r, HERE) for r in records.values()}
    for record in again.values():
        sample, old = data.sample(record), before[record.image.read_bytes()]
        assert np.array_equal(sample.truth.mask, old.truth.mask)
        assert (sample.truth.label, sample.licence) == (old.truth.label, old.licence)
        assert record.marks == "white" and record.sha256
    assert manifest.FILE == done.path.name
