"""Copy-move: has a part of this picture been copied to another place in it?

Keypoints propose, pixels decide. SIFT keypoints are matched with each other (generalised two-nearest-
neighbour test of Amerini et al., IEEE TIFS 2011) and grouped into similarity transforms: moved, turned,
resized, mirrored. Each transform is then refined and verified densely: the picture is laid over itself
and the local correlation of its *grain* is measured, fine detail squashed so that edges count no more
than noise. Windows, tiles and letters repeat in shape but not in grain; a copy repeats both (surveyed
by Christlein et al., IEEE TIFS 2012).

Points are complex numbers x + iy in working pixels (the picture, reduced to at most `WORK` pixels), so
that a similarity is q = a·p + b and a mirrored one q = a·conj(p) + b.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.signal.regions import region_of
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Number, Picture, Question, Region, State

Array = NDArray[Any]
Bools = NDArray[np.bool_]

WORK = 1280  # longest working side, pixels
SMALL = 640  # up to this side keypoints are sought in the picture enlarged twice
MOST_POINTS, FEWEST_POINTS = 4000, 100
APART = 24.0  # working pixels; nearer places are one
LEAST_MATCHES, MOST_MOVES = 4, 6
LEAST_AREA = 1500  # working pixels that agree
GRAIN, WEAK_GRAIN = 0.71, 0.64  # thresholds of the grain correlation that 85 % of the agreeing pixels exceed
MIRRORED = 0.08  # added for mirrored copies: faces, railings and reflections are symmetric of themselves
DRAWN = 0.85  # share of pixels equal to their neighbours above which a picture is drawn, not photographed

CARD = Card(
    id="copymove",
    title="Copied parts",
    questions=(Question.LOCAL_EDIT,),
    citation="Amerini et al., IEEE TIFS 6(3), 2011; Christlein et al., IEEE TIFS 7(6), 2012",
    url="https://doi.org/10.1109/TIFS.2011.2129512",
    domain="photographs of at least 96 pixels a side with at least 100 keypoints",
    threshold="grain correlation of at least 0.71 (mirrored: 0.79) on 85 % of an area of 1,500 working pixels or more; "
    "chosen on 111 photographs without a false alarm, then one on 26 others",
    false_alarms=FalseAlarms(data="camera", alarms=1, photographs=137, upper=0.0342),
    look_for="two places that agree down to dirt, leaves and noise, and a hard or smeared edge around one of them",
    ignore="letters, tiles, fences and windows that merely look alike, and pairs that lie on one straight line",
    limits=(
        "It cannot tell which of the two places is the original.",
        "Copies of flat parts (sky, skin, blurred background) carry no keypoints and are not found.",
        "Copies smaller than about 0.5 % of the picture, or resized beyond 0.5 to 2 times, are not found.",
        "Strong recompression or reduction after the copying wipes out the grain that the test rests on.",
        "Screenshots, drawings and rendered text repeat exactly and honestly, and would be reported.",
        "Symmetric smooth objects come close when mirrored; mirrored copies need a higher correlation.",
    ),
)

_INNOCENT = (
    Innocent(
        "The camera, an app or a publisher printed the same characters, logo or frame twice.",
        "See whether the two places hold overlaid text or graphics rather than scenery.",
    ),
    Innocent(
        "The file was put together from pieces on purpose: a collage, a panorama, a mirrored or tiled design.",
        "Ask for the single shots, and look for a straight seam across the whole picture.",
    ),
    Innocent(
        "A dust spot or scratch was retouched by cloning its surroundings.",
        "See whether the part hides anything that matters, and ask for the unretouched file.",
    ),
)
_NONE = (Question.LOCAL_EDIT, State.NO_TRACE_FOUND)
_DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))

# the SIFT descriptor of the mirrored patch is a permutation: rows of cells and directions run backwards
_MIRROR = np.array([((3 - r) * 4 + c) * 8 + (8 - o) % 8 for r in range(4) for c in range(4) for o in range(8)])


@dataclass(frozen=True, eq=False)
class Keypoints:
    """`at` N complex; `size` in pixels; `angle` radians with y down; `descriptor` N×128, unit length."""

    at: Array
    size: Array
    angle: Array
    descriptor: Array


@dataclass(frozen=True)
class Move:
    """q = a·p + b, of conj(p) if mirrored; `points` distinct places in `box` (x0, y0, x1, y1) agree on it."""

    a: complex
    b: complex
    mirrored: bool
    points: int
    box: tuple[float, float, float, float]

    def __call__(self, p: Array) -> Array:
        return np.asarray(self.a * (p.conj() if self.mirrored else p) + self.b)

    def back(self) -> Move:
        """The same move from its other end."""
        a, b = 1 / self.a, -self.b / self.a
        x0, y0, x1, y1 = self.box
        q = self(np.array([complex(x0, y0), complex(x1, y0), complex(x0, y1), complex(x1, y1)]))
        box = (float(q.real.min()), float(q.imag.min()), float(q.real.max()), float(q.imag.max()))
        a, b = (a.conjugate(), b.conjugate()) if self.mirrored else (a, b)
        return Move(a, b, self.mirrored, self.points, box)

    def after(self, turn: complex, shift: complex) -> Move:
        """This move after p → turn·p + shift."""
        turn, shift = (turn.conjugate(), shift.conjugate()) if self.mirrored else (turn, shift)
        return replace(self, a=self.a * turn, b=self.a * shift + self.b)


@dataclass(frozen=True, eq=False)
class Copy:
    """A verified move: `heat` grain correlation and `mask` agreeing pixels of the crop at (x, y) = `corner`.

    `grain` is what 85 % of the `agreeing` pixels, those of the largest connected part, exceed: an edge
    that repeats may correlate highly, but not all of its surroundings do.
    """

    move: Move
    corner: tuple[int, int]
    heat: Array
    mask: Bools
    grain: float
    agreeing: int

    @property
    def score(self) -> float:
        """`grain` as compared with the thresholds."""
        return self.grain - MIRRORED * self.move.mirrored


def run(picture: Picture) -> list[Finding]:
    """One finding for LOCAL_EDIT."""
    height, width = picture.pixels.shape[:2]
    if min(height, width) < 96 or max(height, width) > 12 * min(height, width):
        return [_outside(f"The picture is too small or too narrow ({width}×{height} pixels) to look for copied parts.")]
    luma = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY)
    same = float((luma[:, 1:] == luma[:, :-1]).mean())
    if same > DRAWN:
        share = round(100 * same)
        return [_outside(f"{share} % of the pixels equal their neighbour: too flat, or drawn.", same_percent=share)]
    factor = min(1.0, WORK / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    grey = cv2.resize(luma, size, interpolation=cv2.INTER_AREA) if factor < 1.0 else luma
    points = _keypoints(grey)
    if len(points.at) < FEWEST_POINTS:
        count = len(points.at)
        return [_outside(f"Only {count} distinctive points were found, too few to compare.", points=count)]

    moves = [move for mirrored in (False, True) for move in _moves(points, mirrored)]
    moves = sorted(moves, key=lambda m: -m.points)[:MOST_MOVES]
    real = grey.astype(np.float32)
    copies = [copy for move in moves if (copy := _verify(real, move)) is not None]
    return [_finding(picture, points, copies, factor, grey.shape)]


def _outside(reason: str, **numbers: Number) -> Finding:
    return Finding(
        "copymove", Question.LOCAL_EDIT, State.OUT_OF_DOMAIN, reason, numbers=numbers, citation=CARD.citation
    )


# ---------------------------------------------------------------- keypoints propose


def _keypoints(grey: Array) -> Keypoints:
    """At most `MOST_POINTS` SIFT keypoints of a uint8 H×W picture, the strongest of each neighbourhood."""
    zoom = 2 if max(grey.shape) <= SMALL else 1
    seen = cv2.resize(grey, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) if zoom > 1 else grey
    sift = cv2.SIFT.create(contrastThreshold=0.005, edgeThreshold=20)
    found: Any = sorted(sift.detect(seen, None), key=lambda k: (-k.response, k.pt, k.angle, k.size))
    if len(found) > MOST_POINTS:  # by rank within a tile, so that one busy corner does not take all
        tile, taken, ranks = max(seen.shape) / 12.0, dict[tuple[int, int], int](), []
        for k in found:
            place = (int(k.pt[0] / tile), int(k.pt[1] / tile))
            taken[place] = taken.get(place, 0) + 1
            ranks.append(taken[place])
        found = [found[n] for n in np.argsort(ranks, kind="stable")[:MOST_POINTS]]
    if not found:
        return Keypoints(np.zeros(0, complex), np.zeros(0), np.zeros(0), np.zeros((0, 128), np.float32))
    found, raw = sift.compute(seen, found)
    # square roots of shares: Euclidean distance then compares distributions, not their largest bins
    descriptor = np.sqrt(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-6)).astype(np.float32)
    at = (np.array([complex(*k.pt) for k in found]) + 0.5 + 0.5j) / zoom - 0.5 - 0.5j
    return Keypoints(at, np.array([k.size for k in found]), np.radians([k.angle for k in found]), descriptor)


def _pairs(k: Keypoints, mirrored: bool) -> Array:
    """Index pairs M×2, best first: each point with all neighbours in descriptor space up to the last clear step."""
    query = k.descriptor[:, _MIRROR] if mirrored else k.descriptor
    x, y = k.at.real.astype(np.float32), k.at.imag.astype(np.float32)
    pairs, distances = [], []
    for start in range(0, len(x), 512):
        rows = np.arange(start, min(start + 512, len(x)))
        here = np.arange(len(rows))
        alike = query[rows] @ k.descriptor.T
        alike[(x[rows, None] - x) ** 2 + (y[rows, None] - y) ** 2 < APART**2] = -1.0
        nearest, distance = [], []
        for _ in range(4):
            best = alike.argmax(axis=1)
            nearest.append(best)
            distance.append(np.sqrt(np.maximum(2.0 - 2.0 * alike[here, best], 1e-9)))
            alike[here, best] = -1.0
        clear = np.ones(len(rows), bool)
        for n in range(3):
            clear = clear & (distance[n] < 0.8 * distance[n + 1])
            pairs.append(np.stack([rows[clear], nearest[n][clear]], axis=1))
            distances.append(distance[n][clear])
    order = np.argsort(np.concatenate(distances), kind="stable")[:1200]
    best_first: Array = np.concatenate(pairs)[order]
    return best_first


def _moves(k: Keypoints, mirrored: bool) -> list[Move]:
    """Similarity transforms that several matches agree on: two-point hypotheses, all tried, greedily taken."""
    pairs = _pairs(k, mirrored)
    if len(pairs) < LEAST_MATCHES:
        return []
    pairs = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    first, second = pairs.T
    p, q = k.at[first], k.at[second]
    u = p.conj() if mirrored else p
    turn = k.angle[second] + (k.angle[first] if mirrored else -k.angle[first])
    own = k.size[second] / k.size[first] * np.exp(1j * turn)  # each match's own guess of a

    # a hypothesis from each match and each of its four nearest that agree with it
    gap = np.abs(p[:, None] - p)
    gap[(gap < 8) | (np.abs(np.log(own[:, None] / own)) > 0.7)] = np.inf
    j = np.argsort(gap, axis=1, kind="stable")[:, :4].ravel()
    i = np.repeat(np.arange(len(p)), 4)
    near = np.isfinite(gap[i, j])
    i, j = i[near], j[near]
    a = (q[j] - q[i]) / (u[j] - u[i])
    plausible = (np.abs(a) > 0.45) & (np.abs(a) < 2.2) & (np.abs(a / own[i] - 1) < 0.5)
    i, a = i[plausible], a[plausible]
    b = q[i] - a * u[i]
    agree = np.abs(np.outer(a, u).astype(np.complex64) + b[:, None].astype(np.complex64) - q) < 3.0
    agree &= np.abs(np.log((own / a[:, None]).astype(np.complex64))) < 0.6

    moves: list[Move] = []
    free = np.ones(len(p), bool)
    while len(a) and len(moves) < MOST_MOVES:
        votes = agree @ free.astype(np.float32)
        best = int(votes.argmax())
        if votes[best] < LEAST_MATCHES:
            break
        members = agree[best] & free
        if len(np.unique(p[members])) < 3:  # one place with several directions
            free &= ~members
            continue
        for _ in range(3):
            us, qs = u[members] - u[members].mean(), q[members] - q[members].mean()
            turn_scale = (us.conj() * qs).sum() / (np.abs(us) ** 2).sum()
            shift = q[members].mean() - turn_scale * u[members].mean()
            closer = free & (np.abs(turn_scale * u + shift - q) < 2.0) & (np.abs(np.log(own / turn_scale)) < 0.6)
            if len(np.unique(p[closer])) < 3:
                break
            members = closer
        at = p[members]
        box = (float(at.real.min()), float(at.imag.min()), float(at.real.max()), float(at.imag.max()))
        move = Move(complex(turn_scale), complex(shift), mirrored, len(np.unique(np.rint(at / 4))), box)
        free &= ~(members | agree[best] | (np.abs(move(q) - p) < 4.0) | (np.abs(move.back()(p) - q) < 4.0))
        if move.points >= LEAST_MATCHES:
            moves.append(move)
    return moves


# ---------------------------------------------------------------- pixels decide


def _blur(x: Array, sigma: float) -> Array:
    return cv2.GaussianBlur(x, (0, 0), sigma)


def _correlation(u: Array, v: Array, sigma: float, floor: float) -> tuple[Array, Array]:
    """Local zero-mean normalised correlation of two H×W arrays, and the smaller of their local variances."""
    mu, mv = _blur(u, sigma), _blur(v, sigma)
    su, sv = np.maximum(_blur(u * u, sigma) - mu * mu, 0), np.maximum(_blur(v * v, sigma) - mv * mv, 0)
    return (_blur(u * v, sigma) - mu * mv) / np.sqrt(su * sv + floor**2), np.minimum(su, sv)


def _verify(grey: Array, move: Move) -> Copy | None:
    """Lay the float32 H×W picture over itself by the move, refine it, and keep where luma and detail agree."""
    # seen from the smaller end, so that nothing is enlarged and both sides hold the same detail
    move = move if abs(move.a) >= 1.0 else move.back()
    source = _blur(grey, 0.5 * np.sqrt(abs(move.a) ** 2 - 1.0)) if abs(move.a) > 1.15 else grey
    height, width = grey.shape
    x0, y0, x1, y1 = move.box
    wide, high = max(48.0, 0.6 * (x1 - x0)), max(48.0, 0.6 * (y1 - y0))
    left, top = max(0, int(x0 - wide)), max(0, int(y0 - high))
    right, bottom = min(width, int(x1 + wide) + 1), min(height, int(y1 + high) + 1)
    if min(right - left, bottom - top) < 24:
        return None
    here = np.ascontiguousarray(grey[top:bottom, left:right])
    at = np.arange(left, right)[None, :] + 1j * np.arange(top, bottom)[:, None]

    def laid(move: Move) -> tuple[Array, Bools]:
        there = move(at)
        x, y = there.real.astype(np.float32), there.imag.astype(np.float32)
        inside = (x > 2) & (y > 2) & (x < width - 3) & (y < height - 3) & (np.abs(there - at) > APART)
        return cv2.remap(source, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), inside

    core = (at.real > x0 - 6) & (at.real < x1 + 6) & (at.imag > y0 - 6) & (at.imag < y1 + 6)
    band = _blur(here, 1.0) - _blur(here, 4.0)
    for _ in range(5):
        over, inside = laid(move)
        step = _step(band, _blur(over, 1.0) - _blur(over, 4.0), at, inside & core)
        if step is None:
            break
        move = move.after(*step)
    over, inside = laid(move)

    fine_here, fine_over = _blur(here, 0.7) - _blur(here, 2.0), _blur(over, 0.7) - _blur(over, 2.0)
    luma, _ = _correlation(here, over, 4.0, 2.0)
    fine, contrast = _correlation(fine_here, fine_over, 4.0, 0.5)
    grain, _ = _correlation(np.tanh(fine_here), np.tanh(fine_over), 6.0, 0.05)
    textured = inside & (contrast > 0.5)
    labels, count = ndimage.label(ndimage.binary_opening(textured & (luma > 0.7) & (fine > 0.45)))
    if not count:
        return None
    mask = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    # a piece pasted over part of its own source hides that part: a copy cannot lie mostly on itself
    ends = np.zeros((2, height, width), bool)
    ends[0, top:bottom, left:right] = mask
    target = np.rint(move(at[mask]))
    ends[1, target.imag.astype(int), target.real.astype(int)] = True
    if (ends[0] & ends[1]).sum() > 0.3 * mask.sum():
        return None
    heat = np.where(textured, np.clip(grain, 0.0, 1.0), 0.0)
    return Copy(move, (left, top), heat, mask, float(np.quantile(grain[mask], 0.15)), int(mask.sum()))


def _step(band: Array, over: Array, at: Array, use: Bools) -> tuple[complex, complex] | None:
    """One Gauss-Newton step (turn, shift) of a similarity on band-passed luma; None when settled or lost."""
    alike, _ = _correlation(band, over, 3.0, 1.0)
    weight = np.maximum(alike[use], 0.0) ** 2
    if weight.sum() < 50:
        return None
    centre = complex((at[use] * weight).sum() / weight.sum())
    z = at[use] - centre
    radius = max(1.0, float(np.sqrt((np.abs(z) ** 2).mean())))
    gx = cv2.Sobel(over, cv2.CV_32F, 1, 0, scale=1 / 8)[use]
    gy = cv2.Sobel(over, cv2.CV_32F, 0, 1, scale=1 / 8)[use]
    slopes = np.stack([(gx * z.real + gy * z.imag) / radius, (gy * z.real - gx * z.imag) / radius, gx, gy], axis=1)
    rest = np.clip((band - over)[use], -20, 20)
    normal = slopes.T @ (slopes * weight[:, None])
    normal += (1e-6 * np.trace(normal) + 1e-9) * np.eye(4)
    step = np.clip(np.linalg.solve(normal, slopes.T @ (rest * weight)), -1.0, 1.0)
    if np.abs(step).max() < 0.02:
        return None
    turn = 1 + complex(step[0], step[1]) / radius
    return turn, centre + complex(step[2], step[3]) - turn * centre


# ---------------------------------------------------------------- words


def _both_ends(copy: Copy, values: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Float32 H×W arrays of the working shape: the crop's values where they lie, and carried to the other end."""
    (left, top), (rows, cols) = copy.corner, values.shape
    one = np.zeros(shape, np.float32)
    one[top : top + rows, left : left + cols] = values
    p = copy.move.back()(np.arange(shape[1])[None, :] + 1j * np.arange(shape[0])[:, None])
    return one, cv2.remap(one, p.real.astype(np.float32), p.imag.astype(np.float32), cv2.INTER_LINEAR)


