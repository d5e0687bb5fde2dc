"""The plain ViT with attention in windows, through transformers' VitDet: from ViT weights of ours, of timm's or of MAE.

Source: Li et al., "Exploring plain vision transformer backbones for object detection", ECCV 2022; relative positions
decomposed by axis as there. Pictures are float N×3×H×W, H and W multiples of the patch; any grid. Needs the
train extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MAE, MAE_REVISION = "facebook/vit-mae-base", "25b184bea5538bf5c4c852c79d221195fdd2778d"
# transformers' name of a part of a ViT's block → VitDet's; query, key and value are one matrix there.
PARTS = {
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "attention.o_proj": "attention.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
NEW = ("rel_pos_h", "rel_pos_w")  # a plain ViT has no relative positions: they start at zero


def vitdet(config: Mapping[str, Any], state: Mapping[str, Tensor] | None = None) -> Any:
    """A VitDetModel of these arguments of VitDetConfig; with the `state` of a ViTModel of at least as many blocks.

    Raises ValueError that names the first tensor that is missing or left over.
    """
    from transformers import VitDetConfig, VitDetModel

    net = VitDetModel(VitDetConfig(**config))
    if state is not None:
        found = from_vit(state, net.config.num_hidden_layers)
        told = net.load_state_dict(found, strict=False)
        for name, parameter in net.named_parameters():
            if name.endswith(NEW):
                torch.nn.init.zeros_(parameter)
        missing = [name for name in told.missing_keys if not name.endswith(NEW)]
        if missing or told.unexpected_keys:
            raise ValueError(f"these weights do not fit: {[*missing, *told.unexpected_keys][0]}")
    return net


def from_vit(state: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """The state of a transformers ViTModel (or ViTMAEModel) under VitDet's names, its first `blocks` blocks."""
    renamed = {}
    for key, value in state.items():
        if key == "embeddings.position_embeddings":
            renamed[key] = value
        elif key.startswith("embeddings.patch_embeddings."):
            renamed[key.replace("patch_embeddings.", "")] = value
        elif key.startswith("layers."):
            _, number, part = key.split(".", 2)
            part, _, kind = part.rpartition(".")
            place = f"encoder.layer.{number}"
            if int(number) >= blocks:
                continue
            if part == "attention.q_proj":
                three = [state[f"layers.{number}.attention.{n}_proj.{kind}"] for n in "qkv"]
                renamed[f"{place}.attention.qkv.{kind}"] = torch.cat(three)
            elif part in PARTS:
                renamed[f"{place}.{PARTS[part]}.{kind}"] = value
    return renamed


def vit_state(timm: Path | None = None) -> dict[str, Tensor]:
    """Weights of a plain ViT under transformers' names: a file with timm's names, else MAE's ViT-B/16 of the hub."""
    if timm is not None:
        from safetensors.torch import load_file

        from ifdl.nets.vit import from_timm

        return from_timm(load_file(timm))
    from transformers import ViTMAEModel

    return dict(ViTMAEModel.from_pretrained(MAE, revision=MAE_REVISION, use_safetensors=True).state_dict())
