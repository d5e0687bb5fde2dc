"""A tiny expert and twelve small photographs to train it on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ifdl.data import _fabric
from ifdl.experts import Expert
from ifdl.types import Card, Picture, Prediction

FORGE = {"engines": {"copymove": 1.0}, "strata": {"resave": 1.0}, "camera": 0.0, "longest": 96}


class Tiny(Expert):
    """Three convolutions and a dropout, so that chance matters."""

    CARD = Card(id="tiny", title="for tests")

    def __init__(self) -> None:
        self._net: Any = None

    def prepare(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        return {"pixels": np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)}

    def net(self) -> Any:
        if self._net is None:
            self._net = _net()
        return self._net

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        from torch.nn import functional

        mask = functional.interpolate(truth["mask"], outputs["map"].shape[2:], mode="area")
        return {
            "map": functional.binary_cross_entropy_with_logits(outputs["map"], mask),
            "classes": functional.cross_entropy(outputs["classes"], truth["label"]),
        }

    def restore(self, outputs: dict[str, NDArray[np.float32]], picture: Picture) -> Prediction:
        raise NotImplementedError


def _net() -> Any:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.body = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(8, 8, 3, padding=1))
            self.head = nn.Conv2d(8, 1, 1)
            self.classes = nn.Linear(8, 3)

        def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
            features = self.body(self.stem(pixels))
            return {"map": self.head(features), "classes": self.classes(features.mean((2, 3)))}

    return Net()


def photographs(place: Path, sources: range = range(12), missing: tuple[int, ...] = ()) -> Path:
    """A manifest of photographs whose source ids end in every digit; files of the folds `missing` are not there."""
    rows = []
    for n in sources:
        path = place / "images" / f"{n}.jpg"
        _fabric.save(_fabric.scene(n, (128, 128)), path, quality=92)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({"image": f"images/{n}.jpg", "label": "authentic", "mask": None, "sha256": digest})
        rows[-1] |= {"source": f"{n:010x}", "camera": f"camera {n}"}
        if n % 10 in missing:
            path.unlink()
    (place / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def plain(place: Path, out: Path, **changes: Any) -> dict[str, Any]:
    """A recipe as YAML would give it: six steps of four small pictures."""
    raw: dict[str, Any] = {
        "expert": {"name": "tiny"},
        "data": {"places": [str(place)], "overrides": FORGE, "size": [64, 64], "batch": 4, "workers": 0},
        "optim": {"lr": 0.01},
        "schedule": {"steps": 6, "warmup": 2},
        "validation": {"every": 3, "pictures": 2},
        "save": {"every": 2, "keep": 2},
        "precision": "fp32",
        "tensorboard": False,
        "out": str(out),
    }
    for key, value in changes.items():
        raw[key] = raw[key] | value if isinstance(raw.get(key), dict) else value
    return raw
