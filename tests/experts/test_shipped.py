"""Every shipped expert: its files, without torch, on examples whose answer is known, and against controls."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ifdl
from ifdl import experts, intake
from ifdl.types import Picture
from ifdl.verdict import battery

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(params=battery.EXPERTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def splice() -> Picture:
    return intake.load(EXAMPLES / "splice.jpg")


def test_one_file_of_weights_of_at_most_16_mb_with_its_pinned_hash(name: str) -> None:
    weights = Path(str(files("ifdl") / "weights" / f"{name}.safetensors"))
    assert weights.stat().st_size <= 16e6
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == experts.module(name).WEIGHTS_SHA256
    assert ifdl.load(name).weights_sha256 == experts.module(name).WEIGHTS_SHA256


def test_runs_without_torch(name: str) -> None:
    line = (
        f"import sys; sys.modules['torch'] = None; import ifdl; "
        f"print(ifdl.load('{name}').predict('examples/splice.jpg').heat.size)"
    )
    done = subprocess.run([sys.executable, "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.strip() == "(400, 600)", done.stderr


def test_a_changed_file_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experts.module(name), "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="not the file that was shipped"):
        experts.module(name).build()


def test_the_same_picture_gives_the_same_map(name: str, splice: Picture) -> None:
    one, two = (ifdl.load(name).predict(splice) for _ in range(2))
    assert np.array_equal(one.heat.values, two.heat.values) and one.score == two.score


def test_shipped_weights_are_the_trained_net_on_torch_too(name: str, splice: Picture) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    weights = Path(str(files("ifdl") / "weights" / f"{name}.safetensors"))
    part = replace(splice, pixels=np.ascontiguousarray(splice.pixels[:256, :256]))
    found = [experts.load(name, path).predict(part) for path in (None, weights)]
    apart = np.abs(found[0].heat.values.astype(int) - found[1].heat.values.astype(int)).max()
    assert apart < 65535 * 1e-3


def test_an_edit_is_hotter_than_its_surroundings_and_the_control_is_not(name: str) -> None:
    """The bundled splice, and the same mask laid over the untouched picture."""
    truth = np.asarray(Image.open(EXAMPLES / "splice_mask.png").convert("L")) > 0
    ratios = {}
    for file in ("splice.jpg", "untouched.jpg"):
        picture = intake.load(EXAMPLES / file)
        heat = ifdl.load(name).predict(picture).heat.at_full_size().astype(float)
        if heat.shape == truth.shape:
            ratios[file] = heat[truth].mean() / (heat[~truth].mean() + 1)
    assert ratios["splice.jpg"] > 2 * ratios.get("untouched.jpg", 1.0)
