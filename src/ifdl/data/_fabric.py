"""Synthetic pictures for the fake trees of `fabricate`: smooth colours, fine grain, and one pasted patch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (96, 128)  # (height, width)


def scene(seed: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """An authentic picture uint8 H×W×3, another one for every seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (5, 6, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255), np.uint8)


def forged(seed: int, size: tuple[int, int] = SIZE) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture with a patch of another one, and its mask bool H×W."""
    height, width = size
    mask = np.zeros(size, bool)
    top, left = height // 5 + seed % 7, width // 4 + seed % 11
    mask[top : top + height // 3, left : left + width // 4] = True
    return np.where(mask[..., None], scene(seed + 1000, size), scene(seed, size)), mask


def save(pixels: NDArray[np.uint8] | NDArray[np.bool_], path: Path, **options: Any) -> None:
    """Write a picture, or a mask as 0 and 255, in the format of its extension; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels).save(path, **options)
