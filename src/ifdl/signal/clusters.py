"""Two groups in a pile of unlabelled feature vectors, named by one known member; or the answer that there are no two.

Source: Huang et al., "FakeLocator", IEEE TIFS 2022 (single sample clustering: features to two dimensions, k-means with
two centres, one known sample names them, ten repeats). They reduce by t-SNE, which draws clusters out of anything; here
principal components, so that one cloud stays one and is reported as undecided.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

REPEATS = 10
APART = 4.0  # Ashman's D: a Gaussian cut in half has 2.65, two Gaussians four deviations apart have 4
STABLE = 0.95  # share of the vectors that all repeats must put on the same side


def like_the_known(features: NDArray[np.floating], known: int, seed: int = 0) -> NDArray[np.bool_] | None:
    """Which of N×D vectors are of the group of vector `known`, bool N; None where no two groups stand apart.

    Distances are Euclidean in the features' own scale. Fewer than 6 vectors are undecided.
    """
    if len(features) < 6:
        return None
    values = np.asarray(features, np.float64)
    left, sizes, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    flat = np.ascontiguousarray(left[:, :2] * sizes[:2], np.float32)
    sides = []
    for repeat in range(REPEATS):
        cv2.setRNGSeed(seed * REPEATS + repeat)
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
        _, labels, _ = cv2.kmeans(flat, 2, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
        sides.append(labels.ravel() == labels[known, 0])
    together = np.mean(sides, axis=0)
    mine = together > 0.5
    if np.mean(np.maximum(together, 1 - together) == 1) < STABLE or mine.all():
        return None
    return mine if _apart(flat, mine) >= APART else None


def _apart(flat: NDArray[np.float32], mine: NDArray[np.bool_]) -> float:
    """Ashman's D of two groups along the line between their centres (Ashman et al., 1994)."""
    one, two = flat[mine], flat[~mine]
    line = one.mean(0) - two.mean(0)
    line /= max(float(np.linalg.norm(line)), 1e-9)
    a, b = one @ line, two @ line
    return float(np.sqrt(2) * abs(a.mean() - b.mean()) / np.sqrt(max(float(a.var() + b.var()), 1e-12)))
