"""A region is retouched where it stands: smoothed, sharpened, lightened, recoloured, warped, saved anew.

Each way is a small function from a patch of the picture to its edited copy; the patch is blended back
with soft edges. Strengths run from barely visible to plain. The mask is the region that changed; a
region of which too little changed (clipped highlights, flat sky under a blur) is tried another way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from ifdl.forge._liquify import MOVED, WARPS, liquify
from ifdl.forge.record import Donors, Forgery, Mask, Material, Pixels, Step, box_of
from ifdl.forge.regions import alpha, region
from ifdl.types import Card, Number

CARD = Card(
    id="retouch",
    title="Local retouching",
    citation=(
        "The everyday tools of photo editors; bilateral smoothing: Tomasi & Manduchi, ICCV 1998; warps: Gustafsson, "
        "Interactive image warping, 1993"
    ),
    domain="photographs of at least 64×64 pixels; regions of 0.3 % to 50 % of the picture",
    limits=(
        "does not know what it retouches: skin is smoothed no more often than walls",
        "a local JPEG save keeps its own grid only inside the region",
    ),
)
SMALLEST = 64
SHARE = (0.003, 0.5)
MARGIN = 24  # pixels around the region that filters may draw on
ENOUGH = 0.6  # of the region's pixels must have changed
VISIBLE = 2.0  # mean change in grey levels from which more than one cue may be looked for
TRIES = 4
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Patch:
    """Where to retouch: pixels uint8 h×w×3 and `at` (x, y) in the picture, its JPEG `grid`, wished `strength` 0-1.

    `unit` grows with the picture: what is one pixel at 256×256.
    """

    pixels: Pixels
    at: tuple[int, int]
    grid: tuple[int, int] | None
    strength: float
    unit: float


@dataclass(frozen=True, eq=False)
class Edit:
    """The whole patch edited, and what a record says of it."""

    pixels: Pixels
    action: str
    parameters: dict[str, Number]
    traces: tuple[str, ...]
    cues: tuple[str, ...]


Way = Callable[[Patch, np.random.Generator], Edit]


def forge(host: Material, donors: Donors, rng: np.random.Generator) -> Forgery | None:
    """One retouched region; `donors` are not asked."""
    if min(host.pixels.shape[:2]) < SMALLEST:
        return None
    for _ in range(TRIES):
        shape = region(host.pixels, rng, SHARE)
        if shape is None or not shape.any():
            continue
        forgery = _warped(host, shape, rng) if rng.random() < 0.12 else _edited(host, shape, rng)
        if forgery is not None:
            return forgery
    return None


def _edited(host: Material, shape: Mask, rng: np.random.Generator) -> Forgery | None:
    cover, mask = alpha(shape, rng)
    if not mask.any() or mask.all():
        return None
    rows, columns = _around(cover > 0, MARGIN)
    before = np.ascontiguousarray(host.pixels[rows, columns])
    unit = float(np.sqrt(min(mask.shape) / 256))
    patch = Patch(before, (columns.start, rows.start), host.grid, float(rng.random()), unit)
    way = WAYS[int(rng.integers(len(WAYS)))]
    edit = way(patch, rng)
    share = cover[rows, columns][..., None]
    mixed = before + share * (edit.pixels.astype(np.float32) - before)
    after = np.rint(mixed).astype(np.uint8)
    parameters = {**edit.parameters, "strength": round(patch.strength, 3)}
    return _forgery(host, (rows, columns), after, mask, Edit(after, edit.action, parameters, edit.traces, edit.cues))


def _warped(host: Material, shape: Mask, rng: np.random.Generator) -> Forgery | None:
    place = _around(shape, MARGIN)
    warp = WARPS[int(rng.integers(len(WARPS)))]
    furthest, angle = float(np.exp(rng.uniform(np.log(1.5), np.log(10)))), float(rng.uniform(0, 2 * np.pi))
    furthest *= float(np.sqrt(min(shape.shape) / 256))
    after, moved = liquify(np.ascontiguousarray(host.pixels[place]), shape[place], warp, furthest, angle)
    mask = np.zeros(shape.shape, bool)
    mask[place] = moved >= MOVED
    if not mask.any() or mask.all():
        return None
    parameters: dict[str, Number] = {"way": "liquify", "warp": warp, "furthest": round(float(moved.max()), 2)}
    if warp == "push":
        parameters["angle"] = round(angle, 3)
    actions = {"bulge": "enlarged", "pinch": "made slimmer", "push": "pushed aside", "twirl": "twisted"}
    edit = Edit(after, f"{actions[warp]} by warping", parameters, ("resampled",), ("proportion", "texture"))
    return _forgery(host, place, after, mask, edit)


def _forgery(host: Material, place: tuple[slice, slice], after: Pixels, mask: Mask, edit: Edit) -> Forgery | None:
    """The patch put back; None if too little of the region changed."""
    inside = mask[place]
    difference = cv2.absdiff(after, host.pixels[place])
    if difference.max(axis=2)[inside].astype(bool).mean() < ENOUGH:
        return None
    change = float(difference[inside].mean())
    out = host.pixels.copy()
    out[place] = after
    step = Step(
        engine="retouch",
        action=edit.action,
        content="a region",
        target_box=box_of(mask),
        parameters={**edit.parameters, "change": round(change, 2), "share": round(float(mask.mean()), 5)},
        traces=edit.traces,
        cues=edit.cues if change >= VISIBLE else edit.cues[:1],
    )
    return Forgery(out, mask, (step,))


def _around(mask: Mask, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the mask's box grown by `margin` pixels, cut at the picture's edge."""
    x, y, width, height = box_of(mask)
    rows = slice(max(0, y - margin), min(mask.shape[0], y + height + margin))
    return rows, slice(max(0, x - margin), min(mask.shape[1], x + width + margin))


