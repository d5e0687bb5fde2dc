"""What systems share that learn where from labels alone: evidence encoders, a slow start, published backbones.

Needs the train extra.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

RESNET50 = "microsoft/resnet-50"
RESNET50_REVISION = "34c2154c194f829b11125337b98c8f5f9965ff19"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in [0, 1]


class Ramp(nn.Module):
    """A weight that grows from e⁻⁵ to 1 over so many training steps: exp(−5·(1 − done)²).

    It counts the forward passes of training in a buffer, so that a resumed run goes on where it was. Source: Laine
    and Aila, "Temporal ensembling for semi-supervised learning", ICLR 2017.
    """

    seen: Tensor

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self) -> Tensor:
        """The weight now, a scalar; counts while training."""
        done = min(1.0, int(self.seen) / self.steps)
        if self.training:
            self.seen += 1
        return torch.tensor(math.exp(-5 * (1 - done) ** 2), device=self.seen.device)


class Steps(nn.ModuleList):
    """Small encoder: each step halves the size; returns the features of the last two, finer first."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__(halved(a, b) for a, b in pairwise((inputs, *widths)))
        self.channels = tuple(widths[-2:])

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features = []
        for step in self:
            pixels = step(pixels)
            features.append(pixels)
        return features[-2], features[-1]


def halved(inputs: int, outputs: int) -> nn.Sequential:
    """Half the size, then mixed: 3×3 with stride 2, depthwise 3×3, 1×1.

    Batch normalisation, as in the published nets: a norm over the picture would carry the noise of an edited part into
    all cells, and a classifier without masks would find its evidence outside (measured: the map was inverted).
    """
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    layers += [nn.Conv2d(outputs, outputs, 3, 1, 1, groups=outputs), nn.Conv2d(outputs, outputs, 1, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs), nn.ReLU())


class ResNet(nn.Module):
    """ResNet through transformers: its last two stages, at strides 16 and 32, finer first.

    `config` are arguments of ResNetConfig; `hub` and `revision` name published weights instead.
    """

    def __init__(
        self, config: dict[str, Any] | None = None, hub: str = RESNET50, revision: str = RESNET50_REVISION
    ) -> None:
        super().__init__()
        from transformers import ResNetConfig, ResNetModel

        if config is None:
            self.body: Any = ResNetModel.from_pretrained(hub, revision=revision, use_safetensors=True)
        else:
            self.body = ResNetModel(ResNetConfig(**config))
        sizes = self.body.config.hidden_sizes
        self.channels = (int(sizes[-2]), int(sizes[-1]))

    def stages(self, pixels: Tensor) -> Tensor:
        """The features of the last stage but one."""
        x = self.body.embedder(pixels)
        for stage in self.body.encoder.stages[:-1]:
            x = stage(x)
        return x  # type: ignore[no-any-return]

    def last(self, features: Tensor) -> Tensor:
        """The last stage."""
        return self.body.encoder.stages[-1](features)  # type: ignore[no-any-return]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        finer = self.stages(pixels)
        return finer, self.last(finer)


def two_classes(edited: Tensor) -> Tensor:
    """The logit of an edit N as logits of (authentic, edited), N×2."""
    return torch.stack([torch.zeros_like(edited), edited], 1)
