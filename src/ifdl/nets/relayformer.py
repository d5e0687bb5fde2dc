"""The network of RelayFormer: cells of fixed size look inside themselves, and a few relay tokens carry what matters on.

A picture of any size is cut into cells that share two patches with their neighbours; frames of a video are more cells.
A block is (1) attention inside every cell, (2) the mean of patches that cells share, (3) attention among the relay
tokens of all cells and frames. (1) and (3) use one published block, each with low-rank additions of its own. Cost of
(1) grows with the number of cells, and (3) is small.

Source: Huang et al., "RelayFormer", arXiv 2508.09459, after a written record of its code. Relays' places turn their
queries and keys: Su et al., "RoFormer", Neurocomputing 2024. Needs the train extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ifdl.nets import pooling
from ifdl.nets.frozen import Frozen, Lora
from ifdl.nets.weak import two_classes

SHARED = 2  # patches that neighbouring cells have in common along an axis
INSIDE, AMONG = 0, 1  # which low-rank additions a block uses


@dataclass(frozen=True)
class Shape:
    """The default is the paper's; `vit` are arguments of ViTConfig, `cell` is patches of a cell along an axis.

    `relays` are the class token and registers; without `relay` cells know nothing of each other but what they share:
    the control. `train_patches` lets the patch projection learn.
    """

    vit: Mapping[str, Any] = field(default_factory=dict)
    cell: int = 33
    relays: int = 3
    rank: int = 8
    alpha: float = 16.0
    width: int = 256
    heads: int = 8
    queries: int = 8
    layers: int = 3
    relay: bool = True
    train_patches: bool = False
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


VIT_TINY = {
    "hidden_size": 192, "num_hidden_layers": 6, "num_attention_heads": 3, "intermediate_size": 768,
    "layer_norm_eps": 1e-6,
}  # fmt: skip
SMALL = Shape(VIT_TINY, cell=6, width=48, heads=3, train_patches=True, mean=(0.5,) * 3, std=(0.5,) * 3)
TINY = Shape(
    {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "image_size": 64},
    cell=4, rank=2, width=16, heads=1, layers=1, train_patches=True, mean=(0.5,) * 3, std=(0.5,) * 3,
)  # fmt: skip


# ---------------------------------------------------------------- cells


@dataclass(frozen=True)
class Cells:
    """How a grid of `rows`×`columns` patches is cut into cells of `side`², each starting `side` − 2 after another."""

    rows: int
    columns: int
    side: int

    @property
    def step(self) -> int:
        return self.side - SHARED

    @property
    def counts(self) -> tuple[int, int]:
        """Cells down and across: as few as cover the grid."""
        down, across = (max(1, -(-(n - SHARED) // self.step)) for n in (self.rows, self.columns))
        return down, across

    def cut(self, grid: Tensor) -> Tensor:
        """B×C×rows×columns → B×K×side²×C, zeros beyond the grid."""
        down, across = ((n - 1) * self.step + self.side for n in self.counts)
        padded = F.pad(grid, (0, across - self.columns, 0, down - self.rows))
        taken = F.unfold(padded, self.side, stride=self.step)  # B×(C·side²)×K
        return taken.reshape(len(grid), grid.shape[1], self.side**2, -1).permute(0, 3, 2, 1)

    def merge(self, cells: Tensor) -> Tensor:
        """The way back, B×K×side²×C → B×C×rows×columns: shared patches are the mean of their copies."""
        down, across = ((n - 1) * self.step + self.side for n in self.counts)
        flat = cells.permute(0, 3, 2, 1).flatten(1, 2)
        summed = F.fold(flat, (down, across), self.side, stride=self.step)
        copies = F.fold(torch.ones_like(flat[:1, : self.side**2]), (down, across), self.side, stride=self.step)
        merged: Tensor = summed / copies
        return merged[..., : self.rows, : self.columns]

    def valid(self, device: torch.device) -> Tensor:
        """Bool K×side²: which patches of a cell lie inside the grid."""
        inside: Tensor = self.cut(torch.ones(1, 1, self.rows, self.columns, device=device))[0, ..., 0] > 0.5
        return inside

    def places(self, frames: int, relays: int, device: torch.device) -> Tensor:
        """(time, token, row, column) of every relay token, (T·K·relays)×4 float."""
        down, across = self.counts
        axes = [torch.arange(n, device=device) for n in (frames, down, across, relays)]
        time, row, column, token = torch.meshgrid(*axes, indexing="ij")
        return torch.stack([time, token, row, column], -1).reshape(-1, 4).float()


# ---------------------------------------------------------------- attention


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """B×heads×P×c; `mask` bool, False where a key does not count."""
    # On a processor the fused attention's backward pass in bf16 is slower than the plain one.
    likeness: Tensor = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    if mask is not None:
        likeness = likeness.masked_fill(~mask, -torch.inf)
    return likeness.softmax(-1).to(value) @ value


def turned(x: Tensor, places: Tensor) -> Tensor:
    """Queries or keys B×heads×P×c, a part of their channels turned by their places P×4, an eighth for each axis."""
    share = x.shape[-1] // 8 // 2 * 2
    if share == 0:
        raise ValueError(f"heads of {x.shape[-1]} channels are too narrow for four axes; take 16 or more")
    rates = 100.0 ** (-torch.arange(share // 2, device=x.device) * 2 / share)
    angles = (places[:, :, None] * rates).flatten(1).to(x)  # P×(4·share/2)
    part, rest = x[..., : 4 * share], x[..., 4 * share :]
    even, odd = part[..., ::2], part[..., 1::2]
    both = torch.stack([even * angles.cos() - odd * angles.sin(), even * angles.sin() + odd * angles.cos()], -1)
    return torch.cat([both.flatten(-2), rest], -1)


class Block(nn.Module):
    """One block of a published ViT, frozen, with two sets of low-rank additions."""

    def __init__(self, layer: Any, heads: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.heads, self.activation = heads, layer.mlp.activation_fn
        self.before, self.after = Frozen(layer.layernorm_before), Frozen(layer.layernorm_after)
        own, mlp = layer.attention, layer.mlp
        linear = {"q": own.q_proj, "k": own.k_proj, "v": own.v_proj, "o": own.o_proj, "fc1": mlp.fc1, "fc2": mlp.fc2}
        self.layers = nn.ModuleDict({name: Lora(part, rank, alpha, 2) for name, part in linear.items()})

    def forward(self, tokens: Tensor, number: int, mask: Tensor | None = None, places: Tensor | None = None) -> Tensor:
        """Tokens B×P×C, under additions `number`."""
        h = self.before(tokens)
        q, k, v = (self.layers[n](h, number).unflatten(-1, (self.heads, -1)).transpose(1, 2) for n in "qkv")
        if places is not None:
            q, k = turned(q, places), turned(k, places)
        told = attention(q, k, v, mask).transpose(1, 2).flatten(2)
        tokens = tokens + self.layers["o"](told, number)
        hidden = self.activation(self.layers["fc1"](self.after(tokens), number))
        return tokens + self.layers["fc2"](hidden, number)  # type: ignore[no-any-return]


class Turned(nn.Module):
    """Attention among queries of all frames, which know their place."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.into(x).chunk(3, -1))
        told = attention(turned(q, places), turned(k, places), v)
        return self.out(told.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Learned queries look at a frame's features and at each other; each gives a map and how much of it counts."""

    def __init__(self, inputs: int, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.features = nn.Conv2d(inputs, width, 3, padding=1)
        self.queries = nn.Parameter(torch.randn(shape.queries, width) * width**-0.5)
        self.looks = nn.ModuleList(
            nn.MultiheadAttention(width, shape.heads, batch_first=True) for _ in range(shape.layers)
        )
        self.talks = nn.ModuleList(Turned(width, shape.heads) for _ in range(shape.layers))
        self.thinks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(shape.layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 * shape.layers))
        self.gate = nn.Linear(width, 1)
        self.bias = nn.Parameter(torch.tensor(-2.0))  # an untrained map says "hardly anywhere"

    def forward(self, grid: Tensor, frames: int) -> Tensor:
        """Logits (B·T)×1×rows×columns of features (B·T)×C×rows×columns."""
        # Published norms leave features of any scale; maps are to begin near their bias.
        even = F.layer_norm(grid.permute(0, 2, 3, 1), grid.shape[1:2]).permute(0, 3, 1, 2)
        features = self.features(even)
        cells = features.flatten(2).transpose(1, 2)
        x = self.queries.expand(len(grid), -1, -1)
        token, time = torch.meshgrid(
            *(torch.arange(n, device=grid.device) for n in (x.shape[1], frames)), indexing="xy"
        )
        places = torch.stack([time, token, token * 0, token * 0], -1).reshape(-1, 4).float()
        for n, (look, talk, think) in enumerate(zip(self.looks, self.talks, self.thinks, strict=True)):
            first, second, third = self.norms[3 * n : 3 * n + 3]
            x = x + look(first(x), cells, cells, need_weights=False)[0]
            together = second(x).unflatten(0, (-1, frames)).flatten(1, 2)  # B×(T·queries)×C
            x = x + talk(together, places).unflatten(1, (frames, -1)).flatten(0, 1)
            x = x + think(third(x))
        maps = torch.einsum("bqc,bchw->bqhw", x, features) * x.shape[-1] ** -0.5
        shares = self.gate(x).sigmoid()[..., None]
        logits: Tensor = (shares * maps).sum(1, keepdim=True) + self.bias
        return logits


class RelayFormer(nn.Module):
    """`pixels` N×3×H×W (or N×T×3×H×W, a clip), RGB in [0, 1] → logits "map" N×T×⌈H/16⌉×⌈W/16⌉ and "classes" N×2.

    `vit` is a transformers ViTModel, which is frozen. The score is the mean of the map's highest 2 %: the paper has
    none.
    """

    mean: Tensor
    std: Tensor
    positions: Tensor
    first: Tensor

    def __init__(self, shape: Shape, vit: Any) -> None:
        super().__init__()
        self.shape = shape
        config = vit.config
        self.patch = int(config.patch_size)
        projection = vit.embeddings.patch_embeddings.projection
        self.patches = projection if shape.train_patches else Frozen(projection)
        layers = vit.layers[: int(config.num_hidden_layers)]
        self.blocks = nn.ModuleList(
            Block(layer, int(config.num_attention_heads), shape.rank, shape.alpha) for layer in layers
        )
        self.norm = Frozen(vit.layernorm)
        self.registers = nn.Parameter(torch.randn(shape.relays - 1, config.hidden_size) * 0.02)
        self.decoder = Decoder(int(config.hidden_size), shape)
        embedded = vit.embeddings
        with torch.no_grad():
            known = embedded.position_embeddings[0]
            side = round((len(known) - 1) ** 0.5)
            grid = known[1:].T.reshape(1, -1, side, side)
            own = F.interpolate(grid, (shape.cell, shape.cell), mode="bicubic", align_corners=False)
            # A cell is to the published blocks what a picture was: its positions are a picture's, on its own grid.
            self.register_buffer("positions", own[0].flatten(1).T.clone(), persistent=False)
            first = (embedded.cls_token[0] + known[:1]).clone()
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("mean", torch.tensor(shape.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(shape.std).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        clip = pixels if pixels.dim() == 5 else pixels[:, None]
        count, frames = clip.shape[:2]
        logits = self.decoder(self.encode(clip), frames).float()
        heat = logits.reshape(count, frames, *logits.shape[2:])
        return {"map": heat, "classes": two_classes(pooling.top_share(heat))}

    def encode(self, clip: Tensor) -> Tensor:
        """Features (N·T)×C×⌈H/16⌉×⌈W/16⌉ of clips N×T×3×H×W; what is padded to a whole patch is zero."""
        count, frames, _, height, width = clip.shape
        seen = (clip.flatten(0, 1) - self.mean) / self.std
        grid = self.patches(F.pad(seen, (0, -width % self.patch, 0, -height % self.patch)))
        cells = Cells(grid.shape[2], grid.shape[3], self.shape.cell)
        patches = cells.cut(grid) + self.positions  # (N·T)×K×P×C
        each = patches.shape[1]
        relays = torch.cat([self.first, self.registers]).expand(*patches.shape[:2], -1, -1)
        held = relays.shape[2]
        inside = cells.valid(grid.device)
        # Relays are seen always, patches beyond the picture never.
        mask = F.pad(inside, (held, 0), value=True).repeat(count * frames, 1)[:, None, None]
        places = cells.places(frames, held, grid.device)
        for block in self.blocks:
            tokens = block(torch.cat([relays, patches], 2).flatten(0, 1), INSIDE, mask)
            tokens = tokens.unflatten(0, (-1, each))
            relays, patches = tokens[:, :, :held], tokens[:, :, held:]
            patches = cells.cut(cells.merge(patches))
            if self.shape.relay:
                told = block(relays.reshape(count, frames * each * held, -1), AMONG, None, places)
                relays = told.reshape(relays.shape)
        return self.norm(cells.merge(patches).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]
