"""From a run to files that run without torch: the averaged weights of the best checkpoint, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("accelerate", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
from safetensors.torch import load_file  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from ifdl import experts  # noqa: E402
from ifdl.serve import train_cli  # noqa: E402
from ifdl.train import loop, recipe, ship  # noqa: E402
from tests.train import photographs, plain  # noqa: E402

SHAPE = {"untrained": True, "width": 16, "noise": [4, 8, 8, 8], "matching": 8, "nearest": 2, "layers": 2}


def test_a_run_becomes_files_and_the_files_the_expert(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    place = photographs(tmp_path / "photographs", missing=(8, 9))
    expert = {"name": "ifdl_small", "options": SHAPE}
    cached = {"every": 3, "pictures": 2, "cache": str(tmp_path / "cache")}
    plan = recipe.parse(plain(place, tmp_path / "run", expert=expert, validation=cached, ema=0.9))
    outcome = loop.train(plan)
    out = tmp_path / "out"
    done = CliRunner().invoke(train_cli.train_app, ["export", str(plan.out), str(out), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert max(told["largest_difference"].values()) < 1e-3 and told["validation"]["iou"] == outcome.best["iou"]
    whole, half = load_file(outcome.weights), load_file(out / "ifdl_small.safetensors")
    assert half.keys() == whole.keys()
    assert all(torch.allclose(half[n].float(), whole[n].float(), rtol=1e-3, atol=1e-4) for n in whole)
    on_onnx = experts.load("ifdl_small", out / "ifdl_small.onnx")
    assert on_onnx.weights_sha256 == told["files"]["ifdl_small.safetensors"]["sha256"]


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no checkpoint"):
        ship.ship(tmp_path, tmp_path / "out")


def test_a_smoke_run_is_no_expert_to_export() -> None:
    with pytest.raises(ValueError, match="a smoke run trains a tiny one"):
        ship._expert(recipe.System("ifdl_small", options=SHAPE), {"one": torch.zeros(1)})
