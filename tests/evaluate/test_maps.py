"""Saved maps of every usual type mean the same levels; what is no map is refused by name; nothing is unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from ifdl.evaluate import maps

SHARES = np.linspace(0, 1, 12).reshape(3, 4)


def test_the_same_map_in_every_type(tmp_path: Path) -> None:
    wanted = np.rint(SHARES * 65535).astype(np.uint16)
    np.save(tmp_path / "a.npy", SHARES)
    np.save(tmp_path / "b.npy", SHARES.astype(np.float32)[None, :, :, None])
    np.savez(tmp_path / "c.npz", heat=SHARES, other=np.zeros(3))
    maps.write(tmp_path / "d.png", wanted)
    for path in maps.index(tmp_path).values():
        assert np.abs(maps.read(path).astype(int) - wanted).max() <= 1, path
    assert (maps.read(tmp_path / "d.png") == wanted).all()
    cv2.imwrite(str(tmp_path / "e.png"), np.rint(SHARES * 255).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "f.png"), np.repeat(np.rint(SHARES * 255).astype(np.uint8)[:, :, None], 3, 2))
    assert np.abs(maps.read(tmp_path / "e.png").astype(int) - wanted).max() < 258
    assert (maps.read(tmp_path / "e.png") == maps.read(tmp_path / "f.png")).all()
    assert (maps.levels(SHARES > 0.5) == (SHARES > 0.5) * 65535).all()


@pytest.mark.parametrize(
    "array",
    [np.zeros(4), np.zeros((2, 3, 5)), SHARES * 255, SHARES - 0.5, np.full((2, 2), np.nan), np.zeros((2, 2), int)],
)
def test_what_is_no_map_is_refused(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "wrong.npy", array)
    with pytest.raises(ValueError, match=r"wrong\.npy"):
        maps.read(tmp_path / "wrong.npy")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    (tmp_path / "trap.npy").write_bytes(pickle.dumps(Trap()))
    np.save(tmp_path / "objects.npy", np.array([Trap()], object), allow_pickle=True)
    for name in ("trap.npy", "objects.npy"):
        with pytest.raises(ValueError, match=name):
            maps.read(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_cut_off_and_empty_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", heat=SHARES)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:60])
    (tmp_path / "none.png").write_bytes(b"")
    for name in ("cut.npz", "none.png"):
        with pytest.raises(ValueError, match=name):
            maps.read(tmp_path / name)


def test_score_is_the_mean_of_the_highest_two_per_cent() -> None:
    levels = np.zeros((10, 10), np.uint16)
    assert maps.score(levels) == 0
    levels[0, :2] = 65535, 32768
    assert maps.score(levels) == pytest.approx(0.75, abs=1e-4)


def test_maps_are_found_by_path_then_by_a_name_that_only_one_has(tmp_path: Path) -> None:
    for name in ("a/1.npy", "b/1.npy", "c/2.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / name, SHARES)
    found = maps.index(tmp_path)
    assert maps.of("b/1.jpg", found) == tmp_path / "b/1.npy"
    assert maps.of("elsewhere/2.jpg", found) == tmp_path / "c/2.npy"
    assert maps.of("elsewhere/1.jpg", found) is None and maps.of("3.jpg", found) is None
    assert maps.ambiguous(["a/1.jpg", "b/1.jpg", "x/2.jpg"], found) is None
    assert maps.ambiguous(["x/2.jpg", "y/2.jpg"], found) == ("x/2.jpg", "y/2.jpg")
