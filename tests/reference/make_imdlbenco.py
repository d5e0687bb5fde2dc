"""Make imdlbenco.json: the pixel scores that the `imdlbenco` package itself gives for 50 seeded arrays.

Run once, in its own environment (the package wants numpy<2 and much else its pixel scores never use):

    python3 -m venv /tmp/benco_env
    /tmp/benco_env/bin/pip install imdlbenco==0.1.45 --no-deps
    /tmp/benco_env/bin/pip install torch==2.13.0 scikit-learn numpy
    /tmp/benco_env/bin/python tests/reference/make_imdlbenco.py

The package's own __init__ files import its models and a Grad-CAM viewer; empty stand-ins keep them out, and
the four evaluation modules run as they were released. The test imports `picture` from here, so this file
needs numpy only until `main` runs.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import math
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

OUT = Path(__file__).with_name("imdlbenco.json")
PICTURES = 50
MODES = ("origin", "reverse", "double")
KINDS = ("distinct", "ties", "two_levels", "authentic", "authentic_empty", "all_edited", "constant", "half", "inverted",
         "padded")  # fmt: skip


class Picture(NamedTuple):
    """`heat` float32 H×W in [0, 1], `truth` bool H×W, `valid` bool H×W or None."""

    kind: str
    heat: NDArray[np.float32]
    truth: NDArray[np.bool_]
    valid: NDArray[np.bool_] | None

    @property
    def sha256(self) -> str:
        valid = b"" if self.valid is None else self.valid.tobytes()
        return hashlib.sha256(self.heat.tobytes() + self.truth.tobytes() + valid).hexdigest()


def picture(seed: int) -> Picture:
    """Array number `seed`; RandomState because numpy promises that its stream never changes."""
    rng = np.random.RandomState(seed)
    kind = KINDS[seed % len(KINDS)]
    height, width = (int(n) for n in rng.randint(1 if seed >= 40 else 17, 20 if seed >= 40 else 200, 2))
    y, x = np.mgrid[:height, :width]
    cy, cx = rng.randint(height), rng.randint(width)
    truth = ((y - cy) / (0.1 + 0.3 * height)) ** 2 + ((x - cx) / (0.1 + 0.3 * width)) ** 2 < 1
    levels = rng.permutation(65536)[: height * width].reshape(height, width)  # no two pixels alike
    lean = rng.randint(20000) * np.where(truth, 1, -1)
    valid = None
    if kind in ("ties", "inverted", "padded"):
        levels = np.clip(levels + lean * (-1 if kind == "inverted" else 1), 0, 65535) // 4096 * 4096
    if kind == "two_levels":
        levels = np.where(rng.rand(height, width) < 0.1 + 0.7 * truth, 65535, 0)
    if kind in ("authentic", "authentic_empty"):
        truth = np.zeros_like(truth)
        levels = levels // 3 if kind == "authentic_empty" else levels
    if kind == "all_edited":
        truth = np.ones_like(truth)
    if kind == "constant":
        levels = np.full((height, width), rng.randint(65536))
    heat = (levels / 65535.0).astype(np.float32)
    if kind == "half":
        heat[rng.rand(height, width) < 0.2] = 0.5
    if kind == "padded":
        valid = (y < height - height // 4) & (x < width - width // 3)
    return Picture(kind, heat, truth, valid)


def evaluators() -> dict[str, Any]:
    """The package's four pixel classes, by the name of their score."""
    spec = importlib.util.find_spec("IMDLBenCo")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("imdlbenco is not installed here; the docstring says how")
    root = Path(next(iter(spec.submodule_search_locations)))
    for name, folder in (("IMDLBenCo", root), ("IMDLBenCo.evaluation", root / "evaluation")):
        stand_in = types.ModuleType(name)
        stand_in.__path__ = [str(folder)]
        sys.modules[name] = stand_in
    places = {"f1": ("F1", "PixelF1"), "auc": ("AUC", "PixelAUC"), "iou": ("IOU", "PixelIOU"),
              "accuracy": ("Accuracy", "PixelAccuracy")}  # fmt: skip
    return {score: getattr(importlib.import_module(f"IMDLBenCo.evaluation.{module}"), name)
            for score, (module, name) in places.items()}  # fmt: skip


def main() -> None:
    import torch

    torch.set_num_threads(1)
    classes = evaluators()
    rows = []
    for seed in range(PICTURES):
        made = picture(seed)
        heat, truth, valid = (None if a is None else torch.from_numpy(a.astype(np.float32))[None, None]
                              for a in (made.heat, made.truth, made.valid))  # fmt: skip
        values: dict[str, dict[str, float | None]] = {}
        for score, evaluator in classes.items():
            found = {mode: float(evaluator(mode=mode).batch_update(heat, truth, valid)[0]) for mode in MODES}
            values[score] = {mode: None if math.isnan(v) else v for mode, v in found.items()}
        rows.append({"seed": seed, "kind": made.kind, "size": list(made.heat.shape), "sha256": made.sha256, **values})
    written = {
        "package": "imdlbenco 0.1.45",
        "libraries": {"torch": torch.__version__, "numpy": np.__version__},
        "made_by": "tests/reference/make_imdlbenco.py",
        "words": "PixelF1, PixelAUC, PixelIOU and PixelAccuracy at their default threshold 0.5; null stands for nan",
        "rows": rows,
    }
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    head = json.dumps({**written, "rows": []}, indent=1)
    OUT.write_text(head.replace('"rows": []', f'"rows": [\n{lines}\n ]') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
