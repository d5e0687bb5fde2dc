"""Predictions on disk, by system and picture hash: a run that was interrupted, or repeated, computes nothing twice.

The system's identity holds its version, weights and code, the picture's hash its exact bytes; neither the
protocol nor the truth has a say in what is predicted, so every protocol reads the same predictions.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ifdl.evaluate.systems import Output
from ifdl.types import Map, State


class Predictions:
    """A folder of predictions of one system."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder / identity[:16]

    def get(self, sha256: str) -> tuple[Output, float] | None:
        """The output for the picture with that hash and the seconds it took; None if it has to be made."""
        path = self._path(sha256)
        try:
            with np.load(path, allow_pickle=False) as kept:
                about = json.loads(bytes(kept["about"]).decode())
                heat = marked = None
                if "values" in kept:
                    valid = kept["valid"].astype(bool) if "valid" in kept else None
                    heat = Map(kept["values"], _two(about["size"]), about["stride"], _two(about["origin"]), valid)
                if "marked" in kept:
                    size = _two(about["marked"])
                    marked = np.unpackbits(kept["marked"], count=size[0] * size[1]).reshape(size).astype(bool)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            path.unlink(missing_ok=True)  # half a file is no prediction
            return None
        said, shares = about["said"], about["probabilities"]
        output = Output(State(about["state"]), about["score"], heat, marked, said, shares, about["reason"])
        return output, about["seconds"]

    def put(self, sha256: str, output: Output, seconds: float) -> None:
        """Keep an output; the file is there whole or not at all."""
        about: dict[str, Any] = {
            "state": output.state,
            "score": output.score,
            "said": output.said,
            "probabilities": output.probabilities,
            "reason": output.reason,
            "seconds": seconds,
        }
        arrays: dict[str, Any] = {}
        if output.heat is not None:
            heat = output.heat
            about |= {"size": heat.size, "stride": heat.stride, "origin": heat.origin}
            arrays["values"] = heat.values
            if heat.valid is not None:
                arrays["valid"] = heat.valid.astype(np.uint8)
        if output.marked is not None:
            about["marked"] = output.marked.shape
            arrays["marked"] = np.packbits(output.marked)
        path = self._path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez_compressed(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
        part.replace(path)

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.npz"


def _two(pair: list[int]) -> tuple[int, int]:
    return int(pair[0]), int(pair[1])
