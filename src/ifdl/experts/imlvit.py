"""IML-ViT: a windowed ViT that sees a picture at its own resolution, and learns outlines hardest.

The network is in `ifdl.nets.imlvit`. A picture is padded, never resized, and what was padded is never scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ifdl.experts._published import Published, trained
from ifdl.nets import tiles
from ifdl.nets.weights import VIT_TINY, needed
from ifdl.types import Card, Picture, Prediction, Question

WEIGHTS_SHA256 = "0f872a2ab1892b22d1a83d098e6aac96a99c4bedc7d5124d5dc59572a8734074"
NEEDS = (VIT_TINY,)
EDGES = 20.0

CARD = Card(
    id="imlvit",
    title="IML-ViT: a windowed ViT at high resolution, with edge supervision",
    questions=(Question.LOCAL_EDIT,),
    citation=(
        "X. Ma et al.: IML-ViT: benchmarking image manipulation localization by vision transformer. arXiv 2307.14863."
    ),
    url="https://arxiv.org/abs/2307.14863",
    domain="Photographs of at least 64 pixels a side; above 1024 they are looked at in parts of 1024.",
    threshold=(
        "The small weights mark from 0.33, the level with the best mean IoU on forged calibration photographs, and "
        "speak from a score of 0.70, which 2 % of the untouched ones reach; the paper's size has the paper's 0.5."
    ),
    look_for="A marked part with a sharp outline.",
    ignore="Marks along real outlines of things: the training looks at outlines hardest.",
    limits=(
        "Trained on 20,000 small forgeries of this project's forge: on CASIA v1 a little better than marking the "
        "middle of every picture, on Lalonde and Efros' splices worse; its score hardly tells edited from untouched.",
        "It has no answer for the whole picture: the score is the mean of the map's highest 2 %.",
        "Cells next to the padding are seen with it: what is padded is not scored, but the canvas may move a number.",
        "The small configuration freezes the ViT's linear layers and trains additions of rank 8, patches and norms.",
        "Group instead of batch or layer normalisation in pyramid and head.",
        "The paper's configuration (ViT-B of MAE) was checked for loading and shapes on a tiny one only.",
    ),
    experimental=True,
    licence="Apache-2.0, written from the paper (its code is MIT); initial weights: MAE as its hub card states",
)


class IMLViT(Published):
    CARD = CARD
    LEVELS = (WEIGHTS_SHA256, 0.32889295796139467, 0.6985347800988924)
    STRIDE, STEP, TILE, OVERLAP = 4, 16, 1024, 96

    def __init__(self, *arguments: Any, edges: float = EDGES, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._edges = edges

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms bce and edge."""
        from ifdl.nets.imlvit import loss

        return loss(outputs, truth, self._edges)

    def predict(self, source: str | Path | Picture) -> Prediction:
        """The picture as it is, in parts of 1024 where it is larger; the net pads what is smaller than its canvas."""
        from ifdl import intake

        picture = source if isinstance(source, Picture) else intake.load(source)
        size = (picture.height, picture.width)
        tile = min(self.TILE, max(16, -(-max(size) // 8) * 8))
        origins = tiles.plan(size, tile, min(self.OVERLAP, tile // 4))
        cells, votes = tile // self.STRIDE, []

        def maps() -> Iterator[NDArray[np.float32]]:
            for y, x in origins:
                part = np.ascontiguousarray(picture.pixels[y : y + tile, x : x + tile])
                found = self.run(self.prepare(part))
                votes.append(found["classes"])
                own = found["map"][0]
                # Beyond the picture there is no cell; what stands there is dropped by the merge.
                yield np.pad(own, [(0, cells - n) for n in own.shape])

        merged = tiles.merge(maps(), origins, size, self.STRIDE)
        return self.restore({"map": merged[None], "classes": np.stack(votes)}, picture)


def build(
    weights: Path | None = None,
    size: Literal["small", "paper"] = "small",
    untrained: bool = False,
    encoder: Path | None = None,
    edges: float = EDGES,
) -> IMLViT:
    """The system with its trained small weights, where they are on this machine, or with `weights`.

    `untrained` starts anew. `encoder` is a safetensors file of a plain ViT with timm's names: small, ViT-Tiny (which
    it always needs); paper, ViT-B/16, of MAE from the hub without one. `edges` weighs the edge term.
    """
    if size not in ("small", "paper"):
        raise ValueError(f"size is small or paper, not {size!r}")
    chosen = weights if weights or untrained or size == "paper" else trained(CARD.id, WEIGHTS_SHA256)

    def make() -> Any:
        from ifdl.nets import imlvit, windowed

        if size == "small":
            return imlvit.ImlVit(imlvit.SMALL, windowed.vit_state(encoder or needed(VIT_TINY)))
        fresh = encoder is not None or weights is None
        return imlvit.ImlVit(imlvit.Shape(), windowed.vit_state(encoder) if fresh else None)

    return IMLViT(make, chosen, usable=False, edges=edges)


def tiny() -> IMLViT:
    """A random tiny configuration, for tests."""

    def make() -> Any:
        from ifdl.nets import imlvit

        return imlvit.ImlVit(imlvit.TINY)

    return IMLViT(make)