def _between(low: float, high: float, strength: float) -> float:
    """From `low` to `high` by equal ratios, as eyes judge strengths; three digits."""
    return float(f"{low * (high / low) ** strength:.3g}")


# ---------------------------------------------------------------- sharpness and noise


def _blur(patch: Patch, rng: np.random.Generator) -> Edit:
    sigma = _between(0.6, 3.5, patch.strength) * patch.unit
    kind = ("gaussian", "box", "motion")[int(rng.integers(3))]
    parameters: dict[str, Number] = {"way": "blur", "kernel": kind}
    if kind == "gaussian":
        parameters["sigma"] = round(sigma, 2)
        edited = cv2.GaussianBlur(patch.pixels, (0, 0), sigma)
    elif kind == "box":
        side = 2 * max(1, round(1.5 * sigma)) + 1
        parameters["side"] = side
        edited = cv2.blur(patch.pixels, (side, side))
    else:
        length, angle = 2 * max(1, round(2 * sigma)) + 1, float(rng.uniform(0, np.pi))
        parameters |= {"length": length, "angle": round(angle, 3)}
        edited = cv2.filter2D(patch.pixels, -1, _line(length, angle))
    return Edit(np.asarray(edited, np.uint8), "blurred", parameters, ("smoothed",), ("sharpness", "texture"))


def _line(length: int, angle: float) -> NDArray[np.float32]:
    """A motion kernel: an antialiased line through the middle, summing to 1."""
    kernel = np.zeros((length, length), np.float32)
    middle, reach = (length - 1) / 2, (length - 1) / 2
    for t in np.linspace(-reach, reach, 4 * length):
        x, y = middle + t * np.cos(angle), middle + t * np.sin(angle)
        left, top = min(int(x), length - 2), min(int(y), length - 2)
        u, v = x - left, y - top
        kernel[top : top + 2, left : left + 2] += np.outer((1 - v, v), (1 - u, u)).astype(np.float32)
    return np.asarray(kernel / kernel.sum())


