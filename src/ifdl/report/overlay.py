"""Pictures of a verdict: outlines with letters and a scale bar, heat layers, close-ups.

Everything is drawn as displayed (EXIF orientation applied), in colours that do not rest on telling red
from green; heat uses the cividis scale (Nuñez, Anderton, Renslow, PLoS ONE 2018).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ifdl.report.pen import Pen
from ifdl.signal.orientation import point_to_display, to_display
from ifdl.signal.regions import mask_of
from ifdl.types import Map, Picture, Region, Verdict

Bytes = NDArray[np.uint8]
Size = tuple[int, int]
Box = tuple[int, int, int, int]

SAVED = 4000
HEAT_LEVELS = 64


def overlay(picture: Picture, verdict: Verdict, display: bool = True, longest: int = SAVED) -> Bytes:
    """uint8 H×W×3: the picture with every region of the verdict outlined, tinted and lettered A, B, C…

    In display orientation, or stored if `display` is False; reduced if its longer side exceeds `longest`.
    """
    orientation = picture.item.orientation if display else 1
    base = Image.fromarray(reduced(to_display(picture.pixels, orientation), longest)).convert("RGBA")
    drawn = marks(verdict.regions, (picture.height, picture.width), orientation, (base.height, base.width))
    return np.asarray(Image.alpha_composite(base, Image.fromarray(drawn)).convert("RGB"))


def layer(map: Map, picture: Picture, longest: int = SAVED) -> Bytes:
    """uint8 H×W×4 heat layer as displayed: cividis, fading to clear where the map is low or says nothing."""
    return np.asarray(_heat_colours()[_heat_steps(map, picture, longest)])


def layer_png(map: Map, picture: Picture, longest: int = SAVED) -> bytes:
    """`layer` as a PNG with a palette, a quarter of the size."""
    image, colours, buffer = Image.fromarray(_heat_steps(map, picture, longest)), _heat_colours(), io.BytesIO()
    image.putpalette(colours[:, :3].tobytes())
    image.save(buffer, "PNG", transparency=colours[:, 3].tobytes())
    return buffer.getvalue()


def marks(
    regions: Sequence[Region], stored: Size, orientation: int, size: Size, tint: bool = True, lines: bool = True
) -> Bytes:
    """uint8 H×W×4, clear but for the regions, on a canvas of `size` (height, width) as displayed.

    `stored` is the picture's (height, width). `lines` draws outlines, letters and the scale bar.
    """
    scale = size[1] / (stored[1] if orientation < 5 else stored[0])
    pen = Pen(size)
    boxes: list[tuple[Box, int]] = []
    for number, region in enumerate(regions):
        x, y, width, height = displayed_box(region.box, stored, orientation)
        if not width or not height:
            continue
        x0, y0 = round(x * scale), round(y * scale)
        wide, high = max(1, round((x + width) * scale) - x0), max(1, round((y + height) * scale) - y0)
        shape: Any = _mask_in_box(region, stored, orientation)
        shape = cv2.resize(shape, (wide, high), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
        pen.region(np.where(shape >= 64, np.uint8(255), np.uint8(0)), (x0, y0), number, tint, lines)
        boxes.append(((x0, y0, wide, high), number))
    if lines:
        # Letters last, so that no outline runs through one.
        for box, number in boxes:
            pen.letter(box, number)
        pen.scale_bar(scale)
    return pen.drawn()


@dataclass(frozen=True, eq=False)
class CloseUp:
    """Part of the picture around a region as displayed: `plain` is unaltered, `marked` has the outline.

    `marked` is enlarged `zoom` times without smoothing; show `plain` at the same size. `window` is
    (x, y, width, height) in displayed pixels; `whole` is False if the region is larger than the window.
    """

    plain: Bytes
    marked: Bytes
    zoom: int
    window: Box
    whole: bool


def close_up(
    displayed: Bytes, region: Region, stored: Size, orientation: int, number: int = 0, most: int = 448
) -> CloseUp:
    """A window of at most `most` pixels a side, cut from the displayed picture H×W×3.

    It lies around the region, or across its edge if the region does not fit.
    """
    x, y, width, height = displayed_box(region.box, stored, orientation)
    room = max(24, max(width, height) // 4)
    wide, high = min(width + 2 * room, most, displayed.shape[1]), min(height + 2 * room, most, displayed.shape[0])
    shape = to_display(mask_of((region,), stored), orientation)
    whole = width <= wide and height <= high
    centre = (x + width // 2, y + height // 2) if whole else _edge(shape)
    left = min(max(centre[0] - wide // 2, 0), displayed.shape[1] - wide)
    top = min(max(centre[1] - high // 2, 0), displayed.shape[0] - high)
    plain = np.ascontiguousarray(displayed[top : top + high, left : left + wide])
    zoom = max(1, min(8, 448 // max(wide, high)))
    base = Image.fromarray(_enlarged(plain, zoom)).convert("RGBA")
    # Drawn on a wider canvas and cut, so that a region which goes on does not seem to end at the window.
    beyond = 8
    near = np.pad(shape, beyond)[top : top + high + 2 * beyond, left : left + wide + 2 * beyond]
    pen = Pen((near.shape[0] * zoom, near.shape[1] * zoom))
    pen.region(_enlarged(near.astype(np.uint8) * np.uint8(255), zoom), (0, 0), number, False, True)
    base.alpha_composite(Image.fromarray(pen.drawn()).crop(_inside(base.size, beyond * zoom)))
    bar = Pen((base.height, base.width), text=16)
    bar.scale_bar(zoom)
    base.alpha_composite(Image.fromarray(bar.drawn()))
    return CloseUp(plain, np.asarray(base.convert("RGB")), zoom, (left, top, wide, high), whole)


def displayed_box(box: Box, stored: Size, orientation: int) -> Box:
    """A stored box (x, y, width, height) as displayed, cut to the picture."""
    x, y, width, height = _cut(box, stored)
    one = point_to_display(x, y, stored, orientation)
    other = point_to_display(x + width, y + height, stored, orientation)
    left, right = sorted((int(one[0]), int(other[0])))
    top, bottom = sorted((int(one[1]), int(other[1])))
    return left, top, right - left, bottom - top


def reduced(image: NDArray[Any], longest: int) -> Any:
    """The image with its longer side brought down to `longest` by area averaging; a smaller one as it is."""
    height, width = fitted(image.shape, longest)
    if (height, width) == image.shape[:2]:
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def fitted(size: tuple[int, ...], longest: int, enlarge: bool = False) -> Size:
    """(height, width) with the longer side at most `longest`, or exactly that if `enlarge`."""
    factor = longest / max(size[:2])
    if factor >= 1 and not enlarge:
        return size[0], size[1]
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def png(image: Bytes) -> bytes:
    """The image as an 8-bit PNG: H×W grey, H×W×3 RGB or H×W×4 RGBA."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=4)  # a third of the time for 6 % more bytes
    return buffer.getvalue()


