"""An optional object detector: YOLOX-Nano on ONNX Runtime, for regions that are objects.

Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv 2107.08430; Megvii-BaseDetection/YOLOX
(Apache-2.0). Input 1×3×416×416, BGR 0-255 without normalisation, letterboxed with grey 114; output
1×3549×85: centre and log size in units of the stride 8, 16 or 32, objectness and 80 class scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.nets.runtime import session
from ifdl.nets.weights import WeightFile, path_of
from ifdl.signal.orientation import point_to_display, to_display
from ifdl.types import Picture, Region

Box = tuple[int, int, int, int]

YOLOX_NANO = WeightFile(
    name="yolox_nano",
    filename="yolox_nano.onnx",
    sha256="695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",
    licence="Apache-2.0 (Megvii YOLOX)",
    source="yolox_nano.onnx of release 0.1.1rc0 of Megvii-BaseDetection/YOLOX on GitHub",
)
SIDE = 416
STRIDES = (8, 16, 32)
LEAST_SCORE = 0.5
LEAST_OVERLAP = 0.5  # intersection over union of a region's box and an object's
CLEAR = 0.15  # by which the best name must lead the next
NAMES = (
    "person", "bicycle", "car", "motorcycle", "aeroplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "doughnut", "cake", "chair", "sofa", "potted plant", "bed", "dining table",
    "toilet", "television", "laptop", "mouse", "remote control", "keyboard", "mobile phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip


@dataclass(frozen=True)
class Detection:
    """One object: `box` (x, y, width, height) in pixels of the picture given, name and score 0-1."""

    box: tuple[int, int, int, int]
    name: str
    score: float


class ObjectDetector:
    """YOLOX-Nano. Raises FileNotFoundError without the weights, with the cure."""

    def __init__(self, weights: Path | None = None) -> None:
        path = weights or path_of(YOLOX_NANO)
        if path is None:
            raise FileNotFoundError(
                f"the object detector's weights are not here; get {YOLOX_NANO.source}, then "
                f"run: ifdl models fetch {YOLOX_NANO.name} --from FILE"
            )
        self._session = session(path, threads=1)
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pixels: NDArray[np.uint8], least: float = 0.3, overlap: float = 0.5) -> list[Detection]:
        """Objects in a uint8 H×W×3 RGB picture, best first, scores of at least `least`, duplicates suppressed."""
        height, width = pixels.shape[:2]
        factor = min(SIDE / height, SIDE / width)
        raw = self._session.run(None, {self._input: letterbox(pixels, factor)})[0][0]
        return detections(raw, factor, (height, width), least, overlap)


def letterbox(pixels: NDArray[np.uint8], factor: float) -> NDArray[np.float32]:
    """float32 1×3×416×416 BGR, the picture at the upper left on grey."""
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    canvas = np.full((SIDE, SIDE, 3), 114, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(canvas[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)


def detections(
    raw: NDArray[Any], factor: float, size: tuple[int, int], least: float, overlap: float
) -> list[Detection]:
    """Decode the network's 3549×85 output on its three grids, and suppress overlapping boxes of one class."""
    cells = [
        np.stack([x.ravel(), y.ravel(), np.full(x.size, stride)], axis=1)
        for stride in STRIDES
        for x, y in [np.meshgrid(np.arange(SIDE // stride), np.arange(SIDE // stride))]
    ]
    grid = np.concatenate(cells).astype(np.float64)
    centre = (raw[:, :2] + grid[:, :2]) * grid[:, 2:] / factor
    extent = np.exp(raw[:, 2:4]) * grid[:, 2:] / factor
    scores = raw[:, 4:5] * raw[:, 5:]
    kind, score = scores.argmax(axis=1), scores.max(axis=1)
    found = []
    for label in np.unique(kind[score >= least]):
        own = np.flatnonzero((kind == label) & (score >= least))
        boxes = np.concatenate([centre[own] - extent[own] / 2, extent[own]], axis=1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), score[own].astype(float).tolist(), least, overlap)
        for n in np.asarray(kept, int).ravel():
            x0, y0 = np.maximum(np.rint(boxes[n, :2]), 0)
            x1, y1 = np.minimum(np.rint(boxes[n, :2] + boxes[n, 2:]), (size[1], size[0]))
            if x1 > x0 and y1 > y0:
                box = (int(x0), int(y0), int(x1 - x0), int(y1 - y0))
                found.append(Detection(box, NAMES[int(label)], float(score[own[n]])))
    return sorted(found, key=lambda d: -d.score)


def name_regions(
    picture: Picture,
    regions: tuple[Region, ...],
    detector: Callable[[NDArray[np.uint8]], list[Detection]] | None = None,
    least_score: float = LEAST_SCORE,
    least_overlap: float = LEAST_OVERLAP,
) -> tuple[Region, ...]:
    """The regions, those named whose box one known object fills; the rest, and names given before, stay as they are.

    It abstains where scores or boxes are too unlike, where two names are near each other, and without weights. The
    detector looks at the picture as displayed; it knows 80 everyday things, and calls others by a wrong one of them
    now and then: a name is a guess for the reader, and no finding.
    """
    if not any(region.name is None for region in regions):
        return regions
    if detector is None:
        try:
            detector = ObjectDetector()
        except FileNotFoundError:
            return regions
    size, orientation = (picture.height, picture.width), picture.item.orientation
    found = [d for d in detector(to_display(picture.pixels, orientation)) if d.score >= least_score / 2]
    boxes = [_shown(region, size, orientation) for region in regions]
    return tuple(
        region if region.name else replace(region, name=_name(box, found, least_score, least_overlap))
        for region, box in zip(regions, boxes, strict=True)
    )


def _name(box: Box, found: list[Detection], least_score: float, least_overlap: float) -> str | None:
    """The name of the object that fills a box, None if none does or two contend."""
    weight: dict[str, float] = {}
    for one in found:
        common = _overlap(box, one.box)
        if common >= least_overlap:
            weight[one.name] = max(weight.get(one.name, 0.0), one.score)
    ranked = sorted(weight.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < least_score:
        return None
    return None if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < CLEAR else ranked[0][0]


def _shown(region: Region, size: tuple[int, int], orientation: int) -> Box:
    """The region's box as displayed."""
    x, y, width, height = region.box
    u0, v0 = point_to_display(x, y, size, orientation)
    u1, v1 = point_to_display(x + width, y + height, size, orientation)
    return round(min(u0, u1)), round(min(v0, v1)), round(abs(u1 - u0)), round(abs(v1 - v0))


def _overlap(a: Box, b: Box) -> float:
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (a[2] * a[3] + b[2] * b[3] - across * down)
