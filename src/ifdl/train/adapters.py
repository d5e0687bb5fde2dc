"""Fine-tuning a vision-language model to explain, as IFDL-VLM does: LoRA on the language model, all else frozen.

One picture a step at the least, the loss on the answer alone, the mask blended in by RAVFE in training as in use. A
run writes OUT/adapter (as peft has it, for `ifdl explain --adapter`), OUT/checkpoints and OUT/log.jsonl. One device.

Source: Guo, Cui, Hong, arXiv 2603.12930, and our record of its released code; Hu et al., LoRA, ICLR 2022, by peft.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from pydantic import ConfigDict, TypeAdapter
from rich.console import Console

from ifdl.evaluate.result import environment
from ifdl.nets import vlm, vlm_files, vlm_tiny
from ifdl.nets.ravfe import Ravfe
from ifdl.train import checkpoint, schedule
from ifdl.train import recipe as recipes
from ifdl.train.board import Board
from ifdl.train.checkpoint import Checkpoint
from ifdl.train.loop import Outcome
from ifdl.train.words import QUESTION, Examples, Masks, described, fabricated

STRICT = ConfigDict(extra="forbid")
FREE = ("name", "out", "save_every", "minutes", "checkpointing", "data.places")  # may differ in a resumed run


@dataclass(frozen=True)
class Data:
    """`places` are sets of the kind `set` (`ifdl data list`) that say what was done, as those of `ifdl forge` do."""

    __pydantic_config__ = STRICT

    places: tuple[Path, ...]
    set: str = "manifest"
    masks: Masks = field(default_factory=Masks)
    question: str = QUESTION


@dataclass(frozen=True)
class Lora:
    """Low-rank additions to every linear layer of the language model but its output."""

    __pydantic_config__ = STRICT

    rank: int = 128
    alpha: int = 256
    dropout: float = 0.05


@dataclass(frozen=True)
class Plan:
    """One run, whole. `model` is a folder or OWNER/NAME@COMMIT that is on this machine; `warmup` a share of the steps.

    `accumulate` pictures make a step. `steps` ends a run before its `epochs` do, `minutes` by the clock.
    `checkpointing` computes activations twice to save memory.
    """

    __pydantic_config__ = STRICT

    explainer: str
    data: Data
    name: str = "custom"
    version: int = 1
    how: Ravfe = field(default_factory=Ravfe)
    lora: Lora = Lora()
    lr: float = 5e-5
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    warmup: float = 0.03
    epochs: int = 4
    accumulate: int = 1
    steps: int | None = None
    minutes: float | None = None
    save_every: int = 500
    precision: Literal["fp32", "bf16"] = "bf16"
    checkpointing: bool = True
    seed: int = 0
    out: Path = field(default=Path("runs/explainer"))

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.epochs < 1 or self.accumulate < 1 or self.save_every < 1 or not 0 <= self.warmup < 1:
            raise ValueError(
                "lr is above 0; epochs, accumulate and save_every are 1 or more; warmup is a share below 1"
            )
        if self.checkpointing and self.how.prior:
            raise ValueError("how.prior needs checkpointing: false, for the layers are computed again without it")

    def schedule(self, examples: int) -> recipes.Schedule:
        """The cosine to zero over all steps, with its warm-up."""
        steps = math.ceil(examples * self.epochs / self.accumulate)
        steps = min(steps, self.steps or steps)
        return recipes.Schedule(steps, math.ceil(self.warmup * steps), 0.0, self.minutes)


def text_of(name_or_path: str | Path) -> str | None:
    """The text of a recipe file or a shipped recipe; None where there is none of that name."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path.read_text(encoding="utf-8")
    shipped = files("ifdl") / "recipes" / f"{path.name.removesuffix('.yaml')}.yaml"
    return shipped.read_text(encoding="utf-8") if shipped.is_file() else None


def is_plan(name_or_path: str | Path) -> bool:
    """Whether a recipe trains an explainer (it has the key `explainer`)."""
    try:
        raw = yaml.safe_load(text_of(name_or_path) or "")
    except yaml.YAMLError:
        return False
    return isinstance(raw, dict) and "explainer" in raw


def load(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Plan:
    """A plan with `key.key=value` overrides. Raises ValueError that names an unknown key or a wrong value."""
    try:
        raw = yaml.safe_load(text_of(name_or_path) or "")
        for override in overrides:
            recipes._put(raw, override)
        return recipes._checked(_ADAPTER, raw)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"recipe {name_or_path}: {error}") from error


def smoked(plan: Plan, folder: Path) -> tuple[Plan, vlm.Vlm]:
    """Two steps of a tiny random model on four fabricated pictures, everything else as the plan has it."""
    data = replace(plan.data, places=(fabricated(folder / "pictures"),), set="manifest")
    return replace(plan, data=data, steps=2, minutes=None, save_every=1, out=folder / "run"), vlm_tiny.tiny("llava")


