"""Which parameters train, at which rate, and when; and the moving average of the weights.

Sources: Loshchilov and Hutter, SGDR, ICLR 2017 (cosine); Hu et al., LoRA, ICLR 2022, through peft; Polyak and
Juditsky, 1992 (averaging). Needs the train extra.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from ifdl.train.recipe import Group, Optim, Schedule

BASE = ".base_layer"  # what peft puts between a layer's name and the name of the weight it wraps


def groups(net: nn.Module, optim: Optim) -> list[dict[str, Any]]:
    """Parameter groups for AdamW, with `base_lr`; sets what requires a gradient and adds LoRA where asked.

    The first group whose pattern fits a parameter's name has it; those that no pattern fits stay as the
    net made them. Norms, biases and other vectors have no weight decay. Raises ValueError for a pattern
    that fits nothing, and where nothing trains.
    """
    own = {name: parameter.requires_grad for name, parameter in net.named_parameters()}
    for asked in optim.groups:
        if not any(fnmatchcase(name, asked.match) for name in own):
            raise ValueError(f"optim.groups: no parameter's name fits {asked.match!r}")
    _add_lora(net, optim)
    buckets: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        added = ".lora_" in name
        group: Group | None = optim.groups[_adapter(name)] if added else _group_of(name.replace(BASE, ""), optim)
        trains = added or (own[name.replace(BASE, "")] if group is None else group.mode == "full")
        parameter.requires_grad_(trains)
        if not trains:
            continue
        rate = optim.lr if group is None or group.lr is None else group.lr
        decay = optim.weight_decay if group is None or group.weight_decay is None else group.weight_decay
        buckets.setdefault((rate, decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    if not buckets:
        raise ValueError("optim.groups: every parameter is frozen; nothing would train")
    return [{"params": p, "lr": rate, "base_lr": rate, "weight_decay": d} for (rate, d), p in buckets.items()]


def rate(schedule: Schedule, step: int, seconds: float = 0.0) -> float:
    """The share of the full learning rate at this step (0-based), after so many seconds of training."""
    warm = min(1.0, (step + 1) / schedule.warmup) if schedule.warmup else 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * done(schedule, step, seconds)))
    return warm * (schedule.floor + (1 - schedule.floor) * cosine)


def done(schedule: Schedule, step: int, seconds: float = 0.0) -> float:
    """The share of the run that is over, 0-1: of its steps or of its minutes, whichever is larger."""
    timed = seconds / (60 * schedule.minutes) if schedule.minutes else 0.0
    return min(1.0, max(step / schedule.steps, timed))


def set_rate(optimiser: Any, share: float) -> None:
    """Give every group that share of its own full rate."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * share


class Ema:
    """The moving average of what trains. Its decay grows from 0.1 to `decay`, so that the beginning is forgotten."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self._net = net
        self.shadow = {n: p.detach().clone() for n, p in net.named_parameters() if p.requires_grad} if decay else {}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after `step` (1-based) in."""
        decay = min(self.decay, step / (step + 9))
        for name, parameter in self._net.named_parameters():
            if name in self.shadow:
                self.shadow[name].lerp_(parameter, 1 - decay)

    @torch.no_grad()
    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take up a saved average. Raises ValueError if it is of other parameters."""
        if tensors.keys() != self.shadow.keys():
            raise ValueError("the saved average is of other parameters than those that train")
        for name, tensor in tensors.items():
            self.shadow[name].copy_(tensor)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the net has the averaged weights."""
        own = {n: p for n, p in self._net.named_parameters() if n in self.shadow}
        kept = {name: parameter.data for name, parameter in own.items()}
        for name, parameter in own.items():
            parameter.data = self.shadow[name]
        try:
            yield
        finally:
            for name, parameter in own.items():
                parameter.data = kept[name]


def merged(net: nn.Module) -> dict[str, torch.Tensor]:
    """The net's state with LoRA folded into its layers, under the names it had before."""
    if not any(".lora_" in name for name, _ in net.named_parameters()):
        return dict(net.state_dict())
    from peft.tuners.lora import LoraLayer

    whole = copy.deepcopy(net)
    for module in whole.modules():
        if isinstance(module, LoraLayer):
            module.merge()
    return {n.replace(BASE, ""): t for n, t in whole.state_dict().items() if ".lora_" not in n}


def _add_lora(net: nn.Module, optim: Optim) -> None:
    """Wrap the linear layers whose weight has a group of mode lora; its adapter is named by the group's number."""
    linear = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    for number, group in enumerate(optim.groups):
        targets = [n for n in linear if group.mode == "lora" and _group_of(f"{n}.weight", optim) is group]
        if group.mode == "lora" and not targets:
            raise ValueError(f"optim.groups: {group.match!r} fits no linear layer, which LoRA needs")
        if targets:
            from peft import LoraConfig, inject_adapter_in_model

            config = LoraConfig(r=group.rank, lora_alpha=group.alpha, target_modules=targets)  # type: ignore[arg-type]
            inject_adapter_in_model(config, net, adapter_name=f"group{number}")


def _adapter(name: str) -> int:
    """The number of the group whose adapter this parameter belongs to."""
    return int(next(part for part in name.split(".") if part.startswith("group") and part[5:].isdigit())[5:])


def _group_of(name: str, optim: Optim) -> Group | None:
    return next((group for group in optim.groups if fnmatchcase(name, group.match)), None)
