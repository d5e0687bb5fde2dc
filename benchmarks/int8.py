"""Is the shipped expert faster in 8-bit integers, and what does that cost? Writes results/int8.json.

    python benchmarks/int8.py [--pictures 60]

The graph's matrix products are quantised by ONNX Runtime (weights per channel, activations as they come); convolutions
stay as they are. Both graphs see the same forged calibration pictures, on one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from rich.progress import track

from ifdl import experts, intake
from ifdl.data.manifest import Split, write_text
from ifdl.evaluate.pixel import iou
from ifdl.evaluate.result import environment
from ifdl.evaluate.tally import LEVELS, Tally
from ifdl.forge import material, produce, recipe

ROOT = Path(__file__).resolve().parents[1]
PLACES = [ROOT.parent / "shared" / "data" / name for name in ("camera", "camera_whole")]
SEED = 43


def quantised(weights: Path, out: Path) -> Path:
    """The graph beside `weights` (safetensors) with its matrix products in 8 bits, holding its own weights."""
    options = onnxruntime.SessionOptions()
    # Half-precision weights are folded into single-precision ones first: the quantiser looks at no others.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out / "whole.onnx")
    onnxruntime.InferenceSession(weights.with_suffix(".onnx"), options, providers=["CPUExecutionProvider"])
    quantize_dynamic(
        out / "whole.onnx",
        out / "int8.onnx",
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
    return out / "int8.onnx"


def measured(expert: Any, made: list[produce.Pair]) -> dict[str, float]:
    """Mean IoU at the shipped threshold, and seconds of a picture."""
    found, seconds = [], 0.0
    for pair in track(made, "pictures"):
        picture = intake.decode(pair.edited, name=f"made.{pair.suffix}")
        began = time.perf_counter()
        heat = expert.predict(picture).heat
        seconds += time.perf_counter() - began
        curve = Tally.of(heat.at_full_size(), pair.mask).at_every_level()
        found.append(float(np.nan_to_num(iou(curve))[round(expert.THRESHOLD * (LEVELS - 1))]))
    return {"iou": float(np.mean(found)), "seconds": seconds / len(made)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=60)
    options = parser.parse_args()
    found = [p for place in PLACES for p in material.find(place, (Split.CALIBRATE,))]
    chosen = replace(recipe.load("forge"), longest=640)
    made = list(produce.pairs(found, chosen, SEED, range(options.pictures)))
    place = ROOT / "src" / "ifdl" / "weights" / "ifdl_small.safetensors"
    with tempfile.TemporaryDirectory() as folder:
        other = quantised(place, Path(folder))
        from ifdl.experts import ifdl_small
        from ifdl.experts._onnx import Session

        full, small = experts.load("ifdl_small"), ifdl_small.IfdlSmall(session=Session(other))
        told = {
            "command": "python benchmarks/int8.py",
            "pictures": len(made),
            "float": measured(full, made),
            "int8": measured(small, made) | {"bytes": other.stat().st_size},
            "run": environment("benchmarks/int8.py"),
        }
    write_text(ROOT / "results" / "int8.json", json.dumps(told, indent=1) + "\n")
    print(json.dumps({k: told[k] for k in ("float", "int8")}, indent=1))


if __name__ == "__main__":
    main()
