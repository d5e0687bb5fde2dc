"""The network of Web-IML's first form (APSC-Net): a ConvNeXt, a pyramid fused by attention, and a mask that is looked
at again, three times.

Sources: Qu et al., "Towards modern image manipulation localization: a large-scale dataset and novel methods", CVPR 2024
(MIML), and arXiv 2508.20987 (Web-IML). Pyramid pooling: Zhao et al., CVPR 2017; squeeze and excitation: Hu et al., CVPR
2018; holistic attention, a mask widened by a learned kernel: Wu et al., "Cascaded partial decoder", CVPR 2019; ASPP:
Chen et al., "DeepLab", TPAMI 2018. Needs the train extra.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ifdl.nets import pooling
from ifdl.nets.heads import group_norm, pool
from ifdl.nets.weak import MEAN, STD, two_classes

HUB = "facebook/convnext-base-224-22k"
KERNEL = 31  # cells of the kernel that widens a mask


def convnext(config: Mapping[str, Any] | None = None, hub: str = HUB, revision: str = "main") -> Any:
    """ConvNeXt's four stages, at strides 4, 8, 16 and 32; `config` as ConvNextConfig's, else published weights."""
    from transformers import ConvNextBackbone, ConvNextConfig

    stages = ["stage1", "stage2", "stage3", "stage4"]
    if config is not None:
        return ConvNextBackbone(ConvNextConfig(**{**config, "out_features": stages}))
    return ConvNextBackbone.from_pretrained(hub, revision=revision, out_features=stages, use_safetensors=True)


class Context(nn.Module):
    """Pyramid pooling on the coarsest level: its means over 1, 2, 3 and 6 cells a side beside itself."""

    def __init__(self, inputs: int, width: int, bins: Sequence[int] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.bins = tuple(bins)
        self.pooled = nn.ModuleList(nn.Conv2d(inputs, width, 1) for _ in bins)
        self.mix = _layer(inputs + len(bins) * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = [_sized(layer(pool(x, bins)), x) for bins, layer in zip(self.bins, self.pooled, strict=True)]
        return self.mix(torch.cat([x, *parts], 1))  # type: ignore[no-any-return]


class Lateral(nn.Module):
    """All levels at the finest size, each channel weighed by what the picture is like (squeeze and excitation)."""

    def __init__(self, levels: int, width: int) -> None:
        super().__init__()
        whole = levels * width
        self.excite = nn.Sequential(nn.Linear(whole, width), nn.ReLU(), nn.Linear(width, whole), nn.Sigmoid())
        self.mix = _layer(whole, width, 3)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        x = torch.cat([_sized(level, levels[0]) for level in levels], 1)
        return self.mix(x * self.excite(x.mean((2, 3)))[..., None, None])  # type: ignore[no-any-return]


class Calibrate(nn.Module):
    """Features, and the mask so far, to a better mask: attention from the mask, then dilated convolutions (ASPP)."""

    def __init__(self, width: int, rates: Sequence[int] = (1, 12, 24, 36), kernel: int = KERNEL) -> None:
        super().__init__()
        at = torch.arange(kernel) - kernel // 2
        bell = torch.exp(-at.square() / (2 * (kernel / 8) ** 2))
        self.kernel = nn.Parameter((bell[:, None] * bell[None] / bell.sum() ** 2)[None, None])
        self.branches = nn.ModuleList(
            nn.Conv2d(width, width, 1) if r == 1 else nn.Conv2d(width, width, 3, padding=r, dilation=r) for r in rates
        )
        self.mix = _layer(len(rates) * width, width, 1)
        self.classify = nn.Conv2d(width, 1, 1)

    def attention(self, mask: Tensor) -> Tensor:
        """A mask's probabilities N×1×h×w, widened by the kernel to at most 1, and never below itself."""
        wide = F.conv2d(mask, self.kernel, padding=self.kernel.shape[-1] // 2)
        low, high = wide.amin((2, 3), keepdim=True), wide.amax((2, 3), keepdim=True)
        return torch.maximum((wide - low) / (high - low).clamp(min=1e-6), mask)

    def forward(self, features: Tensor, before: Tensor) -> Tensor:
        seen = features * (1 + self.attention(before.sigmoid()))
        return self.classify(self.mix(torch.cat([branch(seen) for branch in self.branches], 1)))  # type: ignore[no-any-return]


class WebIml(nn.Module):
    """`pixels` N×3×H×W RGB in [0, 1] → "map" N×1×H/4×W/4, "steps" N×(rounds + 1)×H/4×W/4 (the map last), "classes" N×2.

    The classes are the map's highest 2 %: the published system has no head for them.
    """

    def __init__(self, encoder: Any, width: int = 256, rounds: int = 3, rates: Sequence[int] = (1, 12, 24, 36)) -> None:
        super().__init__()
        self.encoder, self.rounds = encoder, rounds
        *finer, coarsest = encoder.channels
        self.context = Context(coarsest, width)
        self.levels = nn.ModuleList(nn.Conv2d(c, width, 1) for c in finer)
        self.lateral = Lateral(len(finer) + 1, width)
        self.first = nn.Conv2d(width, 1, 1)
        self.calibrate = Calibrate(width, rates)
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        seen = (pixels - self.mean) / self.std  # type: ignore[operator]
        *finer, coarsest = self.encoder(seen).feature_maps
        levels = [level(f) for level, f in zip(self.levels, finer, strict=True)]
        x = self.lateral([*levels, self.context(coarsest)])
        steps = [self.first(x)]
        for _ in range(self.rounds):
            # Each round learns from its own mask; how the mask before it came about is not its affair.
            steps.append(self.calibrate(x, steps[-1].detach()))
        heat = steps[-1].float()
        return {"map": heat, "steps": torch.cat(steps, 1), "classes": two_classes(pooling.top_share(heat))}


def loss(outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor], sure: float = 0.7) -> dict[str, Tensor]:
    """ohem: cross-entropy of the batch's hard pixels, mean of all rounds; first: that of the first mask, at 0.4."""
    known, mask = truth["known"], truth["mask"]
    steps = F.interpolate(outputs["steps"], mask.shape[2:], mode="bilinear", align_corners=False)
    if not bool(known.any()):
        return {"ohem": steps.sum() * 0, "first": steps.sum() * 0}
    each = [ohem(step, mask[known], sure) for step in torch.split(steps[known], 1, 1)]
    # The first mask is the auxiliary classifier of the published recipe, at its weight.
    return {"ohem": torch.stack(each[1:]).mean(), "first": 0.4 * each[0]}


def ohem(logits: Tensor, mask: Tensor, sure: float, least: float = 0.25) -> Tensor:
    """Mean cross-entropy of the pixels whose true class has less than `sure`; of the hardest share `least` if more.

    Of the whole batch: the hardest pixels of each picture alone are the edited ones, and the map would only ever rise.
    Source: Shrivastava et al., CVPR 2016, in the form in use for segmentation (a threshold, and a least number kept).
    """
    each = F.binary_cross_entropy_with_logits(logits, mask, reduction="none").flatten()
    # Cross-entropy is −log of what the true class has.
    bound = min(float(each.detach().topk(max(1, round(least * len(each)))).values[-1]), -math.log(sure))
    kept = (each >= bound).float()
    return (each * kept).sum() / kept.sum()


def _layer(inputs: int, outputs: int, size: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    return nn.Sequential(convolution, group_norm(outputs), nn.ReLU())


def _sized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)
