"""A network in an ONNX file, on ONNX Runtime: what shipped experts run on, without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ifdl.experts._base import Arrays


class Session:
    """One ONNX file. Raises ImportError without onnxruntime, with the cure; ValueError for a file of another hash."""

    def __init__(self, path: Path, sha256: str | None = None, threads: int = 2) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError('experts run on ONNX Runtime: pip install "ifdl[objects]"') from error
        data = path.read_bytes()
        self.sha256 = hashlib.sha256(data).hexdigest()
        if sha256 is not None and self.sha256 != sha256:
            raise ValueError(f"{path.name} has sha256 {self.sha256}, not {sha256}; install ifdl anew")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Arrays) -> Arrays:
        """Outputs by name for inputs by name, both without batch axis."""
        found = self._session.run(None, {name: np.ascontiguousarray(array[None]) for name, array in inputs.items()})
        return {name: np.asarray(array[0], np.float32) for name, array in zip(self._names, found, strict=True)}
