"""WSCL: where a picture was edited, learned from nothing but labels; three views teach each other.

The network is in `ifdl.nets.wscl`. It trains on `WeakBatch`es, which have no masks; crops are never cut out of a
labelled picture, so a label stays true.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ifdl.experts._published import Published, trained
from ifdl.types import Card, Question

WEIGHTS_SHA256 = "fae4b75ecc14ba0862546ca1624caa6dd1d90990beea234222e2e0e6e59151a0"
SMALL = (24, 48, 72, 96)  # widths of the small encoder's steps

CARD = Card(
    id="wscl",
    title="WSCL: localisation from labels alone (colour, SRM and Bayar streams)",
    questions=(Question.LOCAL_EDIT,),
    citation=(
        "Y. Zhai, T. Luan, D. Doermann, J. Yuan: Towards generic image manipulation detection with weakly-supervised "
        "self-consistency learning. ICCV 2023."
    ),
    url="https://github.com/yhZhai/WSCL",
    domain="Photographs of at least 64 pixels a side, looked at in tiles of stored pixels.",
    threshold="0.5, as the pseudo-labels of its training have it.",
    look_for="A marked part that both noise streams see.",
    ignore="Coarse outlines: a cell of the map is 8 pixels wide (16 in the paper's configuration).",
    limits=(
        "Its small weights are undertrained: after 20,000 small forgeries they mark CASIA v1 no better than somebody "
        "who marks the middle of every picture. Their map is for comparison, not for evidence.",
        "No mask is ever seen: the map is what the score rests on, and may leave out whatever the score does not need.",
        "What tells edited pictures apart as a whole (a re-save, a size) is learned as readily as the edit.",
        "Group instead of batch normalisation in the heads; patches are compared on at most 16×16 cells.",
        "The paper's configuration (three ResNet-50) was checked for loading and shapes on a tiny one only.",
    ),
    experimental=True,
    licence="Apache-2.0, written from the paper; initial weights of the paper's configuration: ResNet-50, Apache-2.0",
)


class Wscl(Published):
    CARD = CARD
    LEVELS = (WEIGHTS_SHA256, 0.5640802624551766, 0.7568796048876986)
    SUPERVISION = "label"

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms image, msc (streams agree with their ensemble) and ipc (patches differ where labels do)."""
        from ifdl.nets.wscl import losses

        return losses(dict(outputs), truth["label"])


class Paper(Wscl):
    STRIDE, STEP, TILE, OVERLAP = 16, 32, 1024, 96


def build(
    weights: Path | None = None,
    size: Literal["small", "paper"] = "small",
    untrained: bool = False,
    ramp: int = 1000,
    resnet: Mapping[str, Any] | None = None,
) -> Wscl:
    """The system with its trained small weights, where they are on this machine, or with `weights`.

    `untrained` starts anew (paper: from ImageNet's ResNet-50, fetched from the hub; `resnet` are arguments of a
    ResNetConfig instead). The consistency terms reach full weight after `ramp` training steps.
    """
    if size not in ("small", "paper"):
        raise ValueError(f"size is small or paper, not {size!r}")
    chosen = weights if weights or untrained or size == "paper" else trained(CARD.id, WEIGHTS_SHA256)

    def make() -> Any:
        from ifdl.nets import weak
        from ifdl.nets.wscl import Wscl as Net

        if size == "small":
            return Net(lambda: weak.Steps(3, SMALL), 48, 48, ramp)
        # Saved weights bring the backbone along; only a fresh start needs the hub.
        config = {} if resnet is None and weights is not None else resnet
        return Net(lambda: weak.ResNet(None if config is None else dict(config)), 512, 256, ramp)

    return (Wscl if size == "small" else Paper)(make, chosen, usable=False)


def tiny() -> Wscl:
    """A random tiny configuration, for tests."""

    def make() -> Any:
        from ifdl.nets import weak
        from ifdl.nets.wscl import Wscl as Net

        return Net(lambda: weak.Steps(3, (8, 8, 12, 12)), 12, 8, ramp=10)

    return Wscl(make)
