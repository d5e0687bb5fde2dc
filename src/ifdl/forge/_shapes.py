"""Regions drawn rather than found: smooth outlines, blobs, polygons, boxes, strokes, and several parts at once.

Outlines are float64 n×2 points (x, y) in pixels round the origin.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge.record import Mask

Rng = np.random.Generator


def drawn(size: tuple[int, int], kind: str, target: float, rng: Rng) -> Mask:
    """One of the drawn kinds of `regions.KINDS` with about the wanted share of a picture of (height, width) `size`."""
    if kind == "blob":
        return _blob(size, target, rng)
    canvas = np.zeros(size, np.uint8)
    area = target * size[0] * size[1]
    reach = np.sqrt(area / np.pi)
    x = float(rng.uniform(min(reach, size[1] / 2) * 0.8, max(size[1] - reach * 0.8, size[1] / 2)))
    y = float(rng.uniform(min(reach, size[0] / 2) * 0.8, max(size[0] - reach * 0.8, size[0] / 2)))
    if kind == "thin":
        _thin(canvas, (x, y), area, rng)
    elif kind == "parts":
        for piece in rng.dirichlet(np.full(int(rng.integers(2, 5)), 3.0)):
            away = rng.normal(0, 1.5 * reach, 2)
            _fill(canvas, _contour(piece * area, rng) + np.array([x, y]) + away)
    else:
        shape = {"contour": _contour, "polygon": _polygon, "box": _box}[kind]
        _fill(canvas, shape(area, rng) + np.array([x, y]))
    return canvas > 0


def _fill(canvas: NDArray[np.uint8], points: NDArray[np.float64]) -> None:
    cv2.fillPoly(canvas, [np.rint(points * 16).astype(np.int32)], 255, shift=4)


def _scaled(points: NDArray[np.float64], area: float, rng: Rng) -> NDArray[np.float64]:
    """A closed outline stretched and turned by chance, brought to that area and centred on the origin."""
    points = points * (1.0, float(np.exp(rng.uniform(-0.7, 0.7))))
    turn = float(rng.uniform(0, 2 * np.pi))
    points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    x, y = points.T
    own = abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2
    return np.asarray((points - points.mean(axis=0)) * np.sqrt(area / max(own, 1e-6)))


def _contour(area: float, rng: Rng) -> NDArray[np.float64]:
    """A smooth closed outline: a circle whose radius swings in a few low harmonics."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    order = np.arange(1, 7)
    swing = rng.normal(0, 0.28, 6) / order**0.8
    radius = np.exp((swing * np.cos(angle[:, None] * order + rng.uniform(0, 2 * np.pi, 6))).sum(axis=1))
    return _scaled(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), area, rng)


def _polygon(area: float, rng: Rng) -> NDArray[np.float64]:
    """Straight-sided, as a lasso of a few clicks leaves it."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 12))))
    angle += np.linspace(0, 2 * np.pi, angle.size, endpoint=False)
    radius = rng.uniform(0.6, 1.2, angle.size)
    return _scaled(np.stack([radius * np.cos(angle / 2), radius * np.sin(angle / 2)], axis=1), area, rng)


def _box(area: float, rng: Rng) -> NDArray[np.float64]:
    """A rectangle with round corners (a superellipse), mostly upright: signs, windows, screens, vehicles."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    power = 2 / float(rng.uniform(5, 30))
    points = np.stack([np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power,
                       np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power], axis=1)  # fmt: skip
    half = np.sqrt(area) / 2 * np.exp(float(rng.uniform(-0.6, 0.6)) * np.array([1, -1]))
    turn = float(rng.normal(0, 0.06)) if rng.random() < 0.8 else float(rng.uniform(0, np.pi))
    return np.asarray((points * half) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]))


def _thin(canvas: NDArray[np.uint8], centre: tuple[float, float], area: float, rng: Rng) -> None:
    """A pole, a limb or a branch: one to three bent strokes that narrow towards the end."""
    strokes = int(rng.integers(1, 4))
    slender = float(rng.uniform(6, 16))
    width = max(2.0, np.sqrt(area / strokes / slender))
    t = np.linspace(0, 1, 24)[:, None]
    start = np.array(centre)
    heading = float(rng.normal(np.pi / 2, 0.5)) if rng.random() < 0.6 else float(rng.uniform(0, np.pi))
    for _ in range(strokes):
        turn = heading + float(rng.normal(0, 0.5))
        length = width * slender
        along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        bend = float(rng.normal(0, 0.15))
        path = start + length * ((t - 0.5) * along + bend * np.sin(np.pi * t) * across)
        half = width / 2 * (1.15 - float(rng.uniform(0, 0.7)) * t) * across
        _fill(canvas, np.concatenate([path + half, (path - half)[::-1]]))
        start = path[int(rng.integers(4, 20))] + along * length * float(rng.uniform(-0.2, 0.2))


def _blob(size: tuple[int, int], target: float, rng: Rng) -> Mask:
    """Smooth noise cut off at the level that leaves the wanted share around its highest hill."""
    cells = max(3, min(9, round(0.9 / np.sqrt(target))))
    coarse = np.asarray(rng.normal(0, 1, (cells + 2, cells + 2)), np.float32)
    small = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.ogrid[:96, :96]
    y, x = (int(v) for v in rng.integers(10, 86, 2))
    small = small - ((rows - y) ** 2 + (columns - x) ** 2) / np.float32(2 * 9216 * target)
    level = np.partition(small.ravel(), -max(1, round(target * small.size)))[-max(1, round(target * small.size))]
    return np.asarray(cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_CUBIC) >= level)
