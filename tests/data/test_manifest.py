"""Lists: what is read, what is refused, and that a written one reads back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ifdl.data import Bad, Record, WrongMask, _fabric, columbia, folder, manifest, sample
from ifdl.data.casia1 import records as casia
from ifdl.data.coverage import records as coverage


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with one picture and one mask, and a secret outside of it."""
    root = tmp_path / "set"
    pixels, mask = _fabric.forged(1)
    _fabric.save(pixels, root / "a.jpg")
    _fabric.save(mask, root / "a.png")
    _fabric.save(pixels, tmp_path / "secret.jpg")
    return root


def lines(root: Path, *rows: object) -> list[Record | Bad]:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    (root / "manifest.jsonl").write_text(text)
    return list(manifest.records(root))


def test_bad_lines_are_named_and_the_rest_is_read(place: Path) -> None:
    good = {"image": "a.jpg", "label": "edited", "mask": "a.png"}
    rows = lines(place, "{not json", good, "", {"label": "edited"}, {**good, "label": "fake"}, [1], "[" * 100_000,
                 {**good, "image": "b.jpg"}, {**good, "image": "x" * 5000}, {**good, "mask": 7})  # fmt: skip
    assert [type(r) for r in rows] == [Bad, Record, *[Bad] * 7]
    bad = [r for r in rows if isinstance(r, Bad)]
    assert bad[0].name == "line 1" and "JSON" in bad[0].reason
    assert "fake" in bad[2].reason and "no such file" in bad[5].reason


@pytest.mark.parametrize("key", ["image", "mask"])
def test_no_path_leads_out_of_the_folder(place: Path, key: str) -> None:
    (place / "link.jpg").symlink_to(place.parent / "secret.jpg")
    good = {"image": "a.jpg", "label": "edited", "mask": "a.png"}
    for path in ("../secret.jpg", str(place.parent / "secret.jpg"), "link.jpg", "b/../../secret.jpg", "..\\secret.jpg",
                 "a\0.jpg"):  # fmt: skip
        (only,) = lines(place, {**good, key: path})
        assert isinstance(only, Bad), path
    (place / "same.jpg").symlink_to(place / "a.jpg")
    (only,) = lines(place, {**good, "image": "same.jpg"})
    assert isinstance(only, Record), "a link inside the folder is harmless"


def test_odd_values_do_not_break_reading(place: Path) -> None:
    (only,) = lines(place, {"image": "a.jpg", "label": "edited", "kind": {"x": 1}, "sources": "abc", "split": 3})
    assert isinstance(only, Record)
    assert isinstance(only.kind, str) and only.split == "3" and only.source == "a.jpg"


def test_host_comes_first_and_the_rest_is_kept(place: Path) -> None:
    row = {"image": "a.jpg", "label": "edited", "host": "h", "donor": "d", "sources": ["d", "h"], "camera": "X"}
    (only,) = lines(place, row)
    assert isinstance(only, Record)
    assert only.sources == ("h", "d") and only.source == "h" and only.extra == {"camera": "X"}


def test_imdlbenco_list(place: Path) -> None:
    absolute = str(place / "a.jpg")
    (place / "list.json").write_text(json.dumps([["a.jpg", "a.png"], ["a.jpg", "Negative"], [absolute, "Negative"],
                                                 ["../secret.jpg", "Negative"], ["a.jpg"], 5]))  # fmt: skip
    rows = list(manifest.records(place / "list.json"))
    assert [getattr(r, "label", None) for r in rows] == ["edited", "authentic", "authentic", None, None, None]
    assert isinstance(rows[0], Record) and rows[0].mask == place / "a.png"
    assert isinstance(rows[2], Record) and rows[2].extra == {"absolute": True}


def test_forensichub_list(place: Path) -> None:
    entries = [
        {"path": "a.jpg", "mask": "a.png", "label": 1},
        {"path": "a.jpg", "label": 0},
        {"path": "a.jpg", "label": 1},
        {"path": "a.jpg", "label": 7},
        {"path": "a.jpg", "mask": "Negative", "label": 0},
    ]
    (place / "list.json").write_text(json.dumps(entries))
    rows = list(manifest.records(place / "list.json"))
    assert [getattr(r, "label", None) for r in rows] == ["edited", "authentic", "synthetic", None, "authentic"]


def test_a_list_that_is_no_json_is_one_bad_record(place: Path) -> None:
    (place / "list.json").write_text('[["a.jpg",')
    (only,) = manifest.records(place / "list.json")
    assert isinstance(only, Bad) and only.name == "list.json"


def test_written_manifest_reads_back_sorted(tmp_path: Path) -> None:
    manifest.fabricate(tmp_path)
    before = [r for r in manifest.records(tmp_path) if isinstance(r, Record)]
    odd = replace(before[0], split="train", licence="CC0-1.0", extra={"camera": "Ä"})
    manifest.write([*before[::-1][:-1], odd], tmp_path / "manifest.jsonl")
    text = (tmp_path / "manifest.jsonl").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert [json.loads(line)["image"] for line in text.splitlines()] == sorted(r.name for r in before)
    after = {r.name: r for r in manifest.records(tmp_path) if isinstance(r, Record)}
    assert after == {r.name: r for r in [odd, *before[1:]]}
    assert not list(tmp_path.glob(".manifest*")), "no draft is left"


def test_nothing_is_written_if_something_is_wrong(tmp_path: Path) -> None:
    manifest.fabricate(tmp_path / "a")
    before = (tmp_path / "a" / "manifest.jsonl").read_bytes()
    outside = Record(tmp_path / "b.jpg", "authentic")
    with pytest.raises(ValueError):
        manifest.write([outside], tmp_path / "a" / "manifest.jsonl")
    assert (tmp_path / "a" / "manifest.jsonl").read_bytes() == before


