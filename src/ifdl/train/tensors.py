"""Pictures to tensors: what a net takes of a batch, and what is true of it. Needs the train extra."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Tensors = dict[str, torch.Tensor]


def of(
    expert: Any, pictures: Iterable[NDArray[np.uint8]], masks: NDArray[np.bool_], labels: NDArray[np.int64]
) -> tuple[Tensors, Tensors]:
    """Inputs by the names `expert.prepare` gives them, and the truth: mask N×1×H×W, label N, known N."""
    truth = {"mask": torch.from_numpy(masks[:, None].astype(np.float32)), "label": torch.from_numpy(labels)}
    truth["known"] = torch.ones(len(labels), dtype=torch.bool)  # every forgery's mask is exact
    return inputs(expert, pictures), truth


def inputs(expert: Any, pictures: Iterable[NDArray[np.uint8]]) -> Tensors:
    """Inputs alone, by name."""
    prepared = [expert.prepare(picture) for picture in pictures]
    return {name: torch.from_numpy(np.stack([one[name] for one in prepared])) for name in prepared[0]}


def moved(batch: tuple[Tensors, Tensors], device: torch.device, channels_last: bool) -> tuple[Tensors, Tensors]:
    """Both on the device, pictures laid out with channels last where asked."""

    def there(tensor: torch.Tensor) -> torch.Tensor:
        laid = torch.channels_last if channels_last and tensor.ndim == 4 else torch.preserve_format
        return tensor.to(device, non_blocking=True, memory_format=laid)

    given, truth = ({name: there(tensor) for name, tensor in side.items()} for side in batch)
    return given, truth


def floats(outputs: Any) -> Tensors:
    """A net's outputs as float32, those it left out dropped."""
    return {name: tensor.float() for name, tensor in outputs.items() if tensor is not None}
