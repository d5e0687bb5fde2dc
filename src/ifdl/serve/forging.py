"""`ifdl forge`: write pairs, masks, records and a manifest, with progress, and go on after an interruption."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from ifdl.data.manifest import Split
from ifdl.forge import contact, material, produce, recipe
from ifdl.serve import progress

ON_SHEET = 24


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line."""

    sources: Path
    out: Path
    count: int
    seed: int
    recipe: str = "forge"
    size: int | None = None
    splits: tuple[Split, ...] = (Split.TRAIN,)
    workers: int = 2
    objects: bool = False


def run(order: Order, console: Console) -> int:
    """Make what is missing of `order.count` pairs; returns how many were made. Raises ValueError with the cure."""
    try:
        photographs = material.find(order.sources, order.splits)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read sources: {error}") from error
    if not photographs:
        splits = ", ".join(order.splits)
        raise ValueError(f"{order.sources} holds no authentic pictures for: {splits}")
    chosen = recipe.load(order.recipe)
    if order.size is not None:
        chosen = replace(chosen, size=(order.size, order.size))
    if order.objects:
        chosen = replace(chosen, objects=True)
    for folder in ("images", "masks"):
        (order.out / folder).mkdir(parents=True, exist_ok=True)
    about = {"recipe": asdict(chosen), "seed": order.seed, "sources": sorted({p.source for p in photographs})}
    _same_order(order.out / "forge.json", about)
    rows = order.out / "manifest.jsonl"
    done = _done(rows, order.out)
    missing = [n for n in range(order.count) if n not in done]
    if done:
        console.print(f"{len(done)} pairs are there already", markup=False)
    shown: list[produce.Pair] = []
    with rows.open("a", encoding="utf-8") as file, progress.bar(console) as bar:
        task = bar.add_task("forging", total=len(missing)) if bar else None
        for pair in produce.pairs(photographs, chosen, order.seed, missing, order.workers):
            for row in write(pair, order.out):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            if len(shown) < ON_SHEET:
                shown.append(pair)
            if bar and task is not None:
                bar.advance(task)
    _sort(rows)
    if shown:
        picture = cv2.cvtColor(contact.sheet(shown), cv2.COLOR_RGB2BGR)
        (order.out / "contact.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    console.print(
        f"{len(missing)} pairs of {len(photographs)} pictures in {order.out}; a look: contact.png", markup=False
    )
    return len(missing)


def write(pair: produce.Pair, out: Path) -> Iterable[dict[str, Any]]:
    """Write a pair's three files; returns its two manifest rows, edited first."""
    name = f"{pair.index:06d}"
    files = {
        f"images/{name}_edited.{pair.suffix}": pair.edited,
        f"images/{name}_untouched.{pair.suffix}": pair.sibling,
        f"masks/{name}.png": cv2.imencode(".png", pair.mask.astype(np.uint8) * 255)[1].tobytes(),
    }
    for place, data in files.items():
        part = out / (place + ".part")
        part.write_bytes(data)
        part.replace(out / place)
    edited, untouched, mask = files
    chain = {"camera": pair.shot_by, "laundered": pair.laundered}
    common: dict[str, Any] = {"source": pair.sources[0], "sources": list(pair.sources), "pair": pair.index}
    yield {
        "image": edited,
        "label": "edited",
        "kind": pair.engine,
        "mask": mask,
        "sha256": hashlib.sha256(pair.edited).hexdigest(),
        **common,
        "box": list(pair.box),
        "record": {**chain, "steps": [asdict(step) for step in pair.steps]},
        "caption": asdict(pair.caption),
    }
    yield {
        "image": untouched,
        "label": "authentic",
        "kind": "untouched",
        "mask": None,
        "sha256": hashlib.sha256(pair.sibling).hexdigest(),
        **common,
        "record": chain,
    }


def _same_order(path: Path, about: dict[str, Any]) -> None:
    """Refuse to mix two orders in one folder."""
    text = json.dumps(about, sort_keys=True, indent=1)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ValueError(f"{path.parent} holds forgeries of another recipe, seed or sources; name an empty folder")
    path.write_text(text, encoding="utf-8")


def _done(rows: Path, out: Path) -> set[int]:
    """Indices whose two rows and three files are all there; the manifest is cut back to them."""
    if not rows.exists():
        return set()
    found: dict[int, list[str]] = {}
    for line in rows.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            files = [row["image"], *([row["mask"]] if row["mask"] else [])]
        except (ValueError, KeyError):  # a line that an interruption cut short
            continue
        if all((out / f).exists() for f in files):
            found.setdefault(int(row["pair"]), []).append(line)
    whole = {n: lines for n, lines in found.items() if len(lines) == 2}
    rows.write_text("".join(line + "\n" for n in sorted(whole) for line in whole[n]), encoding="utf-8")
    return set(whole)


def _sort(rows: Path) -> None:
    lines = sorted(rows.read_text(encoding="utf-8").splitlines(), key=lambda line: int(json.loads(line)["pair"]))
    part = rows.with_suffix(".part")
    part.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    part.replace(rows)
