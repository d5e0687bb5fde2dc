"""Two encoders that correct and complete each other after every stage.

Source: Zhang et al., "CMX: cross-modal fusion for RGB-X semantic segmentation with transformers", IEEE T-ITS 2023.
Features are N×C×h×w of two branches alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ifdl.nets.heads import Norm


class Rectify(nn.Module):
    """Each branch takes half of what the other has, weighed by channel and half weighed by place.

    Weights come from both: channels from their averages and maxima, places from a 1×1 network.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        both = 2 * channels
        self.channels = nn.Sequential(nn.Linear(2 * both, 2 * both), nn.ReLU(), nn.Linear(2 * both, both), nn.Sigmoid())
        self.places = nn.Sequential(nn.Conv2d(both, channels, 1), nn.ReLU(), nn.Conv2d(channels, 2, 1), nn.Sigmoid())

    def forward(self, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([one, two], 1)
        pooled = torch.cat([both.mean((2, 3)), both.amax((2, 3))], 1)
        of_one, of_two = self.channels(pooled)[..., None, None].chunk(2, 1)
        at_one, at_two = self.places(both).chunk(2, 1)
        return one + 0.5 * (of_two + at_two) * two, two + 0.5 * (of_one + at_one) * one


class Fuse(nn.Module):
    """One feature of two: each branch asks the other's summary, then both are mixed channel by channel.

    The summary of a branch is softmax(kᵀ·v / √(C/heads)) over its cells, so cost is linear in their number.
    """

    def __init__(self, channels: int, heads: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.heads = heads
        self.split = nn.ModuleList(nn.Linear(channels, 2 * channels) for _ in range(2))
        self.keys = nn.ModuleList(nn.Linear(channels, 2 * channels, bias=False) for _ in range(2))
        self.join = nn.ModuleList(nn.Linear(2 * channels, channels) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.skip = nn.Conv2d(2 * channels, channels, 1, bias=False)
        self.mix = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            norm(channels),
        )
        self.norm = norm(channels)

    def forward(self, one: Tensor, two: Tensor) -> Tensor:
        height, width = one.shape[2:]
        cells = [feature.flatten(2).transpose(1, 2) for feature in (one, two)]
        parts = [split(own).relu().chunk(2, -1) for split, own in zip(self.split, cells, strict=True)]
        summaries = [self._summary(keys, part[1]) for keys, part in zip(self.keys, parts, strict=True)]
        joined = []
        for n in (0, 1):
            kept, asking = parts[n]
            told = (self._by_head(asking) @ summaries[1 - n]).transpose(1, 2).flatten(2)
            joined.append(self.norms[n](cells[n] + self.join[n](torch.cat([kept, told], -1))))
        both = torch.cat(joined, -1).transpose(1, 2)
        both = both.reshape(*both.shape[:2], height, width)
        return self.norm(self.skip(both) + self.mix(both))  # type: ignore[no-any-return]

    def _by_head(self, tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)  # N×heads×P×c

    def _summary(self, keys: nn.Module, tokens: Tensor) -> Tensor:
        key, value = (self._by_head(half) for half in keys(tokens).chunk(2, -1))
        return (key.transpose(-2, -1) @ value * key.shape[-1] ** -0.5).softmax(-2)  # type: ignore[no-any-return]
