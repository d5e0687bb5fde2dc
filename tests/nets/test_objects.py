"""The object detector: its decoding on hand-made output, and the real weights on a real cup where they are here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ifdl.nets import objects
from ifdl.nets.objects import NAMES, Detection, ObjectDetector, detections, letterbox, name_regions
from ifdl.types import Item, Picture, Region
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


# ---------------------------------------------------------------- names for regions


def shown(orientation: int = 1) -> Picture:
    item = Item("p.png", "", "", 0, "PNG", "image/png", 100, 60, orientation)
    return Picture(np.zeros((60, 100, 3), np.uint8), item)


def named(*found: Detection, box: tuple[int, int, int, int] = (10, 10, 20, 30), orientation: int = 1) -> str | None:
    region = Region(box, 0.1, "left")
    (one,) = name_regions(shown(orientation), (region,), lambda pixels: list(found))
    assert replace(one, name=None) == region
    return one.name


def test_a_region_that_an_object_fills_takes_its_name() -> None:
    assert named(Detection((11, 9, 20, 30), "cup", 0.8)) == "cup"
    assert named(Detection((60, 9, 20, 30), "dog", 0.9), Detection((11, 9, 20, 30), "cup", 0.8)) == "cup"


@pytest.mark.parametrize(
    "found",
    [
        (),
        (Detection((11, 9, 20, 30), "cup", 0.4),),  # unsure
        (Detection((0, 0, 100, 60), "sofa", 0.9),),  # the region is a small part of it
        (Detection((20, 10, 20, 30), "cup", 0.9),),  # beside it
        (Detection((11, 9, 20, 30), "cup", 0.8), Detection((10, 10, 20, 29), "bowl", 0.7)),  # two names contend
    ],
)
def test_it_abstains_when_unsure(found: tuple[Detection, ...]) -> None:
    assert named(*found) is None


def test_boxes_are_compared_as_displayed() -> None:
    # turned by 90 degrees clockwise: stored (10, 10, 20, 30) is shown at (60 - 10 - 30, 10)
    assert named(Detection((20, 10, 30, 20), "cup", 0.8), orientation=6) == "cup"


def test_names_given_before_stay_and_missing_weights_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IFDL_HOME", str(tmp_path))
    regions = (Region((0, 0, 5, 5), 0.1, "left", name="copy A"), Region((9, 9, 5, 5), 0.1, "left"))
    assert name_regions(shown(), regions) == regions
    every = name_regions(shown(), regions, lambda pixels: [Detection((0, 0, 5, 5), "cup", 0.9)])
    assert every[0].name == "copy A"


def test_the_real_weights_name_the_cup_and_not_the_patch() -> None:
    if not WEIGHTS.exists():
        pytest.skip("the detector's weights are not on this machine")
    from ifdl import intake

    picture = intake.load(Path(__file__).resolve().parents[2] / "examples" / "splice.jpg")
    detector = ObjectDetector(WEIGHTS)
    cup = max((d for d in detector(picture.pixels) if d.name == "cup"), key=lambda d: d.score)
    regions = (Region(cup.box, 0.2, "centre"), Region((466, 52, 105, 106), 0.036, "upper right"))
    assert [r.name for r in name_regions(picture, regions, detector)] == ["cup", None]
