"""The nouns: maps on their grid, and facts that survive JSON."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from ifdl.types import Container, Item, Map, Metadata, MetadataEntry, SubImage


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 9), st.integers(0, 8), st.integers(0, 8))
def test_map_at_full_size_matches_the_cell_rule(height: int, width: int, stride: int, x0: int, y0: int) -> None:
    rng = np.random.default_rng(height * 51 + width)
    cells = rng.random((max(1, (height - y0) // stride), max(1, (width - x0) // stride)))
    heat = Map.of(cells, (height, width), stride, (x0, y0))
    full = heat.at_full_size()
    assert full.shape == (height, width)
    for y, x in zip(rng.integers(0, height, 20), rng.integers(0, width, 20), strict=True):
        row, column = (y - y0) // stride, (x - x0) // stride
        inside = 0 <= row < cells.shape[0] and 0 <= column < cells.shape[1]
        assert full[y, x] == (round(cells[row, column] * 65535) if inside else 0)


def test_map_marks_nan_as_invalid_and_clips() -> None:
    heat = Map.of(np.array([[np.nan, 2.0], [-1.0, 0.5]]), (2, 2))
    assert heat.valid is not None and heat.valid.tolist() == [[False, True], [True, True]]
    assert heat.at_full_size().tolist() == [[0, 65535], [0, 32768]]


def test_item_survives_json() -> None:
    item = Item(
        name="ünïcode \u202e.jpg",
        sha256="a" * 64,
        sha512="b" * 128,
        bytes=3,
        format="JPEG",
        media_type="image/jpeg",
        width=2,
        height=1,
        container=Container(quantisation={0: tuple(range(64))}, sub_images=(SubImage("thumbnail", 1, 1),)),
        metadata=Metadata((MetadataEntry("EXIF", "Model", "<script>", private=True),)),
    )
    adapter = TypeAdapter(Item)
    assert adapter.validate_json(adapter.dump_json(item)) == item


@pytest.mark.parametrize("name", ["Model", "Absent"])
def test_metadata_lookup(name: str) -> None:
    said = Metadata((MetadataEntry("EXIF", "Model", "X"), MetadataEntry("XMP", "Model", "Y")))
    assert said.get("XMP", name) == ("Y" if name == "Model" else None)
    assert said.all(name) == (("X", "Y") if name == "Model" else ())
