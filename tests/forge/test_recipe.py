"""Recipes: the shipped one loads, mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ifdl import forge
from ifdl.forge import recipe


def test_the_shipped_recipe_names_engines_that_exist() -> None:
    shipped = recipe.load()
    assert shipped.name == "forge"
    assert set(shipped.engines) <= set(forge.names())
    assert sum(shipped.engines.values()) == pytest.approx(1) and sum(shipped.strata.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("engines: {splice: 1}\nstrata: {none: 1}\ncolour: red", "colour"),
        ("engines: {splice: -1}\nstrata: {none: 1}", "engines"),
        ("engines: {splice: many}\nstrata: {none: 1}", "engines.splice"),
        ("strata: {none: 1}", "engines"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=named):
        recipe.load(path)


def test_a_missing_recipe_is_named() -> None:
    with pytest.raises(ValueError, match="delicious"):
        recipe.load("delicious")
