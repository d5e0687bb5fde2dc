"""What every expert is: numpy before and after, a network in between, on ONNX Runtime where weights are shipped so.

A module of this room offers `CARD`, `build(weights=None) -> Expert` and `tiny() -> Expert`, a random tiny
configuration for tests. It imports without torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ifdl import intake
from ifdl.types import Card, Finding, Picture, Prediction

Arrays = dict[str, NDArray[np.float32]]


class Expert(ABC):
    """One trained system. Pictures go in as they are stored; maps come back in stored pixels.

    `THRESHOLD` (0-1) marks pixels of the heat, `GATE` (0-1) is the picture's score from which anything is said.
    `OUTPUTS` are the names of the network's outputs where it can be exported as a graph. `SUPERVISION` is what its
    training may see of a picture: the mask, the mask and how much each pixel was changed (grade), or the label alone.
    """

    CARD: Card
    THRESHOLD: float = 0.5
    GATE: float = 0.5
    OUTPUTS: tuple[str, ...] = ()
    SUPERVISION: Literal["mask", "grade", "label"] = "mask"
    weights_sha256: str = ""

    @classmethod
    def from_pretrained(cls, place: str | Path, revision: str | None = None) -> Self:
        """The expert of a folder that `ifdl train export` wrote, or of the hub's "owner/name" at a pinned commit.

        `ifdl.experts._pretrained` says what such a folder holds. `Expert.from_pretrained` takes any expert, a subclass
        its own only. Raises FileNotFoundError or ValueError that names the file and what is wrong with it.
        """
        from ifdl.experts import _pretrained

        found = _pretrained.load(place, revision)
        if not isinstance(found, cls):
            raise ValueError(f"{place} holds the expert {found.CARD.id}, not a {cls.__name__}")
        return found

    @abstractmethod
    def prepare(self, pixels: NDArray[np.uint8]) -> Arrays:
        """Inputs of the network for one picture or training crop (uint8 H×W×3 RGB), without batch axis."""

    def augment(
        self, pixels: NDArray[np.uint8], mask: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """A training picture and its mask H×W, changed by chance where the system's recipe asks for it."""
        return pixels, mask

    @abstractmethod
    def net(self) -> Any:
        """The torch module, with its weights; its forward takes `prepare`'s names and returns named tensors."""

    @abstractmethod
    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Named terms whose sum is the training loss; `truth` has what `SUPERVISION` allows.

        label int64 N always; mask and grade float32 N×1×H×W in [0, 1]; known bool N, whether the mask is known.
        """

    @abstractmethod
    def restore(self, outputs: Arrays, picture: Picture) -> Prediction:
        """The network's outputs for one picture, without batch axis, as a Prediction in stored pixels."""

    def run(self, inputs: Arrays) -> Arrays:
        """The network on one picture's inputs, with torch; shipped experts override this with ONNX Runtime."""
        import torch

        net = self.net().eval()
        with torch.inference_mode():
            outputs = net(**{name: torch.from_numpy(array)[None] for name, array in inputs.items()})
        return {name: tensor[0].float().numpy() for name, tensor in outputs.items()}

    def predict(self, source: str | Path | Picture) -> Prediction:
        """Examine a file (decoded in a child process) or a picture. Raises IntakeError for an unreadable file."""
        picture = source if isinstance(source, Picture) else intake.load(source)
        return self.restore(self.run(self.prepare(picture.pixels)), picture)

    def findings(self, prediction: Prediction, picture: Picture) -> list[Finding]:
        """What a prediction amounts to for the verdict."""
        from ifdl.experts._finding import findings

        return findings(self, prediction, picture)
