"""From a mask to Regions: connected parts with box, share of the picture, and words for where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.signal import rle
from ifdl.signal.orientation import point_to_display
from ifdl.types import Region


def position_words(x: float, y: float, size: tuple[int, int], orientation: int = 1) -> str:
    """Where the stored point (x, y) lies as displayed: "upper left", "centre", "right" and so on.

    `size` is the stored (height, width); the picture is divided into thirds.
    """
    u, v = point_to_display(x, y, size, orientation)
    height, width = size if orientation < 5 else size[::-1]
    column = ("left", "centre", "right")[min(2, int(3 * u / max(width, 1)))]
    row = ("upper", "middle", "lower")[min(2, int(3 * v / max(height, 1)))]
    if row == "middle":
        return column
    return f"{row} {column}" if column != "centre" else f"{row} middle"


def region_of(mask: NDArray[Any], orientation: int = 1, name: str | None = None) -> Region:
    """One Region for all set pixels of a mask H×W; raises ValueError for an empty mask."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise ValueError("a region needs at least one pixel")
    x, y = int(cols[0]), int(rows[0])
    width, height = int(cols[-1]) - x + 1, int(rows[-1]) - y + 1
    ys, xs = np.nonzero(mask)
    return Region(
        box=(x, y, width, height),
        area=float(np.count_nonzero(mask) / mask.size),
        position=position_words(xs.mean() + 0.5, ys.mean() + 0.5, mask.shape, orientation),
        mask=rle.encode(mask),
        name=name,
    )


def regions_of(mask: NDArray[Any], orientation: int = 1, min_area: float = 0.0, most: int = 20) -> tuple[Region, ...]:
    """One Region per 8-connected part of a mask H×W, largest first, at most `most`.

    Parts smaller than `min_area` (share of the picture) are left out.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3), int))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = [int(i) + 1 for i in np.argsort(-areas, kind="stable") if areas[i] >= min_area * mask.size]
    return tuple(region_of(labels == i, orientation) for i in order[:most])


def mask_of(regions: tuple[Region, ...], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Union of the regions' masks as bool H×W in stored pixels; a region without a mask counts as its box."""
    union = np.zeros(size, bool)
    for region in regions:
        if region.mask is not None:
            union |= rle.decode(region.mask)
        else:
            x, y, width, height = region.box
            union[y : y + height, x : x + width] = True
    return union
