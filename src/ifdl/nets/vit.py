"""The vision transformer, through transformers, with weights named as timm names them.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021; weights by Steiner et al., "How to train
your ViT?", TMLR 2022. Pictures are float N×3×H×W in [-1, 1], H and W multiples of 16; positions are interpolated.
Needs the train extra.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# timm's name of a part of a block → transformers' name; timm keeps query, key and value in one matrix.
PARTS = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.o_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def vit_tiny(weights: Path | None = None) -> Any:
    """A transformers ViTModel of ViT-Tiny/16 at 224; random without `weights`, a safetensors file with timm's keys."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=192,
        num_hidden_layers=12,
        num_attention_heads=3,
        intermediate_size=768,
        image_size=224,
        patch_size=16,
        layer_norm_eps=1e-6,
    )
    # On a processor the fused attention's backward pass in bf16 is slower than the plain one: 14 % of a step.
    config._attn_implementation = "eager"
    model = ViTModel(config, add_pooling_layer=False)
    if weights is not None:
        from safetensors.torch import load_file

        model.load_state_dict(from_timm(load_file(weights)), strict=True)
    return model


def from_timm(state: dict[str, Any]) -> dict[str, Any]:
    """timm's state dictionary under transformers' names, float32. Raises KeyError for a key that is not a ViT's."""
    renamed: dict[str, Any] = {}
    fixed = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
        "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
        "norm.weight": "layernorm.weight",
        "norm.bias": "layernorm.bias",
    }
    for key, value in state.items():
        if key in fixed:
            renamed[fixed[key]] = value.float()
            continue
        _, number, part, kind = _split(key)
        place = f"layers.{number}"
        if part == "attn.qkv":
            for name, third in zip("qkv", value.float().chunk(3, 0), strict=True):
                renamed[f"{place}.attention.{name}_proj.{kind}"] = third.contiguous()
        else:
            renamed[f"{place}.{PARTS[part]}.{kind}"] = value.float()
    return renamed


def _split(key: str) -> tuple[str, str, str, str]:
    parts = key.split(".")
    if len(parts) < 4 or parts[0] != "blocks":
        raise KeyError(f"{key} is no parameter of a vision transformer")
    return parts[0], parts[1], ".".join(parts[2:-1]), parts[-1]
