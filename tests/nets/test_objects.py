"""The object detector: its decoding on hand-made output, and the real weights on a real cup where they are here."""

from __future__ import annotations

import numpy as np
import pytest

from ifdl.nets import objects
from ifdl.nets.objects import NAMES, ObjectDetector, detections, letterbox
from tests.photographs import SHARED

WEIGHTS = SHARED / "weights" / "yolox_nano_coco" / "yolox_nano.onnx"


def output(*found: tuple[int, int, int, int, str, float]) -> np.ndarray:
    """A 3549×85 network output with objects at (x, y, width, height) of the 416×416 input, on the stride-16 grid."""
    raw = np.zeros((3549, 85))
    for x, y, width, height, name, score in found:
        column, row = (x + width / 2) // 16, (y + height / 2) // 16
        n = 52 * 52 + int(row) * 26 + int(column)
        raw[n, :2] = (x + width / 2) / 16 - column, (y + height / 2) / 16 - row
        raw[n, 2:4] = np.log(width / 16), np.log(height / 16)
        raw[n, 4], raw[n, 5 + NAMES.index(name)] = 1.0, score
    return raw


def test_boxes_come_back_in_picture_pixels() -> None:
    (found,) = detections(output((100, 60, 80, 120, "cat", 0.9)), 0.5, (832, 832), 0.3, 0.5)
    assert (found.box, found.name) == ((200, 120, 160, 240), "cat")
    assert found.score == pytest.approx(0.9)


def test_duplicates_of_one_class_are_suppressed_and_others_kept() -> None:
    raw = output((100, 60, 80, 120, "cat", 0.9), (117, 62, 80, 120, "cat", 0.6), (100, 190, 80, 120, "dog", 0.5))
    assert [d.name for d in detections(raw, 1.0, (416, 416), 0.3, 0.5)] == ["cat", "dog"]
    assert not detections(raw, 1.0, (416, 416), 0.95, 0.5)


def test_boxes_are_cut_to_the_picture() -> None:
    (found,) = detections(output((-20, -10, 100, 60, "car", 0.8)), 1.0, (40, 50), 0.3, 0.5)
    assert found.box == (0, 0, 50, 40)


def test_letterbox_is_bgr_on_grey() -> None:
    red = np.zeros((100, 200, 3), np.uint8)
    red[:, :, 0] = 200
    seen = letterbox(red, 416 / 200)
    assert seen.shape == (1, 3, 416, 416)
    assert seen[0, :, 10, 10].tolist() == [0, 0, 200]
    assert seen[0, :, 300, 10].tolist() == [114, 114, 114]


def test_missing_weights_name_the_cure(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("IFDL_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="ifdl models fetch yolox_nano"):
        ObjectDetector()


def test_a_real_cup_is_found_with_the_real_weights() -> None:
    if not WEIGHTS.exists():
        pytest.skip("../shared/weights/yolox_nano_coco is absent")
    import hashlib

    from skimage import data

    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == objects.YOLOX_NANO.sha256
    found = ObjectDetector(WEIGHTS)(data.coffee())
    assert found[0].name == "cup"
    x, y, width, height = found[0].box
    assert abs(x - 162) < 30 and abs(y - 16) < 30 and abs(width - 259) < 60 and abs(height - 279) < 60
