"""Recipes: filled from YAML, mistakes named, single keys replaced, paths found beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ifdl.train import recipe
from tests.train import plain


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(plain(Path("photographs"), tmp_path / "out")))
    return path


def test_single_keys_are_replaced(file: Path) -> None:
    changes = ("optim.lr=3e-4", "data.overrides.camera=0.5", "optim.groups=[{match: 'a.*'}]", "optim.groups.0.lr=1e-5")
    changed = recipe.load(file, changes)
    assert changed.optim.lr == 3e-4 and changed.optim.groups[0].lr == 1e-5
    assert changed.data.forging().camera == 0.5 and changed.data.forging().size == (64, 64)
    assert recipe.load(file).optim.lr == 0.01


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("optim.speed=3", r"optim\.speed"),
        ("colour=red", "colour"),
        ("optim.lr=fast", r"optim\.lr"),
        ("data.overrides.hue=1", r"data\.overrides\.hue"),
        ("data.overrides.engines={}", "engines need weights"),
        ("data.flips=sideways", r"data\.flips"),
        ("optim.groups=[{match: a, mode: lazy}]", r"optim\.groups\.0\.mode"),
        ("validation.metric=beauty", "beauty"),
        ("optim.lr.more=1", "nothing to set"),
        ("optim", "key.key=value"),
    ],
)
def test_a_mistake_is_named(file: Path, change: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        recipe.load(file, (change,))


def test_a_missing_recipe_is_named() -> None:
    with pytest.raises(ValueError, match="delicious"):
        recipe.load("delicious")


def test_plain_values_and_back(file: Path) -> None:
    whole = recipe.load(file, ("optim.groups=[{match: 'a.*', mode: lora}]", "expert.init.encoder.path=w.safetensors"))
    assert recipe.parse(recipe.plain(whole)) == whole
    other = recipe.plain(recipe.load(file, ("optim.lr=1", "data.batch=3")))
    assert recipe.differences(recipe.plain(recipe.load(file)), other) == ("data.batch", "optim.lr")


def test_paths_are_found_beside_the_recipe_first(file: Path, tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    found = recipe.load(file, ("expert.init.encoder.path=w.safetensors", "expert.init.other.path=far/w.safetensors"))
    assert found.data.places == (tmp_path / "photographs",)
    assert found.expert.init["encoder"].path == tmp_path / "w.safetensors"
    assert found.expert.init["other"].path == Path("far/w.safetensors")


def test_weights_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"weights")
    assert recipe.WeightsFile(path).checked() == path
    with pytest.raises(ValueError, match="sha256"):
        recipe.WeightsFile(path, "0" * 64).checked()
    with pytest.raises(ValueError, match="no weights"):
        recipe.WeightsFile(tmp_path / "none").checked()
