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


def test_parity_at_other_batches_and_half_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    # The expert itself, on either, at the tile it was exported for.
    from ifdl.intake import decode
    from tests.photographs import bundled

    monkeypatch.setattr(ifdl_small, "TILE", 64)
    monkeypatch.setattr(ifdl_small, "OVERLAP", 16)
    photograph = decode(bundled()[0].data)
    part = type(photograph)(np.ascontiguousarray(photograph.pixels[:90, :100]), photograph.item, photograph.data)
    on_torch = ifdl_small.IfdlSmall(net).predict(part)
    on_onnx = ifdl_small.build(path).predict(part)
    apart_by = np.abs(on_torch.heat.values.astype(int) - on_onnx.heat.values.astype(int)).max()
    assert apart_by < 65535 * 2e-3 and len(on_onnx.weights_sha256) == 64
    weights = sum(p.numel() for p in net.parameters())
    assert path.stat().st_size < 2.6 * weights + 600_000
