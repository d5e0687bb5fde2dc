"""ONNX: any batch and size, half the bytes, weights read from the safetensors file, the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

from ifdl.experts import ifdl_small  # noqa: E402
from ifdl.nets.export import export, parity, save  # noqa: E402

OUTPUTS = ifdl_small.IfdlSmall.OUTPUTS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Path, Path]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = ifdl_small.tiny().net()
    folder = tmp_path_factory.mktemp("exported")
    weights, graph = folder / "net.safetensors", folder / "net.onnx"
    save(net, weights)
    export(net, graph, OUTPUTS, weights)
    return net, weights, graph


def test_the_same_answers_at_other_batches_and_sizes(made: tuple[torch.nn.Module, Path, Path]) -> None:
    net, _, graph = made
    rng = np.random.default_rng(0)
    for shape in ((1, 64, 64), (3, 64, 96), (2, 160, 48)):
        apart = parity(net, graph, {"pixels": rng.random((shape[0], 3, *shape[1:]), np.float32)})
        assert set(apart) == set(OUTPUTS) and max(apart.values()) < 1e-4, (shape, apart)


def test_weights_lie_in_one_file_alone(made: tuple[torch.nn.Module, Path, Path]) -> None:
    import onnx

    net, weights, graph = made
    numbers = sum(p.numel() for p in net.parameters())
    assert weights.stat().st_size < 2.2 * numbers + 60_000
    model = onnx.load(str(graph), load_external_data=False)
    outside = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert sum(int(np.prod(t.dims)) for t in outside) > 0.9 * numbers
    assert {e.value for t in outside for e in t.external_data if e.key == "location"} == {weights.name}


def test_other_weights_give_other_answers(made: tuple[torch.nn.Module, Path, Path], tmp_path: Path) -> None:
    net, weights, graph = made
    (tmp_path / graph.name).write_bytes(graph.read_bytes())
    data = bytearray(weights.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)  # half of all weights become zero
    (tmp_path / weights.name).write_bytes(data)
    pixels = {"pixels": np.random.default_rng(0).random((1, 3, 64, 64), np.float32)}
    assert max(parity(net, tmp_path / graph.name, pixels).values()) > 1e-2


def test_a_graph_apart_from_its_weights_is_refused(made: tuple[torch.nn.Module, Path, Path], tmp_path: Path) -> None:
    net, weights, _ = made
    with pytest.raises(ValueError, match="one folder"):
        export(net, tmp_path / "net.onnx", OUTPUTS, weights)


@pytest.mark.parametrize("size", [(90, 100), (70, 300)])
def test_the_expert_answers_alike_on_both(
    made: tuple[torch.nn.Module, Path, Path], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ifdl.intake import decode
    from tests.photographs import bundled

    net, _, graph = made
    for name, value in {"TILE": 64, "OVERLAP": 16, "WHOLE": 128}.items():
        monkeypatch.setattr(ifdl_small, name, value)
    photograph = decode(bundled()[0].data)
    pixels = np.ascontiguousarray(photograph.pixels[: size[0], : size[1]])
    part = type(photograph)(pixels, photograph.item, photograph.data)
    on_torch, on_onnx = ifdl_small.IfdlSmall(net).predict(part), ifdl_small.build(graph).predict(part)
    assert np.abs(on_torch.heat.values.astype(int) - on_onnx.heat.values.astype(int)).max() < 65535 * 1e-3
    assert on_torch.probabilities == pytest.approx(on_onnx.probabilities, abs=1e-3)
    assert len(on_onnx.weights_sha256) == 64
