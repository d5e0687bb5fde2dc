"""The network of `ifdl_small`: a small ViT that sees noise as well as things, and SAM's two-way decoder above it.

What the paper pools into one prompt stays laid out here: tokens enter the decoder as features, the noise stream as a
dense prompt; the decoder's maps meet the noise stream's finer steps on their way up, for boundaries. The picture is
compared with itself, because a copied part looks like nothing else than its source. Sizes are multiples of 16.

Sources: ViT and SAM as in `ifdl.nets.vit` and `ifdl.nets.sam`; noise residuals, Fridrich and Kodovsky 2012; comparing a
picture with itself, Wu et al., "BusterNet", ECCV 2018; reliability and score of both maps, Guillaro et al., "TruFor",
CVPR 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ifdl.nets import pooling
from ifdl.nets.filters import Srm
from ifdl.nets.sam import positions, small_decoder
from ifdl.nets.vit import vit_tiny

PATCH, DEPTHS = 16, (4, 8, 12)
QUERIES = 3


@dataclass(frozen=True)
class Shape:
    """Widths of the parts, and the switches of the ablation table. The ViT is always ViT-Tiny/16.

    `token_prompt` gives the decoder the class token as a prompt, as the paper does, beside or instead of dense ones.
    """

    width: int = 64
    noise: tuple[int, int, int, int] = (24, 32, 48, 64)
    matching: int = 24
    nearest: int = 4
    use_noise: bool = True
    use_dense: bool = True
    token_prompt: bool = False
    use_matching: bool = True
    layers: int = 12
    train_encoder: bool = True


class Block(nn.Sequential):
    """Halves the size, then mixes: 3×3 stride 2, depthwise 3×3, 1×1, group norms (any batch size trains alike)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, 2, 1),
            nn.GroupNorm(4, outputs),
            nn.GELU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, groups=outputs),
            nn.Conv2d(outputs, outputs, 1),
            nn.GroupNorm(4, outputs),
            nn.GELU(),
        )


