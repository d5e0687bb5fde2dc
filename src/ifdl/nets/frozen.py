"""A published network that stays as it was published, and small additions that learn beside it.

What is frozen is no parameter and in no checkpoint: it is named by the hash of its own file, so that the weights of a
system stay as small as what it learned. It moves with the net to another device. Needs the train extra.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Frozen(nn.Module):
    """Holds `body` without owning it: no parameters, no state, always in evaluation mode. Gradients pass through."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self._held = (body.requires_grad_(False).eval(),)  # a tuple is not searched for modules

    @property
    def body(self) -> Any:
        return self._held[0]

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        self.body._apply(fn, recurse)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.body(*inputs, **named)


class Lora(nn.Module):
    """A frozen linear layer with `sets` low-rank additions of which one is used at a time; each starts at zero.

    Source: Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022; the addition is scaled by
    `alpha` / `rank`.
    """

    def __init__(self, layer: nn.Linear, rank: int = 8, alpha: float = 16.0, sets: int = 1) -> None:
        super().__init__()
        self.layer = Frozen(layer)
        self.down = nn.Parameter(torch.empty(sets, rank, layer.in_features))
        self.up = nn.Parameter(torch.zeros(sets, layer.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x: Tensor, number: int = 0) -> Tensor:
        added = F.linear(F.linear(x, self.down[number]), self.up[number])
        return self.layer(x) + self.scale * added  # type: ignore[no-any-return]


def add_lora(net: nn.Module, rank: int = 8, alpha: float = 16.0) -> None:
    """Put a `Lora` in place of every linear layer of the net; the layers themselves are frozen."""
    for module in list(net.modules()):
        for own, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, own, Lora(child, rank, alpha))
