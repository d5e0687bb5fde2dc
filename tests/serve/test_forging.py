"""`ifdl forge` as a user types it: files, manifest, resume, refusals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.photographs import bundled
from tests.serve.test_cli import ifdl


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("photographs")
    for photograph in bundled():
        (place / photograph.name).write_bytes(photograph.data)
    return place


def rows(out: Path) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_writes_pairs_masks_records_and_goes_on_after_an_interruption(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "forged"
    done = ifdl("forge", photographs, out, "--count", "6", "--seed", "2", "--workers", "1")
    assert done.returncode == 0, done.stderr
    first = rows(out)
    assert [r["label"] for r in first] == ["edited", "authentic"] * 6
    for row in first:
        data = (out / row["image"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        if row["label"] == "edited":
            mask = np.asarray(Image.open(out / row["mask"]))
            assert set(np.unique(mask)) == {0, 255} and mask.shape[::-1] == Image.open(out / row["image"]).size
            assert row["record"]["steps"] and row["caption"]["areas"] and row["kind"]
    assert Image.open(out / "contact.png").width > 500
    # As if killed: a row cut short, a file gone.
    text = (out / "manifest.jsonl").read_text()
    (out / "manifest.jsonl").write_text(text[:-40])
    (out / first[2]["image"]).unlink()
    again = ifdl("forge", photographs, out, "--count", "6", "--seed", "2", "--workers", "2")
    assert "4 pairs are there already" in again.stderr
    assert rows(out) == first
    assert (out / first[2]["image"]).exists()


def test_refuses_to_mix_two_orders_and_says_what_is_wrong(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "forged"
    assert ifdl("forge", photographs, out, "--count", "1", "--workers", "1").returncode == 0
    mixed = ifdl("forge", photographs, out, "--count", "1", "--seed", "9", "--workers", "1")
    assert mixed.returncode == 2 and "another recipe, seed or sources" in mixed.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no authentic pictures" in ifdl("forge", empty, tmp_path / "o").stderr
    assert "recipe" in ifdl("forge", photographs, tmp_path / "o", "--recipe", "soup").stderr
    assert "--split" in ifdl("forge", photographs, tmp_path / "o", "--split", "holiday").stderr
