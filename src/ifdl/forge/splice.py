"""Splicing: an object or region of another picture laid into the host.

A part of the splices is carried over pixel for pixel, so that the donor's own JPEG blocks and noise
survive, on the host's block grid or off it; the others are scaled, turned, mirrored, brought nearer to
the host's colours (Reinhard et al., "Color transfer between images", IEEE CG&A 2001), and blended by
opacity or by the Poisson equation (Pérez, Gangnet & Blake, SIGGRAPH 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge import _paste, regions
from ifdl.forge._paste import Change, Piece, Scene
from ifdl.forge.record import Box, Donors, Forgery, Mask, Material, Pixels, Step, box_of
from ifdl.types import Card, Number, Question

Rng = np.random.Generator

CARD = Card(
    id="splice",
    title="Splice: a region of another picture laid in",
    questions=(Question.LOCAL_EDIT,),
    citation="Pérez, Gangnet & Blake, SIGGRAPH 2003 (Poisson blending); Reinhard et al., IEEE CG&A 2001 (colour)",
    domain="Any two photographs of at least 32×32 pixels. Region 0.3 % to 50 % of the host; scale 0.5-2.",
    limits=(
        "Places are chosen by colour, roughness and height in the frame, not by understanding the scene.",
        "No shadows, reflections or occlusions are made for what is laid in.",
        "Without a detector an object is a part with a clear outline, which may be half of one.",
    ),
)
SHARE = (0.003, 0.5)
KINDS = {"segment": 0.76, "contour": 0.08, "blob": 0.04, "polygon": 0.03, "box": 0.04, "thin": 0.02, "parts": 0.03}
THINGS = ("segment", "object")
PLAIN = 0.4  # share of splices not scaled or turned; most of them are carried over pixel for pixel
USUAL = (0.03, 0.4)  # shares of most regions: things brought in are often the subject of the picture
CARELESS = 0.35  # share of splices by a hand that takes the first place and matches nothing
DRAFTS = 3  # regions tried of one donor; the one that fits its place best is taken
BAD = 6.0  # drafts that fit worse are all set aside once
SHIFT = np.array([50.0, 20.0, 20.0])  # most that a colour match moves L, a and b
ALIGNED = 0.4  # of these, how many lie on the host's block grid
TRIES = 4
CHOICE = 0.5  # how often there are two donors to choose from


def forge(host: Material, donors: Donors, rng: Rng) -> Forgery | None:
    """A splice of the host. None if no donor gave a region that fits."""
    if min(host.pixels.shape[:2]) < 32:
        return None
    for _ in range(TRIES):
        donor = donors(rng)
        careless = bool(rng.random() < CARELESS)
        if not careless and rng.random() < CHOICE:
            donor = _nearer(host, donor, donors(rng))
        if min(donor.pixels.shape[:2]) < 32:
            continue
        made = _splice(host, donor, rng, careless)
        if made is not None:
            return made
    return None


def _nearer(host: Material, one: Material, other: Material) -> Material:
    """The one of two donors whose light and colours are nearer to the host's."""
    looks = [np.array(cv2.mean(m.pixels)[:3]) for m in (host, one, other)]
    return one if np.abs(looks[1] - looks[0]).sum() <= np.abs(looks[2] - looks[0]).sum() else other


