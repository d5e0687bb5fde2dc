"""`ifdl train`: run a recipe, a smoke of it, or write the pack it trains from; and say how it ended."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ifdl.train import recipe as recipes

if TYPE_CHECKING:
    from ifdl.train.loop import Outcome
    from ifdl.train.pack import Packed

SMOKE_SIDE = 128  # pixels
NEEDS = "training needs the train extra: pip install 'ifdl[train]'"


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line; None leaves what the recipe says."""

    recipe: str
    overrides: tuple[str, ...] = ()
    resume: bool = False
    smoke: bool = False
    minutes: float | None = None
    out: Path | None = None
    shard_mb: float | None = None


def plan_of(order: Order) -> recipes.Recipe:
    """The recipe with everything the order replaces. Raises ValueError that says what is wrong."""
    plan = recipes.load(order.recipe, order.overrides)
    if order.minutes is not None:
        plan = replace(plan, schedule=replace(plan.schedule, minutes=order.minutes))
    if order.shard_mb is not None:
        plan = replace(plan, save=replace(plan.save, shard_mb=order.shard_mb))
    if order.out is not None:
        plan = replace(plan, out=order.out)
    return smoked(plan, order.out) if order.smoke else plan


def smoked(plan: recipes.Recipe, out: Path | None) -> recipes.Recipe:
    """Two steps of two small pictures, one validation, one checkpoint; in a temporary folder if none is named."""
    size = (min(SMOKE_SIDE, plan.data.size[0]), min(SMOKE_SIDE, plan.data.size[1]))
    return replace(
        plan,
        data=replace(plan.data, size=size, batch=2, authentic=0.5, workers=0),
        schedule=replace(plan.schedule, steps=2, warmup=1, minutes=None),
        validation=replace(plan.validation, every=2, pictures=2, batch=2, cache=None),
        save=replace(plan.save, every=2),
        out=(out or Path(tempfile.mkdtemp(prefix="ifdl-smoke-"))) / "smoke",
    )


def run(order: Order, console: Console) -> Outcome:
    """Train. Raises ValueError with the cure for whatever cannot be done."""
    try:
        from ifdl import experts
        from ifdl.train import adapters, loop
    except ImportError as error:
        raise ValueError(f"{NEEDS} ({error})") from error
    if adapters.is_plan(order.recipe):
        return explainer(order, console)
    plan = plan_of(order)
    expert: Any = None
    if order.smoke:
        try:
            expert = experts.module(plan.expert.name).tiny()
        except KeyError as error:
            raise ValueError(str(error.args[0])) from error
    return loop.train(plan, expert, order.resume, console)


def explainer(order: Order, console: Console) -> Outcome:
    """Train a recipe that names an explainer. Raises ValueError with the cure."""
    from ifdl.train import adapters

    plan = adapters.load(order.recipe, order.overrides)
    plan = replace(plan, minutes=order.minutes or plan.minutes, out=order.out or plan.out)
    loaded = None
    if order.smoke:
        plan, loaded = adapters.smoked(plan, (order.out or Path(tempfile.mkdtemp(prefix="ifdl-smoke-"))) / "smoke")
    return adapters.train(plan, loaded, order.resume, console)


def pack(recipe: str, overrides: tuple[str, ...], out: Path, max_mb: float) -> Packed:
    """Write the folder that trains without network. Raises ValueError with the cure."""
    from ifdl.train import pack as packing

    return packing.pack(recipes.load(recipe, overrides), out, max_mb)


def show(outcome: Outcome, console: Console) -> None:
    """One line on how the run ended, and where things are."""
    console.print(f"step {outcome.step}: {outcome.why}", markup=False, highlight=False)
    if outcome.best is not None:
        told = ", ".join(f"{name} {value:.3f}" for name, value in outcome.best.items() if name != "step")
        console.print(f"best at step {outcome.best['step']}: {told}", markup=False, highlight=False)
    console.print(f"written: {outcome.weights}, checkpoints/ and log.jsonl beside it", markup=False, highlight=False)


def export(run: Path, out: Path, last: bool) -> dict[str, Any]:
    """Write a run's weights and graph. Raises ValueError with the cure."""
    try:
        from ifdl.train import ship
    except ImportError as error:
        raise ValueError(f"{NEEDS} ({error})") from error
    return ship.ship(run, out, last)


def show_exported(told: dict[str, Any], out: Path, console: Console) -> None:
    """The files, and how far graph and network are apart."""
    for name, about in told["files"].items():
        console.print(f"{out / name}: {about['bytes'] / 1e6:.1f} MB", markup=False, highlight=False)
    apart = max(told["largest_difference"].values())
    console.print(f"network and graph differ by {apart:.1e} at most", markup=False, highlight=False)


def show_packed(packed: Packed, out: Path, console: Console) -> None:
    """What went into a pack."""
    shown = ", ".join(f"{count} photographs to {split}" for split, count in packed.photographs.items())
    left = f"; {packed.left_out} files left out by the limit" if packed.left_out else ""
    console.print(f"{packed.files} files, {shown}, {packed.bytes / 1e6:.1f} MB in all{left}", markup=False)
    console.print(f"ifdl train {out / 'recipe.yaml'}", markup=False, highlight=False)
