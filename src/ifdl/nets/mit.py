"""The Mix Transformer (MiT), SegFormer's encoder, through transformers: features at strides 4, 8, 16 and 32.

Source: Xie et al., "SegFormer", NeurIPS 2021. Input is float N×C×H×W, at least 32 pixels each way and otherwise of any
size, normalised as the weights want it: those trained on ImageNet take (pixels − MEAN) / STD of RGB in [0, 1].
Needs the train extra.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Size:
    """Channels, blocks and attention heads of the four stages."""

    channels: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    heads: tuple[int, int, int, int] = (1, 2, 5, 8)


# Table 6 of the paper; `tiny` is ours, for tests.
SIZES = {
    "b0": Size((32, 64, 160, 256), (2, 2, 2, 2)),
    "b1": Size((64, 128, 320, 512), (2, 2, 2, 2)),
    "b2": Size((64, 128, 320, 512), (3, 4, 6, 3)),
    "b3": Size((64, 128, 320, 512), (3, 4, 18, 3)),
    "b4": Size((64, 128, 320, 512), (3, 8, 27, 3)),
    "b5": Size((64, 128, 320, 512), (3, 6, 40, 3)),
    "tiny": Size((8, 12, 20, 24), (1, 2, 1, 1), (1, 2, 5, 4)),
}

# NVlabs' name of a part of a block → transformers' name; NVlabs keeps key and value in one matrix.
PARTS = {
    "norm1": "layernorm_before",
    "attn.q": "attention.q_proj",
    "attn.proj": "attention.o_proj",
    "attn.sr": "attention.sequence_reduction.sequence_reduction",
    "attn.norm": "attention.sequence_reduction.layer_norm",
    "norm2": "layernorm_after",
    "mlp.fc1": "mlp.fc1",
    "mlp.dwconv.dwconv": "mlp.dwconv.dwconv",
    "mlp.fc2": "mlp.fc2",
}
EMBEDDING = {"proj": "proj", "norm": "layer_norm"}


class Mit(nn.Module):
    """N×C×H×W → four features N×`channels[i]`×⌈H/s⌉×⌈W/s⌉, s = 4, 8, 16, 32; `body` is transformers' model."""

    def __init__(self, size: Size, inputs: int = 3, drop_path: float = 0.1) -> None:
        super().__init__()
        from transformers import SegformerConfig, SegformerModel

        config = SegformerConfig(
            num_channels=inputs,
            hidden_sizes=list(size.channels),
            depths=list(size.blocks),
            num_attention_heads=list(size.heads),
            sr_ratios=[8, 4, 2, 1],
            mlp_ratios=[4, 4, 4, 4],
            drop_path_rate=drop_path,
        )
        self.channels = size.channels
        self.body = SegformerModel(config)
        # The original normalises with 1e-6 in blocks and after stages, with torch's 1e-5 elsewhere.
        for name, part in self.body.named_modules():
            if isinstance(part, nn.LayerNorm) and "sequence_reduction" not in name and "patch_embeddings" not in name:
                part.eps = 1e-6

    def forward(self, pixels: Tensor) -> list[Tensor]:
        features = []
        for stage in self.body.stages:
            pixels = stage(pixels)
            features.append(pixels)
        return features


def mit(name: str, weights: Path | None = None, inputs: int = 3) -> Mit:
    """The encoder of one of `SIZES`; random without `weights`, a safetensors file with NVlabs' keys (mit_b0 …)."""
    if name not in SIZES:
        raise ValueError(f"no MiT is called {name!r}; there are {', '.join(SIZES)}")
    net = Mit(SIZES[name], inputs)
    if weights is not None:
        from safetensors.torch import load_file

        net.body.load_state_dict(from_nvlabs(load_file(weights)), strict=True)
    return net


def from_nvlabs(state: dict[str, Any]) -> dict[str, Any]:
    """NVlabs' state dictionary under transformers' names, float32, without the ImageNet classifier.

    Raises KeyError for a key that is not a MiT's.
    """
    renamed: dict[str, Any] = {}
    for key, value in state.items():
        if key.startswith("head."):
            continue
        where, number, part, kind = _split(key)
        place = f"stages.{number - 1}"
        if where == "norm":
            renamed[f"{place}.layer_norm.{kind}"] = value.float()
        elif where == "patch_embed":
            renamed[f"{place}.patch_embeddings.{EMBEDDING[part]}.{kind}"] = value.float()
        else:
            block, _, part = part.partition(".")
            place += f".blocks.{block}"
            if part == "attn.kv":
                for name, half in zip("kv", value.float().chunk(2, 0), strict=True):
                    renamed[f"{place}.attention.{name}_proj.{kind}"] = half.contiguous()
            else:
                renamed[f"{place}.{PARTS[part]}.{kind}"] = value.float()
    return renamed


def _split(key: str) -> tuple[str, int, str, str]:
    """Of `block3.1.attn.q.weight`: block, 3, 1.attn.q and weight."""
    found = re.fullmatch(r"(patch_embed|block|norm)([1-4])\.(?:(.+)\.)?(weight|bias)", key)
    if found is None:
        raise KeyError(f"{key} is no parameter of a Mix Transformer")
    where, number, part, kind = found.groups()
    return where, int(number), part or "", kind
