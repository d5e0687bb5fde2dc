"""Web-IML: masks drawn by a machine from pairs found anywhere, and a localiser that learns from them.

The annotator is `ifdl.signal.annotation` (`ifdl data annotate-pairs` for folders of one's own), the network is in
`ifdl.nets.webiml`. In training some objects are jittered in place, so that what a thing is does not tell the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.experts._published import Published, trained
from ifdl.types import Card, Question

WEIGHTS_SHA256 = "dd17cbf4027b0a45211457bd17700992733ee3dd16bc83ee992d88872c17a121"
# A narrow ConvNeXt; its published sizes start at 28 million parameters. Narrow layers need larger first weights, and
# the layer scale, which begins at 1e-6 so that hundreds of epochs stay stable, is left out.
FRESH: Mapping[str, Any] = {"layer_scale_init_value": 0.0, "initializer_range": 0.1}
SMALL: Mapping[str, Any] = {"hidden_sizes": [24, 48, 96, 128], "depths": [2, 2, 3, 1], "drop_path_rate": 0.05, **FRESH}
LEAST, MOST = 0.01, 0.3  # share of a picture that a jittered object may cover

CARD = Card(
    id="webiml",
    title="Web-IML: a self-calibrating ConvNeXt for masks drawn from pairs",
    questions=(Question.LOCAL_EDIT,),
    citation=(
        "C. Qu, Y. Zhong, H. He, B. Li, L. Jin: Webly-supervised image manipulation localization via category-aware "
        "auto-annotation. arXiv 2508.20987; C. Qu et al.: Towards modern image manipulation localization. CVPR 2024."
    ),
    url="https://arxiv.org/abs/2508.20987",
    domain="Photographs of at least 64 pixels a side, looked at in tiles of stored pixels.",
    threshold="0.5, as the papers have it.",
    look_for="A marked part with the outline of a thing.",
    ignore="Several small marks at once.",
    limits=(
        "Its small weights are undertrained: after 20,000 small forgeries they mark CASIA v1 no better than somebody "
        "who marks the middle of every picture. Their map is for comparison, not for evidence.",
        "It has no answer for the whole picture: the score is the mean of the map's highest 2 %.",
        "The annotator's two branches measure instead of being learned, as no weights of the papers' may be used here; "
        "a part pasted from a source without texture is not found, and the pair is then left out.",
        "The operators of Object Jitter were not published in full: growing, tone, blur and re-saving are ours.",
        "The localiser follows the first paper's description (APSC-Net); the second's may differ in its parts.",
        "The small configuration starts from random weights: no small ConvNeXt of ImageNet is at hand.",
        "The paper's configuration (ConvNeXt-B) was checked for loading and shapes on a tiny one only; the revision of "
        "its initial weights is not pinned here, name one to be repeatable.",
    ),
    experimental=True,
    licence=(
        "Apache-2.0, written from the papers (their code is CC BY-NC 4.0); initial weights of the paper's "
        "configuration: ConvNeXt, Apache-2.0"
    ),
)


class WebIml(Published):
    CARD = CARD
    LEVELS = (WEIGHTS_SHA256, 0.10664530403601129, 0.18576467069519703)
    STRIDE, STEP, TILE, OVERLAP = 4, 32, 256, 32

    def __init__(self, *arguments: Any, jitter: float = 0.2, sure: float = 0.9, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._jitter, self._sure = jitter, sure

    def augment(
        self, pixels: NDArray[np.uint8], mask: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Object Jitter, by chance: the edited part again, or a thing of an untouched picture, which it edits."""
        if rng.random() >= self._jitter:
            return pixels, mask
        thing = mask if mask.any() else some_thing(pixels, rng)
        return jittered(pixels, thing, rng) if LEAST <= thing.mean() <= MOST else (pixels, mask)

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms ohem (all rounds of calibration) and first (the mask before them)."""
        from ifdl.nets.webiml import loss

        return loss(outputs, truth, self._sure)


class Paper(WebIml):
    TILE, OVERLAP = 512, 64


def jittered(
    pixels: NDArray[np.uint8], thing: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The picture with a thing altered in place, and the mask of where it is now, bool H×W.

    It grows by up to 15 % about its middle, which leaves no hole behind, and changes in tone, sharpness or compression.
    """
    height, width = thing.shape
    rows, columns = np.nonzero(thing)
    centre, factor = (columns.mean(), rows.mean()), rng.uniform(1.0, 1.15)
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), 0.0, factor)
    grown = np.asarray(cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.uint8)
    place = cv2.warpAffine(thing.astype(np.uint8), matrix, (width, height)) > 0
    how = int(rng.integers(3))
    if how == 0:
        tone = np.clip((np.arange(256) / 255) ** rng.uniform(0.75, 1.35) * 255 * rng.uniform(0.92, 1.08), 0, 255)
        grown = np.asarray(cv2.LUT(grown, tone.astype(np.uint8)), np.uint8)
    elif how == 1:
        soft = cv2.GaussianBlur(grown, (0, 0), rng.uniform(0.5, 1.5))
        sharp = rng.uniform(-0.8, 1.0)  # below nought the difference is added: sharper
        grown = np.clip(np.rint(grown + (soft.astype(np.float32) - grown) * sharp), 0, 255).astype(np.uint8)
    else:
        _, file = cv2.imencode(".jpg", grown[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 91))])
        grown = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB), np.uint8)
    edge = cv2.GaussianBlur(place.astype(np.float32), (0, 0), rng.uniform(0.3, 1.2))[..., None]
    blended = np.rint(grown * edge + pixels * (1 - edge)).astype(np.uint8)
    return blended, place | thing


