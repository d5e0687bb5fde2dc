"""Experts from folders and from the hub's cache; the network is never asked."""

from __future__ import annotations

import hashlib
import json
import socket
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ifdl
from ifdl.experts import Expert
from ifdl.experts.ifdl_small import IfdlSmall

COMMIT = "a" * 40
SHIPPED = Path(str(files("ifdl"))) / "weights"
NAMES = ("ifdl_small.onnx", "ifdl_small.safetensors")


def folder(place: Path, **more: object) -> Path:
    """The shipped expert as `ifdl train export` writes one."""
    place.mkdir(parents=True, exist_ok=True)
    about = {}
    for name in NAMES:
        data = (SHIPPED / name).read_bytes()
        (place / name).write_bytes(data)
        about[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    told = {"expert": "ifdl_small", "files": about, **more}
    (place / "ifdl_small.json").write_text(json.dumps(told), encoding="utf-8")
    return place


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


def test_a_folder_is_the_expert_it_was_exported_from(tmp_path: Path) -> None:
    picture = tmp_path / "grey.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 96, 3), np.uint8)).save(picture)
    expert = Expert.from_pretrained(folder(tmp_path / "out"))
    shipped = ifdl.load("ifdl_small")
    assert isinstance(expert, IfdlSmall) and expert.weights_sha256 == shipped.weights_sha256
    assert np.array_equal(expert.predict(picture).heat.values, shipped.predict(picture).heat.values)
    chosen = IfdlSmall.from_pretrained(folder(tmp_path / "own", gate=0.25, threshold=0.75))
    assert (chosen.GATE, chosen.THRESHOLD) == (0.25, 0.75) != (IfdlSmall.GATE, IfdlSmall.THRESHOLD)


def test_the_hub_by_a_pinned_commit_from_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants", reason="the hub extra is not installed")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = folder(tmp_path / "models--ada--small" / "snapshots" / COMMIT)
    expert = ifdl.Expert.from_pretrained("ada/small", revision=COMMIT)
    assert expert.weights_sha256 == ifdl.load("ifdl_small").weights_sha256
    for revision in (None, "main"):
        with pytest.raises(ValueError, match="pin its commit"):
            Expert.from_pretrained("ada/small", revision)
    # Half a snapshot is fetched whole: here the hub answers that it is asked.
    import huggingface_hub

    (snapshot / NAMES[1]).unlink()
    real, asked = huggingface_hub.snapshot_download, []

    def answered(repository: str, local_files_only: bool = False, **given: object) -> str:
        if local_files_only:
            return str(real(repository, local_files_only=True, **given))  # type: ignore[arg-type]
        asked.append((repository, given["revision"]))
        return str(folder(snapshot))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", answered)
    assert Expert.from_pretrained("ada/small", revision=COMMIT) and asked == [("ada/small", COMMIT)]


def test_what_is_no_expert_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        Expert.from_pretrained(tmp_path / "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="holds no JSON file that names an expert"):
        Expert.from_pretrained(empty)
    whole = folder(tmp_path / "whole")
    with (whole / NAMES[1]).open("ab") as file:
        file.write(b"more")
    with pytest.raises(ValueError, match="is not the file that its folder lists"):
        Expert.from_pretrained(whole)
    (whole / NAMES[1]).unlink()
    with pytest.raises(FileNotFoundError, match="is listed and not there"):
        Expert.from_pretrained(whole)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"expert": "nobody", "files": {}}, "names no expert at hand"),
        ({"expert": "ifdl_small"}, 'lists no "files"'),
        ({"expert": "ifdl_small", "files": {"../x.onnx": {"sha256": ""}}}, "outside itself"),
        ({"expert": "ifdl_small", "files": {"config.json": {"sha256": "0"}}}, "not the file"),
    ],
)
def test_a_wrong_configuration_is_said(tmp_path: Path, config: dict[str, object], reason: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match=reason):
        Expert.from_pretrained(tmp_path)


def test_another_expert_than_asked_for_and_wrong_thresholds_are_refused(tmp_path: Path) -> None:
    from ifdl.experts.ifdl_vlm import IFDLVLMExpert

    with pytest.raises(ValueError, match="holds the expert ifdl_small, not a IFDLVLMExpert"):
        IFDLVLMExpert.from_pretrained(folder(tmp_path / "one"))
    with pytest.raises(ValueError, match="gate is 7; it is a number from 0 to 1"):
        Expert.from_pretrained(folder(tmp_path / "two", gate=7))