def train(plan: Plan, loaded: vlm.Vlm | None = None, resume: bool = False, console: Console | None = None) -> Outcome:
    """Train as the plan says; `loaded` stands in for the model it names.

    Raises ValueError where OUT holds a run and `resume` is not asked for, or a run of another plan.
    """
    last = checkpoint.latest(plan.out)
    if last and not resume:
        raise ValueError(f"{plan.out} holds a run already; --resume it, or name another --out")
    examples = Examples(described(plan.data.places, plan.data.set), plan.data.masks, plan.seed)
    own = loaded or _loaded(plan, console)
    torch.manual_seed(plan.seed)
    wrapped = adapted(own, plan)
    device = own.device
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    names = {p: n for n, p in wrapped.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(trained, plan.lr, plan.betas, weight_decay=plan.weight_decay)
    course = plan.schedule(len(examples))
    about = {"recipe": plain(plan), "examples": len(examples), "environment": environment("ifdl train")}
    step, before, why = 0, 0.0, "all steps done"
    if last:
        old = checkpoint.load(last)
        _same(old, about)
        set_peft_model_state_dict(wrapped, old.parts["adapter"])
        checkpoint.into_optimiser(optimiser, names, old.parts["optimiser"])
        step, before = old.step, old.about["seconds"]

    began, first, waited = time.monotonic(), step, 0.0
    spent = before
    wrapped.train()
    with Board(plan.out, console, tensorboard=False, metric="loss") as board:
        board.note("start", step=step, **about)
        while (done := schedule.done(course, step, spent)) < 1:
            torch.manual_seed(int(np.random.SeedSequence([plan.seed, step]).generate_state(1)[0]))
            rate = plan.lr * schedule.rate(course, step, spent)
            for group in optimiser.param_groups:
                group["lr"] = rate
            total = 0.0
            for n in range(step * plan.accumulate, (step + 1) * plan.accumulate):
                asked = time.monotonic()
                example = examples.get(*_place(n, len(examples), plan.seed))
                waited += time.monotonic() - asked
                with torch.autocast(device.type, torch.bfloat16, enabled=plan.precision == "bf16"):
                    loss: Any = own.loss(example.picture, example.mask, plan.data.question, example.answer)
                (loss / plan.accumulate).backward()
                total += float(loss.detach()) / plan.accumulate
            if not math.isfinite(total):
                raise ValueError(f"the loss is not finite at step {step + 1}")
            if plan.clip:
                torch.nn.utils.clip_grad_norm_(trained, plan.clip)
            optimiser.step()
            optimiser.zero_grad()
            step += 1
            spent = before + time.monotonic() - began
            done = schedule.done(course, step, spent)
            row = {"step": step, "samples": step * plan.accumulate, "loss": total, "rate": rate, "seconds": spent}
            row["samples_per_second"] = (step - first) * plan.accumulate / (spent - before)
            board.step({**row, "waited": waited / (spent - before)}, done)
            if step % plan.save_every == 0 or done >= 1:
                parts = {"adapter": dict(get_peft_model_state_dict(wrapped))}
                parts["optimiser"] = checkpoint.of_optimiser(optimiser, names)
                checkpoint.save(plan.out, Checkpoint(step, parts, {**about, "seconds": spent}))
                checkpoint.prune(plan.out, 2)
        if step < course.steps:
            why = "the minutes are over"
        board.note("end", step=step, why=why, seconds=spent)
    place = plan.out / "adapter"
    wrapped.peft_config["default"].base_model_name_or_path = own.name
    wrapped.save_pretrained(str(place))
    (place / "README.md").unlink(missing_ok=True)  # peft's form, not filled in
    (place / "ifdl.json").write_text(json.dumps({"step": step, **about}, indent=1) + "\n", encoding="utf-8")
    return Outcome(step, why, None, place)


def adapted(own: vlm.Vlm, plan: Plan) -> PeftModel:
    """The model with LoRA on its language model; tower, projector and all weights it came with are frozen."""
    lora = LoraConfig(
        r=plan.lora.rank, lora_alpha=plan.lora.alpha, lora_dropout=plan.lora.dropout, bias="none",
        target_modules=list(vlm.language(own.model)),
    )  # fmt: skip
    if plan.checkpointing:
        enable = getattr(own.model, "activation_checkpointing_enable", own.model.gradient_checkpointing_enable)
        enable({"use_reentrant": False})
        own.model.enable_input_require_grads()
    own.how = plan.how
    wrapped: Any = get_peft_model(own.model, lora)
    return wrapped  # type: ignore[no-any-return, unused-ignore]


def plain(plan: Plan) -> dict[str, Any]:
    """The plan as JSON knows values."""
    return dict(_ADAPTER.dump_python(plan, mode="json"))


def _loaded(plan: Plan, console: Console | None) -> vlm.Vlm:
    def progress(said: str) -> None:
        if console:
            console.print(said, markup=False, highlight=False)

    return vlm.load(*vlm_files.pinned(plan.explainer), progress)


def _place(n: int, count: int, seed: int) -> tuple[int, int]:
    """(epoch, example) of the n-th picture of a run: every epoch has an order of its own."""
    epoch, at = divmod(n, count)
    return epoch, int(np.random.default_rng([seed, epoch]).permutation(count)[at])


def _same(old: Checkpoint, about: dict[str, Any]) -> None:
    changed = [k for k in recipes.differences(old.about["recipe"], about["recipe"]) if not k.startswith(FREE)]
    if changed or old.about["examples"] != about["examples"]:
        raise ValueError(f"the run to resume had another recipe: {', '.join(changed) or 'other pictures'}")


_ADAPTER = TypeAdapter(Plan)
