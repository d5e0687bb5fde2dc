"""What the general sweep cannot know of the readers for localisation sets: odd names, splits, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ifdl import data
from ifdl.data import Bad, Record, _fabric


def listed(name: str, root: Path) -> tuple[dict[str, Record], dict[str, str]]:
    """A set's records by name and what it finds wrong by name; its own fake tree is made if none is there."""
    chosen = data.load(name)
    if not root.exists():
        chosen.fabricate(root)
    rows = list(chosen.records(root))
    return {r.shown: r for r in rows if isinstance(r, Record)}, {b.name: b.reason for b in rows if isinstance(b, Bad)}


def test_casia2_takes_either_folder_of_masks_and_the_odd_name(tmp_path: Path) -> None:
    root = tmp_path / "set"
    listed("casia2", root)
    (root / "Gt").rename(root / "CASIA 2 Groundtruth")
    (root / "CASIA 2.0").mkdir()
    for folder in ("Au", "Tp"):
        (root / folder).rename(root / "CASIA 2.0" / folder)
    odd = "Tp_D_NRD_S_N_cha10002_cha10001_20094"
    _fabric.save(_fabric.scene(7), root / "CASIA 2.0" / "Tp" / f"{odd}.jpg")
    _fabric.save(_fabric.forged(7)[1], root / "CASIA 2 Groundtruth" / f"{odd}_gt3.png")
    _fabric.save(_fabric.scene(8), root / "CASIA 2.0" / "Tp" / "Tp_D_NRD_M_B_arc20062_xxx00000_02482.tif")
    records, bad = listed("casia2", root)
    assert not bad and len(records) == 8
    assert records[f"CASIA 2.0/Tp/{odd}.jpg"].mask == root / "CASIA 2 Groundtruth" / f"{odd}_gt3.png"
    unknown = records["CASIA 2.0/Tp/Tp_D_NRD_M_B_arc20062_xxx00000_02482.tif"]
    assert unknown.sources == ("arc20062",) and unknown.mask is None and unknown.kind == "splice"
    assert records["CASIA 2.0/Tp/Tp_S_NNN_S_N_txt00003_txt00003_00665.tif"].kind == "copymove"


def test_imd2020_splits_by_folder_and_names_a_folder_without_original(tmp_path: Path) -> None:
    root = tmp_path / "set"
    listed("imd2020", root)
    _fabric.save(_fabric.scene(9), root / "0jpg" / "c97rkx9_0.jpg")
    _fabric.save(_fabric.forged(9)[1], root / "z41" / "00110_fake_mask.png")
    records, bad = listed("imd2020", root)
    assert set(bad) == {"0jpg", "z41/00110_fake_mask.png"} and len(records) == 6
    assert records["z41/00109_fake.jpg"].sources == records["z41/00109_orig.jpg"].sources == ("z41",)


def test_cocoglide_matches_by_id_and_tells_a_second_mask(tmp_path: Path) -> None:
    root = tmp_path / "set"
    listed("cocoglide", root)
    _fabric.save(_fabric.forged(5)[1], root / "mask" / "zebra_114871_mask.png")
    records, bad = listed("cocoglide", root)
    assert "dining table_114871_mask" in bad["mask/zebra_114871_mask.png"]
    fake = records["fake/glide_inpainting_val2017_114871_up.png"]
    assert fake.mask == root / "mask" / "dining table_114871_mask.png"
    assert fake.sources == records["real/dining table_114871.png"].sources


def test_autosplice_edits_of_one_picture_share_a_mask(tmp_path: Path) -> None:
    root = tmp_path / "set"
    listed("autosplice", root)
    _fabric.save(_fabric.forged(0)[0], root / "Forged_JPEG75" / "39406_1.jpg", quality=75)
    records, bad = listed("autosplice", root)
    one, other = records["Forged_JPEG100/39406_0.jpg"], records["Forged_JPEG75/39406_1.jpg"]
    assert not bad and one.mask == other.mask == root / "Mask" / "39406_mask.png"
    assert one.sources == records["Authentic/39406.jpg"].sources
    assert (one.extra["quality"], other.extra["quality"]) == (100, 75)


def test_tampcoco_reads_published_splits_and_shares_masks_between_parts(tmp_path: Path) -> None:
    root = tmp_path / "set"
    listed("tampcoco", root)
    compressed = "98_000000418435_aligned_Q76.jpg_000000418435_aligned_Q76.jpg_aligned_Q76.jpg"
    _fabric.save(_fabric.forged(5)[0], root / "bcm_images" / "98_000000418435.jpg_000000418435.jpg.jpg")
    (root / "bcmc_COCO_valid_list.txt").write_text(f"bcmc_images/{compressed},bcm_masks/98_000000418435.png\n", "utf-8")
    records, bad = listed("tampcoco", root)
    assert not bad and len(records) == 7
    two = records[f"bcmc_images/{compressed}"], records["bcm_images/98_000000418435.jpg_000000418435.jpg.jpg"]
    assert two[0].mask == two[1].mask == root / "bcm_masks" / "98_000000418435.png_000000418435.png.png"
    assert (two[0].split, two[1].split) == ("valid", None)
    assert two[0].sources == two[1].sources == ("000000418435",)
    assert {r.label for r in records.values()} == {"edited"}


def test_fantastic_reality_says_that_arrays_are_no_pictures(tmp_path: Path) -> None:
    root = tmp_path / "set"
    listed("fantastic_reality", root)
    truths = root / "dataset" / "SegmentationFakePng"
    for path in truths.iterdir():
        path.unlink()
    truths.rmdir()
    arrays = root / "dataset" / "SegmentationFake"
    arrays.mkdir()
    np.savez(arrays / "IMG_0015571_IMG_0005567.npz", np.ones((1, 4, 4), np.uint8))
    records, bad = listed("fantastic_reality", root)
    assert set(bad) == {"dataset/SegmentationFake"} and "PNG" in bad["dataset/SegmentationFake"]
    assert len(records) == 6 and not any(r.mask for r in records.values())


def test_defacto_parts_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    root = tmp_path / "set"
    listed("defacto", root)
    (root / "defacto-copymove").mkdir()
    for folder in ("copymove_img", "copymove_annotations"):
        (root / folder).rename(root / "defacto-copymove" / folder)
    records, bad = listed("defacto", root)
    assert not bad and len(records) == 6 and all(r.mask for r in records.values())
    assert records["defacto-copymove/copymove_img/img/0_000000000071.tif"].kind == "copymove"
    assert {r.kind for r in records.values()} == {"splice", "copymove", "removal"}