def _smooth(patch: Patch, rng: np.random.Generator) -> Edit:
    if rng.random() < 0.4:
        side = 3 if patch.strength < 0.4 else 5 if patch.strength < 0.8 else 7
        parameters: dict[str, Number] = {"way": "median", "side": side}
        edited = cv2.medianBlur(patch.pixels, side)
    else:
        levels, sigma = _between(12, 60, patch.strength), _between(1.5, 4, patch.strength) * patch.unit
        parameters = {"way": "bilateral", "levels": levels, "sigma": round(sigma, 2)}
        edited = cv2.bilateralFilter(patch.pixels, min(9, 2 * round(1.5 * sigma) + 1), levels, sigma)
    return Edit(np.asarray(edited, np.uint8), "smoothed", parameters, ("smoothed",), ("texture", "noise"))


def _sharpen(patch: Patch, rng: np.random.Generator) -> Edit:
    amount, sigma = _between(0.4, 2.5, patch.strength), round(float(rng.uniform(0.7, 2.2)) * patch.unit, 2)
    soft = cv2.GaussianBlur(patch.pixels, (0, 0), sigma)
    edited = cv2.addWeighted(patch.pixels, 1 + amount, soft, -amount, 0)
    parameters: dict[str, Number] = {"way": "sharpen", "amount": amount, "sigma": sigma}
    return Edit(np.asarray(edited, np.uint8), "sharpened", parameters, ("sharpened",), ("sharpness", "edges"))


def _noise(patch: Patch, rng: np.random.Generator) -> Edit:
    sigma, grey = _between(1.5, 14, patch.strength), bool(rng.random() < 0.5)
    soft = round(float(rng.uniform(0.4, 1.0)), 2) if rng.random() < 0.5 else 0.0
    grain = rng.standard_normal((*patch.pixels.shape[:2], 1 if grey else 3), dtype=np.float32)
    if soft:
        blurred = np.asarray(cv2.GaussianBlur(grain, (0, 0), soft), np.float32)
        grain = (blurred / blurred.std()).reshape(grain.shape)
    edited = np.clip(np.rint(patch.pixels + np.float32(sigma) * grain), 0, 255).astype(np.uint8)
    parameters: dict[str, Number] = {"way": "noise", "sigma": sigma, "grey": grey, "grain": soft}
    return Edit(np.asarray(edited, np.uint8), "made grainier", parameters, ("added_noise",), ("noise", "texture"))


# ---------------------------------------------------------------- tone and colour


def _contrast(patch: Patch, rng: np.random.Generator) -> Edit:
    gain = _between(1.06, 1.6, patch.strength)
    more, curve = bool(rng.random() < 0.6), bool(rng.random() < 0.5)
    levels = np.arange(256, dtype=np.float64)
    if curve:
        # An S-curve through black, middle and white; its inverse flattens.
        unit = np.clip(levels / 255, 1e-6, 1 - 1e-6)
        bend = gain if more else 1 / gain
        table = 255 / (1 + ((1 - unit) / unit) ** bend)
    else:
        middle = float(patch.pixels.mean())
        table = middle + (levels - middle) * (gain if more else 1 / gain)
    edited = cv2.LUT(patch.pixels, np.clip(np.rint(table), 0, 255).astype(np.uint8))
    parameters: dict[str, Number] = {"way": "curve" if curve else "contrast", "gain": gain if more else -gain}
    action = "given more contrast" if more else "given less contrast"
    return Edit(np.asarray(edited, np.uint8), action, parameters, ("recoloured",), ("lighting", "colour"))


def _brightness(patch: Patch, rng: np.random.Generator) -> Edit:
    levels = np.arange(256, dtype=np.float64)
    brighter = bool(rng.random() < 0.5)
    if rng.random() < 0.5:
        gamma = _between(1.06, 1.6, patch.strength)
        table = 255 * (levels / 255) ** (1 / gamma if brighter else gamma)
        parameters: dict[str, Number] = {"way": "gamma", "gamma": gamma, "brighter": brighter}
    else:
        offset = round(_between(4, 36, patch.strength))
        table = levels + (offset if brighter else -offset)
        parameters = {"way": "brightness", "offset": offset if brighter else -offset}
    edited = cv2.LUT(patch.pixels, np.clip(np.rint(table), 0, 255).astype(np.uint8))
    action = "made brighter" if brighter else "made darker"
    return Edit(np.asarray(edited, np.uint8), action, parameters, ("recoloured",), ("lighting", "shadow"))


