"""`ifdl_small`, the expert that ifdl ships: at most 7 M parameters, any size.

The network is in `ifdl.nets.ifdl_small`. A picture goes through it in tiles of its own pixels on its own JPEG grid and
once more as a whole, reduced, so that both traces and composition are seen; the tiles' maps are merged without seams.
A small picture is enlarged as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.experts._base import Arrays, Expert
from ifdl.experts._onnx import Session
from ifdl.nets import tiles
from ifdl.nets.runtime import cores
from ifdl.signal import flat
from ifdl.types import Card, FalseAlarms, Finding, Map, Picture, Prediction, Question, State

# Logits at one size: map and reliability H/4×W/4, and a row of class logits for each view.
Look = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
STEP, STRIDE = 16, 4  # pixels of the network's coarsest cell, and of a cell of its maps
WHOLE = 384  # longest side of the picture as it is seen whole
TILE, OVERLAP = 256, 48
SMALLEST, SMALL = 256, 384  # longest sides of a picture that is looked at enlarged alone, and enlarged as well
# Camera photographs with a thing in them stay well below; blank frames and drawings lie above.
FLAT = 0.8
WEIGHTS_SHA256 = "43a86034810b69bdb03b5ee6eb1d8aed1d00c318f4efd9b76a2570618a77f729"
GRAPH_SHA256 = "454a465cd33e9524739668a1533df445523e71b70a575f845fe0fb1f78dc9896"
CLASSES = ("authentic", "edited", "synthetic")
LOSSES = {"bce": 1.0, "dice": 0.5, "edge": 0.25, "classes": 0.3, "reliability": 0.2}

CARD = Card(
    id="ifdl_small",
    title="Learned expert (ViT-Tiny, noise stream, two-way mask decoder)",
    questions=(Question.LOCAL_EDIT,),
    version="4",
    citation=(
        "this project, after Guo, Cui, Hong, IFDL-VLM, arXiv 2603.12930, stage 1; reliability after Guillaro et al., "
        "TruFor, CVPR 2023"
    ),
    url="https://arxiv.org/abs/2603.12930",
    domain=(
        "Photographs of at least 64 pixels a side, best of 256 to 1,000; those up to 384 are looked at enlarged. Not "
        "drawings, masks and blank frames, of which 80 % or more is exactly flat."
    ),
    threshold=(
        "The score that 0.5 % of untouched calibration pictures reach, every photograph counting alike; the map marks "
        "from 0.39, the level with the best mean IoU on forged calibration pictures."
    ),
    false_alarms=FalseAlarms(
        data="camera and camera_whole, calibration photographs",
        alarms=0,
        photographs=41,
        upper=0.0705,
        note="The photographs' own files; the gate was chosen on them.",
    ),
    look_for="A marked part with the outline of a thing, where the reliability is high.",
    ignore="Marks along the picture's border, on lettering and screens, and several small marks at once.",
    limits=(
        "On photographs of kinds it never saw it is more easily alarmed: 6 of 239 untouched pictures of CASIA v1 and "
        "4 of 200 of Lalonde and Efros pass the gate, where 0.5 % of its own kind do.",
        "It learned from forgeries that this project's own engines made of 96 photographs: what other tools do to a "
        "picture it may not know.",
        "Lettering put in, local retouching and objects removed are mostly missed; copied parts are often marked at "
        "both ends (`marked_copy` tells the ends apart).",
        "Old digital cameras, camcorder stills, scans and screens come close to the gate without any edit.",
        "It was not trained on generated pictures: its third class counts for nothing but a remark.",
    ),
)


class IfdlSmall(Expert):
    """The expert around a torch network, to train, or around an ONNX file, to predict."""

    CARD = CARD
    THRESHOLD = 0.39
    GATE = 0.99286
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
        """Tiles at stored size, and the whole, reduced where it is large; maps averaged in proportion to trust.

        A small picture is looked at enlarged, so that its things are as large as those learned on: up to 256 pixels
        twice as large, up to 384 also half as large again (both chosen in `results/marks.json`).
        """
        from ifdl import intake

        picture = source if isinstance(source, Picture) else intake.load(source)
        longest = max(picture.height, picture.width)
        if longest > SMALL:
            looks = [self._look(picture.pixels)]
        elif longest > SMALLEST:
            looks = [self._look(picture.pixels), self._enlarged(picture.pixels, 1.5, round(1.5 * SMALL))]
        else:
            looks = [self._enlarged(picture.pixels, 2.0, WHOLE)]
        heat, trust = (np.asarray(np.mean([look[n] for look in looks], 0), np.float32) for n in (0, 1))
        votes = np.concatenate([look[2] for look in looks])
        return self.restore({"map": heat[None], "reliability": trust[None], "classes": votes}, picture)

    def _enlarged(self, pixels: NDArray[np.uint8], times: float, whole_side: int) -> Look:
        """The same as `_look`, of the picture so many times as large; maps on the cells of the stored size."""
        larger = cv2.resize(pixels, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
        heat, trust, votes = self._look(_rgb(larger), whole_side)
        cells = (-(-pixels.shape[1] // STRIDE), -(-pixels.shape[0] // STRIDE))
        heat, trust = (
            np.asarray(cv2.resize(m, cells, interpolation=cv2.INTER_AREA), np.float32) for m in (heat, trust)
        )
        return heat, trust, votes

    def _look(self, pixels: NDArray[np.uint8], whole_side: int = WHOLE) -> Look:
        """A picture in tiles of its pixels, and whole, reduced to `whole_side` where it is larger."""
        size = (pixels.shape[0], pixels.shape[1])
        cells = tuple(-(-n // STRIDE) for n in size)
        if max(size) <= TILE:
            whole = self.run(self.prepare(_reduced(pixels, whole_side)))
            heat, trust = (whole[name][0, : cells[0], : cells[1]] for name in ("map", "reliability"))
            return heat, trust, whole["classes"][None]
        origins = tiles.plan(size, TILE, OVERLAP)
        votes = []

        def look(origin: tuple[int, int] | None) -> Arrays:
            part = _reduced(pixels, whole_side) if origin is None else _rgb(tiles.cut(pixels, origin, TILE))
            return self.run(self.prepare(part))

        def maps(found: Iterator[Arrays]) -> Iterator[NDArray[np.float32]]:
            for one in found:
                votes.append(one["classes"])
                yield np.concatenate([one["map"], one["reliability"]])

        # A tile is too little work to be divided: each core takes whole tiles. Torch divides its own.
        with ThreadPoolExecutor(1 if self._session is None else cores()) as pool:
            far_view = pool.submit(look, None)  # the largest piece first
            near = tiles.merge(maps(pool.map(look, origins)), origins, size, STRIDE)
            whole = far_view.result()
        if max(size) <= whole_side:  # at its own size: cells lie on cells
            far = np.concatenate([whole["map"], whole["reliability"]])[:, : cells[0], : cells[1]]
        else:
            far = np.stack([cv2.resize(whole[n][0], cells[::-1]) for n in ("map", "reliability")])
        shares = _sigmoid(near[1]), _sigmoid(far[1])
        heat = (shares[0] * near[0] + shares[1] * far[0]) / np.maximum(shares[0] + shares[1], 1e-6)
        return heat, near[1], np.stack(votes)

    def findings(self, prediction: Prediction, picture: Picture) -> list[Finding]:
        """OUT_OF_DOMAIN for what is no photograph, or a blank one: mostly flat pixels."""
        share = flat.share(picture.pixels)
        if share < FLAT:
            return super().findings(prediction, picture)
        percent = int(100 * share)
        reason = (
            f"{percent} % of the picture is exactly flat, as drawings, masks and blank frames are; the learned expert "
            "knows photographs alone."
        )
        return [Finding(CARD.id, Question.LOCAL_EDIT, State.OUT_OF_DOMAIN, reason, numbers={"flat_percent": percent})]

    def restore(self, outputs: Arrays, picture: Picture) -> Prediction:
        """Maps at a quarter of the stored size; one row of class logits for each tile.

        The score is the mean over the tiles of the odds of an edit, so that one sure tile among many still counts.
        """
        size = (picture.height, picture.width)
        heat = Map.of(_sigmoid(outputs["map"][0]), size, STRIDE)
        trust = Map.of(_sigmoid(outputs["reliability"][0]), size, STRIDE)
        votes = outputs["classes"].astype(np.float64)
        margins = votes[:, 1] - votes[:, 0]
        mean_odds = np.log(np.mean(np.exp(np.clip(margins, -30, 30))))
        likeliest = votes[int(margins.argmax())]
        shares = np.exp(likeliest - likeliest.max())
        named = {name: float(share) for name, share in zip(CLASSES, shares / shares.sum(), strict=True)}
        score = float(1 / (1 + np.exp(-mean_odds)))
        return Prediction(CARD.id, heat, trust, named, (), self.weights_sha256, score)


def build(weights: Path | None = None, encoder: Path | None = None, untrained: bool = False, **shape: Any) -> IfdlSmall:
    """The shipped expert; with `weights` another (ONNX beside its safetensors, or safetensors alone, to train on).

    With an `encoder` (timm's names) it is untrained above it, with `untrained` altogether: to train, not to use.
    `shape` are fields of `ifdl.nets.ifdl_small.Shape`. Only ONNX runs without the train extra.
    """
    if weights is None and encoder is None and not untrained:
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


def _reduced(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """The picture with sides of whole steps of the network: a large one reduced, a small one reflected at its ends."""
    size = pixels.shape[:2]
    if max(size) > longest:
        rows, columns = (max(STEP, round(n * longest / max(size) / STEP) * STEP) for n in size)
        return _rgb(cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA))
    missing = [(0, -n % STEP) for n in size]
    mode: Any = "reflect" if min(size) >= STEP else "symmetric"
    return np.pad(pixels, [*missing, (0, 0)], mode=mode)


def _rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(pixels, np.uint8)


def _sigmoid(logits: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)
