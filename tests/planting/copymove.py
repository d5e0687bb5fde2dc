"""Plant a copy-move: a textured blob of the picture laid over another place in it, as an editor would.

Pillow and scikit-image only (bicubic `skimage.transform.warp`, feathered by scipy), so that nothing is
shared with the clue under test. Moved only, turned by up to 180° or resized 0.7-1.4 times; 2-15 % of
the picture; saved as JPEG quality 80-95. The clean sibling goes through the same save.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.transform import AffineTransform, SimilarityTransform, warp

from tests.planting import Planted

KINDS = ("moved", "turned", "resized")


def plant(
    host: bytes,
    donor: bytes | None,
    rng: np.random.Generator,
    kind: str | None = None,
    quality: int | None = None,
    clutter: float = 2.0,
) -> Planted | None:
    """Edited and clean JPEG of the host, with the pasted place as mask; the donor is not needed.

    `kind` is one of `KINDS` (by chance if None) or "mirrored", which is also turned. None comes back
    where the picture is too small, or has no place whose luma gradient averages `clutter` grey levels.
    """
    pixels = np.asarray(Image.open(io.BytesIO(host)).convert("RGB"), np.float64) / 255.0
    height, width = pixels.shape[:2]
    if min(height, width) < 160:
        return None
    kind = kind or str(rng.choice(KINDS))
    angle = float(rng.uniform(-np.pi, np.pi)) if kind in ("turned", "mirrored") else 0.0
    scale = float(rng.uniform(0.7, 1.4)) if kind == "resized" else 1.0
    quality = quality or int(rng.integers(80, 96))
    subsampling = int(rng.choice((0, 2)))

    luma = 255.0 * pixels.mean(axis=2)
    gradient = np.hypot(ndimage.sobel(luma, 0), ndimage.sobel(luma, 1)) / 8.0
    for _ in range(60):
        share = rng.uniform(0.02, 0.15) / max(1.0, scale**2)
        source = _blob((height, width), share, rng)
        if source is None or gradient[source].mean() < clutter:
            continue
        here = np.array(ndimage.center_of_mass(source))[::-1]
        there = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        if kind == "moved":  # an editor moves by whole pixels
            there = here + np.rint(there - here)
        # from pasted place back to source: about `there`, turned and resized, then about `here`
        back = (
            SimilarityTransform(translation=-there)
            + SimilarityTransform(scale=1.0 / scale, rotation=-angle)
            + SimilarityTransform(translation=here)
        )
        if kind == "mirrored":
            flip = AffineTransform(scale=(-1.0, 1.0), translation=(2.0 * here[0], 0.0))
            back = AffineTransform(back.params) + flip
        pasted = warp(source.astype(float), back, order=1) > 0.5
        whole = abs(pasted.sum() - scale**2 * source.sum()) < 0.02 * pasted.sum() + 20
        if not whole or (pasted & ndimage.binary_dilation(source, iterations=4)).any():
            continue
        moved = warp(pixels, back, order=3, mode="reflect")
        alpha = ndimage.gaussian_filter(pasted.astype(float), float(rng.uniform(0.7, 2.0)))[..., None]
        edited = alpha * moved + (1.0 - alpha) * pixels
        return Planted(_jpeg(edited, quality, subsampling), _jpeg(pixels, quality, subsampling), pasted)
    return None


def _blob(size: tuple[int, int], share: float, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """A wobbly disc or a polygon of about that share of the picture, wholly inside it."""
    height, width = size
    radius = np.sqrt(share * height * width / np.pi)
    reach = int(1.3 * radius) + 2
    if 2 * reach >= min(height, width):
        reach = min(height, width) // 2 - 2
    x, y = rng.integers(reach, width - reach), rng.integers(reach, height - reach)
    rows, cols = np.mgrid[:height, :width]
    turn = np.arctan2(rows - y, cols - x)
    if rng.random() < 0.5:
        outline = 1.0 + sum(rng.uniform(-0.12, 0.12) * np.cos(k * turn + rng.uniform(0, 6.3)) for k in (2, 3, 5))
    else:
        sides = int(rng.integers(4, 8))
        corner = 2 * np.pi / sides
        outline = 1.1 * np.cos(corner / 2) / np.cos((turn + rng.uniform(0, 6.3)) % corner - corner / 2)
    inside: NDArray[np.bool_] = np.hypot(rows - y, cols - x) < radius * outline
    return inside if 0.6 * share < inside.mean() < 1.6 * share else None


def _jpeg(pixels: NDArray[np.float64], quality: int, subsampling: int) -> bytes:
    buffer = io.BytesIO()
    levels = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8)
    Image.fromarray(levels).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()