def _splice(host: Material, donor: Material, rng: Rng, careless: bool) -> Forgery | None:
    scene, own = Scene(host.pixels), Scene(donor.pixels)
    drafts = _drafts(host, donor, scene, own, rng, careless)
    if not careless and min((d.badness for d in drafts), default=np.inf) > BAD:
        drafts += _drafts(host, donor, scene, own, rng)
    if not drafts:
        return None
    draft = drafts[int(rng.integers(len(drafts)))] if careless else min(drafts, key=lambda d: d.badness)
    found, piece, change, corner = draft.found, draft.piece, draft.change, draft.corner
    source, target = box_of(found.mask), _moved(box_of(piece.mask), corner)
    wanted, there = draft.wanted, scene.around(_paste.boxes_of(target))[0]
    apart = float(np.abs(there[:3] - wanted[:3]).sum())
    thing = found.kind in THINGS
    plain = not change.resampled and bool(rng.random() < (0.9 if apart < 45 else 0.6 if thing else 0.3))
    aligned = None
    if plain and host.grid is not None and piece.grid is not None:
        corner, aligned = _snap(corner, piece, host, bool(rng.random() < ALIGNED))

    matched = (
        0.0
        if plain or careless or rng.random() > (0.5 if apart < 45 else 0.85)
        else round(float(rng.uniform(0.4, 1.0)), 2)
    )
    brightness = 1.0 if plain or rng.random() > 0.25 else round(float(np.exp(rng.normal(0, 0.12))), 3)
    pixels = recoloured(piece.pixels, there - wanted, matched, brightness)
    grey = _is_grey(host.pixels) and not _is_grey(pixels)
    if grey:  # nobody pastes a coloured thing into a black-and-white picture and hopes
        pixels = np.repeat(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    feather = regions.draw_feather(piece.mask, rng, hard=0.4 if plain else 0.15)
    blend = "opacity" if feather else "hard"
    if not plain and not careless and rng.random() < 0.3 and apart < 80:
        cloned = _paste.poisson(host.pixels, pixels, piece.mask, corner)
        if cloned is not None:
            pixels, blend = cloned, "Poisson"
    opacity, exact = regions.feathered(piece.mask, feather)
    forged = host.pixels.copy()
    _paste.lay(forged, pixels, opacity, corner)
    mask = np.zeros(forged.shape[:2], bool)
    under, over = _paste.overlap(mask.shape, exact.shape, corner)
    mask[under] = exact[over]
    if not SHARE[0] * 0.8 <= mask.mean() <= SHARE[1] * 1.1 or not _paste.changed(host.pixels, forged, mask):
        return None

    parameters: dict[str, Number] = {
        "region": found.kind,
        "scale": round(change.scale, 3),
        "rotation_degrees": round(change.rotation, 1),
        "flip": change.flip,
        "blend": blend,
        "feather": feather,
        "colour_match": matched,
        "brightness": brightness,
        "careless": careless,
    }
    if change.resampled:
        parameters["interpolation"] = draft.interpolation
    if aligned is not None:
        parameters["aligned"] = aligned
    touched = bool(grey or matched or brightness != 1.0 or blend == "Poisson")
    step = Step(
        engine="splice",
        action="pasted from another picture",
        content=_paste.words(forged, mask, found.kind, found.name),
        target_box=box_of(mask),
        source_box=source,
        donor=donor.source,
        parameters=parameters,
        traces=_traces(host, piece, corner, change, touched, blend != "hard"),
        cues=_cues(forged, mask, change, found, blend, rng),
    )
    return Forgery(forged, mask, (step,))


@dataclass(frozen=True, eq=False)
class Draft:
    """One region of the donor, changed, with a place in the host and how badly it fits there."""

    found: regions.Cut
    piece: Piece
    change: Change
    interpolation: str
    corner: tuple[int, int]
    wanted: NDArray[np.float64]
    badness: float


def _drafts(host: Material, donor: Material, scene: Scene, own: Scene, rng: Rng, careless: bool = False) -> list[Draft]:
    # From a donor that shows more than the host, things are reduced rather than enlarged.
    larger = 0.5 * np.log(donor.pixels.size / host.pixels.size)
    wanted_change = Change() if rng.random() < PLAIN else draw_change(rng, float(larger))
    ratio = host.pixels.size / (donor.pixels.size * wanted_change.scale**2)
    share = (SHARE[0] * ratio, min(SHARE[1] * ratio, 0.8))
    if share[0] >= share[1]:
        return []
    interpolation = str(rng.choice(list(_paste.INTERPOLATIONS)))
    made = []
    for found in regions.cuts(donor.pixels, rng, share, DRAFTS, KINDS, donor.things, USUAL):
        if _paste.detail(donor.pixels, found.mask) < _paste.FLAT and rng.random() > 0.1:
            continue  # a flat patch, often black or white, shows nothing
        change = _upright(wanted_change, found.mask)
        piece = _paste.lift(donor.pixels, found.mask, change, donor.grid, interpolation)
        if not piece.mask.any():
            continue
        box = box_of(found.mask)
        middle = (box[1] + box[3] / 2) / donor.pixels.shape[0]
        # A thing goes where the surroundings are like its own, or, as a patch of ground must, where the ground
        # is like it.
        looks = (own.around, own.inside) if found.kind in THINGS else (own.inside,)
        for look in looks:
            wanted = look(_paste.boxes_of(box))[0]
            spot = _paste.place(scene, piece, wanted, middle, rng, tries=2 if careless else 40)
            if spot is not None:
                made.append(Draft(found, piece, change, interpolation, spot[0], wanted, spot[1]))
    return made


def _is_grey(pixels: Pixels) -> bool:
    some = pixels[::8, ::8].astype(np.int16)
    return float(np.ptp(some, axis=2).mean()) < 3.0


def _moved(box: Box, corner: tuple[int, int]) -> Box:
    return corner[0] + box[0], corner[1] + box[1], box[2], box[3]


# ---------------------------------------------------------------- what is done


def draw_change(rng: Rng, larger: float = 0.0) -> Change:
    """Scale 0.5-2, mostly near 1, less from a donor `larger` by that many e-folds; mostly small rotations, if any."""
    scale = 1.0
    if rng.random() < 0.75:
        scale = float(np.clip(np.exp(rng.normal(-0.05 - 0.6 * max(larger, 0.0), 0.35)), 0.5, 2.0))
    rotation, chance = 0.0, rng.random()
    if chance < 0.35:
        rotation = float(rng.normal(0, 6))
    elif chance < 0.42:
        rotation = float(rng.uniform(-180, 180))
    return Change(scale, rotation, bool(rng.random() < 0.5))


def _upright(change: Change, mask: Mask) -> Change:
    """A region cut off by its picture's edge is not turned: its straight side has to stay on the edge."""
    edge = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    return Change(change.scale, 0.0, change.flip) if edge else change


def _snap(corner: tuple[int, int], piece: Piece, host: Material, aligned: bool) -> tuple[tuple[int, int], bool]:
    """The corner moved by less than 8 pixels so that the block grids agree, or left as it is; and whether they do."""
    assert piece.grid is not None and host.grid is not None
    dx, dy = ((corner[i] + piece.grid[i] - host.grid[i]) % 8 for i in (0, 1))
    if aligned and (dx or dy):
        x, y, wide, high = box_of(piece.mask)
        # Towards the inside, so that the region does not leave the host; an edge that it touches stays out.
        nx = corner[0] - dx if corner[0] + x - dx >= 0 else corner[0] + (8 - dx) % 8
        ny = corner[1] - dy if corner[1] + y - dy >= 0 else corner[1] + (8 - dy) % 8
        if nx + x + wide <= host.pixels.shape[1] and ny + y + high <= host.pixels.shape[0]:
            return (nx, ny), True
    return corner, not (dx or dy)


def recoloured(pixels: Pixels, shift: NDArray[np.float64], matched: float, brightness: float) -> Pixels:
    """Moved a share `matched` (0-1) of the way by `shift` (L, a, b, roughness), within limits; L times `brightness`."""
    if not matched and brightness == 1.0:
        return pixels
    lab = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2Lab).astype(np.float32)
    moved = np.clip(shift[:3], -SHIFT, SHIFT).astype(np.float32) * matched
    # Rougher surroundings have more contrast; contrast follows half of the way.
    contrast = float(np.clip(np.exp(shift[3] / 40 * matched), 0.8, 1.25))
    mean = lab.mean(axis=(0, 1))
    lab = (lab - mean) * np.array([contrast, 1, 1], np.float32) + mean + moved
    lab[:, :, 0] *= brightness
    return np.asarray(cv2.cvtColor(np.clip(np.rint(lab), 0, 255).astype(np.uint8), cv2.COLOR_Lab2RGB), np.uint8)


