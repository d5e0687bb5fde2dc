"""The training loop, on one processor, one GPU or many (accelerate).

    read the batch → autocast forward → named terms of the loss → backward → clip → step → average
    every so often: validate with the averaged weights, write a checkpoint, remember the best

Weights stay float32; bf16 is an autocast around the forward pass alone. Every step is seeded by (seed, step,
rank) and takes the batches of its own numbers, so a resumed run repeats an uninterrupted one exactly, up to the
learning rate of a run that ends by the clock.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator  # type: ignore[import-untyped, unused-ignore]
from accelerate.utils import (  # type: ignore[import-untyped, unused-ignore]
    DistributedDataParallelKwargs,
    broadcast_object_list,
)
from rich.console import Console

from ifdl import experts
from ifdl.data.manifest import Split, write_text
from ifdl.evaluate.result import environment
from ifdl.train import checkpoint, data, recipe, schedule, supervision, tensors, validation
from ifdl.train.board import Board
from ifdl.train.checkpoint import Checkpoint

# What may differ between a run and its continuation; the photographs are compared by their hash.
FREE = (
    "name", "out", "schedule.", "validation.", "save.", "tensorboard", "data.workers", "data.cache_mb", "data.places",
)  # fmt: skip
# A net may leave an output out for lack of its truth.
UNUSED = DistributedDataParallelKwargs(find_unused_parameters=True)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: steps done, why, the best validation (None without one) and its step, and the weights."""

    step: int
    why: str
    best: dict[str, Any] | None
    weights: Path


def build(system: recipe.System) -> Any:
    """The expert a recipe names. Raises ValueError for an unknown name, a bad weights file or a wrong option."""
    files = {name: file.checked() for name, file in system.init.items()}
    try:
        return experts.module(system.name).build(**files, **system.options)
    except (KeyError, TypeError) as error:
        raise ValueError(f"expert {system.name}: {error}") from error


def train(plan: recipe.Recipe, expert: Any = None, resume: bool = False, console: Console | None = None) -> Outcome:
    """Train as the recipe says, and write OUT/checkpoints, log.jsonl and weights.safetensors.

    `expert` stands in for the one the recipe names. Raises ValueError where OUT holds a run and `resume` is
    not asked for, or holds a run of another recipe or other photographs.
    """
    accelerator = Accelerator(gradient_accumulation_steps=plan.optim.accumulate, kwargs_handlers=[UNUSED])
    main, ranks, rank = accelerator.is_main_process, accelerator.num_processes, accelerator.process_index
    last = checkpoint.latest(plan.out)
    if last and not resume:
        raise ValueError(f"{plan.out} holds a run already; --resume it, or name another --out")

    # ------------------------------------------------ photographs: split by source, before anything is read
    found = data.photographs(plan.data.places, Split.TRAIN)
    held = data.photographs(plan.data.places, Split.CALIBRATE)
    cache = plan.validation.cache or plan.out.parent / "validation"
    about = {"recipe": recipe.plain(plan), "data_sha256": data.data_hash(found, plan.data.forging())}
    about["environment"] = environment("ifdl train")
    with accelerator.main_process_first():  # the others find it made
        shown = data.validation_set(held, plan.data, plan.validation.seed, plan.validation.pictures, cache)

    # ------------------------------------------------ net, optimiser, average
    _seed(plan.seed)
    expert = expert or build(plan.expert)
    supervision.check(expert, plan.validation.metric)
    bare = expert.net()
    groups = schedule.groups(bare, plan.optim)
    if plan.channels_last:
        bare = bare.to(memory_format=torch.channels_last)
    net, optimiser = accelerator.prepare(bare, torch.optim.AdamW(groups, betas=plan.optim.betas))
    ema = schedule.Ema(bare, plan.ema)
    names = {parameter: name for name, parameter in bare.named_parameters()}
    trained = [parameter for parameter in bare.parameters() if parameter.requires_grad]

    # ------------------------------------------------ where the run stands
    step, before, best, stale = 0, 0.0, None, 0
    if last:
        old = checkpoint.load(last)
        _same_run(old, about)
        bare.load_state_dict(old.parts["model"])
        ema.load(old.parts["ema"])
        checkpoint.into_optimiser(optimiser.optimizer, names, old.parts["optimiser"])
        step, before, best, stale = old.step, old.about["seconds"], old.about["best"], old.about["stale"]

    def seconds() -> float:
        return _agreed(before + time.monotonic() - began, ranks)

    def save() -> None:
        parts = {"model": bare.state_dict(), "ema": ema.shadow}
        parts["optimiser"] = checkpoint.of_optimiser(optimiser.optimizer, names)
        state = about | {"seconds": before + time.monotonic() - began, "best": best, "stale": stale}
        checkpoint.save(plan.out, Checkpoint(step, parts, state), plan.save.shard_mb)
        if best and best["step"] == step:
            checkpoint.mark_best(plan.out, step, best)
        checkpoint.prune(plan.out, plan.save.keep)

    autocast = torch.autocast(accelerator.device.type, torch.bfloat16, enabled=plan.precision == "bf16")
    count = plan.optim.accumulate * plan.data.batch * ranks  # pictures of one step
    numbers = itertools.count(step * plan.optim.accumulate * ranks + rank, ranks)
    stream = data.batches(found, plan.data, plan.seed, numbers)
    ready = data.ahead(stream, lambda batch: supervision.tensors_of(expert, batch, plan.seed))
    began, waited, why = time.monotonic(), 0.0, "all steps done"
    first, spent, progress = step, before, schedule.done(plan.schedule, step, before)
    board = Board(plan.out, console, plan.tensorboard, plan.validation.metric) if main else None
    try:
        with board or nullcontext():
            if board:
                board.note("start", step=step, photographs=len({p.source for p in found}), ranks=ranks, **about)
            while progress < 1:
                # -------------------------------- one step
                net.train()
                _seed(plan.seed, step, rank)
                share = schedule.rate(plan.schedule, step, spent)
                schedule.set_rate(optimiser, share)
                terms: dict[str, float] = {}
                for _ in range(plan.optim.accumulate):
                    asked = time.monotonic()
                    inputs, truth = tensors.moved(next(ready), accelerator.device, plan.channels_last)
                    waited += time.monotonic() - asked
                    with accelerator.accumulate(net):
                        with autocast:
                            outputs = net(**inputs)
                        losses = expert.loss(tensors.floats(outputs), truth)
                        accelerator.backward(torch.stack(list(losses.values())).sum())
                        if accelerator.sync_gradients and plan.optim.clip:
                            accelerator.clip_grad_norm_(trained, plan.optim.clip)
                        optimiser.step()
                        optimiser.zero_grad()
                    for name, value in losses.items():
                        terms[name] = terms.get(name, 0.0) + float(value.detach()) / plan.optim.accumulate
                step += 1
                if not math.isfinite(sum(terms.values())):
                    raise ValueError(f"the loss is not finite at step {step}: {terms}")
                if plan.ema:
                    ema.update(step)
                spent = seconds()
                progress = schedule.done(plan.schedule, step, spent)
                if board:
                    row = {"step": step, "samples": step * count, "loss": sum(terms.values()), **terms}
                    row |= {"rate": plan.optim.lr * share, "seconds": spent, "waited": waited / (spent - before)}
                    row["samples_per_second"] = (step - first) * count / (spent - before)
                    board.step(row, progress)

                # -------------------------------- now and then: validate, remember the best, save
                validated = step % plan.validation.every == 0 or progress >= 1
                if validated:
                    measured = {}
                    if main:
                        with ema.applied(), autocast:
                            measured = validation.validate(
                                expert, bare, shown, plan.validation.batch, accelerator.device
                            )
                        assert board is not None
                        board.validation({"step": step, "samples": step * count, **measured})
                    measured = _told(measured, ranks)
                    metric = plan.validation.metric
                    better = math.isfinite(measured[metric]) and (best is None or measured[metric] > best[metric])
                    best, stale = (measured | {"step": step}, 0) if better else (best, stale + 1)
                if main and (validated or step % plan.save.every == 0):
                    save()
                accelerator.wait_for_everyone()
                if plan.validation.patience and stale >= plan.validation.patience:
                    why = f"no better {plan.validation.metric} in {stale} validations"
                    break
                if progress >= 1 and step < plan.schedule.steps:
                    why = "the minutes are over"
            if board:
                board.note("end", step=step, why=why, best=best, seconds=spent)
    finally:
        ready.close()
        stream.close()
    weights = _ship(plan, bare, best, about) if main else plan.out / "weights.safetensors"
    accelerator.wait_for_everyone()
    return Outcome(step, why, best, weights)


