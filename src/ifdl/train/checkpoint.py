"""Checkpoints: tensors as safetensors, everything else as JSON. Nothing is pickled; written whole or not at all.

    OUT/checkpoints/step_00000200/model.safetensors       the net (or model-00001-of-00003.safetensors …)
                                  ema.safetensors         the averaged weights of what trains
                                  optimiser.safetensors   AdamW's moments, "parameter.moment"
                                  state.json              step, recipe, versions, hashes of the files
    OUT/best.json                                         which step is the best so far, and its numbers

Random numbers need no state: every step is seeded by (seed, step, rank).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import load_file, save_file

from ifdl.data.manifest import write_text

FOLDER, STATE, BEST = "checkpoints", "state.json", "best.json"
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a run was at `step`: tensors by part ("model", "ema", "optimiser") and name, and `about` it the rest."""

    step: int
    parts: dict[str, Tensors]
    about: dict[str, Any]


def save(out: Path, checkpoint: Checkpoint, shard_mb: float | None = None) -> Path:
    """Write it as OUT/checkpoints/step_N; a tensor larger than `shard_mb` has a shard of its own."""
    place = out / FOLDER / f"step_{checkpoint.step:08d}"
    part = place.with_name(f".{place.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, tensors in checkpoint.parts.items():
        write(part, name, tensors, shard_mb)
    files = {file.name: _sha256(file) for file in sorted(part.iterdir())}
    state = {"step": checkpoint.step, "files": files, "parts": sorted(checkpoint.parts), **checkpoint.about}
    write_text(part / STATE, json.dumps(state, indent=1, ensure_ascii=False) + "\n")
    _to_disk(part)
    if place.exists():
        shutil.rmtree(place)
    part.replace(place)
    return place


def load(place: Path) -> Checkpoint:
    """Read a checkpoint's folder. Raises ValueError where a file is missing or is not what was written."""
    try:
        state = json.loads((place / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{place} holds no checkpoint: {error}") from error
    parts: dict[str, Tensors] = {name: {} for name in state["parts"]}
    for name, digest in state["files"].items():
        file = place / name
        if not file.is_file() or _sha256(file) != digest:
            raise ValueError(f"{file} is missing or damaged; remove {place.name} to go on from the one before")
        if file.suffix == ".safetensors":
            parts[name.split(".")[0].split("-")[0]] |= load_file(file)
    return Checkpoint(
        int(state["step"]), parts, {k: v for k, v in state.items() if k not in ("step", "files", "parts")}
    )


def write(folder: Path, name: str, tensors: Tensors, shard_mb: float | None = None) -> list[Path]:
    """Tensors as NAME.safetensors, or as shards with an index, as the Hugging Face hub lays them out."""
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[int] = set()
    whole: Tensors = {}
    for key, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        # Two names of one tensor are written as two.
        whole[key] = own.clone() if own.data_ptr() in seen else own
        seen.add(own.data_ptr())
    size = int(shard_mb * 1e6) if shard_mb else 2**62
    split = split_torch_state_dict_into_shards(
        whole, filename_pattern=name + "{suffix}.safetensors", max_shard_size=size
    )
    for file, keys in split.filename_to_tensors.items():
        save_file({key: whole[key] for key in keys}, folder / file, metadata={"format": "pt"})
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        write_text(folder / f"{name}.safetensors.index.json", json.dumps(index, indent=1, sort_keys=True) + "\n")
    return [folder / file for file in split.filename_to_tensors]


def latest(out: Path) -> Path | None:
    """The checkpoint of the highest step, or None."""
    return max(_all(out), default=None)


def best(out: Path) -> dict[str, Any] | None:
    """What OUT/best.json says: `step` and `numbers`; None without it."""
    path = out / BEST
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def mark_best(out: Path, step: int, numbers: dict[str, float]) -> None:
    """Say that the checkpoint of this step is the best so far."""
    write_text(out / BEST, json.dumps({"step": step, "numbers": numbers}) + "\n")


def place_of(out: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return out / FOLDER / f"step_{step:08d}"


def prune(out: Path, keep: int) -> None:
    """Remove all but the last `keep` checkpoints and the best, and what an interruption left half written."""
    chosen = best(out)
    for place in sorted(_all(out))[:-keep]:
        if chosen is None or place != place_of(out, chosen["step"]):
            shutil.rmtree(place)
    for part in (out / FOLDER).glob(".step_*.part"):
        shutil.rmtree(part)


# ---------------------------------------------------------------- the optimiser's state as tensors


def of_optimiser(optimiser: Any, names: dict[Any, str]) -> Tensors:
    """AdamW's moments as tensors named "parameter.moment"; `names` are those of its parameters."""
    return {
        f"{names[parameter]}.{moment}": torch.as_tensor(value)
        for parameter, state in optimiser.state.items()
        for moment, value in state.items()
    }


def into_optimiser(optimiser: Any, names: dict[Any, str], tensors: Tensors) -> None:
    """Give the moments back, by name. Raises ValueError if they are of other parameters."""
    by_name: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        name, _, moment = key.rpartition(".")
        by_name.setdefault(name, {})[moment] = tensor
    whole = optimiser.state_dict()
    ordered = [names[parameter] for group in optimiser.param_groups for parameter in group["params"]]
    if unknown := by_name.keys() - set(ordered):
        raise ValueError(f"the checkpoint has moments of other parameters: {', '.join(sorted(unknown)[:3])} …")
    whole["state"] = {number: by_name[name] for number, name in enumerate(ordered) if name in by_name}
    optimiser.load_state_dict(whole)


def _all(out: Path) -> list[Path]:
    return [place for place in (out / FOLDER).glob("step_*") if (place / STATE).is_file()]


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _to_disk(folder: Path) -> None:
    """Have the system write every file out before the folder gets its name."""
    for file in folder.iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