def _finding(picture: Picture, points: Keypoints, copies: list[Copy], factor: float, shape: tuple[int, int]) -> Finding:
    """Words, map and regions for the verified copies; `factor` is working pixels per stored pixel."""
    heat = np.zeros(shape, np.float32)
    for copy in copies:
        for end in _both_ends(copy, copy.heat, shape):
            heat = np.maximum(heat, end)
    chart = _map(heat, points.at, picture)
    copies = sorted((c for c in copies if c.agreeing >= LEAST_AREA), key=lambda c: -c.score)
    if not copies or copies[0].score < WEAK_GRAIN:
        numbers: dict[str, Number] = {
            "points": len(points.at),
            "correlation": round(copies[0].grain, 3) if copies else 0.0,
        }
        sentence = "No part of the picture was found a second time in it with the same fine detail."
        return Finding(CARD.id, *_NONE, sentence, map=chart, numbers=numbers, citation=CARD.citation)

    state = State.SUPPORTED if copies[0].score >= GRAIN else State.INCONCLUSIVE
    least = GRAIN if state is State.SUPPORTED else WEAK_GRAIN
    size = picture.pixels.shape[1::-1]
    regions: list[Region] = []
    covered = np.zeros(shape, bool)
    for copy in (c for c in copies if c.score >= least):
        filled = ndimage.binary_fill_holes(cv2.morphologyEx(copy.mask.astype(np.uint8), cv2.MORPH_CLOSE, _DISC))
        ends = [end > 0.5 for end in _both_ends(copy, filled, shape)]
        if all((covered & end).sum() > 0.3 * end.sum() for end in ends) or len(regions) >= 6:
            continue  # the same pair again, found by another group of points
        for end in ends:
            covered |= end
            whole = cv2.resize(end.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            regions.append(region_of(whole, picture.item.orientation, f"copy {'ABCDEF'[len(regions)]}"))

    threshold = GRAIN + MIRRORED * copies[0].move.mirrored
    best, one, other = copies[0], regions[0], regions[1]
    turn = round(abs(float(np.degrees(np.angle(best.move.a)))), 1)
    scale = round(abs(best.move.a), 2)
    middle = complex(one.box[0] + one.box[2] / 2, one.box[1] + one.box[3] / 2) * factor
    shift = round(abs(complex(best.move(np.array([middle]))[0]) - middle) / factor)
    numbers = {
        "correlation": round(best.grain, 3),
        "matched_points": best.move.points,
        "points": len(points.at),
        "rotation_degrees": turn,
        "scale": scale,
        "shift_pixels": shift,
        "mirrored": best.move.mirrored,
        "share_percent_a": round(100 * one.area, 1),
        "share_percent_b": round(100 * other.area, 1),
        "pairs": len(regions) // 2,
    }
    ways = [f"{shift} pixels away"]
    ways += ["mirrored"] if best.move.mirrored else []
    ways += [f"turned by {turn}°"] if turn >= 1.0 else []
    ways += [f"{scale} times as large"] if scale >= 1.03 else []
    sentence = (
        f"The part at the {one.position} (copy A, {numbers['share_percent_a']} % of the picture) "
        f"{'is repeated' if state is State.SUPPORTED else 'may be repeated'} at the {other.position} (copy B), "
        f"{', '.join(ways)}: {best.move.points} points match and the fine detail agrees at {numbers['correlation']} "
        f"(1 is identical, {threshold:g} is asked for). Which of the two is the original cannot be told."
    )
    return Finding(
        CARD.id,
        Question.LOCAL_EDIT,
        state,
        sentence,
        strength=min(1.0, best.grain),
        map=chart,
        regions=tuple(regions),
        numbers=numbers | {"threshold": round(threshold, 2)},
        innocent=_INNOCENT,
        citation=CARD.citation,
    )


def _map(heat: Array, at: Array, picture: Picture) -> Map:
    """Grain correlation on a grid of stored pixels, valid near keypoints: elsewhere nothing was compared."""
    height, width = picture.pixels.shape[:2]
    stride = max(1, -(-max(height, width) // 256))
    rows = np.minimum((np.arange(-(-height // stride)) + 0.5) * stride * heat.shape[0] / height, heat.shape[0] - 1)
    cols = np.minimum((np.arange(-(-width // stride)) + 0.5) * stride * heat.shape[1] / width, heat.shape[1] - 1)
    seen = np.ones(heat.shape, np.uint8)
    seen[np.rint(at.imag).astype(int), np.rint(at.real).astype(int)] = 0
    valid = (cv2.distanceTransform(seen, cv2.DIST_L2, 5) < 2 * APART) | (heat > 0)
    grid = np.ix_(rows.astype(int), cols.astype(int))
    return Map.of(heat[grid], (height, width), stride, valid=valid[grid])
