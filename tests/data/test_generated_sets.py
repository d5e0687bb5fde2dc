"""What the general sweep cannot know of the sets of generated pictures: splits, classes, shards, odd entries."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from ifdl.data import (
    Bad,
    DataSet,
    Record,
    _fabric,
    _rows,
    chameleon,
    deal300k,
    genimage,
    load,
    mmtd_set,
    opensdi,
    samm,
    sidset,
)

SETS = (chameleon, deal300k, genimage, mmtd_set, opensdi, samm, sidset)


def listed(chosen: DataSet, root: Path) -> tuple[list[Record], list[Bad]]:
    rows = list(chosen.records(root))
    return [r for r in rows if isinstance(r, Record)], [r for r in rows if isinstance(r, Bad)]


def row(n: int, edited: bool = False, **facts: Any) -> dict[str, Any]:
    pixels, mask = _fabric.forged(n)
    image = _rows.encoded(pixels if edited else _fabric.scene(n), "PNG")
    return {**facts, "image": image, "mask": _rows.encoded(mask, "PNG") if edited else None}


@pytest.mark.parametrize("module", SETS, ids=lambda m: m.CARD.id)
def test_layouts_are_sourced(module: Any) -> None:
    layout = module.ABOUT.layout
    assert len(set(layout.names)) >= 3 and "github.com/" in layout.source
    assert load(module.CARD.id).CARD is module.CARD


# ---------------------------------------------------------------- shards


@pytest.mark.parametrize("pyarrow", [False, True])
def test_sidset_shards_are_told_apart_by_split_and_id(
    pyarrow: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pyarrow:
        pytest.importorskip("pyarrow")
    else:
        without_pyarrow(monkeypatch)
    for split, shard in (("train", "train-00000-of-00249"), ("validation", "validation-00000-of-00034")):
        made = [row(n + 10 * (split == "train"), n == 2, img_id="same", label=n) for n in range(3)]
        _rows.fabricate(tmp_path, f"data/{shard}.parquet", "img_id", made)
        assert (tmp_path / f"data/{shard}.parquet").is_file() == pyarrow
    records, bad = listed(sidset, tmp_path)
    assert not bad
    assert [(r.split, r.label) for r in records] == [
        (split, label) for split in ("train", "validation") for label in ("authentic", "synthetic", "edited")
    ]
    assert {r.source for r in records} == {"train/same", "validation/same"}
    assert len({r.image.read_bytes() for r in records}) == 6, "bytes are those of the shard, none overwrites another"
    assert [r.mask is not None for r in records] == [False, False, True] * 2
    for path in (tmp_path / "data").glob("*.parquet"):
        path.unlink()  # an unpacked set needs no shards
    assert listed(sidset, tmp_path)[0] == records


def test_a_shard_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_pyarrow(monkeypatch)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train-00000-of-00249.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"ifdl\[hub\]"):
        list(sidset.records(tmp_path))


def test_an_interrupted_unpacking_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tmp_path / "data" / "train-00000-of-00249.parquet"
    shard.parent.mkdir()
    shard.touch()
    left = tmp_path / "unpacked" / "data" / "train-00000-of-00249.part" / "image"
    left.mkdir(parents=True)
    (left / "000000_half.png").write_bytes(b"half")
    monkeypatch.setattr(_rows, "_read", lambda *_: iter([row(0, img_id="../a/b", label=0), {"label": 0}]))
    records, bad = listed(sidset, tmp_path)
    assert [r.image.name for r in records] == ["000000_b.png"] and not left.exists()
    assert [b.reason for b in bad] == ["its picture is missing"]


def test_opensdi_classes_follow_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_pyarrow(monkeypatch)
    test = [
        row(0, key="entire/flux/fake/000000007.png", label=1),
        row(1, True, key="partial/flux/fake/000000008.png", label=1),
        row(2, key="partial/flux/real/000000009.jpg", label=0),
        row(3, key="elsewhere.png", label=1),
    ]
    _rows.fabricate(tmp_path, "OpenSDI_test/data/flux-00000-of-00007.parquet", "key", test)
    _rows.fabricate(tmp_path, "OpenSDI_test/data/sd15-00000-of-00019.parquet", "key", test[:1])
    _rows.fabricate(tmp_path, "OpenSDI_train/data/sd15-00069-of-00070.parquet", "key", test[2:3])
    records, bad = listed(opensdi, tmp_path)
    assert [(r.split, r.label, r.kind) for r in records] == [
        ("test", "synthetic", "flux"),
        ("test", "edited", "flux"),
        ("test", "authentic", None),
        ("test", "synthetic", "sd15"),
        ("train", "authentic", None),
    ]
    assert len(bad) == 1 and "elsewhere" in bad[0].reason


# ---------------------------------------------------------------- folders


def test_sidset_descriptions_and_parts(tmp_path: Path) -> None:
    sidset.fabricate(tmp_path)
    _fabric.save(_fabric.scene(9), tmp_path / "train" / "full_synthetic_part2" / "x" / "9.png")
    (tmp_path / "validation" / "description").mkdir()
    (tmp_path / "validation" / "description" / "real_GT.json").write_text("[]")
    records, bad = listed(sidset, tmp_path)
    assert [r.label for r in records].count("synthetic") == 1
    told = [r for r in records if r.extra]
    assert len(told) == 1 and told[0].label == "edited" and told[0].split == "train"
    assert [b.name for b in bad] == ["validation/description/real_GT.json"]


def test_genimage_reads_generators_from_names(tmp_path: Path) -> None:
    genimage.fabricate(tmp_path / "Midjourney")  # a folder above each generator's, as archives have it
    ai = tmp_path / "Midjourney" / "imagenet_midjourney" / "train" / "ai"
    _fabric.save(_fabric.scene(9), ai / "VQDM_1000_200_00_017_vqdm_00020.png")
    _fabric.save(_fabric.scene(8), ai / "noname.png")
    records, bad = listed(genimage, tmp_path)
    assert {r.kind for r in records} == {None, "midjourney", "adm", "glide", "vqdm"}
    assert {r.split for r in records} == {"train", "val"}
    assert [b.name.rsplit("/", 1)[-1] for b in bad] == ["noname.png"]


def test_deal300k_edits_share_their_photograph(tmp_path: Path) -> None:
    deal300k.fabricate(tmp_path)
    pixels, mask = _fabric.forged(7)
    _fabric.save(pixels, tmp_path / "train" / "deeper" / "000000000009_qwen180.jpg")
    _fabric.save(mask, tmp_path / "label" / "deeper" / "000000000009_qwen180.png")
    (tmp_path / "instructions").mkdir()
    asked = [{"image_name": "000000000009.jpg", "generated_text": "add a cow"}]
    (tmp_path / "instructions" / "checkpoint-120_dev_results.json").write_text(json.dumps(asked))
    records, bad = listed(deal300k, tmp_path)
    family = [r for r in records if r.source == "000000000009"]
    assert not bad and [r.label for r in family].count("edited") == 2
    assert [r.image.stem for r in family if r.extra] == ["000000000009_qwen120"]


def test_mmtd_set_pairs_by_name_and_names_unknown_parts(tmp_path: Path) -> None:
    mmtd_set.fabricate(tmp_path / "dataset")
    part = tmp_path / "dataset" / "aigc" / "SD_inpaint_Train"
    pixels, mask = _fabric.forged(1)
    _fabric.save(pixels, part / "image" / "b.jpg")
    _fabric.save(mask, part / "mask" / "b_gt.png")
    _fabric.save(mask, part / "mask" / "a.png")
    (tmp_path / "dataset" / "aigc" / "Other").mkdir()
    records, bad = listed(mmtd_set, tmp_path)
    made = next(r for r in records if r.kind == "aigc")
    assert made.mask is not None and made.mask.stem == "b_gt" and made.split == "train"
    assert sorted(b.name.rsplit("/", 1)[-1] for b in bad) == ["Other", "a.png"]


def test_samm_entries(tmp_path: Path) -> None:
    samm.fabricate(tmp_path)
    path = tmp_path / "jsons" / "train.json"
    rows = json.loads(path.read_text())
    kept = rows[1] | {"id": 99}  # the same picture with another caption
    odd = [kept, rows[0] | {"image": "../x.jpg"}, rows[0] | {"image": "swap_jpg/1.jpg"}]
    _fabric.save(_fabric.scene(9), tmp_path / "swap_jpg" / "2.jpg")
    _fabric.save(_fabric.scene(8), tmp_path / "swap_jpg" / "3.jpg")
    odd.append(rows[0] | {"image": "swap_jpg/3.jpg", "fake_cls": "new"})
    path.write_text(json.dumps(rows + odd))
    records, bad = listed(samm, tmp_path)
    assert len(records) == 6 and {r.split for r in records} == {"train", "val", "test"}
    assert all(("box" in r.extra) == (r.label == "edited") and r.mask is None for r in records)
    reasons = " ".join(f"{b.name} {b.reason}" for b in bad)
    assert len(bad) == 4
    for words in (
        "below the set's folder",
        "swap_jpg/1.jpg is missing",
        "fake_cls is new",
        "swap_jpg/2.jpg is in none",
    ):
        assert words in reasons


def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the `hub` extra."""
    real = importlib.import_module

    def fake(name: str, package: str | None = None) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr("ifdl.data._rows.importlib.import_module", fake)
