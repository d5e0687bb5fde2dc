"""BAS for forgeries: a map learned from labels alone, by suppressing the evidence that it leaves outside.

The network is in `ifdl.nets.bas`. It trains on `WeakBatch`es, which have no masks, as `wscl` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ifdl.experts._published import Published, trained
from ifdl.types import Card, Question

WEIGHTS_SHA256 = "f06db45db1d7d3ef8d9aacc269c0f3b4746d7b279cdee6d6fd0c01808bdc0bbc"
SMALL = (32, 64, 128)  # channels of the small net at strides 2, 4 and 8

CARD = Card(
    id="bas",
    title="BAS: a map from labels, by what it leaves outside",
    questions=(Question.LOCAL_EDIT,),
    citation=(
        "P. Wu, W. Zhai, Y. Cao: Background activation suppression for weakly supervised object localization. "
        "CVPR 2022; adapted to forgeries by this project."
    ),
    url="https://github.com/wpy1999/BAS-Extension",
    domain="Photographs of at least 64 pixels a side, looked at in tiles of stored pixels.",
    threshold="0.5: the generator's map is a probability and is not rescaled from picture to picture.",
    look_for="A marked part in a picture that scores high; the map of an untouched one stays dark.",
    ignore="The exact outline: a cell of the map is 8 pixels wide (16 in the paper's configuration).",
    limits=(
        "Its small weights are undertrained: after 20,000 small forgeries they mark CASIA v1 no better than somebody "
        "who marks the middle of every picture. Their map is for comparison, not for evidence.",
        "No mask is ever seen. It is not more accurate than a class activation map: what it adds is a map that needs "
        "no rescaling and stays dark on untouched pictures.",
        "Suppresses the mean positive evidence of all cells instead of the class logit, which with two classes stops "
        "pushing the map outwards once it turns negative; `evidence=logit` is as published.",
        "The classifier learns from labels alone; the published system lets the map's terms reach it.",
        "The paper's configuration (ResNet-50) was checked for loading and shapes on a tiny one only.",
    ),
    experimental=True,
    licence="Apache-2.0, written from the paper; initial weights of the paper's configuration: ResNet-50, Apache-2.0",
)


class Terms(NamedTuple):
    """Weights of the map's terms, and what is suppressed: the `mass` of evidence (ours) or the class `logit`."""

    inside: float = 0.5
    background: float = 1.0
    area: float = 0.4
    evidence: str = "mass"


class Bas(Published):
    CARD = CARD
    LEVELS = (WEIGHTS_SHA256, 0.9999542229343099, 0.9946525610067349)
    SUPERVISION = "label"

    def __init__(self, *arguments: Any, terms: Terms | None = None, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._terms = terms or Terms()

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms classes, and inside, background and area of the map."""
        from ifdl.nets.bas import losses

        return losses(dict(outputs), truth["label"], *self._terms)


class Paper(Bas):
    STRIDE, STEP, TILE, OVERLAP = 16, 32, 512, 64


def build(
    weights: Path | None = None,
    size: Literal["small", "paper"] = "small",
    untrained: bool = False,
    ramp: int = 500,
    resnet: Mapping[str, Any] | None = None,
    **terms: Any,
) -> Bas:
    """The system with its trained small weights, where they are on this machine, or with `weights`.

    `untrained` starts anew (paper: from ImageNet's ResNet-50, fetched from the hub; `resnet` are arguments of a
    ResNetConfig instead). The map's terms reach full weight after `ramp` training steps; `terms` are fields
    of `Terms`.
    """
    if size not in ("small", "paper"):
        raise ValueError(f"size is small or paper, not {size!r}")
    chosen = weights if weights or untrained or size == "paper" else trained(CARD.id, WEIGHTS_SHA256)

    def make() -> Any:
        from ifdl.nets import bas, weak

        if size == "small":
            return bas.small(SMALL, ramp)
        # Saved weights bring the backbone along; only a fresh start needs the hub.
        config = {} if resnet is None and weights is not None else resnet
        return bas.resnet(weak.ResNet(None if config is None else dict(config)), ramp)

    return (Bas if size == "small" else Paper)(make, chosen, usable=False, terms=Terms(**terms))


def tiny() -> Bas:
    """A random tiny configuration, for tests."""

    def make() -> Any:
        from ifdl.nets import bas

        return bas.small((8, 12, 16), ramp=10)

    return Bas(make)
