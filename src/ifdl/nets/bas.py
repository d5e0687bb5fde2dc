"""The network of BAS: a map is good when what it leaves outside holds no evidence of the class.

A generator says where; what it leaves over goes through the classifier's last layers again, as they are, and must no
longer look edited. With the two classes of forensics the published measure (the class logit) turns negative once the
strongest part is erased, so that nothing pushes the map outwards any more; `mass` measures the positive evidence of
all cells instead. Source: Wu, Zhai, Cao, "Background activation suppression for weakly supervised object localization",
CVPR 2022; the class activation map it is compared with: Zhou et al., CVPR 2016. Needs the train extra.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from ifdl.nets.filters import Srm
from ifdl.nets.weak import MEAN, STD, Ramp, ResNet, halved


class Noise(nn.Sequential):
    """SRM residuals and colours N×3×H×W → features of 0 and more at stride 8."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__(Both(), *(halved(a, b) for a, b in pairwise((12, *widths))))


class Both(nn.Module):
    """Nine SRM residuals and three colours, about as large as each other."""

    def __init__(self) -> None:
        super().__init__()
        self.srm = Srm(9, clip=8 / 255)

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.cat([self.srm(pixels) * 40, pixels * 2 - 1], 1)


class Colours(nn.Module):
    """ResNet up to its last stage but one, of normalised colours: features at stride 16."""

    def __init__(self, body: ResNet) -> None:
        super().__init__()
        self.stem: Any = nn.ModuleList([body.body.embedder, *body.body.encoder.stages[:-1]])
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        x = (pixels - self.mean) / self.std  # type: ignore[operator]
        for stage in self.stem:
            x = stage(x)
        return x


class Bas(nn.Module):
    """`pixels` N×3×H×W RGB in [0, 1] → "map" N×1×h×w (logits of the generator), "classes" N×2, "cells" N×2×h×w.

    "cells" are the classifier's logits of each cell, whose mean is "classes"; their difference is the class
    activation map. While training also "erased" N×2×h×w, the cells of what the map leaves over, and "ramp".
    """

    def __init__(self, stem: nn.Module, rest: nn.Module, channels: int, ramp: int = 500) -> None:
        super().__init__()
        self.stem, self.rest = stem, rest
        self.generate = nn.Conv2d(channels, 1, 3, padding=1)
        self.ramp = Ramp(ramp)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        features = self.stem(pixels)
        cells = self.rest(features).float()
        # The classifier learns from labels alone: the generator's terms must not bend the features to please it.
        heat = self.generate(features.detach()).float()
        outputs = {"map": heat, "classes": cells.mean((2, 3)), "cells": cells}
        if self.training:
            left = features.detach() * (1 - heat.sigmoid()).to(features.dtype)
            outputs |= {"erased": self._frozen(left).float(), "ramp": self.ramp()}
        return outputs

    def _frozen(self, features: Tensor) -> Tensor:
        """The last layers as they are: gradient reaches what goes in, and no weight of theirs."""
        still = {name: p.detach() for name, p in self.rest.named_parameters()} | dict(self.rest.named_buffers())
        return functional_call(self.rest, still, (features,))  # type: ignore[no-any-return]


def small(widths: tuple[int, int, int], ramp: int) -> Bas:
    """A net on noise residuals, of so many channels at strides 2, 4 and 8."""
    last = widths[2]
    # No bias and no norm: nothing is no evidence, and what is erased here changes nothing there.
    rest = nn.Sequential(nn.Conv2d(last, last, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(last, 2, 1, bias=False))
    return Bas(Noise(widths), rest, last, ramp)


def resnet(body: ResNet, ramp: int) -> Bas:
    """The paper's: ResNet-50 up to stage three, stage four and a 1×1 classifier as its last layers."""
    rest = nn.Sequential(body.body.encoder.stages[-1], nn.Conv2d(body.channels[1], 2, 1))
    return Bas(Colours(body), rest, body.channels[0], ramp)


def evidence(cells: Tensor, kind: str) -> Tensor:
    """How much speaks for an edit, N, 0 or more: the mean positive difference of the cells' logits, or the logit."""
    if kind == "mass":
        return F.relu(cells[:, 1] - cells[:, 0]).mean((1, 2))
    if kind == "logit":
        return F.relu(cells[:, 1].mean((1, 2)))
    raise ValueError(f"evidence is mass or logit, not {kind!r}")


def losses(
    outputs: dict[str, Tensor], label: Tensor, inside: float, background: float, area: float, kind: str
) -> dict[str, Tensor]:
    """classes; and, at the ramp's weight, the terms of the map, times the weights given.

    inside classifies what the map covers, background suppresses the evidence it leaves, area keeps it small.
    """
    share, ramp, cells = outputs["map"].sigmoid(), outputs["ramp"], outputs["cells"]
    edited = label == 1
    covered = (cells * F.interpolate(share, cells.shape[2:], mode="area")).mean((2, 3))
    whole = evidence(cells, kind).detach()
    left = evidence(outputs["erased"], kind)
    # Erasing may only be rewarded for evidence taken away: a ratio above 1 counts as 1.
    ratio = (left / whole.clamp(min=1e-6)).clamp(max=1.0)
    counted = edited & (whole > 0)
    suppressed = torch.where(counted, ratio, 0.0).sum() / counted.sum().clamp(min=1)
    # An untouched picture has nothing to cover: there the map is only asked to be small.
    named = F.cross_entropy(covered, label, reduction="none")
    named = torch.where(edited, named, 0.0).sum() / edited.sum().clamp(min=1)
    return {
        "classes": F.cross_entropy(outputs["classes"], label),
        "inside": ramp * inside * named,
        "background": ramp * background * suppressed,
        "area": ramp * area * share.mean(),
    }
