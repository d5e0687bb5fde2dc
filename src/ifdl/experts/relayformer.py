"""RelayFormer: cells of fixed size with relay tokens between them, for pictures of any size and for short clips.

The network is in `ifdl.nets.relayformer`. Nothing is resized; a clip's frames are more cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ifdl.experts._published import Published, trained
from ifdl.nets.weights import VIT_TINY, needed
from ifdl.types import Card, Picture, Prediction, Question

WEIGHTS_SHA256 = "04309ee1c5b3de7a81691777a318d3f1699f375b0a37ff26994016c251456c9e"
NEEDS = (VIT_TINY,)
EDGES = 20.0

CARD = Card(
    id="relayformer",
    title="RelayFormer: local cells and relay tokens, any size, pictures and clips",
    questions=(Question.LOCAL_EDIT,),
    citation=(
        "W. Huang et al.: RelayFormer: a unified local-global attention framework for scalable image and video "
        "manipulation localization. arXiv 2508.09459."
    ),
    url="https://arxiv.org/abs/2508.09459",
    domain="Photographs of at least 64 pixels a side, whole and at stored size; clips of frames of one size.",
    threshold="0.5, as the code has it.",
    look_for="A marked part of at least some patches of 16 pixels.",
    ignore="The exact outline: a cell of the map is 16 pixels wide.",
    limits=(
        "Its small weights are undertrained: after 20,000 small forgeries they mark CASIA v1 no better than somebody "
        "who marks the middle of every picture. Their map is for comparison, not for evidence.",
        "It has no answer for the whole picture: the score is the mean of the map's highest 2 %.",
        "Memory grows with the picture: 12 megapixels take some gigabytes.",
        "Trained on single pictures here: relays between frames were never trained on a clip.",
        "The small configuration has cells of 6×6 patches and also trains the patch projection.",
        "The paper's configuration (ViT-B of MAE) was checked for loading and shapes on a tiny one only.",
    ),
    experimental=True,
    licence="Apache-2.0, written from a description (its code is MIT); initial weights: MAE as its hub card states",
)


class RelayFormer(Published):
    CARD = CARD
    LEVELS = (WEIGHTS_SHA256, 0.3768368047608148, 0.7046534985322744)
    STRIDE = 16

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms bce and edge, as IML-ViT's."""
        from ifdl.nets.imlvit import loss

        return loss(outputs, truth, EDGES)

    def predict(self, source: str | Path | Picture) -> Prediction:
        """The whole picture at stored size in one pass."""
        from ifdl import intake

        picture = source if isinstance(source, Picture) else intake.load(source)
        return self.restore(self.run(self.prepare(picture.pixels)), picture)

    def predict_clip(self, frames: Sequence[Picture]) -> list[Prediction]:
        """A prediction for each frame; all frames are of one size and see each other. Raises ValueError otherwise."""
        if len({(f.height, f.width) for f in frames}) != 1:
            raise ValueError("a clip has frames, and all of one size; cut or leave out those that differ")
        stacked = np.stack([self.prepare(frame.pixels)["pixels"] for frame in frames])
        found = self.run({"pixels": stacked})
        return [
            self.restore({"map": found["map"][n : n + 1], "classes": _classes(found["map"][n])}, frame)
            for n, frame in enumerate(frames)
        ]


def _classes(heat: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Logits of (authentic, edited) of one frame: the mean of its highest 2 %."""
    levels = np.sort(heat.ravel())
    return np.array([0.0, levels[-max(1, int(np.ceil(levels.size * 0.02 - 1e-4))) :].mean()], np.float32)


def build(
    weights: Path | None = None,
    size: Literal["small", "paper"] = "small",
    untrained: bool = False,
    encoder: Path | None = None,
    relay: bool = True,
) -> RelayFormer:
    """The system with its trained small weights, where they are on this machine, or with `weights`.

    `untrained` starts anew. `encoder` is a safetensors file of a plain ViT with timm's names, which stays frozen and
    is always needed: small, ViT-Tiny; paper, ViT-B/16, of MAE from the hub without one. Without `relay` cells do not
    know of each other: the control.
    """
    if size not in ("small", "paper"):
        raise ValueError(f"size is small or paper, not {size!r}")
    chosen = weights if weights or untrained or size == "paper" else trained(CARD.id, WEIGHTS_SHA256)

    def make() -> Any:
        from dataclasses import replace

        from ifdl.nets import plain, relayformer, windowed

        shape = replace(relayformer.SMALL if size == "small" else relayformer.Shape(), relay=relay)
        file = encoder or (needed(VIT_TINY) if size == "small" else None)
        return relayformer.RelayFormer(shape, plain.plain_vit(shape.vit, windowed.vit_state(file)))

    return RelayFormer(make, chosen, usable=False)


def tiny() -> RelayFormer:
    """A random tiny configuration, for tests."""

    def make() -> Any:
        from ifdl.nets import plain, relayformer

        return relayformer.RelayFormer(relayformer.TINY, plain.plain_vit(relayformer.TINY.vit))

    return RelayFormer(make)
