"""Copy-move: a region of the host laid over one to four other places of the same picture.

The mask covers the pasted copies only. The region that was copied is not marked: its pixels are as the
camera made them; each step's `source_box` tells where it is. Copies go where the surroundings resemble
the source's, as a retoucher clones grass, leaves, windows or people, and keep clear of the source and
of each other.
"""

from __future__ import annotations

import numpy as np

from ifdl.forge import _paste, regions
from ifdl.forge._paste import Change, Scene
from ifdl.forge.record import Donors, Forgery, Mask, Material, Pixels, Step, box_of
from ifdl.types import Card, Number, Question

Rng = np.random.Generator

CARD = Card(
    id="copymove",
    title="Copy-move: a region of the picture laid over other places of it",
    questions=(Question.LOCAL_EDIT,),
    citation="Christlein et al., IEEE TIFS 7(6), 2012 (copy-moves); Pérez et al., SIGGRAPH 2003 (blending)",
    domain="Any photograph of at least 32×32 pixels that is not flat. 1-4 copies, 0.3 % to 50 % in all; scale 0.6-1.6.",
    limits=(
        "The mask marks the copies, not the source.",
        "Places are chosen by colour, roughness and height in the frame, not by understanding the scene.",
    ),
)
SHARE = (0.003, 0.5)
COPIES = (0.66, 0.2, 0.09, 0.05)  # chances of one to four copies
TRIES = 5


def forge(host: Material, donors: Donors, rng: Rng) -> Forgery | None:
    """A copy-move of the host; `donors` are not asked. None for a host with nothing worth copying or no room."""
    if min(host.pixels.shape[:2]) < 32:
        return None
    copies = 1 + int(rng.choice(4, p=COPIES))
    for _ in range(TRIES):
        found = regions.cut(host.pixels, rng, (SHARE[0], min(SHARE[1], 0.6 / (copies + 1))), things=host.things)
        # Flat regions leave nothing to find, and nobody copies them; a few are kept, since skies are.
        if found is None or (_paste.detail(host.pixels, found.mask) < _paste.FLAT and rng.random() > 0.05):
            continue
        made = _copies(host, found, copies, rng)
        if made is not None:
            return made
    return None


def _copies(host: Material, found: regions.Cut, copies: int, rng: Rng) -> Forgery | None:
    source = box_of(found.mask)
    scene = Scene(host.pixels)
    wanted = scene.around(_paste.boxes_of(source))[0]
    middle = (source[1] + source[3] / 2) / host.pixels.shape[0]
    # One hand does all copies of a picture alike: all exact, or each changed.
    exact_copies = bool(rng.random() < 0.4)
    forged, mask, taken = host.pixels.copy(), np.zeros(host.pixels.shape[:2], bool), found.mask.copy()
    steps: list[Step] = []
    for _ in range(copies):
        change = Change() if exact_copies else _draw_change(rng, found.mask)
        interpolation = str(rng.choice(list(_paste.INTERPOLATIONS)))
        piece = _paste.lift(host.pixels, found.mask, change, host.grid, interpolation)
        spot = _paste.place(scene, piece, wanted, middle, rng, taken, most_taken=0.2) if piece.mask.any() else None
        if spot is None:
            continue
        corner = spot[0]
        brightness = 1.0 if exact_copies or rng.random() > 0.25 else round(float(np.exp(rng.normal(0, 0.08))), 3)
        pixels = piece.pixels
        if brightness != 1.0:
            pixels = np.clip(np.rint(pixels.astype(np.float32) * brightness), 0, 255).astype(np.uint8)
        blend = "opacity"
        if not exact_copies and rng.random() < 0.25:
            cloned = _paste.poisson(forged, pixels, piece.mask, corner)
            if cloned is not None:
                pixels, blend = cloned, "Poisson"
        feather = regions.draw_feather(piece.mask, rng)
        blend = "hard" if blend == "opacity" and not feather else blend
        opacity, exact = regions.feathered(piece.mask, feather)
        _paste.lay(forged, pixels, opacity, corner)
        under, over = _paste.overlap(mask.shape, exact.shape, corner)
        own = np.zeros_like(mask)
        own[under] = exact[over]
        mask |= own
        taken |= own
        parameters: dict[str, Number] = {
            "region": found.kind,
            "copy": len(steps) + 1,
            "scale": round(change.scale, 3),
            "rotation_degrees": round(change.rotation, 1),
            "flip": change.flip,
            "blend": blend,
            "feather": feather,
            "brightness": brightness,
        }
        if change.resampled:
            parameters["interpolation"] = interpolation
        touched = brightness != 1.0 or blend == "Poisson"
        steps.append(
            Step(
                engine="copymove",
                action="copied from elsewhere in the picture",
                content=_paste.words(host.pixels, found.mask, found.kind, found.name),
                target_box=box_of(own),
                source_box=source,
                parameters=parameters,
                traces=_traces(host, piece, corner, change, touched, blend != "hard"),
                cues=_cues(forged, own, change, blend),
            )
        )
    if not steps or not SHARE[0] * 0.8 <= mask.mean() <= SHARE[1] * 1.1:
        return None
    if not _paste.changed(host.pixels, forged, mask):
        return None
    return Forgery(forged, mask, tuple(steps))


def _draw_change(rng: Rng, mask: Mask) -> Change:
    """Mirrored, scaled 0.6-1.6 or turned, each with its own chance; a region cut off by the edge is not turned."""
    scale = float(np.clip(np.exp(rng.normal(0, 0.22)), 0.6, 1.6)) if rng.random() < 0.6 else 1.0
    rotation, chance = 0.0, rng.random()
    if chance < 0.35:
        rotation = float(rng.normal(0, 8))
    elif chance < 0.45:
        rotation = float(rng.uniform(-180, 180))
    edge = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    return Change(scale, 0.0 if edge else rotation, bool(rng.random() < 0.4))


def _traces(
    host: Material, piece: _paste.Piece, corner: tuple[int, int], change: Change, touched: bool, soft: bool
) -> tuple[str, ...]:
    found = ["repeated"]
    if change.resampled:
        found.append("resampled")
        if host.grid is not None:
            found.append("missing_grid")
    elif not _paste.on_grid(host.grid, piece, corner):
        found.append("foreign_grid")
    if touched:
        found.append("recoloured")
    if soft:
        found.append("blended")
    return tuple(found)


def _cues(forged: Pixels, own: Mask, change: Change, blend: str) -> tuple[str, ...]:
    """What a person could point at: the repetition, and how the copy differs from what is round it."""
    seen = _paste.noticed(forged, own)
    cues = {
        "repetition": True,
        "edges": blend == "hard",
        "lighting": abs(seen["light"]) > 40,
        "colour": seen["colour"] > 22,
        "resolution": not 0.75 <= change.scale <= 1.35,
        "sharpness": abs(seen["detail"]) > 1.0,
        "perspective": abs(change.rotation) > 15,
        "proportion": not 0.7 <= change.scale <= 1.4,
    }
    return tuple(cue for cue, there in cues.items() if there)[:5]
