"""The network of WSCL: three streams see colours and two kinds of noise; what they agree on becomes their teacher.

Source: Zhai et al., "Towards generic image manipulation detection with weakly-supervised self-consistency learning",
ICCV 2023. Head: Long et al., "Fully convolutional networks", CVPR 2015 (FCN-16s). Needs the train extra.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ifdl.nets import pooling
from ifdl.nets.filters import Bayar, Srm
from ifdl.nets.heads import group_norm
from ifdl.nets.weak import MEAN, STD, Ramp, two_classes

WEIGHTS = (1.0, 2.0, 2.0)  # of the streams in the ensemble: rgb, srm, bayar
CLIP = 5 / 255  # of the SRM residual, in the unit of the picture
GRID = 16  # cells of a side between which patches are compared, at most


class Stream(nn.Module):
    """One encoder and FCN head: pixels → logits N×1×h×w at the encoder's finer grid, and block features N×C×h×w."""

    def __init__(self, encoder: Any, width: int, inner: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.block = nn.Sequential(
            nn.Conv2d(sum(encoder.channels), width, 3, padding=1, bias=False), group_norm(width), nn.ReLU()
        )
        self.classify = nn.Conv2d(width, 1, 1)
        self.left, self.right = (
            nn.Sequential(nn.Conv2d(width, inner, 1), nn.LeakyReLU(), nn.Conv2d(inner, inner, 1)) for _ in range(2)
        )
        nn.init.constant_(self.classify.bias, -1.0)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        finer, coarser = self.encoder(pixels)
        up = F.interpolate(coarser, finer.shape[2:], mode="bilinear", align_corners=False)
        features = self.block(torch.cat([finer, up], 1))
        return self.classify(features), features

    def unlike(self, features: Tensor) -> Tensor:
        """Logits N×P×P that two cells of the patch grid differ: minus the scaled product of two projections."""
        cells = to_grid(features)
        a, b = self.left(cells).flatten(2), self.right(cells).flatten(2)
        product: Tensor = a.transpose(1, 2) @ b
        return -product / math.sqrt(a.shape[1])


class Wscl(nn.Module):
    """`pixels` N×3×H×W RGB in [0, 1] → "map" N×1×h×w and "classes" N×2, logits of the ensemble.

    While training also "streams" N×3×h×w, "unlike" N×3×P×P and the "ramp" of the consistency terms.
    """

    def __init__(self, encoder: Callable[[], Any], width: int = 512, inner: int = 256, ramp: int = 1000) -> None:
        super().__init__()
        self.srm, self.bayar = Srm(3, clip=CLIP), Bayar()
        self.streams = nn.ModuleList(Stream(encoder(), width, inner) for _ in WEIGHTS)
        self.ramp = Ramp(ramp)
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)

    def views(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised colours, clipped SRM residuals, and Bayar residuals: what the three streams see."""
        # The residuals are brought to about 1, as the colours are.
        return (pixels - self.mean) / self.std, self.srm(pixels) / CLIP, self.bayar(pixels) / (4 * CLIP)  # type: ignore[operator]

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        seen = [stream(view) for stream, view in zip(self.streams, self.views(pixels), strict=True)]
        streams = torch.cat([logits for logits, _ in seen], 1).float()
        mean = ensemble(streams)
        outputs = {"map": mean.logit(1e-6), "classes": two_classes(pooling.otsu(mean).logit(1e-6))}
        if self.training:
            unlike = [s.unlike(features) for s, (_, features) in zip(self.streams, seen, strict=True)]  # type: ignore[operator]
            outputs |= {"streams": streams, "unlike": torch.stack(unlike, 1), "ramp": self.ramp()}
        return outputs


def ensemble(streams: Tensor) -> Tensor:
    """The weighted mean of the streams' probabilities, N×1×h×w."""
    shares = streams.new_tensor(WEIGHTS).view(1, -1, 1, 1) / sum(WEIGHTS)
    return (streams.sigmoid() * shares).sum(1, keepdim=True)


def teacher(streams: Tensor, label: Tensor) -> Tensor:
    """What the streams are to agree on, N×1×h×w of 0 and 1, without gradient.

    Cells that the ensemble finds likelier edited; of an edited picture at least its likeliest cell; of an authentic
    one none.
    """
    with torch.no_grad():
        mean = ensemble(streams)
        chosen = (mean > 0.5) | (mean == mean.amax((2, 3), keepdim=True))
        return (chosen & (label == 1).view(-1, 1, 1, 1)).float()


def differ(labels: Tensor) -> Tensor:
    """Whether two cells of the patch grid have different labels, N×P×P of 0 and 1, of labels N×1×h×w."""
    cells = (to_grid(labels) > 0.5).float().flatten(2)
    return (cells.transpose(1, 2) != cells).float()


def to_grid(features: Tensor) -> Tensor:
    """Averaged down to at most `GRID` cells a side, by whole factors."""
    factor = max(1, -(-max(features.shape[2:]) // GRID))
    return F.avg_pool2d(features, factor, ceil_mode=True) if factor > 1 else features


def losses(outputs: dict[str, Tensor], label: Tensor, weight: float = 0.1) -> dict[str, Tensor]:
    """image, msc and ipc: each stream's pooled score against the label, the two consistencies at ramp · `weight`."""
    streams, ramp = outputs["streams"], outputs["ramp"] * weight
    edited = (label == 1).float()
    probabilities = streams.sigmoid()
    image = torch.zeros((), device=streams.device)
    for n in range(streams.shape[1]):
        score = pooling.otsu(probabilities[:, n : n + 1])
        image = image + F.binary_cross_entropy(score.clamp(1e-6, 1 - 1e-6), edited)
    taught = teacher(streams, label)
    msc = (probabilities - taught).square().mean((0, 2, 3)).sum()
    target = differ(taught)[:, None].expand_as(outputs["unlike"])
    ipc = F.binary_cross_entropy_with_logits(outputs["unlike"], target)
    return {"image": image, "msc": ramp * msc, "ipc": ramp * ipc}
