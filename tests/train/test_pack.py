"""Packs: files byte for byte, evenly over photographs, no test photograph, trainable from where they lie."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from ifdl.data import Record
from ifdl.data.manifest import Split, records
from ifdl.train import data, pack, recipe
from tests.train import photographs, plain


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> recipe.Recipe:
    home = tmp_path_factory.mktemp("home")
    places = [photographs(home / name, missing=(8, 9)) for name in ("near", "far")]
    (home / "encoder.safetensors").write_bytes(b"w" * 1000)
    raw = plain(places[0], home / "out", expert={"init": {"encoder": {"path": str(home / "encoder.safetensors")}}})
    raw["data"]["places"] = [str(place) for place in places]
    return recipe.parse(raw)


def test_a_pack_trains_from_where_it_lies(plan: recipe.Recipe, tmp_path: Path) -> None:
    told = pack.pack(plan, tmp_path / "pack", 5)
    moved = (tmp_path / "pack").rename(tmp_path / "moved")
    assert (told.files, told.left_out, told.photographs) == (20, 0, {"train": 8, "calibrate": 2})
    assert told.bytes == sum(file.stat().st_size for file in moved.rglob("*") if file.is_file()) < 5e6
    packed = recipe.load(moved / "recipe.yaml")
    assert packed.optim == plan.optim
    assert packed.expert.init["encoder"].checked().read_bytes() == b"w" * 1000
    for split in (Split.TRAIN, Split.CALIBRATE):
        before, after = (data.photographs(p.data.places, split) for p in (plan, packed))
        assert sorted((p.source, p.path.read_bytes()) for p in before) == sorted(
            (p.source, p.path.read_bytes()) for p in after
        )
    for record in records(moved):
        assert isinstance(record, Record)
        assert hashlib.sha256(record.image.read_bytes()).hexdigest() == record.sha256
        assert record.split in ("train", "calibrate") and record.extra["camera"].startswith("camera")
    assert "must not be published" in (moved / "TERMS.md").read_text()
    assert yaml.safe_load((moved / "recipe.yaml").read_text())["data"]["places"] == ["."]


def test_a_small_pack_takes_from_every_photograph(plan: recipe.Recipe, tmp_path: Path) -> None:
    one = max(p.path.stat().st_size for p in data.photographs(plan.data.places, Split.TRAIN))
    told = pack.pack(plan, tmp_path / "pack", (10 * (one + 512) + 1000) / 1e6)
    assert told.files < 14 and told.photographs == {"train": 8, "calibrate": 2} and told.left_out == 20 - told.files
    rows = [json.loads(line) for line in (tmp_path / "pack" / "manifest.jsonl").read_text().splitlines()]
    assert {row["image"].split("/")[1] for row in rows} == {"0_near", "1_far"}


def test_what_cannot_be_packed_is_said(plan: recipe.Recipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no photographs of both splits"):
        pack.pack(plan, tmp_path / "small", 0.004)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ValueError, match="not empty"):
        pack.pack(plan, tmp_path / "full", 5)
