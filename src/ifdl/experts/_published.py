"""What systems of the literature share here: a torch net on tiles of stored pixels, and small weights beside the code.

Trained weights of the small configurations lie in the repository's `weights/` (not in the wheel) or in this user's
store, as NAME_small.safetensors. A system without them can be trained, and says so when asked to predict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ifdl.experts._base import Arrays, Expert
from ifdl.nets import tiles
from ifdl.nets.weights import store
from ifdl.types import Map, Picture, Prediction

REPOSITORY = Path(__file__).resolve().parents[3] / "weights"
CLASSES = ("authentic", "edited", "synthetic")


class Published(Expert):
    """A net of `pixels` float32 N×3×H×W in [0, 1] → logits "map" N×1×H/`STRIDE`×W/`STRIDE` and "classes" N×2 or N×3.

    `make` gives the untrained net, once. `usable` is False where it may only be trained. `LEVELS` are the sha256
    of weights and the threshold and gate chosen for them; other weights have the class's own.
    """

    LEVELS = ("", 0.5, 0.5)

    STRIDE = 8  # pixels of a cell of the map
    STEP = 16  # pixels of the net's coarsest cell: sides are multiples of it
    TILE, OVERLAP = 256, 32

    def __init__(self, make: Callable[[], Any], weights: Path | None = None, usable: bool = True) -> None:
        self._make, self._weights, self._usable = make, weights, usable or weights is not None
        self._net: Any = None
        if weights is not None:
            self.weights_sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
            if self.weights_sha256 == self.LEVELS[0]:
                _, self.THRESHOLD, self.GATE = self.LEVELS

    def prepare(self, pixels: NDArray[np.uint8]) -> Arrays:
        """`pixels` float32 3×H×W in [0, 1]."""
        return {"pixels": np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)}

    def net(self) -> Any:
        if self._net is None:
            self._net = self._make()
            if self._weights is not None:
                from safetensors.torch import load_file

                state = load_file(self._weights)
                self._net.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in state.items()})
        return self._net

    def run(self, inputs: Arrays) -> Arrays:
        """The net on one tile. Raises ValueError where it was never trained."""
        if not self._usable:
            name = self.CARD.id
            raise ValueError(
                f"{name} has no trained weights here; train it with `ifdl train {name}_small --out runs/{name}_small`, "
                "or give weights=FILE.safetensors"
            )
        return super().run(inputs)

    def predict(self, source: str | Path | Picture) -> Prediction:
        """Tiles at stored size, merged without seams; a small picture is one tile, reflected at its ends."""
        from ifdl import intake

        picture = source if isinstance(source, Picture) else intake.load(source)
        merged, votes = self.merged(picture, lambda found: found["map"][0])
        return self.restore({"map": merged[None], "classes": votes}, picture)

    def merged(
        self, picture: Picture, layer: Callable[[Arrays], NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What `layer` takes (h×w or C×h×w) from the outputs for each tile, merged; and "classes", a row a tile."""
        size = (picture.height, picture.width)
        tile = min(self.TILE, max(2 * self.STEP, -(-max(size) // self.STEP) * self.STEP))
        origins = tiles.plan(size, tile, min(self.OVERLAP, tile // 4))
        votes = []

        def parts() -> Iterator[NDArray[np.float32]]:
            for origin in origins:
                found = self.run(self.prepare(np.asarray(tiles.cut(picture.pixels, origin, tile), np.uint8)))
                votes.append(found["classes"])
                yield layer(found)

        merged = tiles.merge(parts(), origins, size, self.STRIDE)
        return merged, np.stack(votes)

    def restore(self, outputs: Arrays, picture: Picture) -> Prediction:
        """ "map" 1×h×w as heat; "classes" of one tile or of each, T×K, as shares of the likeliest edited tile.

        The score is the mean over the tiles of the odds of an edit: one sure tile among many still counts.
        """
        votes = np.atleast_2d(outputs["classes"]).astype(np.float64)
        margins = votes[:, 1] - votes[:, 0]
        odds = np.mean(np.exp(np.clip(margins, -30, 30)))
        likeliest = votes[int(margins.argmax())]
        shares = np.exp(likeliest - likeliest.max())
        named = {n: float(s) for n, s in zip(CLASSES, shares / shares.sum(), strict=False)}
        heat = Map.of(sigmoid(outputs["map"][0]), (picture.height, picture.width), self.STRIDE)
        return Prediction(self.CARD.id, heat, None, named, (), self.weights_sha256, float(odds / (1 + odds)))


def trained(name: str, sha256: str) -> Path | None:
    """The small weights of a system, in the repository or this user's store; None without any.

    Raises ValueError for a file of another hash than the one in the system's own file.
    """
    if not sha256:
        return None
    for place in (REPOSITORY, store()):
        path = place / f"{name}_small.safetensors"
        if path.is_file():
            if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                raise ValueError(f"{path} is not the file that {name} was measured with; fetch it anew or remove it")
            return path
    return None


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)
