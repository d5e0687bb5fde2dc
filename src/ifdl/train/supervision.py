"""What a system may see of a training batch, by its `SUPERVISION`: masks, graded masks, or labels alone.

A weakly supervised system gets a `WeakBatch`, which has no field that a mask could be in: a released trainer of one
such system recomputed labels from masks, and nobody saw it. Its checkpoints are chosen without masks too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ifdl.train import tensors
from ifdl.train.data import EDITED, Batch, Pixels
from ifdl.train.tensors import Tensors

BY_LABEL = "picture_auc"  # the one number of a validation that needs no mask


@dataclass(frozen=True, eq=False)
class WeakBatch:
    """N whole pictures uint8 H×W×3 RGB and whether each was edited (int64 N); not where."""

    number: int
    pictures: tuple[Pixels, ...]
    labels: NDArray[np.int64]


def weak(batch: Batch) -> WeakBatch:
    """What is left of a batch without its masks and whatever was made of them."""
    return WeakBatch(batch.number, batch.pictures, batch.labels)


def check(expert: Any, metric: str) -> None:
    """Raise ValueError where masks would choose the checkpoint of a system that learns without them."""
    if expert.SUPERVISION == "label" and metric != BY_LABEL:
        raise ValueError(
            f"validation.metric: {metric} is measured on masks, which {expert.CARD.id} must not see; use {BY_LABEL}"
        )


def tensors_of(expert: Any, batch: Batch, seed: int) -> tuple[Tensors, Tensors]:
    """Inputs by the names `expert.prepare` gives them, and the truth its loss may see."""
    if expert.SUPERVISION == "label":
        return _of_labels(expert, weak(batch))
    pictures, masks = [], []
    for n, (picture, mask) in enumerate(zip(batch.pictures, batch.masks, strict=True)):
        changed = expert.augment(picture, mask, np.random.default_rng([seed, 2, batch.number, n]))
        pictures.append(changed[0])
        masks.append(changed[1])
    whole = np.stack(masks)
    labels = np.where(whole.any((1, 2)), EDITED, batch.labels)
    inputs, truth = tensors.of(expert, pictures, whole, labels)
    if expert.SUPERVISION == "grade":
        truth["grade"] = torch.from_numpy(batch.grades[:, None].astype(np.float32) / np.float32(255))
    return inputs, truth


def _of_labels(expert: Any, batch: WeakBatch) -> tuple[Tensors, Tensors]:
    return tensors.inputs(expert, batch.pictures), {"label": torch.from_numpy(batch.labels)}
