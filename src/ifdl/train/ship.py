"""From a run to files that anybody can use: half-precision weights, and a graph for ONNX Runtime that reads them.

    OUT/NAME.safetensors       the averaged weights of the run's best checkpoint
        NAME.onnx              the graph, of any batch and any size
        NAME.json              hashes, parity, recipe, validation

Nothing is chosen here: the run's own validation named its best checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ifdl import experts
from ifdl.data.manifest import write_text
from ifdl.evaluate.result import environment
from ifdl.nets import export
from ifdl.train import checkpoint, recipe

COMPARED = ((1, 256, 256), (3, 256, 384), (2, 64, 96))  # N×H×W that graph and network are compared on


def ship(run: Path, out: Path, last: bool = False) -> dict[str, Any]:
    """Write the files of a run, finished or not; returns what NAME.json says.

    `last` takes the last checkpoint instead of the best. Raises ValueError where the folder holds no run, or the
    expert cannot be exported.
    """
    best = checkpoint.best(run)
    place = checkpoint.latest(run) if last or best is None else checkpoint.place_of(run, best["step"])
    if place is None:
        raise ValueError(f"{run} holds no checkpoint; train first, or name the folder of a run")
    chosen = checkpoint.load(place)
    system = recipe.parse(chosen.about["recipe"]).expert
    expert = _expert(system, chosen.parts["model"] | chosen.parts["ema"])
    if not expert.OUTPUTS:
        raise ValueError(f"{system.name} does not say which outputs its graph has, so it cannot be exported")
    net = expert.net().eval()
    out.mkdir(parents=True, exist_ok=True)
    weights = out / f"{system.name}.safetensors"
    export.save(net, weights)
    graph = out / f"{system.name}.onnx"
    export.export(net, graph, expert.OUTPUTS, weights)
    rng = np.random.default_rng(0)
    apart: dict[str, float] = {}
    for count, height, width in COMPARED:
        found = export.parity(net, graph, {"pixels": rng.random((count, 3, height, width), np.float32)})
        apart = {name: max(value, apart.get(name, 0.0)) for name, value in found.items()}
    told = {
        "expert": system.name,
        "step": chosen.step,
        "validation": best["numbers"] if best and best["step"] == chosen.step else None,
        "curve": _curve(run / "log.jsonl"),
        "files": {p.name: {"sha256": _sha256(p), "bytes": p.stat().st_size} for p in (weights, graph)},
        "largest_difference": apart,
        "trained": chosen.about,
        "exported": environment("ifdl train export"),
    }
    write_text(out / f"{system.name}.json", json.dumps(told, indent=1) + "\n")
    return told


def _expert(system: recipe.System, state: dict[str, Any]) -> Any:
    """The expert with these tensors, through a file as its `build` takes them."""
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "weights.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
        try:
            return experts.module(system.name).build(path, **system.options)
        except RuntimeError as error:  # torch lists every tensor, over hundreds of lines
            raise ValueError(
                f"the run's tensors are not those of {system.name} as its recipe describes it; a smoke run trains a "
                "tiny one, which cannot be exported"
            ) from error


def _curve(log: Path) -> list[dict[str, float]]:
    """Every validation of the run: samples seen, and what was measured."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    rows = [row for line in lines if (row := json.loads(line))["kind"] == "validation"]
    return [{k: v for k, v in row.items() if isinstance(v, int | float)} for row in rows]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
