"""ONNX Runtime, on the processor, and silent: without this it reports to its maker and leaves a device id at home.

See "Disabling Telemetry" in the Privacy.md that comes with onnxruntime (1.24 and later).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def session(graph: Path, threads: int | None = None) -> Any:
    """An InferenceSession of an ONNX file; weights it names lie beside it.

    Without `threads` as many as `cores`.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read once, when the library is first imported
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    # Waiting threads that spin take the cores from the decoder of the next picture.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def cores() -> int:
    """How many threads to use: as OMP_NUM_THREADS says, else one for each core."""
    return int(os.environ.get("OMP_NUM_THREADS") or 0) or os.cpu_count() or 1
