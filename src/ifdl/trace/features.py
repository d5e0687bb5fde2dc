"""Local features of a picture: RootSIFT, spread over the whole of it, one byte a number.

Sources: Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004; Arandjelović and Zisserman,
"Three things everyone should know to improve object retrieval", CVPR 2012 (RootSIFT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST = 1024  # pixels; a larger picture is reduced to this before its features are taken
INDEXED, ASKED = 1000, 3000  # features of a picture in the archive, and of the one that is asked about
CONTRAST = 0.02  # half of OpenCV's own: small pasted parts are often smooth
CELLS = 8  # a side; features are taken in turn from each cell
STEPS = 512  # a root of a share of a gradient histogram hardly exceeds a half


@dataclass(frozen=True, eq=False)
class Features:
    """N features of one picture.

    `places` float32 N×2, (x, y) in stored pixels of the whole picture; `sizes` float32 N in the same pixels and `turns`
    float32 N, degrees clockwise as seen, are the feature's own scale and direction (size 0 where it has none); `words`
    uint8 N×width, in which the level `middle` stands for 0.
    """

    places: NDArray[np.float32]
    sizes: NDArray[np.float32]
    turns: NDArray[np.float32]
    words: NDArray[np.uint8]
    middle: int = 0

    def __len__(self) -> int:
        return len(self.places)

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Features:
        """Those chosen, by a mask or by numbers."""
        return Features(self.places[chosen], self.sizes[chosen], self.turns[chosen], self.words[chosen], self.middle)

    def within(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which lie in a mask H×W of the picture."""
        x, y = np.rint(self.places).astype(int).T
        height, width = mask.shape
        return np.asarray(mask[y.clip(0, height - 1), x.clip(0, width - 1)])

    def units(self) -> NDArray[np.float32]:
        """Float32 N×width of length 1: their products are cosines."""
        return unit(self.words, self.middle)


class Extractor(Protocol):
    """A kind of features. `name` says all that two indexes must share to be compared."""

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int:
        """Numbers of a feature."""

    @property
    def middle(self) -> int:
        """The level that stands for 0."""

    def extract(self, pixels: NDArray[np.uint8], most: int) -> Features:
        """At most `most` features of a picture uint8 H×W×3."""

    def mirrored(self, own: Features, pixels: NDArray[np.uint8]) -> Features:
        """The features that the picture has when it is turned left for right, in pixels of the turned picture."""

    def closer(
        self, theirs: NDArray[np.uint8], ours: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Places M×2 of both pictures that belong together, seen with both at hand; None where features must do."""


class RootSift:
    """The features that are used unless another kind is asked for."""

    name = f"RootSIFT {INDEXED} {LONGEST} {CONTRAST}"
    width, middle = 128, 0

    def extract(self, pixels: NDArray[np.uint8], most: int) -> Features:
        return extract(pixels, most)

    def mirrored(self, own: Features, pixels: NDArray[np.uint8]) -> Features:
        return mirrored(own, pixels.shape[1])

    def closer(self, theirs: NDArray[np.uint8], ours: NDArray[np.uint8]) -> None:
        return None


def nothing(width: int = 128, middle: int = 0) -> Features:
    """No features at all."""
    none = np.zeros(0, np.float32)
    return Features(np.zeros((0, 2), np.float32), none, none, np.zeros((0, width), np.uint8), middle)


def extract(pixels: NDArray[np.uint8], most: int = INDEXED) -> Features:
    """At most `most` RootSIFT features of a picture uint8 H×W×3."""
    grey, ratio = reduced(pixels)
    points, found = cv2.SIFT.create(nfeatures=4 * most, contrastThreshold=CONTRAST).detectAndCompute(grey, None)
    if found is None or not points:
        return nothing()
    places = np.array([p.pt for p in points], np.float32)
    kept = spread(places, np.array([p.response for p in points]), grey.shape, most)
    roots = np.sqrt(found[kept] / np.maximum(found[kept].sum(axis=1, keepdims=True), 1e-6))
    return Features(
        (places[kept] + 0.5) * ratio - 0.5,
        np.array([points[n].size for n in kept], np.float32) * ratio.mean(),
        np.array([points[n].angle for n in kept], np.float32),
        np.minimum(np.rint(roots * STEPS), 255).astype(np.uint8),
    )


def reduced(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(grey H×W no longer than `LONGEST`, stored pixels of one of its own in x and y)."""
    grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), np.uint8)
    factor = min(1.0, LONGEST / max(grey.shape))
    if factor < 1:
        size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    return grey, np.array([pixels.shape[1] / grey.shape[1], pixels.shape[0] / grey.shape[0]], np.float32)


def mirrored(own: Features, width: int) -> Features:
    """RootSIFT of the picture turned left for right: the same gradients, in mirrored cells and directions."""
    places = own.places.copy()
    places[:, 0] = width - 1 - places[:, 0]
    # 4 rows × 4 columns of cells × 8 directions, measured from the feature's own direction.
    cells = own.words.reshape(-1, 4, 4, 8)[:, ::-1, :, :]
    words = np.ascontiguousarray(cells[..., (-np.arange(8)) % 8]).reshape(-1, 128)
    return Features(places, own.sizes, (180 - own.turns) % 360, words)


def unit(words: NDArray[np.uint8], middle: int = 0) -> NDArray[np.float32]:
    """Float32 N×width of length 1."""
    found = words.astype(np.float32)
    if middle:
        found -= np.float32(middle)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6), np.float32)


def spread(
    places: NDArray[np.float32], strength: NDArray[np.floating], size: tuple[int, ...], most: int
) -> NDArray[np.intp]:
    """Numbers of the strongest, cell after cell in turn, so that one busy corner does not take all; in rising order."""
    scale = np.array([CELLS / size[1], CELLS / size[0]])
    column, row = np.clip((places * scale).astype(int), 0, CELLS - 1).T
    order = np.lexsort((-strength, row * CELLS + column))
    cell = (row * CELLS + column)[order]
    starts = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])
    turn = np.arange(len(cell)) - np.repeat(starts, np.diff(np.r_[starts, len(cell)]))
    return np.asarray(np.sort(order[np.lexsort((-strength[order], turn))[:most]]))
