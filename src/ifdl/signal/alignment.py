"""Aligning two pictures of the same scene: sub-pixel shift, similarity, affine map or homography.

Used wherever a picture is compared with an earlier or later state of itself: before/after pairs, a donor found
in an archive, a re-fetched copy. Three candidates are tried, cheapest first: the plain resize that turns one
size into the other, a shift (phase correlation: Kuglin and Hines 1975), and keypoints (SIFT: Lowe 2004, with
RANSAC: Fischler and Bolles 1981). Each is refined on the pixels themselves by robust Gauss-Newton (Lucas and
Kanade 1981; Tukey's weights, so that edited parts do not pull), and the one that explains most is kept.

Everything is deterministic: RANSAC draws from a generator of its own with a fixed seed. Points are (x, y) with
pixel centres at whole numbers; a matrix is 3×3 and maps a point of *before* to a point of *after*.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.signal.jpeg import luma
from ifdl.signal.points import Matrix, Points, apply, inverse, normal_equations, ransac, resize_matrix, scale_of

Floats = NDArray[np.float32]
Size = tuple[int, ...]

LONG_SIDE = 1024  # keypoints and refinement see no more than this: their error is a small part of a pixel
KEYPOINTS = 3000
BAND_LIMIT = 0.3  # cycles a pixel
GOOD_ENOUGH = 0.9  # agreement at which no further candidate is tried
SAME_SCENE = 0.25  # agreement below which the pictures are said not to show the same scene
SNAP = 0.12  # pixels: how far a refined map may be from a simple one and still be taken for it
BLOCK = 16
ALIKE = 0.55  # correlation of two blocks of the same content, compression and resizing allowed for
FLAT = 2.0  # standard deviation below which a block has nothing to correlate


@dataclass(frozen=True, eq=False)
class Alignment:
    """How *before* lies in *after*.

    `kind` is same, shift, resize, affine or homography: the simplest map that explains the pair.
    `agreement` is the share of 16×16 blocks with detail in both pictures whose detail correlates once
    *before* is mapped, 0-1; blocks of which an edit replaced the detail count against it.
    """

    matrix: Matrix
    kind: str
    agreement: float


def align(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Alignment | None:
    """The map from *before* to *after* (uint8 RGB H×W×3 of any sizes), None if they do not show the same scene."""
    a, b = luma(after), luma(before)
    best: Alignment | None = None
    for candidate in (_by_size, _by_shift, _by_keypoints):
        found = candidate(b, a)
        if found is None:
            continue
        start, parameters = found
        matrix = refine(b, a, start, parameters)
        if matrix is None:
            continue
        matrix, kind = _simplest(matrix, before.shape[:2], after.shape[:2], parameters)
        agreed = agreement(b, a, matrix)
        if best is None or agreed > best.agreement + 0.02:
            best = Alignment(matrix, kind, agreed)
        if best.agreement >= GOOD_ENOUGH:
            break
    return best if best is not None and best.agreement >= SAME_SCENE else None


def shift(first: Floats, second: Floats) -> tuple[float, float, float]:
    """(dx, dy, response) by phase correlation of two planes of one size: second(x, y) = first(x - dx, y - dy).

    The peak is found to a twentieth of a pixel by evaluating the correlation on a finer grid around it
    (Guizar-Sicairos et al. 2008); frequencies near the limit, which interpolation and compression spoil,
    are left out. The response, 0-1, is the share of the remaining frequencies that agree on this shift.
    """
    height, width = first.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    spectra = [np.fft.fft2((p - p.mean()) * window) for p in (first, second)]
    fy, fx = np.fft.fftfreq(height), np.fft.fftfreq(width)
    cross = spectra[1] * np.conj(spectra[0])
    cross /= np.maximum(np.abs(cross), 1e-9)
    cross[(fy[:, None] ** 2 + fx[None, :] ** 2) > BAND_LIMIT**2] = 0
    surface = np.fft.ifft2(cross).real
    y, x = (int(i) for i in np.unravel_index(int(surface.argmax()), surface.shape))
    ys, xs = (np.arange(-30, 31) / 20 + centre for centre in (y, x))
    rows, columns = np.exp(2j * np.pi * np.outer(ys, fy)), np.exp(2j * np.pi * np.outer(fx, xs))
    fine = np.einsum("ij,jk->ik", np.einsum("ij,jk->ik", rows, cross), columns).real
    i, j = np.unravel_index(int(fine.argmax()), fine.shape)
    dy, dx = float(ys[i]), float(xs[j])
    response = float(fine[i, j]) / max(1, int(np.count_nonzero(cross)))
    return dx - width if dx > width / 2 else dx, dy - height if dy > height / 2 else dy, response


def warp(picture: NDArray[np.uint8], matrix: Matrix, size: Size) -> tuple[Floats, NDArray[np.bool_]]:
    """`picture` mapped into a frame of (height, width) `size`: float32 pixels, and where they are known.

    A whole-pixel shift copies pixels; a reduction smooths first, as resizers do. Pixels whose support lies
    partly outside the picture are not known.
    """
    height, width = size
    scale = scale_of(matrix)
    source = picture.astype(np.float32)
    if scale < 0.98:
        # The filter of a resizer is as wide as a pixel of the smaller picture.
        sigma = 0.45 * float(np.sqrt(1 / scale**2 - 1)) + 1e-3
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), sigma), np.float32)
    whole = np.allclose(matrix[:2, :2], np.eye(2)) and np.allclose(matrix[:2, 2], np.rint(matrix[:2, 2]))
    method = cv2.INTER_NEAREST if whole else cv2.INTER_CUBIC
    moved = cv2.warpPerspective(source, matrix, (width, height), flags=method, borderMode=cv2.BORDER_REPLICATE)
    inside = np.full(picture.shape[:2], 255, np.uint8)
    known = cv2.warpPerspective(inside, matrix, (width, height), flags=cv2.INTER_LINEAR if not whole else method) == 255
    return np.asarray(moved, np.float32), np.asarray(known, bool)


def agreement(before: Floats, after: Floats, matrix: Matrix) -> float:
    """Share of the 16×16 blocks with detail in both planes whose detail correlates once `before` is mapped."""
    factor = min(1.0, LONG_SIDE / max(after.shape))
    a, b, m = _at_scale(before, after, matrix, factor)
    size = (a.shape[1], a.shape[0])
    moved = np.asarray(
        cv2.warpPerspective(b, m, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
    inside = np.asarray(cv2.warpPerspective(np.ones_like(b), m, size, flags=cv2.INTER_NEAREST), np.float32)
    # Detail only: neighbouring scenes share their shading, not their detail.
    one, two = (p - cv2.GaussianBlur(p, (0, 0), 4.0) for p in (a, moved))
    covered = _blocks(inside) > 0.99
    power_one, power_two = _blocks(one * one), _blocks(two * two)
    alike = _blocks(one * two) / np.sqrt(np.maximum(power_one * power_two, 1e-6))
    # Detail on both sides: something pasted onto a plain sky says nothing about the rest.
    textured = covered & (np.minimum(power_one, power_two) > FLAT**2)
    if np.count_nonzero(textured) < 4:  # nothing but flat surfaces: brightness must do
        return float(np.mean(np.abs(_blocks(a - moved))[covered] < 8.0)) if covered.any() else 0.0
    return float(np.mean(alike[textured] > ALIKE))


def refine(before: Floats, after: Floats, start: Matrix, parameters: int = 6) -> Matrix | None:
    """The map near `start` under which the planes differ least, by robust Gauss-Newton from coarse to fine.

    `parameters` is 6 (affine) or 8 (homography). Brightness and contrast are fitted along. None if it runs away.
    """
    matrix = start
    for side in (160, 400, LONG_SIDE):
        factor = min(1.0, side / max(after.shape))
        a, b, m = _at_scale(before, after, matrix, factor)
        if min(*a.shape, *b.shape) < 16:
            continue
        found = _gauss_newton(b, a, inverse(m), parameters)
        if found is None:
            return None
        matrix = _from_scale(inverse(found), before.shape, after.shape, b.shape, a.shape)
        if factor == 1.0:
            break
    return matrix


# ---------------------------------------------------------------- candidates


def _by_size(before: Floats, after: Floats) -> tuple[Matrix, int] | None:
    """The plain resize, if the proportions are the same."""
    (hb, wb), (ha, wa) = before.shape, after.shape
    if abs(np.log(ha / hb) - np.log(wa / wb)) > 0.03:
        return None
    return resize_matrix((hb, wb), (ha, wa)), 6


def _by_shift(before: Floats, after: Floats) -> tuple[Matrix, int] | None:
    """A shift without change of size: crops, and pictures moved by a margin."""
    height, width = (max(p) for p in zip(before.shape, after.shape, strict=True))
    factor = min(1.0, LONG_SIDE / max(height, width))
    planes = []
    for plane in (before, after):
        small = _reduced(plane, factor)
        frame = np.full((round(height * factor) + 1, round(width * factor) + 1), small.mean(), np.float32)
        frame[: small.shape[0], : small.shape[1]] = small
        planes.append(frame)
    dx, dy, response = shift(planes[0], planes[1])
    if response < 0.02:
        return None
    return np.array([[1, 0, dx / factor], [0, 1, dy / factor], [0, 0, 1.0]]), 6


def _by_keypoints(before: Floats, after: Floats) -> tuple[Matrix, int] | None:
    """A homography from SIFT keypoints, found as a similarity by RANSAC and then loosened."""
    source, target = keypoints(before, after)
    found = ransac(source, target, tolerance=0.01 * max(after.shape))
    return None if found is None else (found, 8)


def keypoints(before: Floats, after: Floats) -> tuple[Points, Points]:
    """Matched SIFT keypoints of two planes of brightness, N×2 points each; some are wrong, and there may be none."""
    sift = cv2.SIFT.create(nfeatures=KEYPOINTS)
    places, words = [], []
    for plane in (before, after):
        factor = min(1.0, LONG_SIDE / max(plane.shape))
        small = _reduced(plane, factor)
        points, descriptors = sift.detectAndCompute(np.clip(np.rint(small), 0, 255).astype(np.uint8), None)
        if descriptors is None or len(points) < 8:
            return np.zeros((0, 2)), np.zeros((0, 2))
        ratio = np.array([plane.shape[1] / small.shape[1], plane.shape[0] / small.shape[0]])
        places.append((np.array([p.pt for p in points]) + 0.5) * ratio - 0.5)
        words.append(descriptors / np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-6))
    near = words[0] @ words[1].T
    first = near.argmax(axis=1)
    best = near.max(axis=1)
    near[np.arange(len(first)), first] = -1.0
    second = near.max(axis=1)
    near[np.arange(len(first)), first] = best
    # Lowe's ratio test on distances (2 - 2·cosine), and each the other's best.
    kept = (2 - 2 * best < 0.8**2 * (2 - 2 * second)) & (near.argmax(axis=0)[first] == np.arange(len(first)))
    return places[0][kept], places[1][first[kept]]


# ---------------------------------------------------------------- refinement


def _gauss_newton(before: Floats, after: Floats, start: Matrix, parameters: int) -> Matrix | None:
    """`start` maps after to before; the same, improved until it moves no corner by a thousandth of a pixel."""
    a, b = cv2.GaussianBlur(after, (0, 0), 1.0), cv2.GaussianBlur(before, (0, 0), 1.0)
    gx, gy = cv2.Sobel(b, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(b, cv2.CV_32F, 0, 1, scale=1 / 8)
    step = max(1, int(np.sqrt(a.size / 40_000)))
    ys, xs = np.mgrid[2 : a.shape[0] - 2 : step, 2 : a.shape[1] - 2 : step].astype(np.float64)
    values = a[2 : a.shape[0] - 2 : step, 2 : a.shape[1] - 2 : step].astype(np.float64)
    # Coordinates of order one on both sides keep the equations well conditioned.
    na, nb = _frame(a.shape), _frame(b.shape)
    h = nb @ start @ np.linalg.inv(na)
    h /= h[2, 2]
    x, y = (xs - na[0, 2] / -na[0, 0]) * na[0, 0], (ys - na[1, 2] / -na[1, 1]) * na[1, 1]
    corners = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1.0]])
    for _ in range(30):
        w = h[2, 0] * x + h[2, 1] * y + 1.0
        u, v = (h[0, 0] * x + h[0, 1] * y + h[0, 2]) / w, (h[1, 0] * x + h[1, 1] * y + h[1, 2]) / w
        px, py = (u - nb[0, 2]) / nb[0, 0], (v - nb[1, 2]) / nb[1, 1]
        inside = (px >= 1) & (py >= 1) & (px <= b.shape[1] - 2) & (py <= b.shape[0] - 2)
        if np.count_nonzero(inside) < 0.05 * inside.size or np.count_nonzero(inside) < 100:
            return None
        map_x, map_y = px.astype(np.float32), py.astype(np.float32)
        seen, dx, dy = (cv2.remap(p, map_x, map_y, cv2.INTER_LINEAR).astype(np.float64)[inside] for p in (b, gx, gy))
        du, dv = dx / nb[0, 0] / w[inside], dy / nb[1, 1] / w[inside]
        xi, yi = x[inside], y[inside]
        columns = [du * xi, du * yi, du, dv * xi, dv * yi, dv]
        if parameters == 8:
            slope = du * u[inside] + dv * v[inside]
            columns += [-slope * xi, -slope * yi]
        # The last two columns are contrast and brightness of before.
        jacobian = np.stack([*columns, seen, np.ones_like(seen)], 1)
        wanted = values[inside]
        gain, offset = _tone(seen, wanted)
        residual = wanted - gain * seen - offset
        spread = 1.4826 * float(np.median(np.abs(residual))) + 0.1
        weight = np.clip(1 - (residual / (4.685 * spread)) ** 2, 0, None) ** 2
        jacobian[:, :-2] *= gain
        normal, right = normal_equations(jacobian, weight, residual)
        normal[np.diag_indices_from(normal)] *= 1 + 1e-6
        normal[np.diag_indices_from(normal)] += 1e-9
        change = np.linalg.solve(normal, right)[:parameters]
        old = apply(h, corners)
        h = h + np.append(change, [0.0] * (9 - parameters)).reshape(3, 3)
        moved = np.abs(apply(h, corners) - old).max() / nb[0, 0]
        if not np.isfinite(moved) or moved > 0.5 * max(b.shape):
            return None
        if moved < 1e-3:
            break
    return np.asarray(np.linalg.inv(nb) @ h @ na, np.float64)


def _tone(seen: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[float, float]:
    """Contrast and brightness that turn `seen` into `wanted`, from quantiles: edits hardly move them."""
    q = np.quantile(seen, (0.1, 0.5, 0.9)), np.quantile(wanted, (0.1, 0.5, 0.9))
    gain = float(np.clip((q[1][2] - q[1][0]) / max(q[0][2] - q[0][0], 1.0), 0.25, 4.0))
    return gain, float(np.median(wanted - gain * seen))


def _simplest(matrix: Matrix, before: Size, after: Size, parameters: int) -> tuple[Matrix, str]:
    """The simplest map that moves no corner of after by more than `SNAP` from the refined one, and its kind."""
    height, width = after
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)
    back = apply(inverse(matrix), corners)
    whole = np.eye(3)
    whole[:2, 2] = np.rint(np.median(corners - back, axis=0))
    for simple, kind in ((np.eye(3), "same"), (whole, "shift"), (resize_matrix(before, after), "resize")):
        if kind == "same" and before != after:
            continue
        if np.abs(apply(simple, back) - corners).max() < SNAP:
            return simple, kind
    # The last bits of a least-squares fit depend on how many threads made it; no picture does.
    return np.round(matrix / matrix[2, 2], 8), "homography" if parameters == 8 else "affine"


def _at_scale(before: Floats, after: Floats, matrix: Matrix, factor: float) -> tuple[Floats, Floats, Matrix]:
    """(after, before, map) with after reduced by `factor` and before reduced to about the same scale."""
    other = factor * min(1.0, scale_of(matrix))
    a, b = _reduced(after, factor), _reduced(before, other)
    to_a, to_b = resize_matrix(after.shape, a.shape), resize_matrix(before.shape, b.shape)
    return a, b, np.asarray(to_a @ matrix @ np.linalg.inv(to_b), np.float64)


def _reduced(plane: Floats, factor: float) -> Floats:
    """The plane reduced by about `factor`, by exactly the ratio of the whole-numbered sizes."""
    if factor >= 1:
        return plane
    size = max(1, round(plane.shape[1] * factor)), max(1, round(plane.shape[0] * factor))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _from_scale(matrix: Matrix, before: Size, after: Size, small_before: Size, small_after: Size) -> Matrix:
    """The map between the full sizes that `matrix` is between the small ones."""
    full = np.linalg.inv(resize_matrix(after, small_after)) @ matrix @ resize_matrix(before, small_before)
    return np.asarray(full / full[2, 2], np.float64)


def _frame(size: Size) -> Matrix:
    """Map from pixels to coordinates in about -1 to 1, equally scaled in both directions."""
    height, width = size
    unit = 2.0 / max(height, width)
    return np.array([[unit, 0, -unit * (width - 1) / 2], [0, unit, -unit * (height - 1) / 2], [0, 0, 1.0]])


def _blocks(plane: Floats) -> Floats:
    """Means over whole 16×16 blocks."""
    high, wide = plane.shape[0] // BLOCK * BLOCK, plane.shape[1] // BLOCK * BLOCK
    tiles = plane[:high, :wide].reshape(high // BLOCK, BLOCK, wide // BLOCK, BLOCK)
    return np.asarray(tiles.mean(axis=(1, 3)), np.float32)
