"""Whether two pictures share content, proved by geometry: many distinct places agree on one map of the plane.

Every match proposes a similarity by the scale and direction of its two features; the one that most agree on is
loosened to an affine map and a homography, and the simplest that explains the matches is kept. A match counts if it
lies where the map says and its features are scaled and turned as the map does there.

Sources: mutual nearest features; Jégou, Douze, Schmid, "Hamming embedding and weak geometric consistency", ECCV 2008
(scale and direction of a match); Philbin et al., CVPR 2007 (one match, one hypothesis); MAGSAC++, Barath et al., CVPR
2020 (OpenCV's USAC_MAGSAC).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.signal import points
from ifdl.trace.features import Features

TOLERANCE = 3.0  # pixels of a picture of 1,024
LOOSE = 4.0  # times the tolerance: a feature's own scale and direction are rough
LIKE = 0.75  # cosine below which two features are not matched at all
PROVED, LOOKS_LIKE = 15, 5  # distinct places that agree: 3 of 3,330 wrong pairs of the tuning photographs reach 5
FREER = 8  # matches from which a map freer than a similarity is tried
FEWEST = 4  # matches that make a hypothesis
TRIED = 5  # hypotheses looked at closely
TURN, SCALE = 30.0, 1.0  # degrees and octaves by which a match's own turn and scale may miss the map's
EXPLAINS = 0.9  # share of a freer map's matches that a simpler one must explain to be kept
SCALES = (0.1, 10.0)
MOST_STRETCH = 2.5
CELL = 2.0  # pixels of a picture of 1,024: matches nearer than this count once
EDGE = 0.06  # of a picture's sides: legends and frames that cameras and pages print lie there
WIDTH = 8.0  # pixels of a picture of 1,024: places within a band as narrow lie on a line, which proves nothing

Places = NDArray[np.float32]
Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]


class State(StrEnum):
    """How sure a hit is. `proved` rests on geometry alone."""

    PROVED = "proved"
    LOOKS_LIKE = "looks like"
    NONE = "none"


@dataclass(frozen=True, eq=False)
class Matches:
    """M pairs of features: `theirs` and `ours` are places float32 M×2; `scales` (ours by theirs) and `turns` (degrees
    from theirs to ours) float32 M are the features' own, None where they have none."""

    theirs: Places
    ours: Places
    scales: NDArray[np.float32] | None = None
    turns: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.theirs)


@dataclass(frozen=True, eq=False)
class Proof:
    """The map from the archive's picture to the one asked about, and the N matches that agree on it.

    `matrix` is 3×3 on (x, y) of stored pixels; `theirs` and `ours` are float32 N×2; `kind` is similarity, affine or
    homography. `scale`, `degrees` (clockwise as seen) and `shift` describe the nearest similarity; `mirrored` says it
    holds for their picture turned left for right, in which case `theirs` are places of the mirrored one.
    """

    state: State
    inliers: int
    matches: int
    matrix: Matrix | None = None
    theirs: Places | None = None
    ours: Places | None = None
    kind: str = ""
    scale: float = 1.0
    degrees: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False

    @property
    def words(self) -> str:
        """The map in words: "scaled 0.80, turned 7° clockwise, mirrored"."""
        said = []
        if abs(self.scale - 1) > 0.01:
            said.append(f"scaled {self.scale:.2f}")
        if abs(self.degrees) > 0.5:
            said.append(f"turned {abs(self.degrees):.0f}° {'clockwise' if self.degrees > 0 else 'anticlockwise'}")
        if self.mirrored:
            said.append("mirrored")
        return ", ".join(said) or "same size and orientation"


def match(theirs: Features, ours: Features) -> Matches:
    """Features that are each the other's nearest and alike at all."""
    if not len(theirs) or not len(ours):
        return Matches(theirs.places[:0], ours.places[:0])
    product = ours.units() @ theirs.units().T
    best = product.argmax(axis=1)
    mutual = product.argmax(axis=0)[best] == np.arange(len(best))
    chosen = np.flatnonzero(mutual & (product[np.arange(len(best)), best] >= LIKE))
    one, two = theirs.only(best[chosen]), ours.only(chosen)
    if not (one.sizes > 0).all() or not (two.sizes > 0).all():
        return Matches(one.places, two.places)
    return Matches(one.places, two.places, two.sizes / one.sizes, two.turns - one.turns)


def prove(theirs: Features, ours: Features, longest: float = 1024.0) -> Proof:
    """Match the features of two pictures and look for one map; `longest` is the longer side of the one asked about."""
    return agree(match(theirs, ours), longest)


def agree(matches: Matches, longest: float = 1024.0) -> Proof:
    """The map that most matches agree on, and whether they are enough to prove it."""
    best = strongest(matches, longest)
    if best is None or best[0] < LOOKS_LIKE:
        return Proof(State.NONE, 0, len(matches))
    count, matrix, kept, kind = best
    theirs, ours = matches.theirs[kept], matches.ours[kept]
    scale, degrees, shift = _described(_similarity(theirs, ours))
    state = State.PROVED if count >= PROVED else State.LOOKS_LIKE
    return Proof(state, count, len(matches), matrix, theirs, ours, kind, scale, degrees, shift)


