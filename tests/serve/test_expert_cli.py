"""`ifdl examine --expert` and `ifdl models`: systems with weights run beside the tests, others say what is missing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ifdl import experts
from ifdl.experts import _published, mmfusion
from ifdl.serve import cards
from ifdl.serve.cli import app
from ifdl.verdict import battery

SPLICE = Path(__file__).resolve().parents[2] / "examples" / "splice.jpg"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of random weights of the small mmfusion, pinned as if it had been trained."""
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    pytest.importorskip("transformers", reason="the train extra is not installed")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = mmfusion.build(untrained=True).net().state_dict()
    path = tmp_path / "mmfusion_small.safetensors"
    save_file({n: t.half() if t.is_floating_point() else t for n, t in state.items()}, path)
    monkeypatch.setattr(mmfusion, "WEIGHTS_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(_published, "REPOSITORY", tmp_path)
    monkeypatch.setenv("IFDL_HOME", str(tmp_path / "home"))
    battery._expert.cache_clear()
    yield path
    battery._expert.cache_clear()


def test_a_system_with_weights_runs_beside_the_tests(weights: Path) -> None:
    assert weights.stat().st_size <= 1.5e6 and experts.missing("mmfusion") == ""
    done = CliRunner().invoke(app, ["examine", str(SPLICE), "--clue", "metadata", "--expert", "mmfusion", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    rows = {row["test"]: row for row in told["verdict"]["coverage"]}
    assert rows["mmfusion"]["state"] in ("SUPPORTED", "NO_TRACE_FOUND", "INCONCLUSIVE"), rows["mmfusion"]
    assert "never counted" in rows["mmfusion"]["reason"] and "mmfusion is undertrained" in done.stderr
    assert told["environment"]["weights"]["mmfusion"] == mmfusion.WEIGHTS_SHA256
    assert [p["expert"] for p in told["verdict"]["predictions"]] == ["mmfusion"]


def test_another_file_is_refused_and_a_missing_one_says_how_to_get_it(weights: Path) -> None:
    weights.write_bytes(b"not these")
    done = CliRunner().invoke(app, ["examine", str(SPLICE), "--expert", "mmfusion"])
    assert done.exit_code == 2 and "not the file that mmfusion was measured with" in done.stderr
    weights.unlink()
    done = CliRunner().invoke(app, ["examine", str(SPLICE), "--expert", "mmfusion"])
    assert done.exit_code == 2 and "ifdl models fetch mmfusion --from FILE" in done.stderr
    assert "mmfusion" in cards.weight_files()


def test_a_system_without_weights_says_how_to_train_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmfusion, "WEIGHTS_SHA256", "")
    done = CliRunner().invoke(app, ["examine", str(SPLICE), "--expert", "mmfusion"])
    said = "ifdl: mmfusion has no trained weights; train it with: ifdl train mmfusion_small --out runs/mmfusion_small\n"
    assert (done.exit_code, done.stderr) == (2, said)
    unknown = CliRunner().invoke(app, ["examine", str(SPLICE), "--expert", "astrology"])
    assert unknown.exit_code == 2 and "imlvit" in unknown.stderr


def test_models_lists_task_licence_weights_and_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmfusion, "WEIGHTS_SHA256", "")
    found = {"number": "iou", "value": 0.214, "low": 0.1, "high": 0.3, "data": "casia1_dev", "protocol": "native-1"}
    monkeypatch.setattr(cards, "scores", lambda: {"imlvit": found | {"undertrained": True}})
    done = CliRunner().invoke(app, ["models"], terminal_width=200)
    said = " ".join(done.stderr.split())
    for name in experts.names():
        assert name in said
    for word in ("licence", "weights", "measured", "Apache-2.0", "mmfusion_small", "undertrained", "0.21"):
        assert word in said, word
    listed = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert {c["id"] for c in listed} == {*battery.names(), *experts.names()}
    card = CliRunner().invoke(app, ["models", "card", "mfpt"])
    assert card.exit_code == 0 and "2511.23377" in card.stderr
