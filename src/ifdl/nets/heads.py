"""Dense heads: from features at several strides, a list of N×C×h×w finest first, to a map at the finest stride.

All take any sizes that fall from level to level, odd ones too. Norms default to groups, which train with single
pictures and 1×1 maps; a system that must match its paper passes `norm=nn.BatchNorm2d`. Published weights have other
names of parts and need their own key map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Callable[[int], nn.Module]


def group_norm(channels: int) -> nn.Module:
    """Group normalisation with up to 16 groups of at least 4 channels (Wu and He, ECCV 2018)."""
    return nn.GroupNorm(math.gcd(16, max(1, channels // 4)), channels)


class AllMlp(nn.Module):
    """SegFormer's head: each level to `width` channels, all at the finest size, concatenated and mixed.

    Source: Xie et al., "SegFormer", NeurIPS 2021, section 3.2; coarsest level first in the concatenation, as there.
    """

    def __init__(
        self, channels: Sequence[int], width: int = 256, maps: int = 1, dropout: float = 0.1, norm: Norm = group_norm
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.mix = nn.Sequential(nn.Conv2d(len(channels) * width, width, 1, bias=False), norm(width), nn.ReLU())
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(width, maps, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        levels = [level(f) for level, f in zip(self.levels, features, strict=True)]
        mixed = self.mix(torch.cat(_at_finest(levels)[::-1], 1))
        logits: Tensor = self.classify(self.dropout(mixed))
        return logits


class Pyramid(nn.Module):
    """Feature pyramid: coarse levels flow into finer ones; returns as many levels, each of `width` channels.

    Source: Lin et al., "Feature pyramid networks", CVPR 2017: 1×1 on each level, nearest up-sampling, sum, 3×3.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        levels = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
        for n in range(len(levels) - 1, 0, -1):
            levels[n - 1] = levels[n - 1] + F.interpolate(levels[n], levels[n - 1].shape[-2:], mode="nearest")
        return [smooth(level) for smooth, level in zip(self.smooth, levels, strict=True)]


class Fpn(nn.Module):
    """A feature pyramid whose levels are summed at the finest size, then one 3×3 layer and the map.

    The sum follows Kirillov et al., "Panoptic feature pyramid networks", CVPR 2019, in one step up.
    """

    def __init__(self, channels: Sequence[int], width: int = 128, maps: int = 1, norm: Norm = group_norm) -> None:
        super().__init__()
        self.pyramid = Pyramid(channels, width)
        self.mix = _layer(width, width, 3, norm)
        self.classify = nn.Conv2d(width, maps, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        summed = torch.stack(_at_finest(self.pyramid(features))).sum(0)
        logits: Tensor = self.classify(self.mix(summed))
        return logits


class Uper(nn.Module):
    """UPerNet's head: pyramid pooling on the coarsest level, a feature pyramid, all levels fused.

    Source: Xiao et al., "Unified perceptual parsing for scene understanding", ECCV 2018; pyramid pooling by Zhao et
    al., "Pyramid scene parsing network", CVPR 2017.
    """

    def __init__(
        self,
        channels: Sequence[int],
        width: int = 256,
        maps: int = 1,
        bins: Sequence[int] = (1, 2, 3, 6),
        dropout: float = 0.1,
        norm: Norm = group_norm,
    ) -> None:
        super().__init__()
        *finer, coarsest = channels
        self.bins = tuple(bins)
        self.pooled = nn.ModuleList(_layer(coarsest, width, 1, norm) for _ in bins)
        self.context = _layer(coarsest + len(bins) * width, width, 3, norm)
        self.lateral = nn.ModuleList(_layer(c, width, 1, norm) for c in finer)
        self.smooth = nn.ModuleList(_layer(width, width, 3, norm) for _ in finer)
        self.fuse = _layer(len(channels) * width, width, 3, norm)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(width, maps, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        *finer, coarsest = features
        size = coarsest.shape[-2:]
        parts = [coarsest]
        for bins, layer in zip(self.bins, self.pooled, strict=True):
            parts.append(_resized(layer(pool(coarsest, bins)), size))
        levels = [lateral(f) for lateral, f in zip(self.lateral, finer, strict=True)]
        levels.append(self.context(torch.cat(parts, 1)))
        for n in range(len(finer), 0, -1):
            levels[n - 1] = levels[n - 1] + _resized(levels[n], levels[n - 1].shape[-2:])
        smoothed = [smooth(level) for smooth, level in zip(self.smooth, levels[:-1], strict=True)]
        fused = self.fuse(torch.cat(_at_finest([*smoothed, levels[-1]]), 1))
        logits: Tensor = self.classify(self.dropout(fused))
        return logits


class SimplePyramid(nn.Module):
    """Levels at ¼, ½, 1 and 2 times the stride of one map, as a plain vision transformer gives it.

    Source: Li et al., "Exploring plain vision transformer backbones for object detection", ECCV 2022.
    """

    def __init__(self, channels: int, width: int = 256, norm: Norm = group_norm) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        quadruple = nn.Sequential(_doubled(channels, half), norm(half), nn.GELU(), _doubled(half, quarter))
        scales = [quadruple, _doubled(channels, half), nn.Identity(), nn.MaxPool2d(2, ceil_mode=True)]
        self.scales = nn.ModuleList(scales)
        self.out = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(c, width, 1, bias=False),
                norm(width),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                norm(width),
            )
            for c in (quarter, half, channels, channels)
        )

    def forward(self, feature: Tensor) -> list[Tensor]:
        return [out(scale(feature)) for scale, out in zip(self.scales, self.out, strict=True)]


def pool(feature: Tensor, bins: int) -> Tensor:
    """Adaptive average pooling to bins×bins cells, as a product of matrices: exports to ONNX at any fixed size."""
    height, width = feature.shape[-2:]
    rows, columns = _averages(height, bins).to(feature), _averages(width, bins).to(feature)
    return rows @ feature @ columns.T


def _averages(size: int, bins: int) -> Tensor:
    """bins×size: row i averages the cells from ⌊i·size/bins⌋ to before ⌈(i + 1)·size/bins⌉."""
    matrix = torch.zeros(bins, size)
    for i in range(bins):
        start, stop = i * size // bins, -(-(i + 1) * size // bins)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


def _layer(inputs: int, outputs: int, size: int, norm: Norm) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    return nn.Sequential(convolution, norm(outputs), nn.ReLU())


def _doubled(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2, stride=2)


def _at_finest(levels: Sequence[Tensor]) -> list[Tensor]:
    size = levels[0].shape[-2:]
    return [levels[0], *(_resized(level, size) for level in levels[1:])]


def _resized(feature: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(feature, size, mode="bilinear", align_corners=False)
