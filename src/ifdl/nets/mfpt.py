"""The network of MFPT: a frozen foundation encoder, told by prompts what lies in which frequency band.

Source: Zhang et al., "DEAL-300K", arXiv 2511.23377, as far as it is described: input and feature prompters by
frequency, a small decoder. What its prompters are made of inside is not published; here bands are of the 8×8 DCT and
of a learned radius. Needs the train extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ifdl.nets import losses, pooling
from ifdl.nets.filters import dct_bands
from ifdl.nets.frozen import Frozen
from ifdl.nets.heads import AllMlp
from ifdl.nets.weak import two_classes

HUB, REVISION = "facebook/dinov2-base", "f9e44c814b77203eaa57a6bdbbd535f21ede1415"
EDGES = (1, 3, 7)  # anti-diagonals of the 8×8 DCT where a new band begins: four bands
GAINS = (4.0, 12.0, 25.0, 50.0)  # bring bands of photographs to like strength, about one
FINER = 4  # cells of the map along a patch


@dataclass(frozen=True)
class Shape:
    """The default is ours for the paper's size. `vit` are arguments of Dinov2Config (`dino`) or of ViTConfig.

    Without `prompts` only the decoder learns: the control.
    """

    vit: Mapping[str, Any] = field(default_factory=lambda: {"image_size": 518, "patch_size": 14, "mlp_ratio": 4})
    dino: bool = True
    rank: int = 32
    width: int = 256
    prompts: bool = True
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


VIT_TINY = {
    "hidden_size": 192, "num_hidden_layers": 12, "num_attention_heads": 3, "intermediate_size": 768,
    "layer_norm_eps": 1e-6,
}  # fmt: skip
SMALL = Shape(VIT_TINY, False, 16, 64, mean=(0.5,) * 3, std=(0.5,) * 3)
TINY = Shape(
    {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 48, "image_size": 64},
    False, 4, 16, mean=(0.5,) * 3, std=(0.5,) * 3,
)  # fmt: skip


def encoder(shape: Shape, state: Mapping[str, Tensor] | None = None, published: bool = False) -> Any:
    """The foundation model of a shape: random, with a `state` of ViTModel's names, or as `published` on the hub."""
    if not shape.dino:
        from ifdl.nets.plain import plain_vit

        return plain_vit(shape.vit, state)
    from transformers import Dinov2Config, Dinov2Model

    if published:
        return Dinov2Model.from_pretrained(HUB, revision=REVISION, use_safetensors=True)
    return Dinov2Model(Dinov2Config(**shape.vit))


class InputPrompter(nn.Module):
    """What each band of the picture holds, patch by patch: N×3×H×W → N×P×C; zero at first.

    A band's waves cancel out over a patch, so their strength is taken before the mean.
    """

    def __init__(self, channels: int, patch: int, rank: int) -> None:
        super().__init__()
        bands = len(EDGES) + 1
        self.patch = patch
        self.adapters = nn.ModuleList(
            nn.Sequential(nn.Conv2d(3, rank, 1), nn.Conv2d(rank, rank, 3, padding=1, groups=rank), nn.GELU())
            for _ in range(bands)
        )
        self.shares = nn.Parameter(torch.ones(bands))
        self.up = nn.ModuleList(_zero(nn.Linear(rank, channels)) for _ in range(bands))

    def forward(self, pixels: Tensor) -> Tensor:
        bands = bands_of(pixels)
        told = torch.zeros((), device=pixels.device)
        for n, (adapt, up) in enumerate(zip(self.adapters, self.up, strict=True)):
            each = F.avg_pool2d(adapt(GAINS[n] * bands[:, :, n]), self.patch).flatten(2).transpose(1, 2)
            told = told + self.shares[n] * up(each)
        return told