def _colour(patch: Patch, rng: np.random.Generator) -> Edit:
    sign = 1 if rng.random() < 0.5 else -1
    kind = ("hue", "saturation", "white balance")[int(rng.integers(3))]
    if kind == "hue":
        value = sign * _between(6, 60, patch.strength)
        matrix = _turn(np.deg2rad(value))
    elif kind == "saturation":
        value = _between(1.15, 2.2, patch.strength) ** sign
        matrix = value * np.eye(3) + (1 - value) * np.ones((3, 1)) * LUMA
    else:
        value = sign * _between(0.03, 0.2, patch.strength)
        gains = np.array([1 + value, 1.0, 1 - value])
        matrix = np.diag(gains / (gains @ LUMA))
    edited = cv2.transform(patch.pixels, matrix.astype(np.float32))
    parameters: dict[str, Number] = {"way": kind, "value": round(float(value), 4)}
    return Edit(np.asarray(edited, np.uint8), "recoloured", parameters, ("recoloured",), ("colour",))


def _turn(angle: float) -> NDArray[np.float64]:
    """Rotation about the grey axis of RGB: turns hues, keeps greys and the mean of the three channels."""
    cos, sin = np.cos(angle), np.sin(angle) / np.sqrt(3)
    shift = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    rotation: NDArray[np.float64] = cos * np.eye(3) + (1 - cos) / 3 + sin * shift
    return rotation


# ---------------------------------------------------------------- another history


def _recompress(patch: Patch, rng: np.random.Generator) -> Edit:
    quality = round(88 - 58 * patch.strength)
    sampling = "420" if rng.random() < 0.6 else "444"
    # Blocks begin on the picture's own grid or anywhere.
    aligned = patch.grid is not None and bool(rng.random() < 0.4)
    if aligned and patch.grid is not None:
        left, top = ((at - grid) % 8 for at, grid in zip(patch.at, patch.grid, strict=True))
    else:
        left, top = (int(v) for v in rng.integers(0, 8, 2))
    wide = cv2.copyMakeBorder(patch.pixels, top, 0, left, 0, cv2.BORDER_REFLECT_101)
    saved = simplejpeg.encode_jpeg(wide, quality=quality, colorspace="RGB", colorsubsampling=sampling)
    edited = np.ascontiguousarray(simplejpeg.decode_jpeg(saved, colorspace="RGB")[top:, left:])
    grid = ((patch.at[0] - left) % 8, (patch.at[1] - top) % 8)
    traces = ("other_quantisation",) if patch.grid in (None, grid) else ("other_quantisation", "foreign_grid")
    parameters: dict[str, Number] = {"way": "jpeg", "quality": quality, "subsampling": sampling}
    parameters |= {"grid_x": grid[0], "grid_y": grid[1]}
    return Edit(
        np.asarray(edited, np.uint8),
        "saved anew with stronger compression",
        parameters,
        traces,
        ("noise", "resolution"),
    )


def _resample(patch: Patch, rng: np.random.Generator) -> Edit:
    factor = _between(1.2, 4.0, patch.strength)
    height, width = patch.pixels.shape[:2]
    size = (max(2, round(width / factor)), max(2, round(height / factor)))
    kind = ("linear", "cubic", "lanczos")[int(rng.integers(3))]
    back = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}[kind]
    edited = cv2.resize(
        cv2.resize(patch.pixels, size, interpolation=cv2.INTER_AREA), (width, height), interpolation=back
    )
    parameters: dict[str, Number] = {"way": "resample", "factor": factor, "interpolation": kind}
    return Edit(
        np.asarray(edited, np.uint8),
        "reduced and enlarged again",
        parameters,
        ("resampled", "smoothed"),
        ("resolution", "sharpness"),
    )


WAYS: tuple[Way, ...] = (
    _blur, _smooth, _sharpen, _noise, _contrast, _brightness, _colour, _recompress, _resample,
)  # fmt: skip
