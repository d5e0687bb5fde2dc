"""A trained network as weights in one safetensors file, and as an ONNX graph that reads them from there.

Weights are kept in half precision and cast back once, when ONNX Runtime loads them: arithmetic is in single precision.
The graph takes any batch and any size that is a multiple of the network's step. It names the weights as external data,
by place and length, so both files must lie in one folder. Needs the train extra and `onnx`.
"""

from __future__ import annotations

import json
import logging
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ifdl.nets.runtime import session

MOST = 256  # pictures of a batch, and steps of a side, that a graph admits
SMALL = 256  # tensors of fewer numbers stay as they are: norms and biases cost nothing and are worth their digits


class _Ordered(nn.Module):
    """A network of named outputs as one of a tuple, in the given order, as ONNX has it."""

    def __init__(self, net: nn.Module, outputs: Sequence[str]) -> None:
        super().__init__()
        self.net, self.outputs = net, tuple(outputs)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.net(pixels=pixels)
        return tuple(found[name] for name in self.outputs)


class _Stored(NamedTuple):
    """Where a tensor lies in the file of weights: its name, shape, first byte, length, and whether it is turned."""

    name: str
    shape: tuple[int, ...]
    start: int
    length: int
    turned: bool


def save(net: nn.Module, path: Path) -> None:
    """Write the weights of `net` as safetensors, large ones in half precision, and round its own alike."""
    from safetensors.torch import save_file

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    state = {name: t.half() if t.is_floating_point() and t.numel() >= SMALL else t for name, t in state.items()}
    save_file(state, path, metadata={"format": "pt"})
    path.chmod(0o644)
    net.load_state_dict({name: t.float() if t.dtype == torch.float16 else t for name, t in state.items()})


def export(net: nn.Module, path: Path, outputs: Sequence[str], weights: Path, step: int = 16) -> None:
    """Write the graph of `net` (input "pixels" N×3×H×W, H and W multiples of `step`) with outputs of those names.

    `weights` is what `save` wrote of this net, in the folder of `path`. Raises ValueError where it lies elsewhere.
    """
    import onnx

    if weights.resolve().parent != path.resolve().parent:
        raise ValueError(f"{path.name} and {weights.name} must lie in one folder")
    module = _Ordered(net.eval(), outputs).eval()
    rows, columns = (torch.export.Dim(name, min=2, max=MOST) for name in ("rows", "columns"))
    sizes = {0: torch.export.Dim("batch", min=1, max=MOST), 2: step * rows, 3: step * columns}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    with tempfile.TemporaryDirectory() as place:
        draft = Path(place) / "net.onnx"
        torch.onnx.export(
            module,
            (torch.rand(2, 3, 8 * step, 12 * step),),
            str(draft),
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_shapes=(sizes,),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(str(draft))
    onnx.checker.check_model(model)
    for node in model.graph.node:
        del node.metadata_props[:]  # the exporter's own notes, most of the file
    _link(model, weights)
    part = path.with_suffix(".part")
    part.write_bytes(model.SerializeToString(deterministic=True))
    part.replace(path)


def _link(model: Any, weights: Path) -> None:
    """Have every weight of the graph that lies in the file, as it is or transposed, read from there."""
    import onnx

    stored = _stored(weights)
    added = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or int(np.prod(tensor.dims)) < SMALL:
            continue
        name, place = tensor.name, stored.get(_key(onnx.numpy_helper.to_array(tensor)))
        if place is None:
            continue
        half, turned = f"{name}.half", f"{name}.turned"
        outside = onnx.TensorProto(name=half, data_type=onnx.TensorProto.FLOAT16, dims=place.shape)
        outside.data_location = onnx.TensorProto.EXTERNAL
        about = {"location": weights.name, "offset": str(place.start), "length": str(place.length)}
        outside.external_data.extend(onnx.StringStringEntryProto(key=k, value=v) for k, v in about.items())
        tensor.CopyFrom(outside)
        if place.turned:
            added.append(onnx.helper.make_node("Transpose", [half], [turned], perm=[1, 0]))
            half = turned
        added.append(onnx.helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT))
    kept = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*added, *kept])


def _stored(weights: Path) -> dict[bytes, _Stored]:
    """The half-precision tensors of a safetensors file by their numbers, matrices also by those of their transpose."""
    from safetensors.numpy import load_file

    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    found = {}
    for name, values in load_file(weights).items():
        if values.dtype != np.float16:
            continue
        first, last = header[name]["data_offsets"]
        whole = values.astype(np.float32)
        if values.ndim == 2:
            found[_key(whole.T)] = _Stored(name, values.shape, 8 + length + first, last - first, True)
        found[_key(whole)] = _Stored(name, values.shape, 8 + length + first, last - first, False)
    return found


def _key(values: NDArray[np.float32]) -> bytes:
    return str(values.shape).encode() + np.ascontiguousarray(values).tobytes()


def parity(net: nn.Module, path: Path, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, float]:
    """Largest difference between the network and the file, for each output, on the same inputs."""
    own_session = session(path)
    found = dict(zip([o.name for o in own_session.get_outputs()], own_session.run(None, dict(inputs)), strict=True))
    with torch.inference_mode():
        own = net.eval()(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: float(np.abs(found[name] - own[name].numpy()).max()) for name in found}
