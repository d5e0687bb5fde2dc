"""`ifdl_small`, the expert that ifdl ships: at most 7 M parameters, any size, no resizing of the picture's own pixels.

The network is in `ifdl.nets.ifdl_small`. A picture goes through it in tiles on its own JPEG grid and once more as a
whole, reduced, so that both traces and composition are seen; the tiles' maps are merged without seams.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.experts._base import Arrays, Expert
from ifdl.experts._onnx import Session
from ifdl.nets import tiles
from ifdl.types import Card, Map, Picture, Prediction, Question

STEP, STRIDE = 16, 4  # pixels of the network's coarsest cell, and of a cell of its maps
WHOLE = 512  # longest side that is looked at in one piece
TILE, OVERLAP = 256, 64
WEIGHTS_SHA256 = "3f83af2db18e67f306ee8ebd4991b5bd476f1d3a69dae6d33b2bfbd8e2c35ded"
GRAPH_SHA256 = "bc40f4fb0563faf09ab8d8624396a7394ad6fc4767a8017ff5408bb47cacc63a"
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
    OUTPUTS = ("map", "reliability", "classes")

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
        """A small picture in one piece; a larger one in tiles at stored size and once more as a whole, reduced.

        The two views' maps are averaged in proportion to trust.
        """
        from ifdl import intake

        picture = source if isinstance(source, Picture) else intake.load(source)
        size = (picture.height, picture.width)
        if max(size) <= WHOLE:
            found = self.run(self.prepare(_filled(picture.pixels)))
            heat, trust = (found[name][0] for name in ("map", "reliability"))
            cells = tuple(-(-n // STRIDE) for n in size)
            heat, trust = heat[: cells[0], : cells[1]], trust[: cells[0], : cells[1]]
            return self.restore({"map": heat, "reliability": trust, "classes": found["classes"]}, picture)
        votes = []

        def maps() -> Iterator[NDArray[np.float32]]:
            for origin in origins:
                one = self.run(self.prepare(_rgb(tiles.cut(picture.pixels, origin, TILE))))
                votes.append(one["classes"])
                yield np.concatenate([one["map"], one["reliability"]])

        origins = tiles.plan(size, TILE, OVERLAP)
        heat, trust = tiles.merge(maps(), origins, size, STRIDE)
        factor = WHOLE / max(size)
        small = tuple(max(STEP, round(n * factor / STEP) * STEP) for n in size)
        reduced = cv2.resize(picture.pixels, small[::-1], interpolation=cv2.INTER_AREA)
        whole = self.run(self.prepare(_rgb(reduced)))
        there = (heat.shape[1], heat.shape[0])
        wide = [cv2.resize(whole[n][0], there, interpolation=cv2.INTER_LINEAR) for n in ("map", "reliability")]
        own, other = _sigmoid(trust), _sigmoid(wide[1])
        heat = (own * heat + other * wide[0]) / np.maximum(own + other, 1e-6)
        suspicious = max([*votes, whole["classes"]], key=lambda vote: float(vote[1:].max() - vote[0]))
        return self.restore({"map": heat, "reliability": trust, "classes": suspicious}, picture)

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
    """The shipped expert; with `weights` another (ONNX beside its safetensors, or safetensors alone, to train on).

    With an `encoder` (timm's names) it is untrained above it. `shape` are fields of `ifdl.nets.ifdl_small.Shape`.
    Only ONNX runs without the train extra.
    """
    if weights is None and encoder is None:
        place = Path(__file__).resolve().parents[1] / "weights"
        expected = (GRAPH_SHA256, WEIGHTS_SHA256)
        return IfdlSmall(session=Session(place / "ifdl_small.onnx", place / "ifdl_small.safetensors", expected))
    if weights is not None and weights.suffix == ".onnx":
        return IfdlSmall(session=Session(weights, weights.with_suffix(".safetensors")))
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


def _filled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its last rows and columns reflected up to whole steps of the network."""
    missing = [(0, -n % STEP) for n in pixels.shape[:2]]
    mode: Any = "reflect" if min(pixels.shape[:2]) >= STEP else "symmetric"
    return np.pad(pixels, [*missing, (0, 0)], mode=mode)


def _rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(pixels, np.uint8)


def _sigmoid(logits: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)
