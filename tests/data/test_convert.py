"""Conversion keeps every byte of the pictures, and names what it passes over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ifdl import intake
from ifdl.data import Bad, Record, _fabric, columbia, folder, manifest, mask_of
from ifdl.data.convert import to_imdlbenco, to_manifest


def rows(root: Path) -> list[Record]:
    return [r for r in manifest.records(root) if isinstance(r, Record)]


def test_same_names_from_different_folders_are_kept_apart(tmp_path: Path) -> None:
    for n, place in enumerate(("a", "b/c", "B")):
        _fabric.save(_fabric.scene(n), tmp_path / "in" / "authentic" / place / "X.JPG".replace("X", "x" if n else "X"))
    records = list(folder.records(tmp_path / "in"))
    done = to_manifest(records, tmp_path / "out")
    made = rows(tmp_path / "out")
    assert done.written == len(made) == 3
    assert len({r.name.lower() for r in made}) == 3, "also where upper and lower case are one"
    assert {r.image.read_bytes() for r in made} == {r.image.read_bytes() for r in records if isinstance(r, Record)}


def test_what_cannot_be_used_is_named_and_the_rest_written(tmp_path: Path) -> None:
    folder.fabricate(tmp_path / "in")
    (tmp_path / "in" / "masks" / "beach.png").write_bytes(b"nonsense")
    _fabric.save(np.ones((5, 5), bool), tmp_path / "in" / "masks" / "harbour_gt.png")
    told: list[tuple[int, int]] = []
    listed = [*folder.records(tmp_path / "in"), Bad("stray", "why")]
    done = to_manifest(listed, tmp_path / "out", lambda n, total: told.append((n, total)))
    assert done.written == 4 and {b.name for b in done.bad} == {"images/beach.jpg", "images/harbour.jpg", "stray"}
    assert told[-1] == (7, 7)
    assert len(rows(tmp_path / "out")) == 4


def test_a_changed_file_is_not_passed_on(tmp_path: Path) -> None:
    manifest.fabricate(tmp_path / "in")
    victim = rows(tmp_path / "in")[0]
    victim.image.write_bytes(victim.image.read_bytes() + b"\0")
    done = to_manifest(rows(tmp_path / "in"), tmp_path / "out")
    assert [b.name for b in done.bad] == [victim.name] and "sha256" in done.bad[0].reason


def test_never_writes_over_a_manifest(tmp_path: Path) -> None:
    manifest.fabricate(tmp_path)
    before = (tmp_path / "manifest.jsonl").read_bytes()
    with pytest.raises(FileExistsError):
        to_manifest([], tmp_path)
    assert (tmp_path / "manifest.jsonl").read_bytes() == before


def test_two_coloured_masks_become_white(tmp_path: Path) -> None:
    columbia.fabricate(tmp_path / "in")
    to_manifest(columbia.records(tmp_path / "in"), tmp_path / "out")
    for record in rows(tmp_path / "out"):
        if record.mask:
            levels = set(np.unique(intake.decode(record.mask.read_bytes()).pixels))
            assert levels == {0, 255} and record.mask.suffix == ".png"


def test_imdlbenco_list_reads_back(tmp_path: Path) -> None:
    manifest.fabricate(tmp_path / "in")
    before = rows(tmp_path / "in")
    done = to_imdlbenco(before, tmp_path / "lists" / "train.json")
    assert done.written == 6 and not done.bad
    listed = json.loads(done.path.read_text())
    assert sum(mask == "Negative" for _, mask in listed) == 3
    after = {r.image: r for r in manifest.records(done.path) if isinstance(r, Record)}
    assert len(after) == 6
    for record in before:
        again = after[record.image.resolve()]
        assert again.label == record.label
        assert (again.mask is None) == (record.mask is None)
        if record.mask:
            assert np.array_equal(mask_of(record), mask_of(replace(again, sha256=record.sha256)))


def test_imdlbenco_is_never_told_that_an_edit_is_authentic(tmp_path: Path) -> None:
    manifest.fabricate(tmp_path / "in")
    before = rows(tmp_path / "in")
    unmasked = [replace(r, mask=None) for r in before]
    synthetic = replace(before[0], label="synthetic", name="made up")
    done = to_imdlbenco([*unmasked, synthetic], tmp_path / "list.json")
    assert done.written == 3 and len(done.bad) == 4
    columbia.fabricate(tmp_path / "columbia")
    done = to_imdlbenco(columbia.records(tmp_path / "columbia"), tmp_path / "other.json")
    assert done.written == 3 and all("two-coloured" in b.reason for b in done.bad)
