"""MFPT, DEAL-300K's baseline: a frozen foundation model with prompts by frequency band, for edits by diffusion models.

The network is in `ifdl.nets.mfpt`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ifdl.experts._published import Published, trained
from ifdl.nets.weights import VIT_TINY, needed
from ifdl.types import Card, Question

WEIGHTS_SHA256 = "a0155fb5c8480a39c7488cc95733a6df6ab815c6f30fc067d7a5fc112db30efd"
NEEDS = (VIT_TINY,)

CARD = Card(
    id="mfpt",
    title="MFPT: a frozen foundation model with multi-frequency prompts",
    questions=(Question.LOCAL_EDIT,),
    citation=(
        "R. Zhang, H. Wang, H. Liu, Y. Zhou, Q. Zeng: DEAL-300K: diffusion-based editing area localization with a "
        "300K-scale dataset and frequency-prompted baseline. arXiv 2511.23377."
    ),
    url="https://arxiv.org/abs/2511.23377",
    domain="Photographs of at least 64 pixels a side, looked at in tiles of stored pixels.",
    threshold=(
        "The small weights mark from 0.16, the level with the best mean IoU on forged calibration photographs, and "
        "speak from a score of 0.92, which 2 % of the untouched ones reach; the paper's size has 0.5."
    ),
    look_for="A marked thing whose texture differs from its surroundings'.",
    ignore="Marks on smooth skies and walls: little is left there in any band.",
    limits=(
        "Trained on 20,000 small forgeries of this project's forge. Of untouched pictures of other kinds, 29 of 239 of "
        "CASIA v1 and 5 of 200 of Lalonde and Efros reach its gate.",
        "On Lalonde and Efros' splices it marks no better than somebody who marks the whole picture.",
        "How the paper builds its prompters is not published: bands of the 8×8 DCT and a learned radius are ours.",
        "It has no answer for the whole picture: the score is the mean of the map's highest 2 %.",
        "Meant for edits by diffusion models; the forgeries it can learn from here are not.",
        "The small configuration rests on ViT-Tiny of ImageNet, no foundation model.",
        "The paper's size (DINOv2-B) was checked for loading and shapes on a tiny one only.",
    ),
    experimental=True,
    licence="Apache-2.0, written from the paper; initial weights: DINOv2, Apache-2.0",
)


class MFPT(Published):
    CARD = CARD
    LEVELS = (WEIGHTS_SHA256, 0.1556572823682002, 0.9214354517805262)
    STRIDE = 4

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms bce and dice."""
        from ifdl.nets.mfpt import loss

        return loss(outputs, truth)


class Paper(MFPT):
    TILE, OVERLAP = 512, 64


def build(
    weights: Path | None = None,
    size: Literal["small", "paper"] = "small",
    untrained: bool = False,
    encoder: Path | None = None,
    prompts: bool = True,
) -> MFPT:
    """The system with its trained small weights, where they are on this machine, or with `weights`.

    `untrained` starts anew. The frozen encoder is always needed: small, ViT-Tiny, or `encoder`, a safetensors file
    with timm's names; paper, DINOv2-B of the hub. Without `prompts` only the decoder learns: the control.
    """
    if size not in ("small", "paper"):
        raise ValueError(f"size is small or paper, not {size!r}")
    chosen = weights if weights or untrained or size == "paper" else trained(CARD.id, WEIGHTS_SHA256)

    def make() -> Any:
        from dataclasses import replace

        from ifdl.nets import mfpt, windowed

        shape = replace(mfpt.SMALL if size == "small" else mfpt.Shape(), prompts=prompts)
        state = windowed.vit_state(encoder or needed(VIT_TINY)) if size == "small" else None
        return mfpt.Mfpt(shape, mfpt.encoder(shape, state, published=size == "paper"))

    return (MFPT if size == "small" else Paper)(make, chosen, usable=False)


def tiny() -> MFPT:
    """A random tiny configuration, for tests."""

    def make() -> Any:
        from ifdl.nets import mfpt

        return mfpt.Mfpt(mfpt.TINY, mfpt.encoder(mfpt.TINY))

    return MFPT(make)
