"""Masks from pairs: what a manipulated picture and its original, or the source of a part of it, say about where.

Two kinds of pair need two ways of looking (Qu et al., "Webly-supervised image manipulation localization via
category-aware auto-annotation", arXiv 2508.20987). Where both show one scene, what differs was edited: `difference`.
Where only a part of one reappears in the other, what agrees was put in: it is found by keypoints, and its shape by how
well the source, laid over it, explains each place. A quality score says how decided the answer is, so that doubtful
masks can be left out of training. Their networks are learned; what is here measures, and is
tested on edits of known shape.

Arrays are in rows and columns of *after*; levels are 0-255.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.signal.alignment import align, keypoints, warp
from ifdl.signal.difference import LIKELY, SURE, difference
from ifdl.signal.jpeg import luma
from ifdl.signal.points import Matrix, Points, apply, ransac

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

DECIDED = 15 / 16  # the paper's: a pixel counts as sure above it, and as touched above the rest to 1
QUALITY = 0.5  # least score of a mask that is kept
MOST = 0.5  # share of a picture: where more differs than agrees, it is another scene with a part in common
TEXTURED = 3.0  # standard deviation from which two places can be correlated
ALIKE = 0.6  # correlation at which a place is as likely the source's as not
GREY = np.array([0.299, 0.587, 0.114], np.float32)
SEEDS = 3  # matched keypoints that a part must hold
SMALLEST = 64  # pixels of a part


class Kind(StrEnum):
    """What a pair shares: the scene (probe), a part (donor), or nothing."""

    SCENE = "scene"
    PART = "part"
    NOTHING = "nothing"


@dataclass(frozen=True, eq=False)
class Annotation:
    """`mask` bool H×W of *after*, and `probability` float32 H×W it comes from; `quality` 0-1.

    An empty mask of a pair of one scene says that nothing but compression and changes of the whole was found.
    """

    kind: Kind
    mask: Mask
    probability: Floats
    quality: float


def annotate(before: Pixels, after: Pixels) -> Annotation:
    """Where *after* was edited, by *before*: its earlier state, or the source of a part of it. RGB of any sizes."""
    found = align(before, after)
    if found is not None:
        moved, known = warp(before, found.matrix, after.shape[:2])
        if np.count_nonzero(known) >= 0.1 * known.size:
            by = difference(moved, after, known)
            if by.mask.mean() <= MOST:
                # Likely and sure excess, as the mask is drawn by, become the two levels of the score.
                slope = np.float32(2 * np.log(DECIDED / (1 - DECIDED)) / (SURE - LIKELY))
                chance = _sigmoid(slope * (by.excess - np.float32((SURE + LIKELY) / 2)))
                return Annotation(Kind.SCENE, by.mask, chance, quality(chance))
    return max((_part(before, after), _part(np.ascontiguousarray(before[:, ::-1]), after)), key=lambda a: a.mask.sum())


def quality(probability: Floats) -> float:
    """QES: of the pixels that may belong to the mask, the share that surely do; 1 where none may."""
    touched = np.count_nonzero(probability > 1 - DECIDED)
    return float(np.count_nonzero(probability > DECIDED) / touched) if touched else 1.0


def _part(source: Pixels, after: Pixels) -> Annotation:
    """The part of *after* that lies in the source, scaled and turned as may be."""
    size = after.shape[:2]
    nothing = Annotation(Kind.NOTHING, np.zeros(size, bool), np.zeros(size, np.float32), 0.0)
    theirs, ours = keypoints(luma(source), luma(after))
    matrix = ransac(theirs, ours, tolerance=0.005 * max(size))
    if matrix is None or not 0.1 < abs(np.linalg.det(matrix[:2, :2])) < 10:
        return nothing
    agreeing = ours[np.linalg.norm(apply(matrix, theirs) - ours, axis=1) < 0.005 * max(size)]
    chance = _explained(source, after, matrix, agreeing)
    labels, count = ndimage.label(chance > 0.5)
    rows, columns = np.clip(np.rint(agreeing[:, ::-1]).astype(int), 0, np.array(size) - 1).T
    held = np.bincount(labels[rows, columns], minlength=count + 1) >= SEEDS
    large = np.bincount(labels.ravel(), minlength=count + 1) >= SMALLEST
    chosen = held & large
    chosen[0] = False
    mask = ndimage.binary_fill_holes(chosen[labels])
    if not mask.any():
        return nothing
    near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    chance = np.where(near, chance, np.float32(0))
    return Annotation(Kind.PART, np.asarray(mask, bool), chance, quality(chance))


def _explained(source: Pixels, after: Pixels, matrix: Matrix, agreeing: Points) -> Floats:
    """How likely each place of *after* is the source's, H×W: by correlation where there is texture, by level elsewhere.

    The source's tone is first fitted to *after*, channel by channel, on what lies around the agreeing keypoints.
    """
    moved, known = warp(source, matrix, after.shape[:2])
    ours = after.astype(np.float32)
    around = np.zeros(after.shape[:2], np.uint8)
    for x, y in np.rint(agreeing).astype(int):
        cv2.circle(around, (int(x), int(y)), 5, 1, -1)
    places = (around > 0) & known
    for channel in range(3):
        wanted, given = ours[..., channel][places], moved[..., channel][places]
        gain = float(np.clip(wanted.std() / max(float(given.std()), 1.0), 0.5, 2.0))
        moved[..., channel] = gain * (moved[..., channel] - np.median(given)) + np.median(wanted)
    apart = _blur(np.square(ours - moved).sum(2), 1.5)
    a, b = (np.asarray(plane @ GREY, np.float32) for plane in (ours, moved))
    mean_a, mean_b = _blur(a, 2.5), _blur(b, 2.5)
    vary_a, vary_b = (np.maximum(_blur(p * p, 2.5) - m * m, 0) for p, m in ((a, mean_a), (b, mean_b)))
    both = np.sqrt(vary_a * vary_b)
    alike = (_blur(a * b, 2.5) - mean_a * mean_b) / np.maximum(both, 1.0)
    # A third of a pixel off, and compression, explain this much.
    usual = 3 * (float(np.median(apart[places])) + 4) + vary_a
    by_level = 2 * np.log(usual / (apart + 1e-3))
    by_texture = 10 * (alike - ALIKE)
    logit = np.where(np.maximum(vary_a, vary_b) > TEXTURED**2, np.minimum(by_level, by_texture), by_level)
    return np.where(known, _sigmoid(logit.astype(np.float32)), np.float32(0))


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))), np.float32)


def _blur(plane: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32)
