"""Keypoints propose: SIFT points matched with each other and grouped into similarity transforms (for `copymove`).

Points are complex numbers x + iy in working pixels, so that a similarity is q = a·p + b and a mirrored
one q = a·conj(p) + b. The generalised two-nearest-neighbour test is that of Amerini et al., "A SIFT-based
forensic method for copy-move attack detection and transformation recovery", IEEE TIFS 6(3), 2011.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SMALL = 640  # up to this side keypoints are sought in the picture enlarged twice
MOST_POINTS = 4000
APART = 24.0  # working pixels; nearer places are one
LEAST_MATCHES, MOST_MOVES = 4, 6
SCALES = (0.3, 3.3)  # beyond these a fitted map is no copy any more; hypotheses are held to 0.45-2.2

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


def keypoints(grey: Array) -> Keypoints:
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


def moves_of(k: Keypoints, mirrored: bool) -> list[Move]:
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
            if not SCALES[0] < abs(turn_scale) < SCALES[1]:
                break
            closer = free & (np.abs(turn_scale * u + shift - q) < 2.0) & (np.abs(np.log(own / turn_scale)) < 0.6)
            if len(np.unique(p[closer])) < 3:
                break
            members = closer
        # Votes of matches onto one spot can fit a map that shrinks everything to it, which is no copy.
        if not SCALES[0] < abs(turn_scale) < SCALES[1]:
            free &= ~members
            continue
        at = p[members]
        box = (float(at.real.min()), float(at.imag.min()), float(at.real.max()), float(at.imag.max()))
        move = Move(complex(turn_scale), complex(shift), mirrored, len(np.unique(np.rint(at / 4))), box)
        free &= ~(members | agree[best] | (np.abs(move(q) - p) < 4.0) | (np.abs(move.back()(p) - q) < 4.0))
        if move.points >= LEAST_MATCHES:
            moves.append(move)
    return moves