def strongest(matches: Matches, longest: float = 1024.0) -> tuple[int, Matrix, Mask, str] | None:
    """(distinct places that agree, map, which matches, kind of map), however few; None where nothing agrees."""
    unit = max(1.0, longest / 1024.0)
    best: tuple[int, Matrix, Mask, str] | None = None
    for start in _hypotheses(matches, LOOSE * TOLERANCE * unit):
        found = _loosened(start, matches, unit)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    return best


def without_frame(proof: Proof, their_size: tuple[int, int], our_size: tuple[int, int]) -> Proof:
    """Not proved by places at the edge of both pictures, of (width, height): a printed legend or frame is no source."""
    if proof.state is not State.PROVED or proof.theirs is None or proof.ours is None:
        return proof
    inner = proof.inliers - int((at_edge(proof.theirs, their_size) & at_edge(proof.ours, our_size)).sum())
    return proof if inner >= PROVED else replace(proof, state=State.LOOKS_LIKE)


def at_edge(places: Places, size: tuple[int, int]) -> Mask:
    """Which places lie at the edge of a picture of (width, height)."""
    parts = (places + 0.5) / np.array(size, np.float32)
    return np.asarray((np.minimum(parts, 1 - parts) < EDGE).any(axis=1))


def turned_back(proof: Proof, our_width: int, their_width: int) -> Proof:
    """A proof for our picture turned left for right, said of theirs turned instead: the same thing seen in a mirror."""
    ours, theirs = (np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1.0]]) for width in (our_width, their_width))
    if proof.matrix is None or proof.ours is None or proof.theirs is None:
        return replace(proof, mirrored=True)
    matrix = ours @ proof.matrix @ theirs
    places = [
        points.apply(m, p.astype(float)).astype(np.float32) for m, p in ((theirs, proof.theirs), (ours, proof.ours))
    ]
    scale, degrees, shift = _described(_similarity(*places))
    return replace(
        proof, matrix=matrix / matrix[2, 2], theirs=places[0], ours=places[1], scale=scale, degrees=degrees,
        shift=shift, mirrored=True,
    )  # fmt: skip


def _hypotheses(matches: Matches, tolerance: float) -> list[Matrix]:
    """Similarities that most matches roughly agree on, best first."""
    z, w = (p.astype(float) @ (1, 1j) for p in (matches.theirs, matches.ours))
    if not len(z):
        return []
    if matches.scales is None or matches.turns is None:
        found = points.ransac(matches.theirs.astype(float), matches.ours.astype(float), tolerance)
        return [] if found is None else [found]
    a = matches.scales * np.exp(1j * np.radians(matches.turns.astype(float)))
    near = np.abs(a[:, None] * (z[None, :] - z[:, None]) + w[:, None] - w[None, :]) < tolerance
    near &= _like(matches.scales[None, :], matches.turns[None, :], np.abs(a)[:, None], np.degrees(np.angle(a))[:, None])
    votes = near.sum(axis=1)
    starts: list[Matrix] = []
    told = np.zeros(len(z), bool)  # matches that an earlier hypothesis has explained propose no other
    for n in np.argsort(-votes, kind="stable"):
        if len(starts) == TRIED or votes[n] < FEWEST:
            break
        if not told[n]:
            told |= near[n]
            starts.append(_similarity(matches.theirs[near[n]], matches.ours[near[n]]))
    return starts


def _loosened(start: Matrix, matches: Matches, unit: float) -> tuple[int, Matrix, Mask, str] | None:
    """(distinct places that agree, map, matches, kind) of the simplest sane map near a similarity; None without one."""
    tolerance = TOLERANCE * unit
    similarity, close = start, _agreeing(start, matches, LOOSE * tolerance)
    own = close
    for _ in range(3):
        if np.count_nonzero(own) < 3:
            break
        similarity = _similarity(matches.theirs[own], matches.ours[own])
        own = _agreeing(similarity, matches, tolerance)
    maps: list[tuple[Any, str]] = [(similarity, "similarity")]
    try:
        for _ in range(2):  # the second time with what the first affine map reaches: a slanted view bends away
            if np.count_nonzero(close) < FREER:
                break
            one, two = matches.theirs[close], matches.ours[close]
            affine, _inside = cv2.estimateAffine2D(one, two, None, cv2.USAC_MAGSAC, tolerance, 2000, 0.999)
            homography, _inside = cv2.findHomography(one, two, cv2.USAC_MAGSAC, tolerance, None, 2000, 0.999)
            if affine is None or homography is None:
                break
            maps[1:] = [(np.vstack([affine, [0, 0, 1]]), "affine"), (homography, "homography")]
            close = _agreeing(np.asarray(maps[1][0], np.float64), matches, LOOSE * tolerance)
    except cv2.error:
        maps = maps[:1]
    tried = []
    for matrix, kind in maps:
        if not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-9:
            continue
        scaled = np.asarray(matrix / matrix[2, 2], np.float64)
        kept = _agreeing(scaled, matches, tolerance)
        kept[kept] = _distinct(matches.theirs[kept], matches.ours[kept], CELL * unit)
        if np.count_nonzero(kept) >= 4 and _sane(scaled, matches.theirs[kept], matches.ours[kept], WIDTH * unit):
            tried.append((int(kept.sum()), scaled, kept, kind))
    most = max((count for count, *_ in tried), default=0)
    return next((t for t in tried if t[0] >= EXPLAINS * most), None)