class Noise(nn.Module):
    """Residuals and colours N×3×H×W → four maps at 1/2, 1/4, 1/8 and 1/16; only what the high-pass filters leave."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.residuals = Srm(9, clip=8 / 255)
        self.steps = nn.ModuleList(Block(a, b) for a, b in pairwise((12, *widths)))

    def forward(self, x: Tensor) -> list[Tensor]:
        y = torch.cat([self.residuals(x) * 40, x * 2 - 1], 1)
        kept = []
        for step in self.steps:
            y = step(y)
            kept.append(y)
        return kept


class Matching(nn.Module):
    """How well each place at 1/8 is repeated elsewhere in the picture, N×(k+1)×h×w.

    The k best likenesses (cosines), and how far the best is above the last. Places within two cells do not
    count: a surface is like its surroundings.
    """

    def __init__(self, inputs: int, width: int, nearest: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(inputs, width, 1)
        self.nearest = nearest

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[2:]
        e = F.normalize(self.embed(features).flatten(2).float(), dim=1)
        like = e.transpose(1, 2) @ e
        y, x = torch.arange(height, device=e.device), torch.arange(width, device=e.device)
        near_y, near_x = ((a[:, None] - a[None]).abs() <= 2 for a in (y, x))
        near = (near_y[:, None, :, None] & near_x[None, :, None, :]).reshape(height * width, height * width)
        best = like.masked_fill(near[None], -1.0).topk(self.nearest, 2).values
        told = torch.cat([best, best[..., :1] - best[..., -1:]], 2)
        return told.transpose(1, 2).reshape(e.shape[0], -1, height, width)


class IfdlSmall(nn.Module):
    """`pixels` N×3×H×W RGB in [0, 1] → "map" and "reliability" logits N×1×H/4×W/4, "classes" logits N×3.

    The decoder's positions are of a grid of `tile` / 16; another size of picture gets positions of its own.
    """

    frequencies: Tensor

    def __init__(self, shape: Shape = Shape(), encoder: Path | None = None) -> None:
        super().__init__()
        self.shape = shape
        width, noise = shape.width, shape.noise
        self.vit = vit_tiny(encoder)
        self.vit.layers = self.vit.layers[: shape.layers]
        self.depths = sorted({max(1, d * shape.layers // 12) for d in DEPTHS})
        self.vit.requires_grad_(shape.train_encoder)
        self.noise = Noise(noise)
        # Zero at first: the pretrained ViT starts as it was.
        self.inject = nn.Conv2d(noise[3], 192, 1)
        nn.init.zeros_(self.inject.weight)
        nn.init.zeros_(self.inject.bias)  # type: ignore[arg-type]
        self.neck = nn.Sequential(nn.Conv2d(192 * len(self.depths), width, 1), nn.GroupNorm(4, width))
        self.matching = Matching(noise[2], shape.matching, shape.nearest)
        self.dense = nn.Conv2d(noise[3] + shape.nearest + 1, width, 3, 1, 1)
        self.prompt = nn.Linear(192, width) if shape.token_prompt else None
        self.decoder = small_decoder(width, (16, 16), outputs=QUERIES)
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("frequencies", torch.randn(2, width // 2, generator=generator), persistent=False)
        fine = noise[1] + noise[2] + shape.nearest + 1
        joined = nn.Conv2d(QUERIES + fine + width // 2, width, 3, 1, 1)
        self.join = nn.Sequential(joined, nn.GroupNorm(4, width), nn.GELU())
        self.lift = nn.Conv2d(width, width // 2, 1)
        self.last = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, groups=width), nn.Conv2d(width, 32, 1), nn.GELU())
        self.map = nn.Conv2d(32, 1, 1)
        self.reliability = nn.Conv2d(32, 1, 1)
        self.classes = nn.Sequential(nn.Linear(192 + 8, 64), nn.GELU(), nn.Linear(64, 3))
        # An untrained map says "hardly anywhere", as most pixels are.
        nn.init.constant_(self.map.bias, -2.0)  # type: ignore[arg-type]

    def look(self, pixels: Tensor) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """The ViT's view: patch tokens N×(H/16·W/16)×192 of several depths, normed, rows first; the class token N×192
        of the last; and the noise stream's maps, finest first, which the tokens know of."""
        noise = self.noise(pixels)
        if not self.shape.use_noise:
            noise = [step * 0 for step in noise]
        tokens = self.vit.embeddings(pixels * 2 - 1, interpolate_pos_encoding=True)
        tokens = torch.cat([tokens[:, :1], tokens[:, 1:] + self.inject(noise[3]).flatten(2).transpose(1, 2)], 1)
        seen = []
        for number, layer in enumerate(self.vit.layers, 1):
            tokens = layer(tokens)
            if number in self.depths:
                seen.append(F.layer_norm(tokens[:, 1:], (192,)))
        return seen, tokens[:, 0], noise

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        rows, columns = pixels.shape[2] // PATCH, pixels.shape[3] // PATCH
        seen, token, (_, quarter, eighth, sixteenth) = self.look(pixels)
        features = self.neck(torch.cat(seen, 2).transpose(1, 2).reshape(pixels.shape[0], -1, rows, columns))
        alike = self.matching(eighth)
        alike = alike.to(features.dtype) if self.shape.use_matching else torch.zeros_like(alike, dtype=features.dtype)
        prompt = self.dense(torch.cat([sixteenth, F.avg_pool2d(alike, 2)], 1))
        asked = None if self.prompt is None else self.prompt(F.layer_norm(token[:, None], (192,)))
        maps = self._decode(features, asked, prompt if self.shape.use_dense else None)
        coarse = F.interpolate(self.lift(features), scale_factor=4.0, mode="bilinear", align_corners=False)
        finer = F.interpolate(torch.cat([eighth, alike], 1), scale_factor=2.0, mode="bilinear", align_corners=False)
        y = self.last(self.join(torch.cat([maps, quarter, finer, coarse], 1)))
        heat, trust = self.map(y).float(), self.reliability(y).float()
        whole = self.vit.layernorm(token).float()
        told = torch.cat([whole, pooling.confidence_weighted(heat, trust)], 1).to(y.dtype)
        return {"map": heat, "reliability": trust, "classes": self.classes(told).float()}

    def _decode(self, features: Tensor, token: Tensor | None, prompt: Tensor | None) -> Tensor:
        grid = (features.shape[2], features.shape[3])
        own = self.decoder.positions
        other = None if own.shape[2:] == grid else positions(self.frequencies, grid).to(own)
        return self.decoder(features, token, prompt, other)  # type: ignore[no-any-return]
