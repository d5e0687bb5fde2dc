"""Pairs: reproducible whatever the workers, siblings alike in everything but the edit, captions from records."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl import intake
from ifdl.data.manifest import Split, split_of
from ifdl.forge import contact, material, produce, recipe
from tests.photographs import CAMERA, bundled


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("photographs")
    for photograph in bundled():
        (place / photograph.name).write_bytes(photograph.data)
    return place


@pytest.fixture(scope="module")
def made(folder: Path) -> list[produce.Pair]:
    return list(produce.pairs(material.find(folder), recipe.load(), 3, range(10)))


def test_workers_do_not_change_a_byte(folder: Path, made: list[produce.Pair]) -> None:
    again = list(produce.pairs(material.find(folder), recipe.load(), 3, [7, 2, 4], workers=2))
    for pair, index in zip(again, [7, 2, 4], strict=True):
        assert pair.index == index
        assert (pair.edited, pair.sibling) == (made[index].edited, made[index].sibling)
        assert np.array_equal(pair.mask, made[index].mask) and pair.caption == made[index].caption


def test_siblings_differ_in_the_edit_alone(made: list[produce.Pair]) -> None:
    for pair in made:
        edited, sibling = intake.decode(pair.edited), intake.decode(pair.sibling)
        assert edited.pixels.shape == sibling.pixels.shape == (*pair.mask.shape, 3)
        for fact in ("format", "mode", "bit_depth"):
            assert getattr(edited.item, fact) == getattr(sibling.item, fact)
        for fact in ("quantisation", "subsampling", "progressive", "markers"):
            assert getattr(edited.item.container, fact) == getattr(sibling.item.container, fact), fact
        difference = np.abs(edited.pixels.astype(int) - sibling.pixels.astype(int)).mean(axis=2)
        assert difference[pair.mask].mean() > 2 * difference[~pair.mask].mean(), pair.engine


def test_fixed_size(folder: Path) -> None:

    fixed = dataclasses.replace(recipe.load(), size=(128, 160))
    for pair in produce.pairs(material.find(folder), fixed, 5, range(6)):
        assert pair.mask.shape == (128, 160)
        assert Image.open(io.BytesIO(pair.edited)).size == (160, 128)


def test_scenes_can_be_whole_and_scanned(folder: Path) -> None:
    """A scene reduced from a larger part shows more of the photograph; a scanned one says so."""
    plain = dataclasses.replace(recipe.load(), size=(64, 64), camera=0.0, scan=0.0, whole=0.0)
    photograph = material.Sources(material.find(folder)).load(material.find(folder)[0])

    def scene(**change: float) -> tuple[NDArray[np.uint8], str | None]:
        part, said = produce._scene(photograph, dataclasses.replace(plain, **change), np.random.default_rng(4))
        return part.pixels, said

    def likeness(pixels: NDArray[np.uint8]) -> float:
        grey = pixels.mean(axis=2)
        return float(np.corrcoef(grey[:, :-1].ravel(), grey[:, 1:].ravel())[0, 1])

    cut, whole = scene()[0], scene(whole=1.0)[0]
    assert max(np.abs(np.subtract(cut.shape, whole.shape))) <= 1
    assert likeness(whole) < likeness(cut), "neighbours differ more where a larger part was reduced"
    assert scene()[1] is None and "film" in str(scene(scan=1.0)[1])


def test_captions_rest_on_the_record(made: list[produce.Pair]) -> None:
    for pair in made:
        text = pair.caption.text()
        assert [line.split(":")[0] for line in text.splitlines()] == [
            "Type", "Areas", "Tampered content", "Visual inconsistencies",
        ]  # fmt: skip
        for step in pair.steps:
            assert step.content in text
            assert all(f"{cue}:" in text for cue in step.cues)
    assert len({p.caption.type for p in made}) > 1, "the wording must vary"


def test_captions_place_edits_where_they_lie_in_the_file(folder: Path) -> None:
    """Laundering reduces and cuts: boxes of the scene would point elsewhere, and mostly do."""
    fixed = dataclasses.replace(recipe.load(), size=(128, 128))
    held, before = [], []
    for pair in produce.pairs(material.find(folder), fixed, 5, range(12)):
        told = [tuple(map(int, found)) for found in re.findall(r"x (\d+)-(\d+), y (\d+)-(\d+)", pair.caption.areas)]
        inside = np.zeros_like(pair.mask)
        for left, right, top, bottom in told:
            assert 0 <= left < right <= 128 and 0 <= top < bottom <= 128
            inside[top:bottom, left:right] = True
        held.append(inside[pair.mask].mean())
        scene = np.zeros_like(pair.mask)
        for x, y, width, height in (step.target_box for step in pair.steps):
            scene[y : y + height, x : x + width] = True
        before.append(scene[pair.mask].mean())
    assert min(held) > 0.95 and np.mean(before) < 0.8


def test_contact_sheet_shows_every_pair(made: list[produce.Pair]) -> None:
    picture = contact.sheet(made)
    assert picture.dtype == np.uint8 and picture.shape[0] > 4 * contact.TILE


def test_crops_keep_the_phase_of_the_blocks(folder: Path) -> None:
    whole = material.Sources(material.find(folder)).load(material.find(folder)[0])
    rng = np.random.default_rng(1)
    for _ in range(20):
        on, off = material.crop(whole, (100, 100), rng, True), material.crop(whole, (100, 100), rng, None)
        assert on.grid == (0, 0) and on.pixels.shape[0] >= 93
        x, y = ((-g) % 8 for g in off.grid or (0, 0))
        assert 0 <= x < 8 and 0 <= y < 8


class Said(NamedTuple):
    box: tuple[int, int, int, int]
    name: str


def test_a_detector_is_asked_once_a_photograph_and_its_objects_move_with_the_crop(folder: Path) -> None:
    asked: list[tuple[int, ...]] = []

    def detector(pixels: NDArray[np.uint8]) -> list[Said]:
        asked.append(pixels.shape)
        return [Said((40, 60, 50, 30), "ball"), Said((0, 0, 5, 5), "speck")]

    sources = material.Sources(material.find(folder), detector=detector)
    rng = np.random.default_rng(0)
    whole = sources.load(sources.photographs[0])
    assert sources.load(sources.photographs[0]) is whole and len(asked) == 1
    held = 0
    for _ in range(40):
        part = material.crop(whole, (96, 96), rng)
        for thing in part.things:
            if thing.name == "ball":
                held += 1
                x, y, wide, high = thing.box
                there = part.pixels[y : y + high, x : x + wide]
                # Where all of it is in the crop, its pixels are the object's own.
                if (wide, high) == (50, 30):
                    assert (there == whole.pixels[60:90, 40:90]).all()
    assert held > 15  # crops are drawn to objects


def test_a_missing_detector_is_said_before_any_worker_starts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IFDL_HOME", str(tmp_path))
    wanted = dataclasses.replace(recipe.load(), objects=True)
    with pytest.raises(FileNotFoundError, match="ifdl models fetch yolox_nano"):
        next(produce.pairs(material.find(folder), wanted, 0, [0], workers=2))


def test_training_never_touches_other_splits(tmp_path: Path) -> None:
    rows = [
        {"image": f"{n}.jpg", "label": label, "mask": None, "source": f"{n:010x}"}
        for n in range(40)
        for label in ("authentic", "edited")
    ]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = material.find(tmp_path)
    assert len(found) == 24 and {split_of(p.source) for p in found} == {Split.TRAIN}
    tested = material.find(tmp_path, (Split.TEST,))
    assert {int(p.source, 16) % 10 for p in tested} == {8, 9}


def test_training_on_the_real_camera_set_touches_folds_0_to_5_only() -> None:
    if not CAMERA.exists():
        pytest.skip("../shared/data/camera is absent")
    for place in (CAMERA, CAMERA.parent / "camera_whole"):
        assert {int(p.source, 16) % 10 for p in material.find(place)} == set(range(6))


def test_nothing_to_forge_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no authentic pictures"):
        material.Sources(material.find(tmp_path))
    with pytest.raises(FileNotFoundError):
        material.find(tmp_path / "absent")
    flat = tmp_path / "flat.png"
    Image.new("RGB", (24, 24)).save(flat)
    with pytest.raises(produce.Unforgeable):
        produce.pair(material.Sources(material.find(tmp_path)), recipe.load(), 0, 0)
