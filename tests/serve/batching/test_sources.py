"""Every kind of source gives the same pictures; what is wrong with one is said in its row."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from ifdl.intake import Limits
from ifdl.serve.batching import sources
from tests.serve.batching import pictures


def read(*wanted: object, limits: Limits = Limits()) -> dict[str, bytes | str]:  # noqa: B008
    """What each address gave: bytes, or the kind of its error."""
    found: dict[str, bytes | str] = {}
    for piece in sources.pieces([str(w) for w in wanted]):
        for item in sources.items(piece, limits):
            found[item.uri] = item.error.kind if item.error else item.data
    return found


def names(found: dict[str, bytes | str]) -> list[str]:
    return [uri.rpartition("/")[2].rpartition("::")[2] for uri in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures.write(tmp_path / "set", 3)
    (tmp_path / "set" / "notes.md").write_text("no picture")
    return tmp_path / "set"


def packed(folder: Path, out: Path) -> Path:
    """A webdataset shard with masks, labels, a link and a nameless entry beside the pictures."""
    with tarfile.open(out, "w") as archive:
        for path in sorted(folder.glob("*.jpg")):
            archive.add(path, path.name)
            archive.add(path, f"{path.stem}.mask.jpg")
        note = tarfile.TarInfo("000.json")
        archive.addfile(note, io.BytesIO(b""))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out


def test_folder_glob_and_file(folder: Path) -> None:
    assert names(read(folder)) == ["000.jpg", "001.jpg", "002.jpg"]
    assert read(folder / "*.jpg") == read(folder)
    assert names(read(folder / "001.jpg", folder / "000.jpg")) == ["001.jpg", "000.jpg"]


def test_text_list_is_taken_beside_itself(folder: Path) -> None:
    (folder / "list.txt").write_text("000.jpg\n\nabsent.jpg\n" + str(folder / "002.jpg"))
    found = read(folder / "list.txt")
    assert names(found) == ["000.jpg", "absent.jpg", "002.jpg"]
    assert found[str(folder / "absent.jpg")] == "missing"


def test_manifest_may_not_lead_out_of_its_folder(folder: Path) -> None:
    lines = [json.dumps({"image": n}) for n in ("001.jpg", "../../etc/passwd", "/etc/passwd")]
    (folder / "manifest.jsonl").write_text("\n".join([*lines, "no json", "[1]"]))
    found = read(folder / "manifest.jsonl")
    assert next(iter(found)) == str(folder / "001.jpg") and isinstance(found[str(folder / "001.jpg")], bytes)
    assert list(found.values())[1:] == ["missing"] * 4
    assert "manifest.jsonl, line 2" in found


def test_benco_list(folder: Path) -> None:
    (folder / "list.json").write_text(json.dumps([["./000.jpg", "Negative"], ["./gone.jpg", "Negative"]]))
    assert [type(v) for v in read(folder / "list.json").values()] == [bytes, str]


def test_shard_gives_its_pictures_only(folder: Path, tmp_path: Path) -> None:
    shard = packed(folder, tmp_path / "a.tar")
    found = read(shard)
    assert list(found) == [f"{shard}::{n:03d}.jpg" for n in range(3)]
    assert list(found.values()) == list(read(folder).values())


def test_folder_of_shards_and_pictures(folder: Path) -> None:
    packed(folder, folder / "b.tar")
    assert len(read(folder)) == 6
    kinds = [piece[0].is_archive for piece in sources.pieces([str(folder)])]
    assert kinds.count(True) == 1, "an archive is a piece of its own"


def test_shard_that_breaks_off_keeps_what_it_gave(folder: Path, tmp_path: Path) -> None:
    shard = packed(folder, tmp_path / "a.tar")
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 4])
    found = read(shard)
    assert found[f"{shard}::000.jpg"] and found[str(shard)] == "corrupt"


def test_too_large_is_a_row(folder: Path, tmp_path: Path) -> None:
    small = Limits(file_bytes=100)
    assert set(read(folder, limits=small).values()) == {"file_too_large"}
    assert set(read(packed(folder, tmp_path / "a.tar"), limits=small).values()) == {"file_too_large"}


def test_pdf_is_no_single_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"%PDF-1.7\n")
    assert list(read(tmp_path / "a.jpg").values()) == ["unsupported_format"]


def test_object_store(folder: Path, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="the cloud extra is not installed")
    store = fsspec.filesystem("memory")
    store.pipe({f"/bucket/{p.name}": p.read_bytes() for p in folder.glob("*.jpg")})
    store.pipe("/bucket/all.txt", b"000.jpg\nmemory://bucket/gone.jpg\n")
    store.pipe("/bucket/x.tar", packed(folder, tmp_path / "x.tar").read_bytes())
    try:
        assert list(read("memory://bucket/*.jpg").values()) == list(read(folder).values())
        assert len(read("memory://bucket")) == 6, "three pictures, and three in the archive"
        assert [type(v) for v in read("memory://bucket/all.txt").values()] == [bytes, str]
        assert set(read("memory://bucket/000.jpg", limits=Limits(file_bytes=10)).values()) == {"file_too_large"}
    finally:
        store.rm("/bucket", recursive=True)
    assert list(read(f"file://{folder}/000.jpg").values()) == [(folder / "000.jpg").read_bytes()]
    assert len(read(f"file://{folder}")) == 3


@pytest.mark.parametrize("source", ["https://example.org/a.jpg", "absent/", "x.tar.gz", "ftp://a/b"])
def test_refused(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(ValueError, match=source[:6]):
        read(source)