def _agreeing(matrix: Matrix, matches: Matches, tolerance: float) -> Mask:
    """Which matches lie where the map says, and are scaled and turned as it does there."""
    source = matches.theirs.astype(float)
    w = source @ matrix[2, :2] + matrix[2, 2]
    safe = np.where(np.abs(w) < 1e-6, 1e-6, w)
    mapped = (source @ matrix[:2, :2].T + matrix[:2, 2]) / safe[:, None]
    near = (np.linalg.norm(mapped - matches.ours, axis=1) < tolerance) & (w * matrix[2, 2] > 1e-6)
    if matches.scales is None or matches.turns is None:
        return np.asarray(near)
    local = (matrix[None, :2, :2] - mapped[:, :, None] * matrix[2, :2]) / safe[:, None, None]
    scale = np.sqrt(np.abs(np.linalg.det(local)))
    # The turn of the similarity nearest to the local map.
    turn = np.degrees(np.arctan2(local[:, 1, 0] - local[:, 0, 1], local[:, 0, 0] + local[:, 1, 1]))
    return np.asarray(near & _like(matches.scales, matches.turns, scale, turn))


def _like(
    scales: NDArray[np.floating], turns: NDArray[np.floating], scale: NDArray[np.floating], turn: NDArray[np.floating]
) -> Mask:
    """Whether scales and turns of matches (degrees) are about those of a map."""
    off = (turns - turn + 180) % 360 - 180
    return np.asarray(
        (np.abs(np.log2(np.maximum(scales, 1e-6) / np.maximum(scale, 1e-6))) < SCALE) & (np.abs(off) < TURN)
    )


def _distinct(one: Places, two: Places, cell: float) -> Mask:
    """One of every group of matches that share a cell on either side: a corner with several directions is one."""
    kept = np.zeros(len(one), bool)
    seen: set[tuple[int, int, int]] = set()
    cells = [np.floor(p / cell).astype(int).tolist() for p in (one, two)]
    for n, (a, b) in enumerate(zip(*cells, strict=True)):
        keys = {(0, *a), (1, *b)}
        if not keys & seen:
            kept[n] = True
            seen |= keys
    return kept


def _sane(matrix: Matrix, source: Places, target: Places, width: float) -> bool:
    """Whether the map could be a person's or a camera's: no fold, no flattening, no wild stretch where it was seen, and
    seen on more than a line."""
    for places in (source, target):
        centred = places - places.mean(axis=0)
        if np.linalg.svd(centred, compute_uv=False)[1] / np.sqrt(len(places)) < width / 4:
            return False
    centre = source.mean(axis=0).astype(np.float64)
    middle = float(matrix[2, :2] @ centre + 1)
    for x, y in (centre, source.min(axis=0), source.max(axis=0)):
        w = float(matrix[2, 0] * x + matrix[2, 1] * y + 1)
        if w / middle <= 0.1:
            return False
        u, v = points.apply(matrix, np.array([[x, y]], np.float64))[0]
        local = (matrix[:2, :2] - np.outer([u, v], matrix[2, :2])) / w
        values = np.linalg.svd(local, compute_uv=False)
        if np.linalg.det(local) <= 0 or not SCALES[0] < np.sqrt(values.prod()) < SCALES[1]:
            return False
        if values[0] > MOST_STRETCH * values[1]:
            return False
    return True


def _similarity(source: Places, target: Places) -> Matrix:
    """The least-squares similarity, 3×3."""
    z, w = (p.astype(float) @ (1, 1j) for p in (source, target))
    middle_z, middle_w = z.mean(), w.mean()
    a = complex(((w - middle_w) * np.conj(z - middle_z)).sum() / max((np.abs(z - middle_z) ** 2).sum(), 1e-9))
    b = complex(middle_w - a * middle_z)
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag], [0, 0, 1.0]])


def _described(matrix: Matrix) -> tuple[float, float, tuple[float, float]]:
    """Scale, degrees clockwise as seen (y points down) and shift of a similarity."""
    a = complex(matrix[0, 0], matrix[1, 0])
    return abs(a), float(np.degrees(np.angle(a))), (float(matrix[0, 2]), float(matrix[1, 2]))