# ---------------------------------------------------------------- what is recorded


def _traces(
    host: Material, piece: Piece, corner: tuple[int, int], change: Change, touched: bool, soft: bool
) -> tuple[str, ...]:
    found = ["foreign_noise"]
    if piece.grid is not None:
        if not _paste.on_grid(host.grid, piece, corner):
            found.append("foreign_grid")
        if host.grid is not None:
            found.append("other_quantisation")
    elif host.grid is not None:
        found.append("missing_grid")
    if change.resampled:
        found.append("resampled")
    if touched:
        found.append("recoloured")
    if soft:
        found.append("blended")
    return tuple(found)


def _cues(forged: Pixels, mask: Mask, change: Change, found: regions.Cut, blend: str, rng: Rng) -> tuple[str, ...]:
    """What a person could point at, from what was really done and how the region now differs from what is round it."""
    seen = _paste.noticed(forged, mask)
    cues = {
        "edges": blend == "hard",
        "lighting": abs(seen["light"]) > 40,
        "colour": seen["colour"] > 22,
        "resolution": not 0.72 <= change.scale <= 1.35,
        "sharpness": abs(seen["detail"]) > 1.0,
        "texture": 0.5 < abs(seen["detail"]) <= 1.0,
        "perspective": abs(change.rotation) > 12,
        "proportion": not 0.6 <= change.scale <= 1.6,
        "context": found.kind in THINGS,
    }
    real = [cue for cue, there in cues.items() if there]
    return tuple(real[:5]) or ("texture",)
