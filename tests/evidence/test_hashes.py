"""Known pictures: equal bytes are a fact, near looks a hint, and distinct photographs are far apart."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifdl import intake
from ifdl.evidence import hashes
from ifdl.types import Picture, State
from tests.photographs import bundled, camera

PICTURE = intake.decode(bundled()[0].data, name="one.jpg")


def resaved(pixels: np.ndarray, quality: int = 50, scale: float = 1.0) -> Picture:
    image, buffer = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    image.save(buffer, "JPEG", quality=quality)
    return intake.decode(buffer.getvalue())


def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *rows: dict[str, str], name: str = "known.jsonl") -> None:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv(hashes.KNOWN, str(path))


def test_without_a_list_the_hashes_are_given() -> None:
    (found,) = hashes.run(PICTURE)
    assert found.state == State.OUT_OF_DOMAIN and found.numbers["sha256"] == PICTURE.item.sha256
    assert len(str(found.numbers["phash"])) == 16


def test_the_very_file_is_established(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(tmp_path, monkeypatch, {"label": "agency no. 7", "sha256": PICTURE.item.sha256.upper()})
    (found,) = hashes.run(PICTURE)
    assert found.state == State.SUPPORTED and found.established and "agency no. 7" in found.sentence


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_smaller_re_save_looks_like_it_and_is_no_more_than_a_hint(
    mirrored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = hashes.phash(PICTURE.pixels)
    listed(tmp_path, monkeypatch, {"label": "agency no. 7", "phash": f"{code:016x}"})
    pixels = PICTURE.pixels[:, ::-1] if mirrored else PICTURE.pixels
    (found,) = hashes.run(resaved(pixels, 40, 0.5))
    assert found.state == State.INCONCLUSIVE and found.numbers["mirrored"] is mirrored
    (other,) = hashes.run(intake.decode(bundled()[1].data))
    assert other.state == State.NO_TRACE_FOUND and int(other.numbers["nearest"]) > hashes.NEAR


def test_flat_pictures_have_no_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(tmp_path, monkeypatch, {"label": "x", "phash": "0" * 16})
    assert hashes.phash(np.full((50, 60, 3), 99, np.uint8)) is None
    (found,) = hashes.run(resaved(np.full((50, 60, 3), 99, np.uint8)))
    assert found.state == State.NO_TRACE_FOUND


def test_tables_and_their_mistakes(tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text("label,sha256,phash\na,,00000000000000ff\n")
    assert hashes.known(table, 0) == (hashes.Entry("a", None, 255),)
    for wrong in ("label,sha256,phash\na,,\n", "label,phash\na,xyz\n", "name,phash\na,00\n"):
        table.write_text(wrong)
        with pytest.raises(ValueError, match="line 2"):
            hashes.known(table, hash(wrong))


def test_distinct_photographs_are_far_apart_and_re_saves_near() -> None:
    photographs = camera(range(8), one_per_source=True)[:60]
    if not photographs:
        pytest.skip("../shared/data/camera is absent")
    pixels = [intake.decode(p.data).pixels for p in photographs]
    kept = [(code, p) for p in pixels if (code := hashes.phash(p)) is not None]
    apart = [hashes.distance(a, b) for n, (a, _) in enumerate(kept) for b, _ in kept[:n]]
    near = np.array([hashes.distance(code, hashes.phash(resaved(p, 40, 0.5).pixels)) for code, p in kept])
    assert (min(apart), int((near <= hashes.NEAR).sum()), len(near)) == (20, 56, 58), "the card quotes these"
