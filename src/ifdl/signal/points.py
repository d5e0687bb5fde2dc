"""Maps of the plane and how to find them from matched points: affine, homography, and RANSAC for matches of which
many are wrong (Fischler and Bolles 1981).

Points are (x, y), N×2, with pixel centres at whole numbers; a map is 3×3 and takes source points to target points.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]

HYPOTHESES = 2000


def scale_of(matrix: Matrix) -> float:
    """How much larger *after* shows things than *before* (1 for a plain shift)."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))


def inverse(matrix: Matrix) -> Matrix:
    """The map back."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def resize_matrix(before: tuple[int, ...], after: tuple[int, ...]) -> Matrix:
    """The map of a plain resize between two (height, width) sizes, pixel corners kept on pixel corners."""
    sy, sx = after[0] / before[0], after[1] / before[1]
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def normal_equations(
    columns: Matrix, weight: NDArray[np.float64], wanted: NDArray[np.float64]
) -> tuple[Matrix, NDArray[np.float64]]:
    """(A, b) of the weighted least-squares problem columns·x = wanted, so that A·x = b.

    OpenCV multiplies tall thin matrices as fast as BLAS does and never waits for threads: NumPy's BLAS takes
    hundreds of times longer for these when other processes keep the cores busy.
    """
    weighted = columns * weight[:, None]
    both = cv2.gemm(weighted, np.column_stack([columns, wanted]), 1.0, None, 0.0, flags=cv2.GEMM_1_T)  # type: ignore[call-overload]
    solved = np.asarray(both, np.float64)
    return np.ascontiguousarray(solved[:, :-1]), solved[:, -1]


def ransac(source: Points, target: Points, tolerance: float, seed: int = 0) -> Matrix | None:
    """A map from `source` to `target` (N×2 matched points, some wrong) that most agree on, None if few do.

    Similarities through two matches each are tried all at once (with points as complex numbers z a
    similarity is a·z + b), then an affine map and a homography are fitted to those that agree, ever tighter.
    """
    if len(source) < 8:
        return None
    z, w = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    rng = np.random.default_rng(seed)
    i, j = rng.integers(len(z), size=(2, HYPOTHESES))
    usable = (np.abs(z[i] - z[j]) > 4 * tolerance) & (np.abs(w[i] - w[j]) > 1e-6)
    i, j = i[usable], j[usable]
    if not len(i):
        return None
    a = (w[i] - w[j]) / (z[i] - z[j])
    b = w[i] - a * z[i]
    votes = np.array([np.count_nonzero(np.abs(p * z + q - w) < tolerance) for p, q in zip(a, b, strict=True)])
    winner = int(votes.argmax())
    if votes[winner] < max(8, 0.1 * len(z)):
        return None
    p, q = a[winner], b[winner]
    matrix = np.array([[p.real, -p.imag, q.real], [p.imag, p.real, q.imag], [0, 0, 1.0]])
    for order, limit in ((6, tolerance), (6, tolerance / 2), (8, tolerance / 2), (8, tolerance / 3)):
        close = np.linalg.norm(apply(matrix, source) - target, axis=1) < limit
        if np.count_nonzero(close) < 8:
            break
        matrix = fit(source[close], target[close], order)
    return matrix


def fit(source: Points, target: Points, parameters: int = 6) -> Matrix:
    """Least-squares affine map (6) or homography (8) from `source` to `target`, N×2 points each.

    The homography is the direct linear transform on normalised points (Hartley 1997), last entry set to 1.
    """
    n, m = _normaliser(source), _normaliser(target)
    x, y = apply(n, source).T
    u, v = apply(m, target).T
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows = [np.stack([x, y, one, zero, zero, zero], 1), np.stack([zero, zero, zero, x, y, one], 1)]
    if parameters == 8:
        rows = [
            np.hstack([rows[0], np.stack([-x * u, -y * u], 1)]),
            np.hstack([rows[1], np.stack([-x * v, -y * v], 1)]),
        ]
    solved = np.linalg.lstsq(np.vstack(rows), np.concatenate([u, v]), rcond=None)[0]
    flat = np.append(solved, [1.0] if parameters == 8 else [0.0, 0.0, 1.0])
    matrix = np.linalg.inv(m) @ flat.reshape(3, 3) @ n
    return np.asarray(matrix / matrix[2, 2], np.float64)


def apply(matrix: Matrix, points: Points) -> Points:
    """N×2 points mapped by a 3×3 matrix."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def _normaliser(points: Points) -> Matrix:
    """Map that moves the points' mean to the origin and their spread to about one."""
    centre = points.mean(axis=0)
    unit = 1.0 / max(float(points.std()), 1e-9)
    return np.array([[unit, 0, -unit * centre[0]], [0, unit, -unit * centre[1]], [0, 0, 1.0]])
