"""Plain ViTs of others, ready to be frozen: ViT-Tiny of timm, ViT-B of MAE, and whatever a ViTConfig says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def plain_vit(config: Mapping[str, Any], state: Mapping[str, Tensor] | None = None) -> Any:
    """A transformers ViTModel of these arguments of ViTConfig, with the first blocks of a `state` under its names.

    ViTMAEModel's names are the same. Raises RuntimeError that names what does not fit.
    """
    from transformers import ViTConfig, ViTModel

    settings = ViTConfig(**config)
    # On a processor the fused attention's backward pass in bf16 is slower than the plain one.
    settings._attn_implementation = "eager"
    model = ViTModel(settings, add_pooling_layer=False)
    if state is not None:
        blocks = int(model.config.num_hidden_layers)
        kept = {n: t for n, t in state.items() if not n.startswith("layers.") or int(n.split(".")[1]) < blocks}
        model.load_state_dict(kept, strict=True)
    model.train(False)
    return model
