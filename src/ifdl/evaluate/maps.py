"""Heat maps in files: npy, npz or png, in and out. Nothing is unpickled.

Floats are shares in [0, 1]; integers are of their type's whole range (255 or 65,535 stands for 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".npy", ".npz", ".png")
KEYS = ("map", "heat", "mask")  # what an npz's array may be called; else it must be the only one
TOP = 0.02


def index(folder: Path) -> dict[str, Path]:
    """Map files of a folder and those below it, by their path below it without extension ("images/12")."""
    found = (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file())
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in found}


def of(name: str, found: dict[str, Path]) -> Path | None:
    """The map of the picture with that path in its set: of the same path, else the only one of the same name."""
    key = PurePosixPath(name).with_suffix("").as_posix()
    if key in found:
        return found[key]
    same = [path for place, path in found.items() if PurePosixPath(place).name == PurePosixPath(key).name]
    return same[0] if len(same) == 1 else None


def ambiguous(names: Iterable[str], found: dict[str, Path]) -> tuple[str, str] | None:
    """Two pictures that would be given the same map; None if every map has one picture at most."""
    taken: dict[Path, str] = {}
    for name in names:
        path = of(name, found)
        if path is not None and (other := taken.setdefault(path, name)) != name:
            return other, name
    return None


def read(path: Path) -> NDArray[np.uint16]:
    """A saved map as levels uint16 H×W. Raises ValueError that names the file and what is wrong."""
    try:
        if path.suffix.lower() == ".png":
            array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if array is None:
                raise ValueError("it is no readable PNG")
        else:
            loaded = np.load(path, allow_pickle=False)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                with loaded:
                    array = loaded[_key(loaded.files)]
            else:
                array = loaded
        return levels(np.asarray(array))
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path.name}: {error}") from error


def levels(array: NDArray[np.generic]) -> NDArray[np.uint16]:
    """uint16 levels of a map of any usual type. Raises ValueError for another shape or for shares outside 0-1."""
    squeezed = np.squeeze(array)
    if squeezed.ndim == 3 and squeezed.shape[2] in (3, 4) and (squeezed[:, :, 0] == squeezed[:, :, 1]).all():
        squeezed = squeezed[:, :, 0]  # a grey map saved as colour
    if squeezed.ndim != 2:
        raise ValueError(f"a map has two dimensions, this has the shape {array.shape}")
    if squeezed.dtype == bool:
        return squeezed.astype(np.uint16) * np.uint16(65535)
    if squeezed.dtype == np.uint8:
        return squeezed.astype(np.uint16) * np.uint16(257)
    if squeezed.dtype == np.uint16:
        return np.asarray(squeezed, np.uint16)
    if not np.issubdtype(squeezed.dtype, np.floating):
        raise ValueError(f"a map is of floats, bytes or 16-bit integers, not {squeezed.dtype}")
    values = squeezed.astype(np.float64)
    if not np.isfinite(values).all() or values.min(initial=0) < -1e-6 or values.max(initial=0) > 1 + 1e-6:
        raise ValueError("a map of floats holds shares between 0 and 1; this one does not")
    return np.rint(np.clip(values, 0, 1) * 65535).astype(np.uint16)


def write(path: Path, array: NDArray[np.uint16]) -> None:
    """A 16-bit grey PNG of the levels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", array)[1].tobytes())


def score(array: NDArray[np.uint16]) -> float:
    """Score of a whole picture by its map alone: the mean of its highest two per cent, 0-1."""
    flat = array.ravel()
    most = max(1, round(flat.size * TOP))
    return float(np.partition(flat, flat.size - most)[flat.size - most :].mean() / 65535) if flat.size else 0.0


def _key(names: list[str]) -> str:
    known = [k for k in KEYS if k in names] or (names if len(names) == 1 else [])
    if not known:
        raise ValueError(f"an npz holds one array, or one called {' or '.join(KEYS)}; this has {', '.join(names)}")
    return known[0]
