"""FakeLocator: not only where a picture was changed but how strongly, pixel by pixel.

The network is in `ifdl.nets.fakelocator`. Its truth is graded: the difference of a forgery and what it was made from.
Only untouched pictures are degraded in training, so that "clean" does not come to mean "fake"; and a pile of pictures
of an unseen method is told apart by one known sample (`ifdl.signal.clusters`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.experts._published import Published, trained
from ifdl.signal.clusters import like_the_known
from ifdl.types import Card, Picture, Question

WEIGHTS_SHA256 = "3377b331b1c5af6efbba53144deb180286823c7a31d2f2b6a8a18bf7262203e8"
ENCODER, DECODER = (24, 48, 80, 128), (64, 40, 24)  # channels of the small net, finest and coarsest first

CARD = Card(
    id="fakelocator",
    title="FakeLocator: a map of how strongly each pixel was changed",
    questions=(Question.LOCAL_EDIT,),
    citation=(
        "Y. Huang, F. Juefei-Xu, Q. Guo, Y. Liu, G. Pu: FakeLocator: robust localization of GAN-based face "
        "manipulations. IEEE TIFS 2022, arXiv 2001.09598."
    ),
    url="https://arxiv.org/abs/2001.09598",
    domain="Photographs of at least 64 pixels a side, in tiles of stored pixels; the paper: faces alone.",
    threshold="0.06, some 15 of 255 grey levels: the map is a change in grey levels, not a probability.",
    look_for="A marked part with an even, strong grade.",
    ignore="Weak grades everywhere: re-saving changes every pixel a little.",
    limits=(
        "Its small weights are undertrained: after 20,000 small forgeries they mark CASIA v1 no better than somebody "
        "who marks the middle of every picture. Their map is for comparison, not for evidence.",
        "The grade is learned, not measured: without the original nobody can know it. Weak edits get weak grades, so "
        "an edit that changed few levels is missed at any fixed threshold.",
        "The paper's layers were not published; the U-Net shape is ours.",
        "Attention is learned in the small configuration; a face parser stands for it in the paper's, where a picture "
        "without a face gets no attention at all.",
        "The small configuration learns the squared error: with the paper's absolute error the best answer to most "
        "pixels is nought.",
        "Single sample clustering uses principal components where the paper uses t-SNE.",
        "The paper's configuration (ResNet-50, face parser) was checked for loading and shapes on a tiny one only; the "
        "parser's revision is not pinned here, name one to be repeatable.",
    ),
    experimental=True,
    licence=(
        "Apache-2.0, written from the paper; initial weights of the paper's configuration: ResNet-50, Apache-2.0; the "
        "parser learned from CelebAMask-HQ, which is for research only"
    ),
)


class FakeLocator(Published):
    CARD = CARD
    LEVELS = (WEIGHTS_SHA256, 0.013244831006332494, 0.7331444559557636)
    THRESHOLD = 0.06
    SUPERVISION = "grade"
    STRIDE, STEP, TILE, OVERLAP = 1, 16, 256, 32

    def __init__(
        self, *arguments: Any, partial: float = 0.5, power: int = 2, weight: float = 10.0, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self._partial, self._power, self._weight = partial, power, weight

    def augment(
        self, pixels: NDArray[np.uint8], mask: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Partial augmentation: an untouched picture is degraded by chance, an edited one never."""
        if mask.any() or rng.random() >= self._partial:
            return pixels, mask
        return degraded(pixels, rng), mask

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms grade (the map against the change in grey levels) and classes."""
        from ifdl.nets.fakelocator import losses

        return losses(dict(outputs), dict(truth), self._power, self._weight)

    def told_apart(self, pictures: Sequence[Picture], known: int) -> NDArray[np.bool_] | None:
        """Which pictures of a pile are of the kind of picture number `known`; None where the pile has no two kinds.

        For pictures of a method never trained on: one labelled sample names the two groups. Each is seen by its middle.
        """
        found = [self.run(self.prepare(_middle(p.pixels, self.TILE, self.STEP)))["features"] for p in pictures]
        return like_the_known(np.stack(found), known)


class Paper(FakeLocator):
    STEP, TILE, OVERLAP = 32, 512, 64


def degraded(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Noise, blur, JPEG or a smaller size and back, one of them, of a strength drawn from `rng`."""
    how = int(rng.integers(4))
    height, width = pixels.shape[:2]
    if how == 0:
        noisy = pixels + rng.normal(0, rng.uniform(1, 8), pixels.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    if how == 1:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.5)), np.uint8)
    if how == 2:
        _, file = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))])
        return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB), np.uint8)
    factor = rng.uniform(0.5, 0.95)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def build(
    weights: Path | None = None,
    size: Literal["small", "paper"] = "small",
    untrained: bool = False,
    resnet: Mapping[str, Any] | None = None,
    parser: str | None = None,
    revision: str | None = None,
    **training: Any,
) -> FakeLocator:
    """The system with its trained small weights, where they are on this machine, or with `weights`.

    `untrained` starts anew (paper: from ImageNet's ResNet-50, fetched from the hub; `resnet` are arguments of a
    ResNetConfig instead). `parser` is a face parser's hub id or folder, of that `revision`; without one attention is
    learned. `training` are `partial` (share of untouched pictures degraded), `power` and `weight` of the grade's error.
    """
    if size not in ("small", "paper"):
        raise ValueError(f"size is small or paper, not {size!r}")
    chosen = weights if weights or untrained or size == "paper" else trained(CARD.id, WEIGHTS_SHA256)

    def make() -> Any:
        from ifdl.nets import fakelocator as nets

        seen = None
        if parser is not None:
            from transformers import SegformerForSemanticSegmentation as Segformer

            seen = nets.Parser(Segformer.from_pretrained(parser, revision=revision or "main", use_safetensors=True))
        if size == "small":
            return nets.FakeLocator(nets.Small(ENCODER), DECODER, seen)
        # Saved weights bring the backbone along; only a fresh start needs the hub.
        config = {} if resnet is None and weights is not None else resnet
        return nets.FakeLocator(nets.ResNet(None if config is None else dict(config)), (256, 128, 64), seen)

    return (FakeLocator if size == "small" else Paper)(make, chosen, usable=False, **training)


def tiny() -> FakeLocator:
    """A random tiny configuration, for tests."""

    def make() -> Any:
        from ifdl.nets import fakelocator as nets

        return nets.FakeLocator(nets.Small((8, 12, 12, 16)), (12, 12, 8))

    return FakeLocator(make)


def _middle(pixels: NDArray[np.uint8], side: int, step: int) -> NDArray[np.uint8]:
    """The middle of a picture, at most side×side, sides of whole steps; a small one is reflected at its ends."""
    y, x = (max(0, (n - side) // 2) for n in pixels.shape[:2])
    part = pixels[y : y + side, x : x + side]
    return np.pad(part, [*((0, -n % step) for n in part.shape[:2]), (0, 0)], mode="symmetric")
