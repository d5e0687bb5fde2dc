"""Small pictures for the batch tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write(folder: Path, count: int, side: int = 64) -> list[Path]:
    """`count` different JPEG files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{n:03d}.jpg" for n in range(count)]
    for n, path in enumerate(paths):
        noise = np.random.default_rng(n).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(noise).save(path, quality=90)
    return paths
