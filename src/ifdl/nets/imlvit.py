"""The network of IML-ViT: a windowed ViT at high resolution, a simple pyramid, and losses that look at outlines.

Source: Ma et al., "IML-ViT: benchmarking image manipulation localization by vision transformer", arXiv 2307.14863.
Needs the train extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ifdl.nets import losses, pooling
from ifdl.nets.frozen import add_lora
from ifdl.nets.heads import Norm, SimplePyramid, group_norm
from ifdl.nets.weak import two_classes
from ifdl.nets.windowed import vitdet

EDGES, BAND = 20.0, 7  # weight of the edge term and width of its band in pixels


def config(width: int, blocks: int, heads: int, window: int, everywhere: tuple[int, ...], side: int) -> dict[str, Any]:
    """Arguments of VitDetConfig: windows of so many cells, but for the blocks that look `everywhere`."""
    return {
        "hidden_size": width, "num_hidden_layers": blocks, "num_attention_heads": heads, "image_size": side,
        "pretrain_image_size": 224, "window_size": window, "use_relative_position_embeddings": True,
        "window_block_indices": [n for n in range(blocks) if n not in everywhere], "drop_path_rate": 0.1,
    }  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """The default is the paper's. `canvas`: pictures are zero-padded right and below to so many pixels a side.

    None pads to whole patches alone. `lora` freezes the ViT's linear layers and trains additions of that rank.
    `scale` and `shift` (mean and deviation of RGB in [0, 1]) are those of the initial weights.
    """

    vit: Mapping[str, Any] = field(default_factory=lambda: config(768, 12, 12, 14, (2, 5, 8, 11), 1024))
    width: int = 256
    canvas: int | None = 1024
    lora: int | None = None
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


SMALL = Shape(config(192, 6, 3, 4, (2, 5), 224), 32, None, 8, (0.5,) * 3, (0.5,) * 3)
TINY = Shape(config(16, 2, 2, 2, (1,), 64) | {"pretrain_image_size": 64}, 8, None, 2, (0.5,) * 3, (0.5,) * 3)


class Head(nn.Module):
    """Five levels at the finest size, concatenated, mixed by 1×1, and a map."""

    def __init__(self, width: int, levels: int = 5, norm: Norm = group_norm) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Conv2d(levels * width, width, 1), norm(width), nn.ReLU(), nn.Dropout(0.5))
        self.classify = nn.Conv2d(width, 1, 1)

    def forward(self, levels: list[Tensor]) -> Tensor:
        size = levels[0].shape[2:]
        same = [F.interpolate(one, size, mode="bilinear", align_corners=False) for one in levels]
        return self.classify(self.mix(torch.cat(same, 1)))  # type: ignore[no-any-return]


class ImlVit(nn.Module):
    """`pixels` N×3×H×W RGB in [0, 1] → logits "map" N×1×⌈H/4⌉×⌈W/4⌉ of the picture alone, and "classes" N×2.

    Padding is cut off before anything is told: no loss, score or map sees what was there. The score is the mean of
    the map's highest 2 %, for the paper has none.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, shape: Shape = Shape(), state: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.vit = vitdet(shape.vit, state)
        self.patch = int(self.vit.config.patch_size)
        if shape.lora is not None:
            add_lora(self.vit, shape.lora)
            # Positions stay as they were learned; patches learn anew, for traces are finer than things.
            self.vit.embeddings.position_embeddings.requires_grad_(False)
        self.pyramid = SimplePyramid(int(self.vit.config.hidden_size), shape.width)
        self.coarsest = nn.MaxPool2d(1, 2)  # a fifth level, by leaving cells out as detectors do
        self.head = Head(shape.width)
        self.register_buffer("mean", torch.tensor(shape.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(shape.std).view(-1, 1, 1), persistent=False)
        # An untrained map says "hardly anywhere", as most pixels are.
        nn.init.constant_(self.head.classify.bias, -2.0)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        height, width = pixels.shape[2:]
        logits = self.on_canvas(self.padded(pixels))
        own = logits[..., : -(-height // 4), : -(-width // 4)].float()
        return {"map": own, "classes": two_classes(pooling.top_share(own))}

    def padded(self, pixels: Tensor) -> Tensor:
        """Zeros right and below, after normalisation."""
        sides = [max(self.shape.canvas or 0, -(-n // self.patch) * self.patch) for n in pixels.shape[2:]]
        seen = (pixels - self.mean) / self.std
        return F.pad(seen, (0, sides[1] - pixels.shape[3], 0, sides[0] - pixels.shape[2]))

    def on_canvas(self, seen: Tensor) -> Tensor:
        """Logits at a quarter of the canvas, padding and all."""
        levels = self.pyramid(self.vit(seen).last_hidden_state)
        return self.head([*levels, self.coarsest(levels[-1])])  # type: ignore[no-any-return]


def loss(outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor], edges: float = EDGES) -> dict[str, Tensor]:
    """Cross-entropy of the whole map, and `edges` times that inside the band round outlines, both by all pixels."""
    mask, known = truth["mask"], truth["known"]
    heat = F.interpolate(outputs["map"], mask.shape[2:], mode="bilinear", align_corners=False)
    band = losses.edge_band(mask, BAND).float()
    each = F.binary_cross_entropy_with_logits(heat, mask, band, reduction="none").mean((1, 2, 3))
    near = torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)
    return {"bce": losses.bce(heat, mask, known), "edge": edges * near}
