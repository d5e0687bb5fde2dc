"""Something is taken out of the picture and the gap filled from its surroundings.

Three ways, as editors offer them: diffusion, patches, and one stretch of background laid over
(`ifdl.forge._inpaint`). The fill reaches a little past what is removed and fades out there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge._inpaint import background, clone, diffuse, disc, quilt, rim_of, source_box, window
from ifdl.forge.record import Box, Donors, Forgery, Mask, Material, Pixels, Step, box_of
from ifdl.forge.regions import region
from ifdl.types import Card, Number

CARD = Card(
    id="remove",
    title="Removal with a fill from the surroundings",
    citation=(
        "Telea, An image inpainting technique based on the fast marching method, J. Graphics Tools 2004; Bertalmío et "
        "al., Navier-Stokes, fluid dynamics, and image and video inpainting, CVPR 2001; Criminisi, Pérez & Toyama, "
        "Region filling and object removal by exemplar-based image inpainting, IEEE TIP 2004; Pérez, Gangnet & Blake, "
        "Poisson image editing, SIGGRAPH 2003"
    ),
    domain="photographs of at least 64×64 pixels; 0.3 % to 15 % of the picture is removed",
    limits=(
        "does not know what it removes: shadows and reflections of a removed object stay",
        "structures that cross a large gap end or bend inside it",
    ),
)
Floats = NDArray[np.float32]
SMALLEST = 64
SHARE = (0.003, 0.15)
MOST = 0.25  # of the picture, with what the fill reaches over
TRIES = 3  # regions looked at; those that stand out most from their surroundings are tried first
ENOUGH = 0.6  # of the region's pixels must have changed: black taken out of black is no edit
SMOOTH = 2.5  # grey levels of detail below which a diffused fill is not betrayed by its smoothness
# What makes a fill betray itself: grey levels (RMS) by which it may miss its rim, more where there is much detail.
FIT, FIT_DETAIL, FIT_MOST = 8.0, 1.4, 18.0
RIMS = 1.5  # a whole rim fits less well than patches chosen one by one, and looks no worse for it
WORST = 3.0  # times as much is let pass if nothing better is found
EVEN = 14.0  # grey levels: surroundings that vary less, and have a quarter as much detail, can be diffused over
THIN = 6.0  # pixels at 256×256 from rim to middle: thin gaps can be diffused over anywhere


@dataclass(frozen=True, eq=False)
class Fill:
    """A filled picture and what a record says of it; `misfit` above 1 betrays it, 0 where it has no seam."""

    pixels: Pixels
    parameters: dict[str, Number]
    traces: tuple[str, ...]
    cues: tuple[str, ...]
    misfit: float = 0.0
    source: Box | None = None


def forge(host: Material, donors: Donors, rng: np.random.Generator) -> Forgery | None:
    """One removal; `donors` are not asked, since everything comes from the host itself."""
    pixels = host.pixels
    if min(pixels.shape[:2]) < SMALLEST:
        return None
    best: tuple[Fill, Floats, dict[str, Number]] | None = None
    for core in _spots(pixels, rng):
        cover, reach, feather = _cover(core, rng)
        hole = cover > 0
        fill = _fill(host, hole, best[0].misfit if best else WORST, rng) if hole.mean() <= MOST else None
        if fill is not None:
            best = fill, cover, {"reach": reach, "feather": feather}
            if fill.misfit <= 1:
                break
    return None if best is None else _blended(host, *best)


def _blended(host: Material, fill: Fill, cover: Floats, edge: dict[str, Number]) -> Forgery | None:
    """The fill laid over the picture as far as it covers it; None if that changed next to nothing."""
    pixels, mask = host.pixels, cover >= 0.5
    place = window(cover > 0, 0)
    out = pixels.copy()
    before = pixels[place].astype(np.float32)
    mixed = before + cover[place][..., None] * (fill.pixels[place] - before)
    out[place] = np.rint(mixed).astype(np.uint8)
    if (out[place] != pixels[place]).any(axis=2)[mask[place]].mean() < ENOUGH:
        return None
    step = Step(
        engine="remove",
        action="removed and filled from its surroundings",
        content="a part of the scene",
        target_box=box_of(mask),
        source_box=fill.source,
        parameters={**fill.parameters, **edge, "share": round(float(mask.mean()), 5)},
        traces=fill.traces,
        cues=fill.cues,
    )
    return Forgery(out, mask, (step,))


# ---------------------------------------------------------------- where


def _spots(pixels: Pixels, rng: np.random.Generator) -> list[Mask]:
    """What could be removed: a few regions, first the one that stands out most from its own surroundings."""
    found = (region(pixels, rng, SHARE) for _ in range(TRIES))
    regions = [mask for mask in found if mask is not None and mask.any()]
    return sorted(regions, key=lambda mask: _plainness(pixels, mask))


def _plainness(pixels: Pixels, mask: Mask) -> float:
    """How uneven the surroundings are, relative to how far the region departs from them (both RMS about their mean)."""
    place = window(mask, 8)
    rim, inside = rim_of(mask[place], 6), mask[place]
    if not rim.any():
        return np.inf
    around = pixels[place][rim].astype(np.float32)
    mean = around.mean(axis=0)
    apart = float(((pixels[place][inside] - mean) ** 2).mean())
    return float(around.var(axis=0).mean() + 1) / (apart + 1)


def _cover(core: Mask, rng: np.random.Generator) -> tuple[Floats, float, float]:
    """How far the fill covers each pixel (0-1): all of the region and `reach` pixels more, fading over `feather`."""
    scale = np.sqrt(min(core.shape) / 256)
    reach, feather = round(float(rng.uniform(1, 4) * scale), 1), round(float(rng.uniform(1, 4) * scale), 1)
    place = window(core, int(reach + feather) + 2)
    away = cv2.distanceTransform((~core[place]).astype(np.uint8), cv2.DIST_L2, 5)
    cover = np.zeros(core.shape, np.float32)
    cover[place] = np.clip(1 - (away - reach) / np.float32(feather), 0, 1)
    return cover, reach, feather


# ---------------------------------------------------------------- how


def _fill(host: Material, hole: Mask, most: float, rng: np.random.Generator) -> Fill | None:
    """The gap filled in a way that suits it, or in the next where that betrays itself; misfit below `most`."""
    detail, uneven, depth = _surroundings(host.pixels, hole)
    small = depth <= THIN * np.sqrt(min(hole.shape) / 256)
    suits = small or max(4 * detail, uneven) < EVEN
    order = list(rng.permutation(("patches", "background")))
    if suits and rng.random() < 0.5:
        order.insert(0, "diffusion")
    bearable = min(FIT + FIT_DETAIL * detail, FIT_MOST)
    best: Fill | None = None
    for way in order:
        fill: Fill | None
        if way == "diffusion":
            fill = _diffused(host, hole, detail, rng)
        elif way == "patches":
            fill = _patched(host, hole, bearable, most)
        else:
            fill = _covered(host, hole, bearable, most, rng)
        if fill is not None and fill.misfit < most:
            best, most = fill, fill.misfit
            if fill.misfit <= 1:
                break
    return best


def _diffused(host: Material, hole: Mask, detail: float, rng: np.random.Generator) -> Fill:
    telea, grainy = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    filled = diffuse(host.pixels, hole, telea)
    sigma = 0.0
    if grainy:
        sigma = round(_noise(host.pixels, hole), 2)
        place = window(hole, 0)
        shape = filled[place].shape
        # Grain of developed pictures is mostly in brightness, and a little softer than single pixels.
        grain = rng.normal(0, sigma, (*shape[:2], 1)) + rng.normal(0, sigma / 3, shape)
        soft = cv2.GaussianBlur(grain.astype(np.float32), (0, 0), 0.5) * np.float32(1.5)
        noisy = np.clip(np.rint(filled[place] + soft), 0, 255).astype(np.uint8)
        filled[place] = np.where(hole[place][..., None], noisy, filled[place])
    return Fill(
        filled,
        {"way": "diffusion", "method": "telea" if telea else "navier-stokes", "radius": 3, "noise": sigma},
        _traces(host, "added_noise" if grainy else "smoothed", "missing_grid"),
        ("texture", "sharpness") if detail >= SMOOTH else ("texture",),
    )


def _patched(host: Material, hole: Mask, bearable: float, most: float) -> Fill | None:
    quilted = quilt(host.pixels, hole, most * bearable)
    if quilted is None:
        return None
    numbers: dict[str, Number] = {"patch": quilted.side, "patches": quilted.count, "misfit": round(quilted.misfit, 2)}
    return Fill(
        quilted.pixels,
        {"way": "patches", **numbers},
        _traces(host, "repeated", "missing_grid"),
        ("texture", "repetition"),
        quilted.misfit / bearable,
    )


def _covered(host: Material, hole: Mask, bearable: float, most: float, rng: np.random.Generator) -> Fill | None:
    poisson = bool(rng.random() < 0.6)
    found = background(host.pixels, hole, rng, poisson, most * RIMS * bearable)
    if found is None:
        return None
    dx, dy = found.shift
    traces = ["repeated"]
    if host.grid is not None and (dx % 8 or dy % 8):
        traces.append("foreign_grid")
    return Fill(
        clone(host.pixels, hole, found.shift, poisson),
        {"way": "background", "poisson": poisson, "dx": dx, "dy": dy, "misfit": round(found.misfit, 2)},
        _traces(host, *traces),
        ("repetition", "context"),
        found.misfit / (RIMS * bearable),
        source_box(hole, found.shift),
    )


def _traces(host: Material, *traces: str) -> tuple[str, ...]:
    """Those a picture like the host can show, and the blend every fill ends in."""
    return (*(t for t in traces if t != "missing_grid" or host.grid is not None), "blended")


# ---------------------------------------------------------------- measures along the rim


def _surroundings(pixels: Pixels, hole: Mask) -> tuple[float, float, float]:
    """Around the gap: fine detail and the standard deviation of a soft copy, in grey levels; the gap's depth in pixels.

    Detail is the mean absolute deviation from the soft copy, from the median, so that a few edges do not count.
    """
    place = window(hole, 10)
    grey = cv2.cvtColor(pixels[place], cv2.COLOR_RGB2GRAY).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(grey, (0, 0), 2), np.float32)
    rim = rim_of(hole[place], 8)
    if not rim.any():
        return 0.0, np.inf, np.inf
    depth = cv2.distanceTransform(hole[place].astype(np.uint8), cv2.DIST_L2, 3).max()
    return 1.25 * float(np.median(np.abs(grey - soft)[rim])), float(soft[rim].std()), float(depth)


def _noise(pixels: Pixels, hole: Mask) -> float:
    """Noise around the gap (standard deviation, grey levels): the mean step between neighbours, kept in reason."""
    place = window(hole, 12)
    grey = cv2.cvtColor(pixels[place], cv2.COLOR_RGB2GRAY).astype(np.float32)
    rim = cv2.erode(rim_of(hole[place], 10).astype(np.uint8), disc(1)) > 0
    step = np.abs(np.diff(grey, axis=1))[rim[:, 1:]]
    # Two Gaussian values differ by 1.128 standard deviations on average.
    return float(np.clip(step.mean() / 1.128 if step.size else 1.0, 0.4, 3.0))