def test_a_mask_of_another_size_is_no_sample(tmp_path: Path) -> None:
    manifest.fabricate(tmp_path)
    record = next(r for r in manifest.records(tmp_path) if isinstance(r, Record) and r.mask)
    assert record.mask is not None
    _fabric.save(_fabric.forged(0)[1].T, record.mask)
    with pytest.raises(WrongMask, match="quarter"):
        sample(record)


# ---------------------------------------------------------------- what single layouts promise


def test_split_by_host_in_casia(tmp_path: Path) -> None:
    from ifdl.data import casia1

    casia1.fabricate(tmp_path)
    rows = {r.image.stem: r for r in casia(tmp_path) if isinstance(r, Record)}
    splice, moved = rows["Sp_D_CND_A_ani0001_pla0002_0281"], rows["Sp_S_NNN_R_txt0003_txt0003_0047"]
    assert splice.kind == "splice" and splice.sources == ("ani0001", "pla0002")
    assert moved.kind == "copymove" and moved.source == rows["Au_txt_0003"].source
    misnamed = tmp_path / "Modified Tp" / "Tp" / "Sp" / "Sp_D_NND_A_nat0054_nat0054_0189.jpg"
    _fabric.save(_fabric.scene(7), misnamed)
    assert {r.image: r for r in casia(tmp_path) if isinstance(r, Record)}[misnamed].kind == "copymove"


@pytest.mark.parametrize("tampered", ["Tp", "Modified Tp", "ModifiedTp", "modified tp/tp"])
@pytest.mark.parametrize("above", ["", "CASIA 1.0 dataset"])
def test_casia_copies_that_nest_otherwise(tmp_path: Path, tampered: str, above: str) -> None:
    from ifdl.data import casia1

    casia1.fabricate(tmp_path / "made")
    root = tmp_path / "root"
    (root / above / tampered).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "made" / "Au").rename(root / above / "Authentic")
    (tmp_path / "made" / "Modified Tp" / "Tp").rename(root / above / tampered)
    (tmp_path / "made" / "CASIA 1.0 groundtruth").rename(root / "CASIA 1.0 groundtruth")
    rows = list(casia(root))
    assert len(rows) == 6 and sum(isinstance(r, Record) and r.mask is not None for r in rows) == 3


def test_coverage_numbers_are_not_confused(tmp_path: Path) -> None:
    from ifdl.data import coverage as module

    module.fabricate(tmp_path)
    rows = {r.image.name: r for r in coverage(tmp_path) if isinstance(r, Record)}
    assert {k: r.mask.name for k, r in rows.items() if r.mask} == {
        "1t.tif": "1forged.tif", "2t.tif": "2forged.tif", "10t.tif": "10forged.tif"}  # fmt: skip
    assert rows["10t.tif"].source == rows["10.tif"].source != rows["1.tif"].source


def test_columbia_reads_green_and_leaves_the_third_colour_alone(tmp_path: Path) -> None:
    columbia.fabricate(tmp_path)
    masks = tmp_path / "4cam_splc" / "edgemask"
    name = "canong3_nikond70_sub_01"
    (masks / f"{name}_edgemask_3.jpg").write_bytes((masks / f"{name}_edgemask.jpg").read_bytes())
    rows = [r for r in columbia.records(tmp_path) if isinstance(r, Record)]
    assert {r.mask.name for r in rows if r.mask} == {f"{r.image.stem}_edgemask.jpg" for r in rows if r.mask}
    (tmp_path / "nested" / "4cam_splc").mkdir(parents=True)
    (tmp_path / "4cam_splc").rename(tmp_path / "nested" / "4cam_splc" / "4cam_splc")
    assert len(list(columbia.records(tmp_path / "nested"))) == 3


def test_folder_refuses_what_is_unclear(tmp_path: Path) -> None:
    folder.fabricate(tmp_path)
    beach = tmp_path / "masks" / "beach.png"
    (tmp_path / "masks" / "beach_mask.png").write_bytes(beach.read_bytes())
    (tmp_path / "images" / "leak.jpg").symlink_to(tmp_path.parent / "elsewhere.jpg")
    _fabric.save(_fabric.scene(50), tmp_path.parent / "elsewhere.jpg")
    rows = list(folder.records(tmp_path))
    bad = {b.name: b.reason for b in rows if isinstance(b, Bad)}
    assert set(bad) == {"masks/beach.png", "masks/beach_mask.png", "images/leak.jpg"}
    assert "symbolic link" in bad["images/leak.jpg"]
    assert next(r for r in rows if isinstance(r, Record) and r.image.stem == "beach").mask is None


# ---------------------------------------------------------------- the split


def test_split_by_last_decimal_digit() -> None:
    splits = [manifest.split_of(f"{number:010x}") for number in range(20, 30)]
    assert splits == [manifest.Split.TRAIN] * 6 + [manifest.Split.CALIBRATE] * 2 + [manifest.Split.TEST] * 2


def test_shared_photographs_by_split() -> None:
    """`camera` and `camera_whole` together, as their README counts them."""
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (shared / "camera" / "manifest.jsonl").exists():
        pytest.skip("../shared/data/camera is not at hand")
    rows = [r for name in ("camera", "camera_whole") for r in manifest.records(shared / name)]
    assert all(isinstance(r, Record) for r in rows)
    sources = {r.source for r in rows if isinstance(r, Record)}
    assert Counter(manifest.split_of(s) for s in sources) == {"train": 96, "calibrate": 41, "test": 28}
