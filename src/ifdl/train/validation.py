"""The numbers of one validation: how well edits are found, and how often untouched pictures are marked.

One threshold serves all pictures: the level with the best mean IoU over the edited ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ifdl.data.shortcuts import auc
from ifdl.evaluate.pixel import f1, iou
from ifdl.evaluate.tally import LEVELS, Tally
from ifdl.train import tensors
from ifdl.train.data import ValidationSet

FLAGGED_AREA = 0.005  # an untouched picture with more than this share marked is a false alarm
TOP = 0.02  # share of a map whose mean stands for the picture where there is no class answer


@dataclass(frozen=True, eq=False)
class Answer:
    """One picture's map as uint16 levels H×W, its mask bool H×W (all False: untouched), and its own score."""

    levels: NDArray[np.uint16]
    mask: NDArray[np.bool_]
    score: float


def numbers(answers: Iterable[Answer]) -> dict[str, float]:
    """Mean IoU and F1 per edited picture at the best common `threshold` (0-1), and mean pixel AUC.

    `flagged` is the share of untouched pictures with more than 0.5 % of the area marked at that threshold;
    `picture_auc` is the chance that an edited picture scores above an untouched one. nan without the pictures
    a number needs.
    """
    ious, f1s = np.zeros(LEVELS + 1), np.zeros(LEVELS + 1)
    areas: list[float] = []
    alarms: list[int] = []  # the highest threshold that still flags the picture
    scores: list[float] = []
    positive: list[bool] = []
    for answer in answers:
        scores.append(answer.score)
        positive.append(bool(answer.mask.any()))
        if not positive[-1]:
            flat = answer.levels.ravel()
            rank = flat.size - 1 - math.floor(FLAGGED_AREA * flat.size)
            alarms.append(int(np.partition(flat, rank)[rank]))
            continue
        tally = Tally.of(answer.levels, answer.mask)
        curve = tally.at_every_level()
        ious += np.nan_to_num(iou(curve))
        f1s += np.nan_to_num(f1(curve))
        if not answer.mask.all():
            areas.append(tally.auc())
    edited = sum(positive)
    best = 1 + int(np.argmax(ious[1:LEVELS]))  # level 0 marks everything, 65536 nothing
    between = auc(np.array(scores), np.array(positive, bool))
    return {
        "iou": float(ious[best] / edited) if edited else math.nan,
        "f1": float(f1s[best] / edited) if edited else math.nan,
        "auc": float(np.mean(areas)) if areas else math.nan,
        "flagged": float(np.mean([level >= best for level in alarms])) if alarms and edited else math.nan,
        "picture_auc": math.nan if between is None else between,
        "threshold": best / (LEVELS - 1) if edited else math.nan,
    }


def score_of(levels: NDArray[np.uint16]) -> float:
    """The mean of a map's highest 2 %, in 0-1: the picture's score where the system has no class answer."""
    flat = levels.ravel()
    count = max(1, round(TOP * flat.size))
    return float(np.partition(flat, flat.size - count)[-count:].mean()) / (LEVELS - 1)


def validate(
    expert: Any, net: torch.nn.Module, shown: ValidationSet, batch: int, device: torch.device
) -> dict[str, float]:
    """`numbers` of the net on the fixed set; its logits "map" are interpolated to the pictures' size."""

    def answers() -> Iterator[Answer]:
        for pictures, masks in ((shown.edited, shown.masks), (shown.untouched, np.zeros_like(shown.masks))):
            for at in range(0, len(pictures), batch):
                few = slice(at, at + batch)
                labels = np.full(len(pictures[few]), int(pictures is shown.edited), np.int64)
                inputs, _ = tensors.moved(tensors.of(expert, iter(pictures[few]), masks[few], labels), device, False)
                outputs = tensors.floats(net(**inputs))
                size = masks.shape[1:]
                heat = functional.interpolate(outputs["map"], size, mode="bilinear", align_corners=False).sigmoid()
                levels = (heat[:, 0] * 65535).round().cpu().numpy().astype(np.uint16)
                classes = outputs["classes"].softmax(1).cpu() if "classes" in outputs else None
                for n, mask in enumerate(masks[few]):
                    score = score_of(levels[n]) if classes is None else 1.0 - float(classes[n, 0])
                    yield Answer(levels[n], mask, score)

    was = net.training
    net.eval()
    with torch.no_grad():
        measured = numbers(answers())
    net.train(was)
    return measured