def some_thing(pixels: NDArray[np.uint8], rng: np.random.Generator, tries: int = 6) -> NDArray[np.bool_]:
    """A part of even colour grown from a place drawn by chance, bool H×W; empty where none has the size of a thing."""
    soft = cv2.GaussianBlur(pixels, (0, 0), 1.5)
    height, width = pixels.shape[:2]
    for _ in range(tries):
        filled = np.zeros((height + 2, width + 2), np.uint8)
        seed = (int(rng.integers(width)), int(rng.integers(height)))
        span = (float(rng.uniform(4, 20)),) * 3
        cv2.floodFill(soft, filled, seed, (0, 0, 0), span, span, cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE)
        part = cv2.morphologyEx(filled[1:-1, 1:-1], cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
        if LEAST <= part.mean() <= MOST:
            return np.asarray(part, bool)
    return np.zeros((height, width), bool)


def build(
    weights: Path | None = None,
    size: Literal["small", "paper"] = "small",
    untrained: bool = False,
    convnext: Mapping[str, Any] | None = None,
    revision: str = "main",
    jitter: float = 0.2,
    sure: float = 0.9,
) -> WebIml:
    """The system with its trained small weights, where they are on this machine, or with `weights`.

    `untrained` starts anew (paper: from ImageNet's ConvNeXt-B of that `revision`, fetched from the hub; `convnext` are
    arguments of a ConvNextConfig instead). `jitter` is the share of training pictures with a jittered object; a pixel
    whose true class has at least `sure` is not learned from.
    """
    if size not in ("small", "paper"):
        raise ValueError(f"size is small or paper, not {size!r}")
    chosen = weights if weights or untrained or size == "paper" else trained(CARD.id, WEIGHTS_SHA256)

    def make() -> Any:
        from ifdl.nets import webiml as nets

        if size == "small":
            return nets.WebIml(nets.convnext(SMALL), 32, rates=(1, 3, 6, 12))
        # Saved weights bring the backbone along; only a fresh start needs the hub.
        base = {"hidden_sizes": [128, 256, 512, 1024], "depths": [3, 3, 27, 3]}
        config = base if convnext is None and weights is not None else convnext
        return nets.WebIml(nets.convnext(config, revision=revision))

    return (WebIml if size == "small" else Paper)(make, chosen, usable=False, jitter=jitter, sure=sure)


def tiny() -> WebIml:
    """A random tiny configuration, for tests."""

    def make() -> Any:
        from ifdl.nets import webiml as nets

        config = {"hidden_sizes": [8, 8, 12, 16], "depths": [1, 1, 1, 1], **FRESH}
        return nets.WebIml(nets.convnext(config), 12, rates=(1, 2))

    return WebIml(make)
