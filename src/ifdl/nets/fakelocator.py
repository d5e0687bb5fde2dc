"""The network of FakeLocator: an encoder, a decoder with bilinear steps up, and a map of how much was changed.

The exact layers were not published; a U-Net shape is ours. Attention multiplies what goes from the encoder to the
decoder: a frozen face parser's map, as in the paper, or one that the net learns for pictures of anything. Source: Huang
et al., "FakeLocator: robust localization of GAN-based face manipulations", IEEE TIFS 2022. Needs the train extra.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ifdl.nets.heads import group_norm
from ifdl.nets.ifdl_small import Block
from ifdl.nets.weak import MEAN, RESNET50, RESNET50_REVISION, STD, two_classes

# What a parser of CelebAMask-HQ's 19 parts calls whatever is no face.
NO_FACE = ("background", "hat", "ear_r", "neck_l", "neck", "cloth")


class Small(nn.Module):
    """Steps that halve the size: features at strides 2, 4, 8, 16."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.channels = tuple(widths)
        self.steps = nn.ModuleList(Block(a, b) for a, b in pairwise((3, *widths)))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        features = []
        for step in self.steps:
            pixels = step(pixels)
            features.append(pixels)
        return features


class ResNet(nn.Module):
    """ResNet through transformers: features at strides 4, 8, 16, 32; `config` as ResNetConfig's, else from the hub."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        from transformers import ResNetConfig, ResNetModel

        if config is None:
            self.body: Any = ResNetModel.from_pretrained(RESNET50, revision=RESNET50_REVISION, use_safetensors=True)
        else:
            self.body = ResNetModel(ResNetConfig(**config))
        self.channels = tuple(int(size) for size in self.body.config.hidden_sizes)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        return list(self.body(pixels, output_hidden_states=True).hidden_states[1:])


class Parser(nn.Module):
    """A frozen face parser, pixels (normalised) → N×1×h×w: the share of face in each cell."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.face = [n for n, name in sorted(model.config.id2label.items()) if name not in NO_FACE]

    def train(self, mode: bool = True) -> Parser:
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(pixels).logits.softmax(1)[:, self.face].sum(1, keepdim=True)  # type: ignore[no-any-return]


class Learned(nn.Module):
    """An attention map of the coarsest features, open at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(channels, 1, 3, padding=1)
        nn.init.constant_(self.look.bias, 2.0)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        return self.look(features).sigmoid()  # type: ignore[no-any-return]


class FakeLocator(nn.Module):
    """`pixels` N×3×H×W RGB in [0, 1] → "map" N×1×H×W (logit of the grade), "classes" N×2, "features" N×C, "attention".

    "features" are the means of all the encoder's steps, for telling kinds of pictures apart: traces of a generator are
    finer than what the deepest step keeps.
    `parser` stands for the learned attention; `decoder` are the channels of its steps up, coarsest first.
    """

    def __init__(self, encoder: Any, decoder: Sequence[int], parser: Parser | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        *skips, deepest = encoder.channels
        self.parser = parser
        self.attend = Learned(deepest) if parser is None else None
        inputs = [deepest, *decoder]
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a + skip, b, 3, padding=1, bias=False), group_norm(b), nn.GELU())
            for a, skip, b in zip(inputs, reversed(skips), decoder, strict=False)
        )
        self.last = nn.Sequential(nn.Conv2d(decoder[-1] + 3, 12, 3, padding=1), nn.GELU(), nn.Conv2d(12, 1, 1))
        nn.init.constant_(self.last[-1].bias, -3.0)  # type: ignore[arg-type]  # most pixels are as they were
        self.classify = nn.Linear(deepest, 1)
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        seen = (pixels - self.mean) / self.std  # type: ignore[operator]
        *skips, x = self.encoder(seen)
        attention = self.parser(seen) if self.attend is None else self.attend(x)  # type: ignore[misc]
        pooled = (x * _sized(attention, x)).mean((2, 3))
        x = x * _sized(attention, x)
        for step, skip in zip(self.up, reversed(skips), strict=True):
            x = step(torch.cat([_sized(x, skip), skip * _sized(attention, skip)], 1))
        heat = self.last(torch.cat([_sized(x, pixels), seen], 1)).float()
        edited = self.classify(pooled).float()[:, 0]
        told = torch.cat([level.mean((2, 3)) for level in (*skips, pooled[..., None, None])], 1).float()
        return {"map": heat, "classes": two_classes(edited), "features": told, "attention": attention}


def _sized(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[2:] == like.shape[2:]:
        return x
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


def losses(outputs: dict[str, Tensor], truth: dict[str, Tensor], power: int, weight: float) -> dict[str, Tensor]:
    """grade: mean absolute (`power` 1) or squared (2) error of the map, times `weight`; classes: cross-entropy."""
    error = (outputs["map"].sigmoid() - truth["grade"]).abs() ** power
    known = truth["known"]
    mean = torch.where(known, error.mean((1, 2, 3)), 0.0).sum() / known.sum().clamp(min=1)
    return {"grade": weight * mean, "classes": F.cross_entropy(outputs["classes"], truth["label"])}
