"""Smooth warps by a few pixels, as a liquify brush makes them: bulge, pinch, push, twirl."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge.record import Mask, Pixels

Floats = NDArray[np.float32]
WARPS = ("bulge", "pinch", "push", "twirl")
MOVED = 0.5  # pixels from which a displaced pixel counts as edited
STEEPEST = 0.6  # of the displacement, in pixels per pixel: below 1 nothing folds over


def liquify(pixels: Pixels, mask: Mask, warp: str, furthest: float, angle: float) -> tuple[Pixels, Floats]:
    """The picture uint8 H×W×3 warped within the soft mask bool H×W; also how far each pixel was moved, in pixels.

    `furthest` is the largest displacement wished for in pixels; it is reduced where it would fold the
    picture over. `angle` (radians) is the direction of a push.
    """
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    radius = max(float(depth.max()), 2.0)
    brush = cv2.GaussianBlur(np.minimum(depth / radius, 1).astype(np.float32), (0, 0), max(0.25 * radius, 1.0))
    rows, columns = np.indices(mask.shape, np.float32)
    middle_y, middle_x = (float(v.mean()) for v in np.nonzero(depth >= 0.8 * radius))
    if warp == "push":
        dx, dy = brush * np.float32(np.cos(angle)), brush * np.float32(np.sin(angle))
    else:
        right, down = (columns - middle_x) / radius * brush, (rows - middle_y) / radius * brush
        turns = {"bulge": (-right, -down), "pinch": (right, down), "twirl": (-down, right)}
        dx, dy = turns[warp]
    size = np.hypot(dx, dy)
    slope = max(float(np.abs(np.gradient(d)).max()) for d in (dx, dy))
    strength = np.float32(min(furthest / max(float(size.max()), 1e-6), STEEPEST / max(slope, 1e-6)))
    moved = size * strength
    # Where nothing moves the picture is copied, not interpolated.
    still = moved < 0.02
    dx, dy = np.where(still, 0, dx * strength), np.where(still, 0, dy * strength)
    warped = cv2.remap(pixels, columns + dx, rows + dy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.where(still[..., None], pixels, warped), moved
