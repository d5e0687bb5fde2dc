"""Heat maps in files: npy, npz or png, in and out. Nothing is unpickled.

Floats are shares in [0, 1]; integers are of their type's whole range (255 or 65,535 stands for 1).
"""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".npy", ".npz", ".png")
KEYS = ("map", "heat", "mask")  # what an npz's array may be called; else it must be the only one
TOP = 0.02


def index(folder: Path) -> dict[str, Path]:
    """Map files of a folder and those below it, by their name without extension."""
    return {p.stem: p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()}


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
