"""Every hostile file ends in a Picture or in a clean refusal of the expected kind, within the limits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from ifdl import intake
from tests.intake import hostile
from tests.photographs import SHARED

FILES = hostile.files()


@pytest.fixture(scope="module")
def decoder() -> Iterator[intake.Decoder]:
    with intake.Decoder() as one:
        yield one


@pytest.mark.parametrize("name", sorted(FILES))
def test_own_hostile_file(name: str, decoder: intake.Decoder) -> None:
    data, expected = FILES[name]
    if expected is None:
        picture = decoder.decode(data, name)
        assert picture.pixels.shape == (picture.item.height, picture.item.width, 3)
        return
    with pytest.raises(intake.IntakeError) as refusal:
        decoder.decode(data, name)
    assert refusal.value.kind == expected
    assert str(refusal.value).startswith(f"{name}: ")
    assert str(refusal.value).endswith("."), "a refusal is a sentence"


@pytest.mark.parametrize("name", sorted(n for n, (_, kind) in FILES.items() if kind is not None))
def test_pure_function_refuses_alike(name: str) -> None:
    """`decode` itself, without the child, knows the same refusals."""
    data, expected = FILES[name]
    with pytest.raises(intake.IntakeError) as refusal:
        intake.decode(data, name=name)
    assert refusal.value.kind == expected


def test_shared_hostile_folder() -> None:
    """220 files from Pillow's tests and exif-samples: a Picture or an IntakeError, none slow."""
    folder = SHARED / "data"
    if not (folder / "hostile").exists():
        pytest.skip("../shared/data/hostile is absent")
    decoded = refused = 0
    with intake.Decoder() as decoder:
        for line in (folder / "hostile" / "manifest.jsonl").read_text().splitlines():
            path = folder / json.loads(line)["file"]
            began = time.perf_counter()
            try:
                picture = decoder.decode(path.read_bytes(), path.name)
                assert picture.pixels.nbytes == 3 * picture.width * picture.height
                decoded += 1
            except intake.IntakeError as error:
                assert error.kind not in ("decoder_crashed", "timed_out"), error
                refused += 1
            assert time.perf_counter() - began < decoder.limits.seconds
    assert decoded >= 150 and decoded + refused == 220


def test_fuzzed_jpegs_never_escape() -> None:
    """Flipped bytes give a Picture or an IntakeError, nothing else."""
    import numpy as np

    rng = np.random.default_rng(11)
    originals = [data for name, (data, kind) in FILES.items() if kind is None and len(data) > 200]
    with intake.Decoder() as decoder:
        for n in range(150):
            data = bytearray(originals[n % len(originals)])
            for at in rng.integers(0, len(data), 6):
                data[at] = rng.integers(0, 256)
            try:
                decoder.decode(bytes(data))
            except intake.IntakeError as error:
                assert error.kind != "decoder_crashed"