class FeaturePrompter(nn.Module):
    """A layer's features, split by frequency and answered through a narrow layer: N×C×h×w → the same; zero at first."""

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        self.radius = nn.Parameter(torch.tensor(0.0))  # its sigmoid is the share of the highest frequency
        self.down = nn.Linear(2 * channels, rank)
        self.up = _zero(nn.Linear(rank, channels))

    def split(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        """Low and high frequencies, which sum to the features; the ramp between them is an eighth of the range wide."""
        y, x = (torch.fft.fftfreq(n, device=grid.device) for n in grid.shape[2:])
        far = (y[:, None].square() + x.square()).sqrt() / 0.5**0.5
        near = ((self.radius.sigmoid() - far) * 32).sigmoid()
        low = torch.fft.ifft2(torch.fft.fft2(grid.float()) * near).real.to(grid)
        return low, grid - low

    def forward(self, grid: Tensor) -> Tensor:
        both = torch.cat(self.split(grid), 1).permute(0, 2, 3, 1)
        return self.up(F.gelu(self.down(both))).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class Mfpt(nn.Module):
    """`pixels` N×3×H×W RGB in [0, 1] → logits "map" N×1×⌈H/4⌉×⌈W/4⌉ and "classes" N×2.

    `body` is a transformers ViTModel or Dinov2Model, which stays as it is. A picture is reflected to whole patches.
    The score is the mean of the map's highest 2 %: the paper has none.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, shape: Shape, body: Any) -> None:
        super().__init__()
        self.body = Frozen(body)
        self.patch = int(body.config.patch_size)
        channels, layers = int(body.config.hidden_size), int(body.config.num_hidden_layers)
        self.seen = sorted({max(1, layers * n // 4) for n in (1, 2, 3, 4)})
        self.into = InputPrompter(channels, self.patch, shape.rank) if shape.prompts else None
        self.each = nn.ModuleList(FeaturePrompter(channels, shape.rank) for _ in range(layers if shape.prompts else 0))
        self.decoder = AllMlp([channels] * len(self.seen), shape.width, maps=FINER**2)
        self.register_buffer("mean", torch.tensor(shape.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(shape.std).view(-1, 1, 1), persistent=False)
        # An untrained map says "hardly anywhere", as most pixels are.
        nn.init.constant_(self.decoder.classify.bias, -2.0)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        height, width = pixels.shape[2:]
        padded = to_multiple(pixels, self.patch)
        logits = F.pixel_shuffle(self.decoder(self.encode(padded)).float(), FINER)
        # Cells of a patch of 14 are 3.5 pixels wide; ours are 4.
        size = [-(-n // 4) for n in padded.shape[2:]]
        if tuple(logits.shape[2:]) != tuple(size):
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
        heat = logits[..., : -(-height // 4), : -(-width // 4)]
        return {"map": heat, "classes": two_classes(pooling.top_share(heat))}

    def encode(self, pixels: Tensor) -> list[Tensor]:
        """Features N×C×h×w of four depths, of pictures of whole patches."""
        body = self.body.body
        grid = (pixels.shape[2] // self.patch, pixels.shape[3] // self.patch)
        seen = (pixels - self.mean) / self.std
        more = {} if hasattr(body, "encoder") else {"interpolate_pos_encoding": True}
        tokens = body.embeddings(seen, **more)
        if self.into is not None:
            tokens = _added(tokens, self.into(pixels))
        features = []
        for number, layer in enumerate(body.encoder.layer if hasattr(body, "encoder") else body.layers, 1):
            if len(self.each):
                own = _on_grid(tokens[:, 1:], grid)
                tokens = _added(tokens, self.each[number - 1](own).flatten(2).transpose(1, 2))
            tokens = layer(tokens)
            if number in self.seen:
                known = F.layer_norm(tokens[:, 1:], tokens.shape[-1:])
                features.append(_on_grid(known, grid))
        return features


def bands_of(pixels: Tensor) -> Tensor:
    """Pictures of four bands that sum to the picture, N×3×4×H×W of any size."""
    height, width = pixels.shape[2:]
    return dct_bands(to_multiple(pixels, 8), EDGES)[..., :height, :width]


def to_multiple(pixels: Tensor, step: int) -> Tensor:
    """Repeated right and below to whole steps; reflected where the picture is large enough."""
    missing = [-n % step for n in pixels.shape[2:]]
    if not any(missing):
        return pixels
    mode = "reflect" if all(m < n for m, n in zip(missing, pixels.shape[2:], strict=True)) else "replicate"
    return F.pad(pixels, (0, missing[1], 0, missing[0]), mode=mode)


def loss(outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Cross-entropy and Dice of the map; the paper's own are not known."""
    mask, known = truth["mask"], truth["known"]
    heat = F.interpolate(outputs["map"], mask.shape[2:], mode="bilinear", align_corners=False)
    edited = known & (truth["label"] == 1)
    return {"bce": losses.bce(heat, mask, known), "dice": 0.5 * losses.dice(heat, mask, edited)}


def _on_grid(patches: Tensor, grid: tuple[int, int]) -> Tensor:
    """N×P×C → N×C×h×w."""
    return patches.transpose(1, 2).reshape(len(patches), -1, *grid)


def _added(tokens: Tensor, more: Tensor) -> Tensor:
    """More added to the patches, the class token left."""
    return torch.cat([tokens[:, :1], tokens[:, 1:] + more], 1)


def _zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
