"""ONNX: any batch, half the bytes, the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
pytest.importorskip("onnxruntime", reason="the objects extra is not installed")

from ifdl.experts import ifdl_small  # noqa: E402
from ifdl.nets.export import export, parity  # noqa: E402


def test_parity_at_other_batches_and_half_the_bytes(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = ifdl_small.tiny().net()
    with torch.no_grad():  # a file holds halves; so does the network that it is compared with
        for value in net.parameters():
            value.copy_(value.half().float())
    path = tmp_path / "net.onnx"
    export(net, path, 64, ("map", "reliability", "classes"))
    rng = np.random.default_rng(0)
    for count in (1, 3):
        apart = parity(net, path, {"pixels": rng.random((count, 3, 64, 64), np.float32)})
        assert set(apart) == {"map", "reliability", "classes"} and max(apart.values()) < 2e-3, apart
    weights = sum(p.numel() for p in net.parameters())
    assert path.stat().st_size < 2.6 * weights + 600_000