def jpeg(image: Bytes, quality: int = 85) -> bytes:
    """An H×W×3 image as a JPEG without metadata, for previews."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def save_png(image: Bytes, path: Path) -> None:
    """Write the image as an 8-bit PNG."""
    path.write_bytes(png(image))


def _cut(box: Box, size: Size) -> Box:
    x, y = min(max(box[0], 0), size[1]), min(max(box[1], 0), size[0])
    right, bottom = min(max(box[0] + box[2], x), size[1]), min(max(box[1] + box[3], y), size[0])
    return x, y, right - x, bottom - y


def _mask_in_box(region: Region, stored: Size, orientation: int) -> Bytes:
    x, y, width, height = _cut(region.box, stored)
    inside = mask_of((region,), stored)[y : y + height, x : x + width]
    return to_display(inside.astype(np.uint8) * np.uint8(255), orientation)


def _edge(shape: NDArray[np.bool_]) -> tuple[int, int]:
    """A point (x, y) where the mask H×W begins or ends inside the picture, halfway down the mask."""
    rows = np.flatnonzero(shape.any(axis=1))
    if not rows.size:
        return shape.shape[1] // 2, shape.shape[0] // 2
    y = int(rows[rows.size // 2])
    marked = np.flatnonzero(shape[y])
    return int(marked[0] if marked[0] > 0 else marked[-1]), y


def _inside(size: tuple[int, int], margin: int) -> Box:
    return margin, margin, margin + size[0], margin + size[1]


def _enlarged(image: Bytes, zoom: int) -> Bytes:
    return image.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _heat_steps(map: Map, picture: Picture, longest: int) -> Bytes:
    levels = reduced(to_display(map.at_full_size(), picture.item.orientation), longest)
    return np.asarray(levels.astype(np.uint32) * HEAT_LEVELS >> 16, np.uint8)


@cache
def _heat_colours() -> Bytes:
    steps = np.arange(HEAT_LEVELS)
    scale = cv2.applyColorMap(np.rint(steps * 255 / (HEAT_LEVELS - 1)).astype(np.uint8)[:, None], cv2.COLORMAP_CIVIDIS)
    table = np.empty((HEAT_LEVELS, 4), np.uint8)
    table[:, :3] = scale[:, 0, ::-1]
    table[:, 3] = np.clip((steps / HEAT_LEVELS - 0.08) / 0.35, 0, 1) * 215
    return table
