"""How a vision-language model sees a picture, and, by the very same function, a mask: numpy alone, no torch.

Four layouts: `square` pads to a square (LLaVA-1.5), `anyres` is the squashed whole and tiles of a padded copy
(LLaVA-OneVision), `patches` are flattened patches of the picture at nearly its own size (Qwen2.5-VL, Qwen3-VL),
`tiles` are tiles and then the squashed whole (SmolVLM). A picture is never cropped. Layouts follow the published
image processors of transformers, which `tests/explain/test_vlm.py` compares this file with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Size = tuple[int, int]  # (height, width)
Rgb = tuple[float, float, float]

CLIP_MEAN: Rgb = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Rgb = (0.26862954, 0.26130258, 0.27577711)
HALF: Rgb = (0.5, 0.5, 0.5)
BLUR = 9  # pixels of the box that blurs a background
LARGEST = 4096  # pixels of a side, SmolVLM's bound


@dataclass(frozen=True)
class Eyes:
    """What a model's vision tower takes: `side` of its square inputs and of its `patch`, in pixels.

    `merge` patches a side become one token of the language model; `temporal` repeats a still picture as a video's
    frames. `pixels` is the least and most area of `patches`, `longest` the longer side that `tiles` enlarge to,
    `resolutions` (height, width) the choices of `anyres`, `most` its largest number of tiles' worth of tokens.
    """

    layout: Literal["square", "anyres", "patches", "tiles"]
    side: int
    patch: int
    mean: Rgb = HALF
    std: Rgb = HALF
    merge: int = 1
    temporal: int = 1
    pixels: tuple[int, int] = (56 * 56, 28 * 28 * 1280)
    longest: int = 1536
    resolutions: tuple[Size, ...] = ()
    most: int = 9


@dataclass(frozen=True, eq=False)
class View:
    """A picture as the tower takes it: `values` float32 normalised, N×3×side×side or (for `patches`) P×(3·t·p·p).

    `masked` is the same with everything outside the mask at zero, and `coverage` the mask's share of every patch
    (N×P, or P), both None without a mask. `grid` is (rows, columns) of tiles or patches; `size` the picture's.
    """

    values: Floats
    masked: Floats | None
    coverage: Floats | None
    grid: Size
    size: Size


def look(
    picture: NDArray[np.uint8],
    eyes: Eyes,
    mask: NDArray[Any] | None = None,
    *,
    soft: bool = False,
    background: Literal["zero", "blur"] = "zero",
) -> View:
    """See a picture uint8 H×W×3 and a mask H×W of the same size, bool or 0-1.

    Masked pixels become zero after normalisation, the mean colour, or (`blur`) a box-blurred picture. A mask is made
    binary at a half after resizing unless `soft`; one too small for that keeps the pixels it covers most. Padding
    counts as inside: it is no part of the picture and the same in both. None is no mask. Raises ValueError for a mask
    of another size, and for an empty one, which would hide the whole picture.
    """
    size = (int(picture.shape[0]), int(picture.shape[1]))
    fill = tuple(255 * value for value in eyes.mean) if eyes.layout == "square" else (0.0, 0.0, 0.0)
    raw, grid = placed(picture, eyes, fill)
    values = _normalised(raw, eyes)
    if mask is None:
        return View(values, None, None, grid, size)
    if mask.shape != size:
        raise ValueError(f"the mask is {mask.shape}, the picture {size}")
    if not mask.any():
        raise ValueError("the mask is empty and would hide the whole picture; give None where nothing is marked")
    levels = np.clip(np.asarray(mask, np.float32), 0, 1) * np.float32(255)
    kept = placed(np.repeat(levels[..., None], 3, axis=2), eyes, (255.0, 255.0, 255.0))[0] / np.float32(255)
    if not soft:
        inside = _unpadded(kept, eyes, size)
        kept = (kept >= min(0.5, float(inside.max()))).astype(np.float32)
    behind = np.zeros_like(values)
    if background == "blur":
        smooth = cv2.blur(picture, (BLUR, BLUR), borderType=cv2.BORDER_REPLICATE)
        behind = _normalised(placed(smooth, eyes, fill)[0], eyes)
    # As a difference, so that where the mask is whole nothing changes, not even by rounding.
    masked = np.where(kept == 1, values, values * kept + behind * (1 - kept)).astype(np.float32)
    return View(values, masked, _coverage(kept, eyes), grid, size)


def placed(values: NDArray[Any], eyes: Eyes, fill: tuple[float, ...]) -> tuple[Floats, Size]:
    """Levels 0-255, H×W×3, laid out as the tower takes them, and the grid: the one geometry of pictures and masks.

    `fill` is the level of padding by channel.
    """
    height, width = values.shape[:2]
    if eyes.layout == "square":
        long = max(height, width)
        top, left = (long - height) // 2, (long - width) // 2
        return _stack([_resized(_canvas(values, (long, long), (top, left), fill), (eyes.side, eyes.side))]), (1, 1)
    if eyes.layout == "patches":
        high, wide = patched_size((height, width), eyes)
        return _patches(_resized(values, (high, wide)), eyes), (high // eyes.patch, wide // eyes.patch)
    whole = _resized(values, (eyes.side, eyes.side))
    if eyes.layout == "anyres":
        canvas, inner = anyres_size((height, width), eyes)
        top, left = (canvas[0] - inner[0]) // 2, (canvas[1] - inner[1]) // 2
        tiles = _cut(_canvas(_resized(values, inner), canvas, (top, left), fill), eyes.side)
        return _stack([whole, *tiles]), (canvas[0] // eyes.side, canvas[1] // eyes.side)
    first, even = tiled_size((height, width), eyes)
    enlarged = _resized(_resized(values, first), even)
    if max(even) <= eyes.side:
        return _stack([enlarged]), (0, 0)
    squashed = _resized(enlarged, (eyes.side, eyes.side))
    return _stack([*_cut(enlarged, eyes.side), squashed]), (even[0] // eyes.side, even[1] // eyes.side)


# ---------------------------------------------------------------- sizes


def patched_size(size: Size, eyes: Eyes) -> Size:
    """(height, width) in whole merged patches, of about the picture's shape and within `pixels`.

    Raises ValueError for a picture more than 200 times as long as wide, which such a model does not take.
    """
    if max(size) > 200 * min(size):
        raise ValueError(f"a picture of {size[1]}x{size[0]} is too long and thin for this model")
    unit = eyes.patch * eyes.merge
    high, wide = (round(length / unit) * unit for length in size)
    least, most = eyes.pixels
    if high * wide > most:
        factor = math.sqrt(size[0] * size[1] / most)
        high, wide = (max(unit, math.floor(length / factor / unit) * unit) for length in size)
    elif high * wide < least:
        factor = math.sqrt(least / (size[0] * size[1]))
        high, wide = (math.ceil(length * factor / unit) * unit for length in size)
    return high, wide


def anyres_size(size: Size, eyes: Eyes) -> tuple[Size, Size]:
    """(height, width) of the canvas of tiles, the one that keeps most pixels and wastes least, and of the picture."""

    def worth(canvas: Size) -> tuple[int, int]:
        factor = min(canvas[1] / size[1], canvas[0] / size[0])
        kept = min(int(size[1] * factor) * int(size[0] * factor), size[0] * size[1])
        return kept, kept - canvas[0] * canvas[1]

    canvas = max(eyes.resolutions, key=worth)
    across, down = canvas[1] / size[1], canvas[0] / size[0]
    if across < down:
        return canvas, (min(math.ceil(size[0] * across), canvas[0]), canvas[1])
    return canvas, (canvas[0], min(math.ceil(size[1] * down), canvas[1]))


def tiled_size(size: Size, eyes: Eyes) -> tuple[Size, Size]:
    """(height, width) with the longer side at `longest`, and the next whole number of tiles."""
    height, width = size
    long = min(eyes.longest, LARGEST)
    ratio = width / height
    if width >= height:
        wide, high = long, int(long / ratio)
        high = max(1, high + high % 2)
    else:
        high, wide = long, int(long * ratio)
        wide = max(1, wide + wide % 2)
    tiles = math.ceil(max(high, wide) / eyes.side) * eyes.side
    other = math.ceil(int(tiles * min(high, wide) / max(high, wide)) / eyes.side) * eyes.side
    even = (other, tiles) if wide >= high else (tiles, other)
    return (high, wide), (max(even[0], eyes.side), max(even[1], eyes.side))


# ---------------------------------------------------------------- eyes of a model


def eyes_of(config: Any, processor: Mapping[str, Any] | None = None) -> Eyes:
    """From a model's configuration and the contents of its preprocessor_config.json, where there is one.

    Raises ValueError for a model of another family.
    """
    seen, told = config.vision_config, dict(processor or {})
    if config.model_type == "llava":
        eyes = Eyes("square", int(seen.image_size), int(seen.patch_size), CLIP_MEAN, CLIP_STD)
    elif config.model_type == "llava_onevision":
        choices = tuple((int(h), int(w)) for h, w in told.get("image_grid_pinpoints") or config.image_grid_pinpoints)
        most = int(config.vision_aspect_ratio.removeprefix("anyres_max_"))
        eyes = Eyes("anyres", int(seen.image_size), int(seen.patch_size), resolutions=choices, most=most)
    elif config.model_type in ("qwen2_5_vl", "qwen3_vl"):
        older = config.model_type == "qwen2_5_vl"
        mean, std = (CLIP_MEAN, CLIP_STD) if older else (HALF, HALF)
        merge, frames = int(seen.spatial_merge_size), int(seen.temporal_patch_size)
        eyes = Eyes("patches", 0, int(seen.patch_size), mean, std, merge, frames)
        size = told.get("size") or {}
        least = told.get("min_pixels") or size.get("shortest_edge") or eyes.pixels[0]
        # A model may take 16 million pixels; more than this is no clearer and needs far more memory.
        most_pixels = min(int(told.get("max_pixels") or size.get("longest_edge") or eyes.pixels[1]), eyes.pixels[1])
        eyes = replace(eyes, pixels=(int(least), most_pixels))
    elif config.model_type == "smolvlm":
        eyes = Eyes("tiles", int(seen.image_size), int(seen.patch_size), merge=int(config.scale_factor))
        longest = (told.get("size") or {}).get("longest_edge", 4 * eyes.side)
        eyes = replace(eyes, longest=int(longest))
    else:
        known = "llava, llava_onevision, qwen2_5_vl, qwen3_vl, smolvlm"
        raise ValueError(f"a model of the family {config.model_type!r} is not supported; families: {known}")
    if told.get("image_mean") and told.get("image_std"):
        eyes = replace(eyes, mean=_rgb(told["image_mean"]), std=_rgb(told["image_std"]))
    return eyes


# ---------------------------------------------------------------- helpers


def _rgb(values: Any) -> Rgb:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _normalised(levels: Floats, eyes: Eyes) -> Floats:
    flat = levels.reshape(len(levels), 3, -1)
    mean, std = (np.array(value, np.float32).reshape(1, 3, 1) for value in (eyes.mean, eyes.std))
    return np.ascontiguousarray(((flat / np.float32(255) - mean) / std).reshape(levels.shape))


def _coverage(kept: Floats, eyes: Eyes) -> Floats:
    if eyes.layout == "patches":
        return np.asarray(kept.mean(axis=1), np.float32)
    count, _, high, wide = kept.shape
    rows, columns = high // eyes.patch, wide // eyes.patch
    cells = kept[:, 0, : rows * eyes.patch, : columns * eyes.patch]
    cells = cells.reshape(count, rows, eyes.patch, columns, eyes.patch)
    return np.asarray(cells.mean(axis=(2, 4)).reshape(count, -1), np.float32)


def _unpadded(kept: Floats, eyes: Eyes, size: Size) -> Floats:
    """The values that are no padding."""
    if eyes.layout in ("patches", "tiles"):
        return kept
    ones = placed(np.full((*size, 3), 255.0, np.float32), eyes, (0.0, 0.0, 0.0))[0]
    return np.asarray(kept[ones > 254])


def _resized(values: NDArray[Any], size: Size) -> Floats:
    """Bicubic with low-pass where it reduces, channel by channel, kept within 0-255."""
    if values.shape[:2] == size:
        return np.asarray(values, np.float32)
    planes = []
    for channel in range(values.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(values[..., channel], np.float32))
        planes.append(np.asarray(plane.resize(size[::-1], Image.Resampling.BICUBIC)))
    return np.asarray(np.clip(np.stack(planes, axis=2), 0, 255), np.float32)


def _canvas(values: NDArray[Any], size: Size, corner: Size, fill: tuple[float, ...]) -> Floats:
    whole = np.empty((*size, 3), np.float32)
    whole[:] = fill
    top, left = corner
    whole[top : top + values.shape[0], left : left + values.shape[1]] = values
    return whole


def _cut(values: Floats, side: int) -> list[Floats]:
    rows, columns = values.shape[0] // side, values.shape[1] // side
    return [values[r * side : (r + 1) * side, c * side : (c + 1) * side] for r in range(rows) for c in range(columns)]


def _stack(tiles: list[Floats]) -> Floats:
    return np.stack([tile.transpose(2, 0, 1) for tile in tiles])


def _patches(values: Floats, eyes: Eyes) -> Floats:
    """Patches of one merged token follow each other; in each, channel, frame, row, column."""
    p, m = eyes.patch, eyes.merge
    rows, columns = values.shape[0] // (p * m), values.shape[1] // (p * m)
    cells = values.reshape(rows, m, p, columns, m, p, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    frames = np.repeat(cells[:, :, :, :, :, None], eyes.temporal, axis=5)
    return np.ascontiguousarray(frames.reshape(rows * columns * m * m, -1))
