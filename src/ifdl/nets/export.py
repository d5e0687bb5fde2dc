"""A trained network as one ONNX file: fixed tile, any batch, weights in half precision, arithmetic in single.

Halving the file costs nothing at run time: ONNX Runtime turns the weights back to float32 once, when it loads them.
Needs the train extra and `onnx`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

SMALL = 256  # tensors of fewer numbers stay as they are: norms and biases cost nothing and are worth their digits


class _Ordered(nn.Module):
    """A network of named outputs as one of a tuple, in the given order, as ONNX has it."""

    def __init__(self, net: nn.Module, outputs: Sequence[str]) -> None:
        super().__init__()
        self.net, self.outputs = net, tuple(outputs)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.net(pixels=pixels)
        return tuple(found[name] for name in self.outputs)


def export(net: nn.Module, path: Path, tile: int, outputs: Sequence[str]) -> None:
    """Write `net` (input "pixels" N×3×tile×tile) with outputs of those names; N is free."""
    import onnx

    module = _Ordered(net.eval(), outputs).eval()
    with tempfile.TemporaryDirectory() as place:
        draft = Path(place) / "net.onnx"
        torch.onnx.export(
            module,
            (torch.rand(2, 3, tile, tile),),
            str(draft),
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(str(draft))
    halve(model)
    onnx.checker.check_model(model)
    part = path.with_suffix(".part")
    part.write_bytes(model.SerializeToString())
    part.replace(path)


def halve(model: Any) -> None:
    """Store every large float32 weight of an ONNX model as float16, with a cast back before its first use."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or int(np.prod(weight.dims)) < SMALL:
            continue
        name = weight.name
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}.half")
        weight.CopyFrom(half)
        casts.append(onnx.helper.make_node("Cast", [half.name], [name], to=onnx.TensorProto.FLOAT))
    kept = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *kept])


def parity(net: nn.Module, path: Path, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, float]:
    """Largest difference between the network and the file, for each output, on the same inputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, dict(inputs)), strict=True))
    with torch.inference_mode():
        own = net.eval()(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: float(np.abs(found[name] - own[name].numpy()).max()) for name in found}
