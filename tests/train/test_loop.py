"""The loop: it learns, repeats itself exactly after an interruption, keeps the best, and says what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("accelerate", reason="the train extra is not installed")
from safetensors.torch import load_file  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from ifdl import experts  # noqa: E402
from ifdl.serve import train_cli  # noqa: E402
from ifdl.train import checkpoint, loop, recipe  # noqa: E402
from tests.train import Tiny, photographs, plain  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return photographs(tmp_path_factory.mktemp("photographs"), missing=(8, 9))


def plan(place: Path, out: Path, **changes: Any) -> recipe.Recipe:
    cached = changes.pop("validation", {"every": 3, "pictures": 2}) | {"cache": str(place / "cache")}
    return recipe.parse(plain(place, out, validation=cached, **changes))


def log(out: Path, kind: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == kind]


class Stopped(Exception):
    """The power went."""


class Interrupted(Tiny):
    """Fails in the fifth step's second batch."""

    calls = 0

    def loss(self, outputs: Any, truth: Any) -> dict[str, Any]:
        self.calls += 1
        if self.calls == 10:
            raise Stopped
        return super().loss(outputs, truth)


def test_a_resumed_run_repeats_an_uninterrupted_one(place: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"optim": {"accumulate": 2, "groups": [{"match": "stem.*", "lr": 0.001}]}}
    whole = loop.train(plan(place, tmp_path / "whole", **how), Tiny())
    with pytest.raises(Stopped):
        loop.train(plan(place, tmp_path / "broken", **how), Interrupted())
    resumed = loop.train(plan(place, tmp_path / "broken", **how), Tiny(), resume=True)
    assert whole.step == resumed.step == 6 and whole.best == resumed.best
    steps = {row["step"]: row for row in log(tmp_path / "broken", "step")}
    expected = log(tmp_path / "whole", "step")
    assert [row["step"] for row in log(tmp_path / "broken", "step")] == [1, 2, 3, 4, 5, 6]
    for row in expected:
        assert {k: row[k] for k in ("loss", "map", "classes", "rate", "samples")} == {
            k: steps[row["step"]][k] for k in ("loss", "map", "classes", "rate", "samples")
        }
    one, other = (load_file(outcome.weights) for outcome in (whole, resumed))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns_and_logs(place: Path, tmp_path: Path) -> None:
    chosen = plan(place, tmp_path / "run", schedule={"steps": 30}, validation={"every": 15, "pictures": 2}, ema=0.9)
    outcome = loop.train(chosen, Tiny())
    losses = [row["loss"] for row in log(chosen.out, "step")]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    (start,) = log(chosen.out, "start")
    assert start["recipe"] == recipe.plain(chosen) and start["data_sha256"] and start["environment"]["libraries"]
    validations = log(chosen.out, "validation")
    assert [row["step"] for row in validations] == [15, 30] and {"iou", "f1", "auc", "flagged"} <= validations[0].keys()
    assert outcome.best is not None and outcome.best["iou"] == max(row["iou"] for row in validations)
    told = json.loads((chosen.out / "weights.json").read_text())
    assert told["step"] == outcome.best["step"] and told["recipe"] == recipe.plain(chosen)
    kept = checkpoint.load(checkpoint.place_of(chosen.out, told["step"]))
    assert kept.about["recipe"] == recipe.plain(chosen) and kept.about["data_sha256"] == start["data_sha256"]
    shipped = load_file(outcome.weights)
    assert torch.equal(shipped["head.weight"], kept.parts["ema"]["head.weight"])
    Tiny().net().load_state_dict(shipped)


def test_frozen_parts_stay_in_bf16_too(place: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expert = Tiny()
    before = expert.net().stem.weight.detach().clone()
    frozen = {"groups": [{"match": "stem.*", "mode": "frozen"}]}
    chosen = plan(place, tmp_path, precision="bf16", optim=frozen, schedule={"steps": 2}, ema=0.0)
    outcome = loop.train(chosen, expert)
    after = load_file(outcome.weights)
    assert torch.equal(after["stem.weight"], before) and after["head.weight"].dtype == torch.float32


def test_it_stops_early_and_by_the_clock(place: Path, tmp_path: Path) -> None:
    still = {"lr": 1e-12}
    patient = plan(
        place, tmp_path / "a", optim=still, ema=0.0, validation={"every": 1, "pictures": 2, "patience": 2},
        schedule={"steps": 50},
    )  # fmt: skip
    outcome = loop.train(patient, Tiny())
    assert outcome.step < 50 and "no better iou in 2" in outcome.why
    timed = plan(place, tmp_path / "b", schedule={"steps": 100000, "minutes": 0.005})
    outcome = loop.train(timed, Tiny())
    assert outcome.step < 100000 and outcome.why == "the minutes are over"
    assert log(timed.out, "step")[-1]["rate"] < 0.01 and checkpoint.latest(timed.out) is not None


def test_what_cannot_go_on_is_said(place: Path, tmp_path: Path) -> None:
    chosen = plan(place, tmp_path, schedule={"steps": 1, "warmup": 0})
    loop.train(chosen, Tiny())
    with pytest.raises(ValueError, match="holds a run already"):
        loop.train(chosen, Tiny())
    with pytest.raises(ValueError, match=r"another recipe: optim\.lr"):
        loop.train(plan(place, tmp_path, optim={"lr": 0.5}, schedule={"steps": 9}), Tiny(), resume=True)
    assert loop.train(plan(place, tmp_path, schedule={"steps": 2, "warmup": 0}), Tiny(), resume=True).step == 2
    with pytest.raises(ValueError, match="no expert is called 'nobody'"):
        loop.build(recipe.System("nobody"))

    class Broken(Tiny):
        def loss(self, outputs: Any, truth: Any) -> dict[str, Any]:
            return {"map": outputs["map"].sum() * float("nan")}

    with pytest.raises(ValueError, match="not finite at step 1"):
        loop.train(plan(place, tmp_path / "nan"), Broken())


def test_smoke_from_the_command_line(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer
    import yaml

    class Module:
        @staticmethod
        def tiny() -> Tiny:
            return Tiny()

    monkeypatch.setattr(experts, "module", lambda name: Module)
    raw = plain(place, tmp_path / "never")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(raw))
    app = typer.Typer()
    app.callback()(lambda: None)
    train_cli.register(app)
    told = CliRunner().invoke(app, ["train", str(tmp_path / "mine.yaml"), "--smoke", "--out", str(tmp_path), "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["step"] == 2 and not (tmp_path / "never").exists()
    assert checkpoint.latest(tmp_path / "smoke") is not None
    told = CliRunner().invoke(app, ["train", str(tmp_path / "mine.yaml"), "--set", "optim.speed=1"])
    assert told.exit_code == 2 and "optim.speed" in told.output
    packing = ["train", "pack", str(tmp_path / "pack"), "--recipe", str(tmp_path / "mine.yaml"), "--max-mb", "5"]
    told = CliRunner().invoke(app, packing)
    assert told.exit_code == 0 and (tmp_path / "pack" / "manifest.jsonl").is_file(), told.output
