"""What the sweep cannot know of sets whose masks are not white on black: levels, tables, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ifdl import data
from ifdl.data import Bad, Record, _fabric, mask_of
from ifdl.data._record import Here


def listed(name: str, root: Path) -> tuple[dict[str, Record], dict[str, str]]:
    """A set's records by name and what it finds wrong by name; its own fake tree is made if none is there."""
    chosen = data.load(name)
    if not root.exists():
        chosen.fabricate(root)
    rows = list(chosen.records(root))
    return {r.shown: r for r in rows if isinstance(r, Record)}, {b.name: b.reason for b in rows if isinstance(b, Bad)}


def test_korus_counts_grey_as_edited_and_finds_the_folder_above(tmp_path: Path) -> None:
    root = tmp_path / "set"
    data.load("korus").fabricate(root / "data-images")
    records, bad = listed("korus", root)
    assert not bad
    edited = records["data-images/Sony_A57/tampered-realistic/DSC05887.TIF"]
    found = mask_of(edited, Here())
    assert found is not None and np.array_equal(found, _fabric.forged(2)[1]), "grey rows are part of it"
    assert edited.sources == records["data-images/Sony_A57/pristine/DSC05887.TIF"].sources


def test_dso1_and_nist16_take_black_for_edited(tmp_path: Path) -> None:
    for name in ("dso1", "nist16"):
        records, _ = listed(name, tmp_path / name)
        for record in records.values():
            found = mask_of(record, Here())
            assert (found is None) == (record.label == "authentic")
            assert found is None or 0 < found.mean() < 0.5


def test_nist16_reads_a_table_with_commas_and_masks_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / "set"
    before, _ = listed("nist16", root)
    place = root / "NC2016_Test0613"
    table = place / "reference/manipulation/NC2016-manipulation-ref.csv"
    table.write_text(table.read_text("utf-8").replace("|", ","), "utf-8")
    (place / "reference/splice/mask").mkdir(parents=True)
    moved = place / "reference/splice/mask/NC2016_3942.png"
    (place / "reference/manipulation/mask/NC2016_3942.png").rename(moved)
    records, bad = listed("nist16", root)
    assert not bad and records.keys() == before.keys()
    splice = records["NC2016_Test0613/probe/NC2016_0128.jpg"]
    assert splice.mask == moved and splice.kind == "splice" and splice.sources == ("NC2016_3272",)
    assert {r.kind for r in records.values()} == {None, "removal", "splice", "copymove"}


def test_nist16_tells_what_the_table_and_the_disk_do_not_share(tmp_path: Path) -> None:
    root = tmp_path / "set"
    listed("nist16", root)
    place = root / "NC2016_Test0613"
    (place / "probe/NC2016_0136.jpg").unlink()
    _fabric.save(_fabric.scene(9), place / "probe/NC2016_9999.jpg")
    with (place / "reference/manipulation/NC2016-manipulation-ref.csv").open("a", encoding="utf-8") as file:
        file.write("manipulation|NC2016_0820|probe/NC2016_0820.jpg||N||N|N|N\n")
    records, bad = listed("nist16", root)
    assert len(records) == 5
    assert "not on the disk" in bad["probe/NC2016_0136.jpg"]
    assert "not in the table" in bad["NC2016_Test0613/probe/NC2016_9999.jpg"]
    assert any("again" in reason for reason in bad.values())