def _ship(plan: recipe.Recipe, bare: torch.nn.Module, best: dict[str, Any] | None, about: dict[str, Any]) -> Path:
    """Write the averaged weights of the best checkpoint (the last without one), LoRA folded in, ready to load."""
    place = checkpoint.place_of(plan.out, best["step"]) if best else checkpoint.latest(plan.out)
    assert place is not None, "a run ends with a checkpoint"
    chosen = checkpoint.load(place)
    bare.load_state_dict(chosen.parts["model"] | chosen.parts["ema"])
    paths = checkpoint.write(plan.out, "weights", schedule.merged(bare), plan.save.shard_mb)
    told = {"step": chosen.step, "best": best, **about}
    write_text(plan.out / "weights.json", json.dumps(told, indent=1) + "\n")
    return paths[0] if len(paths) == 1 else plan.out / "weights.safetensors.index.json"


# ---------------------------------------------------------------- chance, time, agreement


def _seed(*entropy: int) -> None:
    """Seed every generator that training uses from these numbers."""
    state = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    torch.manual_seed(state)
    np.random.seed(state)
    random.seed(state)


def _agreed(seconds: float, ranks: int) -> float:
    """The main process's clock: all must end at the same step."""
    return seconds if ranks == 1 else float(broadcast_object_list([seconds])[0])


def _told(measured: dict[str, float], ranks: int) -> dict[str, float]:
    return measured if ranks == 1 else dict(broadcast_object_list([measured])[0])


def _same_run(old: Checkpoint, about: dict[str, Any]) -> None:
    changed = [k for k in recipe.differences(old.about["recipe"], about["recipe"]) if not k.startswith(FREE)]
    if changed:
        raise ValueError(f"the run to resume had another recipe: {', '.join(changed)}")
    if old.about["data_sha256"] != about["data_sha256"]:
        raise ValueError("the run to resume was trained on other photographs or another forge recipe")
