"""What the general sweep cannot know of faces, documents, TRACE, shards and the hub: splits, odd names, Bad cases."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ifdl.data import Bad, Record, _fabric, _rows, dffd, doctamper, faceforensics, hub, shards, trace


def told(rows: Iterator[Record | Bad]) -> tuple[list[Record], list[Bad]]:
    found = list(rows)
    return [r for r in found if isinstance(r, Record)], [r for r in found if isinstance(r, Bad)]


def test_frames_have_the_split_of_their_video_and_both_its_sources(tmp_path: Path) -> None:
    faceforensics.fabricate(tmp_path)
    records, _ = told(faceforensics.records(tmp_path))
    assert {(r.extra["video"], r.split) for r in records if r.label == "edited"} == {
        ("071_054", "train"), ("720_672", "val"), ("953_974", "test")}  # fmt: skip
    assert {r.sources for r in records if r.split == "val"} == {("720", "672"), ("720",)}
    assert {r.kind for r in records} == {None, "Deepfakes"}


def test_actors_are_named_with_their_scene_and_videos_alone_are_said(tmp_path: Path) -> None:
    actors = tmp_path / "manipulated_sequences" / "DeepFakeDetection"
    video = "27_13__walking_and_outside_surprised__A1OSUJE9"
    _fabric.save(_fabric.scene(0), actors / "c23" / "images" / video / "0000.png")
    _fabric.save(_fabric.forged(0)[1], actors / "masks" / "images" / "01_02__exit_phone_room__YVGY8LOK" / "0000.png")
    (tmp_path / "original_sequences" / "actors" / "c40" / "videos").mkdir(parents=True)
    (record,), bad = told(faceforensics.records(tmp_path))
    scene = "walking_and_outside_surprised"
    assert record.sources == (f"27__{scene}", f"13__{scene}") and record.mask is None and record.split is None
    assert len(bad) == 2 and any("extract" in b.reason for b in bad) and any("without frames" in b.reason for b in bad)


def test_dffd_says_what_was_altered_and_what_was_made(tmp_path: Path) -> None:
    dffd.fabricate(tmp_path)
    records, _ = told(dffd.records(tmp_path))
    assert {(r.label, r.kind) for r in records} == {
        ("authentic", None), ("edited", "faceapp"),
        ("synthetic", "pggan_v1"), ("synthetic", "stylegan_ffhq")}  # fmt: skip
    assert "F_FAP0_01256" in {r.source for r in records}


def test_a_database_that_was_not_written_out_is_said(tmp_path: Path) -> None:
    doctamper.fabricate(tmp_path)
    for part in ("FCD", "SCD"):
        (tmp_path / f"DocTamperV1-{part}_new").rename(tmp_path / f"DocTamperV1-{part}")
    (tmp_path / "DocTamperV1-SCD" / "images").rename(tmp_path / "DocTamperV1-SCD" / "data.mdb")
    records, bad = told(doctamper.records(tmp_path))
    assert {r.split for r in records} == {"train", "test", "fcd"}
    assert [b.name for b in bad] == ["DocTamperV1-SCD"] and "cvtlmdb.py" in bad[0].reason


def test_trace_knows_its_own_names(tmp_path: Path) -> None:
    trace.fabricate(tmp_path)
    folder = tmp_path / "images" / "r14289905t"
    (folder / "original.NEF").write_bytes(b"raw")
    for name in ("segmentation.png", "noise_two.png"):
        _fabric.save(_fabric.scene(3), folder / name)
    _fabric.save(_fabric.forged(0)[1], folder / "mask_endo.png")
    records, bad = told(trace.records(tmp_path))
    assert {b.name.rpartition("/")[2] for b in bad} == {"noise_two.png", "mask_endo.png"} and len(records) == 6
    assert {r.kind for r in records} == {None, "jpeg_grid_exo", "noise_exo", "cfa_alg_endo"}
    assert {r.source for r in records} == {"r14289905t", "r18791531t", "r18990432t"}


def png(seed: int) -> bytes:
    return _rows.encoded(_fabric.scene(seed), "PNG")


def archive(path: Path, members: list[tuple[str, bytes | None]]) -> None:
    with tarfile.open(path, "w") as file:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                entry.size = len(content)
            file.addfile(entry, io.BytesIO(content or b""))


def test_names_never_leave_the_archive(tmp_path: Path) -> None:
    mask = _rows.encoded(_fabric.forged(1)[1], "PNG")
    home = tmp_path / "home"
    home.mkdir()
    archive(home / "a.tar", [("../../evil.png", png(1)), ("../../evil.mask.png", mask), ("/abs/x.png", png(2)),
                             ("/abs/x.json", b'{"label": 1, "split": "test"}'), ("link.png", None)])  # fmt: skip
    records, bad = told(shards.records(home))
    assert not bad and [r.label for r in records] == ["edited", "synthetic"] and records[1].split == "test"
    assert [r.extra["key"] for r in records] == ["../../evil", "/abs/x"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home"]
    assert all(r.image.resolve().is_relative_to(home / "unpacked" / "a") for r in records)
    assert [r.shown for r in told(shards.records(home / "a.tar"))[0]] == [r.shown for r in records]


def test_shards_say_what_they_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "broken.tar").write_bytes(b"no tar at all" * 100)
    archive(tmp_path / "odd.tar", [("1.png", png(1)), ("2.json", b'{"label": "edited"}'), ("3.png", png(3)),
                                   ("3.json", b"{"), ("4.png", png(4)), ("4.cls", b"0")])  # fmt: skip
    records, bad = told(shards.records(tmp_path))
    assert [r.label for r in records] == ["authentic"]
    reasons = " ".join(b.reason for b in bad)
    assert len(bad) == 4 and "tar" in reasons and "picture is missing" in reasons and "unreadable JSON" in reasons


class Stream(list[dict[str, Any]]):
    """What a streamed set offers."""

    def cast_column(self, name: str, kind: object) -> Stream:
        assert kind == "undecoded" and name in self[0]
        return self


def spec(**said: object) -> dict[str, object]:
    return {"dataset": "owner/name", "columns": {"image": "img", "mask": "truth", "label": "y"},
            "labels": {"0": "authentic", "1": "edited"}, "take": 2, **said}  # fmt: skip


def test_a_hub_set_is_streamed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    truth = {"bytes": _rows.encoded(_fabric.forged(1)[1], "PNG"), "path": None}
    (tmp_path / "far.png").write_bytes(png(0))
    cells = [{"img": {"bytes": None, "path": str(tmp_path / "far.png")}, "truth": None, "y": 0},
             {"img": {"bytes": png(1), "path": None}, "truth": truth, "y": 1},
             {"img": {"bytes": png(2), "path": None}, "truth": None, "y": 7}]  # fmt: skip

    def load_dataset(*names: object, **options: object) -> Stream:
        calls.append((names, options))
        return Stream(cells)

    stand_in = types.SimpleNamespace(load_dataset=load_dataset, Image=lambda decode: decode or "undecoded")
    monkeypatch.setitem(sys.modules, "datasets", stand_in)
    (tmp_path / "hub.json").write_text(json.dumps(spec(revision="abc")))
    for _ in range(2):
        records, bad = told(hub.records(tmp_path))
        assert [(r.label, r.mask is not None) for r in records] == [("authentic", False), ("edited", True)] and not bad
    options = {"split": "train", "revision": "abc", "streaming": True}
    assert calls == [(("owner/name", None), options)], "kept, not streamed again"
    (tmp_path / "hub.json").write_text(json.dumps(spec(take=3)))
    records, bad = told(hub.records(tmp_path))
    assert len(records) == 2 and "7" in bad[0].reason and len(calls) == 2
    (tmp_path / "hub.json").write_text(json.dumps(spec(columns={"image": "img", "label": "z"})))
    with pytest.raises(ValueError, match="no column z; it has img, truth, y"):
        list(hub.records(tmp_path))


def test_hub_without_its_extra_and_without_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    (tmp_path / "hub.json").write_text(json.dumps(spec()))
    with pytest.raises(ImportError, match=r"ifdl\[hub\]"):
        list(hub.records(tmp_path))
    for wrong in (spec(colums={}), spec(labels={"0": "real"}), spec(label="edited"), spec(columns={"mask": "m"})):
        (tmp_path / "hub.json").write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match=r"hub\.json"):
            list(hub.records(tmp_path))
