"""Every planted defect is found, named, and found only where it was planted."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifdl.data import Bad, Record, _fabric, manifest
from ifdl.data.check import Problem, Report, check, dhash

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def good(tmp_path: Path) -> list[Record]:
    manifest.fabricate(tmp_path)
    return [r for r in manifest.records(tmp_path) if isinstance(r, Record)]


def problems(report: Report) -> list[Problem]:
    """All but the likeness of each fake forgery to its own host, which is true of every set of pairs."""
    return [p for p in report.problems if p.kind != "near_duplicate"]


def edited(records: list[Record]) -> Record:
    return next(r for r in records if r.label == "edited")


def mask(record: Record, values: np.ndarray) -> None:
    assert record.mask is not None
    _fabric.save(values, record.mask)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:900])


DEFECTS: dict[str, Callable[[Record], object]] = {
    "missing_mask": lambda r: r.mask and r.mask.unlink(),
    "unreadable_mask": lambda r: r.mask and r.mask.write_bytes(b"GIF89a nonsense"),
    "mask_size": lambda r: mask(r, np.ones((40, 50), bool)),
    "empty_mask": lambda r: mask(r, np.zeros(_fabric.SIZE, bool)),
    "full_mask": lambda r: mask(r, np.ones(_fabric.SIZE, bool)),
    "inverted_mask": lambda r: mask(r, ~_fabric.forged(0)[1]),
    "unreadable": lambda r: cut(r.image),
    "changed": lambda r: r.image.write_bytes(r.image.read_bytes() + b"\0"),
}


def test_nothing_is_wrong_with_the_fake_set(good: list[Record]) -> None:
    report = check(good, workers=2)
    assert report == check(good, isolated=False), "the same in children of their own"
    assert not problems(report)
    assert len(report.of("near_duplicate")) == 3 and not report.warnings
    assert report.mask_share is not None and 0 < report.mask_share[0] < 0.5


@pytest.mark.parametrize("kind", DEFECTS)
def test_planted_defect_is_the_one_reported(good: list[Record], kind: str) -> None:
    DEFECTS[kind](edited(good))
    report = check(good, isolated=False)
    assert [(p.kind, p.names) for p in problems(report)] == [(kind, (edited(good).shown,))]
    assert report.pictures == 6, "counted all the same"
    assert bool(report.errors) != (kind == "inverted_mask"), "an unusually large edit is not yet an error"


def test_masks_with_zeros_and_ones_read_as_empty_and_are_reported(good: list[Record]) -> None:
    mask(edited(good), _fabric.forged(0)[1].astype(np.uint8))
    (problem,) = problems(check(good, isolated=False))
    assert problem.kind == "empty_mask" and "128" in problem.reason


def test_turned_mask_is_told_apart(good: list[Record]) -> None:
    mask(edited(good), _fabric.forged(0)[1].T)
    (problem,) = check(good, isolated=False).of("mask_size")
    assert "orientation" in problem.reason


def test_mask_on_an_authentic_picture(good: list[Record]) -> None:
    wrong = [replace(r, label="authentic") if r == edited(good) else r for r in good]
    assert [p.kind for p in check(wrong, isolated=False).problems if p.severity == "error"] == ["mask_of_authentic"]


def test_bad_records_are_counted_and_named(good: list[Record]) -> None:
    report = check([*good, Bad("line 7", "is not JSON")], isolated=False)
    assert report.errors == 1 and report.of("bad_record")[0].names == ("line 7",)


def test_same_bytes_and_shared_sources(good: list[Record]) -> None:
    plain = next(r for r in good if r.label == "authentic")

    def copy(**changes: object) -> Report:
        return check([*good, replace(plain, name="copy.jpg", **changes)], isolated=False)  # type: ignore[arg-type]

    assert {p.kind for p in problems(copy())} == {"same_bytes"} and not copy().errors
    assert "same_bytes_two_labels" in {p.kind for p in copy(label="edited").problems}
    kinds = {p.kind for p in problems(copy(split="test"))}
    assert kinds == {"same_bytes_two_splits", "source_two_splits", "near_two_splits"}
    kinds = {p.kind for p in problems(copy(split="test", sources=("other",)))}
    assert kinds == {"same_bytes_two_splits", "near_two_splits"}, "its forgery stays behind"


def test_near_duplicates_survive_a_resave_and_strangers_do_not_match(good: list[Record], tmp_path: Path) -> None:
    plain = next(r for r in good if r.label == "authentic")
    small = Image.open(plain.image).resize((96, 72))
    small.save(tmp_path / "small.jpg", quality=60)
    twin = Record(tmp_path / "small.jpg", "edited", None, sources=plain.sources)
    plains = [r for r in good if r.label == "authentic"]
    (known,) = check([*plains, twin], isolated=False).of("near_duplicate")
    assert known.severity == "note" and known.names == ("small.jpg", plain.shown)
    (unknown,) = check([*plains, replace(twin, sources=())], isolated=False).of("near_duplicate")
    assert unknown.severity == "warning"
    (split,) = check([*plains, replace(twin, sources=(), split="test")], isolated=False).of("near_two_splits")
    assert set(split.names) == {"small.jpg", plain.shown}


def test_hash_of_pictures() -> None:
    a, b = _fabric.scene(1, (200, 300)), _fabric.scene(2, (200, 300))
    one, other = dhash(a), dhash(b)
    assert one is not None and other is not None
    assert (one ^ other).bit_count() > 8
    brighter = dhash(np.clip(a.astype(int) + 15, 0, 255).astype(np.uint8))
    assert brighter is not None and (one ^ brighter).bit_count() <= 4
    assert dhash(np.full((50, 50, 3), 90, np.uint8)) is None
    rising = np.repeat(np.arange(0, 252, 4, dtype=np.uint8)[None, :, None], 40, 0).repeat(3, 2)
    assert dhash(rising) == 2**64 - 1 and dhash(rising[:, ::-1]) == 0


def test_headers_only_sees_no_pixels_but_the_rest(good: list[Record]) -> None:
    mask(edited(good), np.zeros(_fabric.SIZE, bool))
    assert not check(good, pixels=False).problems
    edited(good).mask.unlink()  # type: ignore[union-attr]
    assert [p.kind for p in check(good, pixels=False).problems] == ["missing_mask"]


def test_progress_counts_to_the_end(good: list[Record]) -> None:
    told: list[tuple[int, int]] = []
    check(good, isolated=False, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 6) for n in range(1, 7)]


def test_a_set_of_its_own_size_of_nothing() -> None:
    report = check([])
    assert report.pictures == 0 and report.shortcuts == {} and report.mask_share is None


def test_report_goes_to_json(good: list[Record]) -> None:
    import dataclasses

    cut(edited(good).image)
    text = json.dumps(dataclasses.asdict(check(good, isolated=False)))
    assert json.loads(text)["problems"][0]["kind"] == "unreadable"


def test_shortcut_is_planted_and_reported(tmp_path: Path) -> None:
    records = []
    for n in range(40):
        label = "edited" if n % 2 else "authentic"
        path = tmp_path / f"{n}.jpg"
        _fabric.save(_fabric.scene(n), path, quality=70 if n % 2 else 92)
        records.append(Record(path, label, sources=(str(n),)))
    report = check(records, pixels=False)
    assert report.shortcuts["quality"] == 1 and report.shortcuts["tables"] == 1
    assert report.shortcuts["width"] == 0.5
    assert any("quality alone" in p.reason for p in report.of("shortcut"))


# ---------------------------------------------------------------- the shared sets


def shared(name: str) -> Path:
    place = SHARED / name
    if not (place / "manifest.jsonl").exists():
        pytest.skip(f"../shared/data/{name} is not at hand")
    return place


def test_exposes_the_tables_of_casia1() -> None:
    """Each table set of CASIA v1 belongs to one class: the audit must say so, from headers, in seconds."""
    place = shared("casia1_dev")
    began = time.perf_counter()
    report = check(manifest.records(place), pixels=False)
    assert report.pictures == 499 and not report.errors
    assert report.shortcuts["tables"] > 0.95
    assert report.of("shortcut")[0].severity == "warning"
    if "CI" not in os.environ:
        assert time.perf_counter() - began < 10


def test_lalonde_saved_both_classes_alike() -> None:
    report = check(manifest.records(shared("lalonde_dev")), pixels=False)
    for feature in ("tables", "quality", "size", "format", "subsampling", "markers", "metadata"):
        assert report.shortcuts[feature] == pytest.approx(0.5, abs=0.03), feature


def test_one_class_is_not_audited() -> None:
    rows = [r for r in manifest.records(shared("camera")) if isinstance(r, Record)][:12]
    report = check(rows, pixels=False)
    assert report.labels == {"authentic": 12} and report.shortcuts == {}
    assert hashlib.sha256(rows[0].image.read_bytes()).hexdigest() == rows[0].sha256
