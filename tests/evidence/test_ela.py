"""Error level analysis draws, and decides nothing."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from ifdl import intake
from ifdl.evidence import ela
from ifdl.types import State
from ifdl.verdict.fuse import fuse
from tests.photographs import bundled


def test_a_part_of_another_quality_is_drawn_otherwise_and_nothing_is_said() -> None:
    base = Image.open(io.BytesIO(bundled()[0].data)).convert("RGB")
    buffer = io.BytesIO()
    base.save(buffer, "JPEG", quality=90, subsampling=0)
    saved = Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
    fresh = Image.fromarray(np.random.default_rng(0).integers(90, 160, (96, 96, 3), np.uint8))
    saved.paste(fresh, (64, 64))
    buffer = io.BytesIO()
    saved.save(buffer, "PNG")
    (found,) = ela.run(intake.decode(buffer.getvalue()))
    assert (found.state, found.strength, found.regions) == (State.NO_TRACE_FOUND, 0.0, ())
    assert found.map is not None
    heat = found.map.at_full_size().astype(float)
    inside = np.zeros(heat.shape, bool)
    inside[64:160, 64:160] = True
    assert heat[inside].mean() > 3 * heat[~inside].mean()


def test_it_is_never_counted() -> None:
    from dataclasses import replace

    (found,) = ela.run(intake.decode(bundled()[0].data))
    marked = replace(found, id="ela.1", experimental=True, state=State.SUPPORTED)
    assert fuse([marked], ()).answer("local_edit").state == State.NOT_RUN


def test_stripes_leave_no_seams() -> None:
    pixels = np.full((1100, 40, 3), 120, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    (found,) = ela.run(intake.decode(buffer.getvalue()))
    assert found.map is not None and not found.map.values.any()
