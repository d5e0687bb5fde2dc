"""A network as an ONNX graph and the weights it reads, on ONNX Runtime: what shipped experts run on, without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ifdl.experts._base import Arrays
from ifdl.nets.runtime import session


class Session:
    """One graph, and the file of weights beside it that it names; None where it holds its own.

    `sha256` is that of the weights. Raises FileNotFoundError for a file that is not there,
    ValueError where a file's hash is not among `expected`.
    """

    def __init__(self, graph: Path, weights: Path | None = None, expected: tuple[str, ...] | None = None) -> None:
        for path in (graph, weights or graph):
            self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            if expected is not None and self.sha256 not in expected:
                raise ValueError(f"{path} is not the file that was shipped (sha256 {self.sha256}); install ifdl anew")
        self._session = session(graph, threads=1)  # whoever has several tiles runs several at once
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Arrays) -> Arrays:
        """Outputs by name for inputs by name, both without batch axis."""
        found = self._session.run(None, {name: np.ascontiguousarray(array[None]) for name, array in inputs.items()})
        return {name: np.asarray(array[0], np.float32) for name, array in zip(self._names, found, strict=True)}
