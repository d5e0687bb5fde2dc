"""How networks run here: on how many threads, and in ONNX Runtime on the processor, silent.

Unless told, ONNX Runtime reports to its maker and leaves a device id at home: see "Disabling Telemetry" in the
Privacy.md that comes with it (1.24 and later).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started meanwhile give their linear algebra one thread: they share the cores already."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
