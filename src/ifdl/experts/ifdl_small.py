"""`ifdl_small`, the expert that ifdl ships: at most 7 M parameters, any size, no resizing of the picture's own pixels.

The network is in `ifdl.nets.ifdl_small`. A picture goes through it in tiles on its own JPEG grid and once more as a
whole, reduced, so that both traces and composition are seen; the tiles' maps are merged without seams.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.experts._base import Arrays, Expert
from ifdl.experts._onnx import Session
from ifdl.nets import tiles
from ifdl.types import Card, Map, Picture, Prediction, Question

TILE, OVERLAP, STRIDE = 256, 64, 4
CLASSES = ("authentic", "edited", "synthetic")
LOSSES = {"bce": 1.0, "dice": 0.5, "edge": 0.25, "classes": 0.3, "reliability": 0.2}

CARD = Card(
    id="ifdl_small",
    title="ifdl_small: ViT-Tiny, noise stream, two-way mask decoder",
    questions=(Question.LOCAL_EDIT,),
    version="0",
    citation="this project; after Guo, Cui, Hong, IFDL-VLM, arXiv 2603.12930, stage 1",
    domain="Pictures of at least 64×64 pixels.",
    limits=(
        "no trained weights are shipped yet: build it, or give weights of your own",
        "its synthetic answer is at most inconclusive until it was measured on real generated pictures",
    ),
    experimental=True,
)


class IfdlSmall(Expert):
    """The expert around a torch network, to train, or around an ONNX file, to predict."""

    CARD = CARD
    THRESHOLD = 0.5

    def __init__(self, net: Any = None, weights_sha256: str = "", session: Session | None = None) -> None:
        self._net, self._session = net, session
        self.weights_sha256 = session.sha256 if session else weights_sha256

    def net(self) -> Any:
        if self._net is None:
            raise ValueError("this expert runs on ONNX Runtime; build it from safetensors to train it")
        return self._net

    def run(self, inputs: Arrays) -> Arrays:
        return super().run(inputs) if self._session is None else self._session(inputs)

    def prepare(self, pixels: NDArray[np.uint8]) -> Arrays:
        """One crop as the network takes it: `pixels` float32 3×H×W in [0, 1], sides multiples of 16."""
        return {"pixels": np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)}

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """BCE and Dice of the map, BCE round outlines, cross-entropy of the class, and whether the map can be trusted.

        The reliability learns where the map is right: its target is the probability that the map gave to the truth.
        """
        from torch.nn import functional as F

        from ifdl.nets import losses

        mask, known = truth["mask"], truth["known"]
        heat, trust = (
            F.interpolate(outputs[name], mask.shape[2:], mode="bilinear", align_corners=False)
            for name in ("map", "reliability")
        )
        edited = known & (truth["label"] == 1)
        share = heat.detach().sigmoid()
        right = share * mask + (1 - share) * (1 - mask)
        terms = {
            "bce": losses.bce(heat, mask, known),
            "dice": losses.dice(heat, mask, edited),
            "edge": losses.edge(heat, mask, edited),
            "classes": losses.ce(outputs["classes"], truth["label"]),
            "reliability": F.mse_loss(trust.sigmoid()[known], right[known]) if bool(known.any()) else trust.sum() * 0,
        }
        return {name: LOSSES[name] * term for name, term in terms.items()}

    def predict(self, source: str | Path | Picture) -> Prediction:
        """Tiles at stored size and, for a larger picture, a reduced whole; maps averaged in proportion to trust."""
        from ifdl import intake

        picture = source if isinstance(source, Picture) else intake.load(source)
        size = (picture.height, picture.width)
        origins = tiles.plan(size, TILE, OVERLAP)
        found = [self.run(self.prepare(_rgb(tiles.cut(picture.pixels, origin, TILE)))) for origin in origins]
        heat, trust = tiles.merge((np.concatenate([f["map"], f["reliability"]]) for f in found), origins, size, STRIDE)
        votes = np.stack([f["classes"] for f in found])
        if len(origins) > 1:
            whole = self.run(self.prepare(_rgb(cv2.resize(picture.pixels, (TILE, TILE), interpolation=cv2.INTER_AREA))))
            there = (heat.shape[1], heat.shape[0])
            wide = [cv2.resize(whole[n][0], there, interpolation=cv2.INTER_LINEAR) for n in ("map", "reliability")]
            own, other = _sigmoid(trust), _sigmoid(wide[1])
            heat = (own * heat + other * wide[0]) / np.maximum(own + other, 1e-6)
            votes = np.concatenate([votes, whole["classes"][None]])
        return self.restore({"map": heat, "reliability": trust, "classes": votes[votes[:, 0].argmin()]}, picture)

    def restore(self, outputs: Arrays, picture: Picture) -> Prediction:
        """Maps at a quarter of the stored size; classes by the most suspicious tile."""
        size = (picture.height, picture.width)
        heat = Map.of(_sigmoid(outputs["map"]), size, STRIDE)
        trust = Map.of(_sigmoid(outputs["reliability"]), size, STRIDE)
        shares = np.exp(outputs["classes"] - outputs["classes"].max())
        shares = shares / shares.sum()
        named = {name: float(share) for name, share in zip(CLASSES, shares, strict=True)}
        return Prediction(CARD.id, heat, trust, named, (), self.weights_sha256)


def build(weights: Path | None = None, encoder: Path | None = None, **shape: Any) -> IfdlSmall:
    """The expert with trained `weights` (ONNX, or safetensors), or untrained on an `encoder` with timm's names.

    `shape` are fields of `ifdl.nets.ifdl_small.Shape`. Needs the train extra. Raises ValueError with neither: an
    untrained expert never predicts by accident.
    """
    if weights is not None and weights.suffix == ".onnx":
        return IfdlSmall(session=Session(weights))
    if weights is None and encoder is None:
        raise ValueError("ifdl_small has no shipped weights yet; give weights, or an encoder to train from")
    from ifdl.nets.ifdl_small import IfdlSmall as Net
    from ifdl.nets.ifdl_small import Shape

    net = Net(Shape(**shape), encoder if weights is None else None)
    if weights is None:
        return IfdlSmall(net)
    from safetensors.torch import load_file

    net.load_state_dict({name: value.float() for name, value in load_file(weights).items()}, strict=True)
    return IfdlSmall(net, hashlib.sha256(weights.read_bytes()).hexdigest())


def tiny() -> IfdlSmall:
    """A random small configuration, for tests."""
    from ifdl.nets.ifdl_small import IfdlSmall as Net
    from ifdl.nets.ifdl_small import Shape

    return IfdlSmall(Net(Shape(width=16, noise=(4, 8, 8, 8), matching=8, nearest=2, layers=2)))


def _rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(pixels, np.uint8)


def _sigmoid(logits: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)
