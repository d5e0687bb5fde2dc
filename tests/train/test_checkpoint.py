"""Checkpoints: everything comes back, damage is noticed, half-written ones do not count, shards and pruning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")

from ifdl.train import checkpoint  # noqa: E402
from ifdl.train.checkpoint import Checkpoint  # noqa: E402


def one(step: int = 3) -> Checkpoint:
    tied = torch.randn(50, 50)
    model = {"a": tied, "b": tied, "c.weight": torch.randn(40, 50), "steps": torch.tensor(step)}
    return Checkpoint(step, {"model": model, "ema": {}, "optimiser": {"a.exp_avg": torch.ones(2)}}, {"seconds": 1.5})


@pytest.mark.parametrize("shard_mb", [None, 0.009])
def test_what_is_saved_comes_back(tmp_path: Path, shard_mb: float | None) -> None:
    saved = one()
    place = checkpoint.save(tmp_path, saved, shard_mb)
    assert checkpoint.latest(tmp_path) == place
    loaded = checkpoint.load(place)
    assert (loaded.step, loaded.about) == (3, {"seconds": 1.5}) and loaded.parts.keys() == saved.parts.keys()
    for part, tensors in saved.parts.items():
        assert loaded.parts[part].keys() == tensors.keys()
        assert all(torch.equal(loaded.parts[part][name], tensor) for name, tensor in tensors.items())
    shards = sorted(file.name for file in place.glob("model*.safetensors"))
    assert len(shards) == (1 if shard_mb is None else 3)
    if shard_mb is not None:
        index = json.loads((place / "model.safetensors.index.json").read_text())
        assert index["weight_map"].keys() == saved.parts["model"].keys()


def test_damage_is_noticed(tmp_path: Path) -> None:
    file = checkpoint.save(tmp_path, one()) / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="damaged"):
        checkpoint.load(file.parent)


def test_an_interrupted_write_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = checkpoint.save(tmp_path, one(1))

    def fails(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(checkpoint, "write_text", fails)
    with pytest.raises(OSError, match="full"):
        checkpoint.save(tmp_path, one(2))
    assert checkpoint.latest(tmp_path) == first and checkpoint.load(first).step == 1
    checkpoint.prune(tmp_path, 1)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == [first.name]


def test_the_last_ones_stay_and_the_best(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        checkpoint.save(tmp_path, one(step))
    checkpoint.mark_best(tmp_path, 2, {"iou": 0.5})
    checkpoint.prune(tmp_path, 1)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["step_00000002", "step_00000004"]
    assert checkpoint.best(tmp_path) == {"step": 2, "numbers": {"iou": 0.5}}


def test_nothing_there(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path) is None and checkpoint.best(tmp_path) is None
    with pytest.raises(ValueError, match="holds no checkpoint"):
        checkpoint.load(tmp_path)


def test_moments_return_to_the_parameters_of_their_names() -> None:
    def make(order: tuple[str, ...]) -> tuple[torch.optim.AdamW, dict[torch.nn.Parameter, str]]:
        made = {name: torch.nn.Parameter(torch.full((2,), float(n))) for n, name in enumerate(order)}
        return torch.optim.AdamW(list(made.values())), {parameter: name for name, parameter in made.items()}

    old, names = make(("x", "y"))
    for parameter, name in names.items():
        parameter.grad = torch.full((2,), 1.0 if name == "x" else 5.0)
    old.step()
    new, others = make(("y", "x"))
    checkpoint.into_optimiser(new, others, checkpoint.of_optimiser(old, names))
    found = {others[parameter]: state["exp_avg"][0].item() for parameter, state in new.state.items()}
    assert found == pytest.approx({"x": 0.1, "y": 0.5})
    with pytest.raises(ValueError, match="other parameters"):
        checkpoint.into_optimiser(new, others, {"z.exp_avg": torch.ones(2)})
