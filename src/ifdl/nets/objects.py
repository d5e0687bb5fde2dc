"""An optional object detector: YOLOX-Nano on ONNX Runtime, for regions that are objects.

Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv 2107.08430; Megvii-BaseDetection/YOLOX
(Apache-2.0). Input 1×3×416×416, BGR 0-255 without normalisation, letterboxed with grey 114; output
1×3549×85: centre and log size in units of the stride 8, 16 or 32, objectness and 80 class scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.nets.runtime import session
from ifdl.nets.weights import WeightFile, path_of

YOLOX_NANO = WeightFile(
    name="yolox_nano",
    filename="yolox_nano.onnx",
    sha256="695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",
    licence="Apache-2.0 (Megvii YOLOX)",
    source="yolox_nano.onnx of release 0.1.1rc0 of Megvii-BaseDetection/YOLOX on GitHub",
)
SIDE = 416
STRIDES = (8, 16, 32)
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
