"""Pictures and forgeries for the tests of the trace: reduced photographs that come with scikit-image."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.photographs import bundled

Pixels = NDArray[np.uint8]


@cache
def photographs(longest: int = 320) -> dict[str, Pixels]:
    """The bundled photographs, reduced, by name."""
    found = {}
    for photograph in bundled():
        picture = Image.open(io.BytesIO(photograph.data)).convert("RGB")
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        found[photograph.name.split(".")[0]] = np.asarray(picture)
    return found


def jpeg(pixels: Pixels, quality: int = 92) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def save(place: Path, pixels: Pixels, quality: int = 92) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(jpeg(pixels, quality))
    return place.resolve()


def archive(place: Path) -> dict[str, Path]:
    """The photographs as files of a folder, by name."""
    return {name: save(place / f"{name}.jpg", pixels) for name, pixels in photographs().items()}


def warped(pixels: Pixels, matrix: NDArray[np.floating], size: tuple[int, int]) -> Pixels:
    """The picture mapped by a 3×3 matrix into (width, height) `size`."""
    return np.asarray(cv2.warpPerspective(pixels, np.asarray(matrix, float), size, flags=cv2.INTER_CUBIC), np.uint8)


def turned(pixels: Pixels, degrees: float, scale: float = 1.0) -> tuple[Pixels, NDArray[np.float64]]:
    """The picture turned clockwise about its middle, and the matrix."""
    height, width = pixels.shape[:2]
    # OpenCV counts anticlockwise.
    matrix = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, scale), [0, 0, 1]])
    return warped(pixels, matrix, (width, height)), matrix


def composite() -> tuple[Pixels, NDArray[np.bool_]]:
    """The cat's face, reduced, turned 10° and mirrored, pasted into the coffee picture; and where."""
    host, donor = photographs()["coffee"].copy(), photographs()["chelsea"][:, ::-1]
    height, width = host.shape[:2]
    piece, matrix = turned(np.ascontiguousarray(donor), 10, 0.8)
    piece = warped(
        np.ascontiguousarray(donor), np.array([[1, 0, -70], [0, 1, -30], [0, 0, 1]]) @ matrix, (width, height)
    )
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (90, 85), (70, 55), 0, 0, 360, 1, -1)
    mask &= (piece.sum(axis=2) > 0).astype(np.uint8)
    inside = mask.astype(bool)
    host[inside] = piece[inside]
    return host, inside
