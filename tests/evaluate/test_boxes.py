"""Boxes: overlaps worked by hand, matching against all matchings, average precision against pycocotools."""

from __future__ import annotations

import contextlib
import io
import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ifdl.evaluate import boxes
from ifdl.evaluate.boxes import Detections, Found


def test_overlap_by_hand() -> None:
    a = [[0, 0, 4, 4], [0, 0, 0, 0]]
    b = [[0, 0, 4, 4], [2, 0, 4, 4], [4, 0, 4, 4], [1, 1, 2, 2], [0, 0, 0, 0]]
    assert np.allclose(boxes.iou(a, b), [[1, 8 / 24, 0, 4 / 16, 0], [0] * 5])
    assert boxes.iou([], b).shape == (0, 5) and boxes.iou(a, []).shape == (2, 0)
    with pytest.raises(ValueError, match="negative"):
        boxes.iou([[0, 0, -1, 2]], b)
    with pytest.raises(ValueError, match="N×4"):
        boxes.iou([[0, 0, 1]], b)


def test_overlap_as_pixels_count_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        masks = []
        pair = rng.integers(1, 10, (2, 4))
        for x, y, w, h in pair.tolist():
            mask = np.zeros((20, 20), bool)
            mask[y : y + h, x : x + w] = True
            masks.append(mask)
        expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        assert boxes.iou(pair[:1], pair[1:])[0, 0] == pytest.approx(expected)


def test_greedy_takes_the_best_and_hungarian_the_most() -> None:
    overlap = np.array([[0.9, 0.8], [0.7, 0.1]])
    assert boxes.greedy(overlap) == [(0, 0)]
    assert sorted(boxes.hungarian(overlap)) == [(0, 1), (1, 0)]
    assert boxes.greedy(np.zeros((0, 3))) == boxes.hungarian(np.zeros((0, 3))) == []
    assert boxes.greedy(np.full((2, 2), 0.49)) == boxes.hungarian(np.full((2, 2), 0.49)) == []
    assert boxes.hungarian(np.array([[0.5]])) == [(0, 0)], "at the threshold counts"


def test_hungarian_against_every_matching() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        overlap = rng.random((int(rng.integers(1, 5)), int(rng.integers(1, 5))))
        best = (0, 0.0)
        rows, columns = overlap.shape
        for choice in itertools.product([None, *range(columns)], repeat=rows):
            taken = [c for c in choice if c is not None]
            pairs = [(r, c) for r, c in enumerate(choice) if c is not None]
            if len(set(taken)) == len(taken) and all(overlap[p] >= 0.5 for p in pairs):
                best = max(best, (len(pairs), sum(overlap[p] for p in pairs)))
        made = boxes.hungarian(overlap)
        assert (len(made), sum(overlap[p] for p in made)) == (best[0], pytest.approx(best[1]))


def test_found_adds_up() -> None:
    truth = [[0, 0, 10, 10], [50, 50, 10, 10]]
    one = boxes.found([[0, 0, 10, 9], [80, 0, 5, 5]], truth)
    assert one == Found(1, 1, 1)
    both = one + boxes.found([[1, 1, 5, 5]], [])  # an authentic picture
    assert both == Found(1, 2, 1)
    assert (both.precision, both.recall, both.f1) == (1 / 3, 1 / 2, 2 / 5)
    assert math.isnan(boxes.found([], []).f1) and boxes.found([], truth).recall == 0
    twice = boxes.found([[0, 0, 10, 10]] * 2, truth, matching="greedy")
    assert twice == Found(1, 1, 1), "the same box twice is one right and one wrong"


def test_average_precision_by_hand() -> None:
    truth = [[0, 0, 10, 10], [20, 0, 10, 10]]
    right, other, wrong = [0, 0, 10, 10], [20, 0, 10, 10], [50, 50, 5, 5]
    assert boxes.average_precision([Detections([right, other], [0.9, 0.8], truth)]) == 1
    # Right, wrong, right: precision 1 up to recall 0.5 (51 of the 101 recalls), 2/3 after it.
    made = boxes.average_precision([Detections([right, wrong, other], [0.9, 0.8, 0.7], truth)])
    assert made == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert boxes.average_precision([Detections([right], [0.9], truth)]) == pytest.approx(51 / 101)
    assert boxes.average_precision([Detections([], [], truth)]) == 0
    assert math.isnan(boxes.average_precision([Detections([wrong], [0.9], [])]))
    # A surer box on an authentic picture halves the precision everywhere.
    assert boxes.average_precision(
        [Detections([wrong], [0.9], []), Detections([right], [0.8], [right])]
    ) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="scores"):
        boxes.average_precision([Detections([right], [0.9, 0.1], truth)])


def drawn(rng: np.random.Generator, number: int) -> NDArray[np.int64]:
    return np.column_stack([rng.integers(0, 60, (number, 2)), rng.integers(5, 40, (number, 2))])


def test_average_precision_as_pycocotools() -> None:
    coco_api = pytest.importorskip("pycocotools.coco", reason="pycocotools is in the dev extra")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(2)
    for _ in range(6):
        pictures, truths, said = [], [], []
        for image in range(1, 9):
            truth = drawn(rng, int(rng.integers(0, 5)))
            moved = np.maximum(truth + rng.integers(-4, 5, truth.shape), 1)
            guesses = np.vstack([moved, drawn(rng, int(rng.integers(0, 4)))])
            scores = np.round(rng.random(len(guesses)), 1)  # with ties
            pictures.append(Detections(guesses, scores, truth))
            for box in truth.tolist():
                truths.append({"id": len(truths) + 1, "image_id": image, "category_id": 1, "bbox": box,
                               "area": box[2] * box[3], "iscrowd": 0})  # fmt: skip
            said += [
                {"image_id": image, "category_id": 1, "bbox": box, "score": score}
                for box, score in zip(guesses.tolist(), scores.tolist(), strict=True)
            ]
        with contextlib.redirect_stdout(io.StringIO()):
            gt = coco_api.COCO()
            gt.dataset = {
                "images": [{"id": n} for n in range(1, 9)], "annotations": truths, "categories": [{"id": 1}],
            }  # fmt: skip
            gt.createIndex()
            run = evaluation.COCOeval(gt, gt.loadRes(said), "bbox")
            run.evaluate()
            run.accumulate()
            run.summarize()
        assert boxes.coco(pictures) == pytest.approx(run.stats[0], abs=1e-12)
        assert boxes.average_precision(pictures) == pytest.approx(run.stats[1], abs=1e-12)


def test_pointing() -> None:
    truth = np.zeros((10, 20), bool)
    truth[2:5, 12:16] = True
    assert boxes.pointing_hit([[0, 0, 4, 4], [11, 1, 4, 4]], [0.1, 0.9], truth)
    assert not boxes.pointing_hit([[0, 0, 4, 4], [11, 1, 4, 4]], [0.9, 0.1], truth), "the surest box decides"
    assert not boxes.pointing_hit([[1, 11, 4, 4]], [1.0], truth), "x is not y"
    assert not boxes.pointing_hit([[90, 90, 4, 4]], [1.0], truth)
    assert not boxes.pointing_hit([], [], truth)
    with pytest.raises(ValueError, match="empty"):
        boxes.pointing_hit([[0, 0, 1, 1]], [1.0], np.zeros((3, 3), bool))
