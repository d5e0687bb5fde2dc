"""MMFusion: three forensic filters and the picture, fused in a two-branch transformer; it says which filter saw it.

The network is in `ifdl.nets.mmfusion`. Two phases: first the map, then confidence and score with the map frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ifdl.experts._base import Arrays
from ifdl.experts._published import Published, sigmoid, trained
from ifdl.signal.regions import mask_of
from ifdl.types import Card, Finding, Map, Picture, Prediction, Question, State

WEIGHTS_SHA256 = "39e08d89899a1c022dc962674da85799df6dc1f064c15f03a2b9b4d530b8e53e"
FILTERS = ("noiseprint", "bayar", "srm")
LAYERS = ("map", "reliability", *FILTERS)

CARD = Card(
    id="mmfusion",
    title="MMFusion: SRM, Bayar and a Noiseprint-like residual fused with the picture",
    questions=(Question.LOCAL_EDIT,),
    citation=(
        "K. Triaridis, V. Mezaris: Exploring multi-modal fusion for image manipulation detection and localization. "
        "MMM 2024."
    ),
    url="https://arxiv.org/abs/2312.01790",
    domain="Photographs of at least 64 pixels a side, looked at in tiles of stored pixels.",
    threshold="0.5, as the paper has it.",
    look_for="A marked part with high reliability; the filters that it rests on are named.",
    ignore="Marks of low reliability, and marks that vanish without a single filter where the part is only smooth.",
    limits=(
        "Its small weights are undertrained: after 20,000 small forgeries they mark CASIA v1 no better than somebody "
        "who marks the middle of every picture. Their map is for comparison, not for evidence.",
        "Noiseprint's weights are not ours to ship: the filter of that shape learns with the rest.",
        "The small configuration starts from nothing: no MiT of its size was ever trained on ImageNet.",
        "Which filter saw it is measured by silencing one at a time: what two filters both see, neither is missed for.",
        "The paper's configuration (two MiT-B2) was checked for loading and shapes on a tiny one only.",
        "The paper's numbers are of a pixel F1 that takes the better of the map and its inverse; ours are not.",
    ),
    experimental=True,
    licence=(
        "Apache-2.0, written from the paper (its own code is for academic use); initial weights of the paper's "
        "configuration: MiT-B2, NVIDIA source code licence (non-commercial)"
    ),
)


class MMFusion(Published):
    """Outputs of the net also hold, per filter, how strong its residual is; `missed` says what each is needed for."""

    CARD = CARD
    LEVELS = (WEIGHTS_SHA256, 0.24789806973373008, 0.8058869651284183)
    STRIDE, STEP = 4, 32

    def __init__(self, *arguments: Any, phase: Any = "both", **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._phase = phase

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms ce and dice (phase 1), confidence and score (phase 2)."""
        from ifdl.nets.mmfusion import loss

        return loss(dict(outputs), dict(truth), self._phase)

    def outputs(self, picture: Picture) -> Arrays:
        """Every output of the net for a picture, tiles merged, C×h×w; "classes" T×2, a row for each tile."""

        def layers(found: Arrays) -> NDArray[np.float32]:
            # Before phase 2 there is no reliability: every cell is as good as another.
            return np.concatenate([found.get(name, np.zeros_like(found["map"])) for name in LAYERS])

        merged, votes = self.merged(picture, layers)
        return {name: merged[n : n + 1] for n, name in enumerate(LAYERS)} | {"classes": votes}

    def predict(self, source: str | Path | Picture) -> Prediction:
        """Tiles at stored size, merged without seams."""
        from ifdl import intake

        picture = source if isinstance(source, Picture) else intake.load(source)
        return self.restore(self.outputs(picture), picture)

    def restore(self, outputs: Arrays, picture: Picture) -> Prediction:
        """As every system here, with the reliability beside the heat."""
        found = super().restore(outputs, picture)
        if "reliability" not in outputs:
            return found
        trust = Map.of(sigmoid(outputs["reliability"][0]), (picture.height, picture.width), self.STRIDE)
        return replace(found, reliability=trust)

    def missed(self, picture: Picture) -> dict[str, Map]:
        """By filter, how much of the heat (0-1) is lost where the net does not hear it; three more passes."""
        net, size = self.net(), (picture.height, picture.width)
        heat = sigmoid(self.outputs(picture)["map"][0])
        lost = {}
        try:
            for name in FILTERS:
                net.silenced = frozenset({name})
                without = sigmoid(self.outputs(picture)["map"][0])
                lost[name] = Map.of(np.maximum(heat - without, 0), size, self.STRIDE)
        finally:
            net.silenced = frozenset()
        return lost

    def findings(self, prediction: Prediction, picture: Picture) -> list[Finding]:
        """As for every expert; a supported one also says how much of the marked heat each filter is needed for."""
        found = super().findings(prediction, picture)
        if found[0].state != State.SUPPORTED:
            return found
        marked = mask_of(found[0].regions, (picture.height, picture.width))
        levels = {name: lost.at_full_size()[marked].mean() / 65535 for name, lost in self.missed(picture).items()}
        numbers = {f"lost_without_{name}": round(float(level), 3) for name, level in levels.items()}
        said = ", ".join(f"{numbers[f'lost_without_{name}']} without {name}" for name in FILTERS)
        sentence = f"{found[0].sentence} Of the marked parts' heat is lost: {said}."
        return [replace(found[0], sentence=sentence, numbers={**found[0].numbers, **numbers}), *found[1:]]


class Paper(MMFusion):
    TILE, OVERLAP = 1024, 96


def build(
    weights: Path | None = None,
    size: Literal["small", "paper"] = "small",
    untrained: bool = False,
    fusion: Literal["early", "late", "rgb"] = "early",
    phase: Literal["localise", "detect", "both"] = "both",
    encoder: Path | None = None,
    noiseprint: Path | None = None,
) -> MMFusion:
    """The system with its trained small weights, where they are on this machine, or with `weights`.

    `untrained` starts anew (paper: both branches from MiT-B2, of the hub or from `encoder`, a safetensors file with
    NVlabs' names). `fusion` early mixes the filters into one picture, late encodes each apart, rgb leaves them out.
    `noiseprint` is a safetensors file of a DnCNN trained elsewhere; it then stays as it is.
    """
    if size not in ("small", "paper"):
        raise ValueError(f"size is small or paper, not {size!r}")
    if fusion not in ("early", "late", "rgb") or phase not in ("localise", "detect", "both"):
        raise ValueError(f"fusion is early, late or rgb, phase localise, detect or both; not {fusion!r}, {phase!r}")
    chosen = weights if weights or untrained or size == "paper" else trained(CARD.id, WEIGHTS_SHA256)

    def make() -> Any:
        from ifdl.nets import mmfusion as nets

        net = nets.MMFusion(replace(nets.SMALL if size == "small" else nets.Shape(), fusion=fusion), phase)
        if size == "paper" and weights is None:
            nets.start_from(net, encoder)
        if noiseprint is not None:
            nets.keep_noiseprint(net, noiseprint)
        return net

    return (MMFusion if size == "small" else Paper)(make, chosen, usable=False, phase=phase)


def tiny() -> MMFusion:
    """A random tiny configuration, for tests."""

    def make() -> Any:
        from ifdl.nets import mmfusion as nets

        return nets.MMFusion(nets.TINY, "both")

    return MMFusion(make)
