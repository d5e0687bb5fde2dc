"""Learned features instead of RootSIFT: SuperPoint, matched by LightGlue where a candidate is looked at closely.

Experimental: built and tested with random weights of tiny size; what the published ones find has not been measured
here. They are fetched by transformers when first needed; SuperPoint's are licensed for non-commercial research only.

Sources: DeTone, Malisiewicz, Rabinovich, "SuperPoint", CVPR Workshops 2018; Lindenberger, Sarlin, Pollefeys,
"LightGlue: local feature matching at light speed", ICCV 2023; the classes of transformers.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ifdl.trace.features import INDEXED, LONGEST, Features, nothing, reduced, spread

SUPERPOINT, LIGHTGLUE = "magic-leap-community/superpoint", "ETH-CVG/lightglue_superpoint"
MIDDLE = 128
STEPS = 254  # from -0.5 to 0.5: a number of a unit vector of 256 hardly goes beyond
SMALLEST = 32  # pixels a side
CLOSE = 0.2  # score of LightGlue below which a match is not believed

Pixels = NDArray[np.uint8]
Places = NDArray[np.float32]


class SuperPoint:
    """Features by SuperPoint at `revision` of its hub repository; `net` and `matcher` may be given instead."""

    middle = MIDDLE

    def __init__(
        self, revision: str = "main", matcher_revision: str = "main", net: Any = None, matcher: Any = None
    ) -> None:
        self.revision, self.matcher_revision = revision, matcher_revision
        if net is not None:
            self.net = net.eval()
        if matcher is not None:
            self.matcher = matcher.eval()

    @cached_property
    def net(self) -> Any:
        from transformers import SuperPointForKeypointDetection

        loaded: Any = SuperPointForKeypointDetection.from_pretrained(SUPERPOINT, revision=self.revision)
        return loaded.eval()

    @cached_property
    def matcher(self) -> Any:
        from transformers import LightGlueForKeypointMatching

        loaded: Any = LightGlueForKeypointMatching.from_pretrained(LIGHTGLUE, revision=self.matcher_revision)
        return loaded.eval()

    @property
    def width(self) -> int:
        return int(self.net.config.descriptor_decoder_dim)

    @property
    def name(self) -> str:
        """With the commit the weights came from: indexes of two sets of weights cannot be compared."""
        commit = getattr(self.net.config, "_commit_hash", None) or self.revision
        return f"SuperPoint {self.width} {commit} {INDEXED} {LONGEST}"

    def extract(self, pixels: Pixels, most: int) -> Features:
        import torch

        grey, ratio = reduced(pixels)
        if min(grey.shape) < SMALLEST:
            return nothing(self.width, MIDDLE)
        with torch.inference_mode():
            found = self.net(_planes(grey))
        real = found.mask[0].bool()
        if not real.any():
            return nothing(self.width, MIDDLE)
        places = found.keypoints[0][real].numpy() * np.array(grey.shape[::-1], np.float32)
        kept = spread(places, found.scores[0][real].numpy(), grey.shape, most)
        levels = np.rint(found.descriptors[0][real].numpy()[kept] * STEPS) + MIDDLE
        none = np.zeros(len(kept), np.float32)
        return Features(
            ((places[kept] + 0.5) * ratio - 0.5).astype(np.float32), none, none,
            levels.clip(0, 255).astype(np.uint8), MIDDLE,
        )  # fmt: skip

    def mirrored(self, own: Features, pixels: Pixels) -> Features:
        """Taken anew: what SuperPoint makes of a mirrored picture cannot be told from the upright one."""
        return self.extract(np.ascontiguousarray(pixels[:, ::-1]), max(len(own), 1))

    def closer(self, theirs: Pixels, ours: Pixels) -> tuple[Places, Places]:
        """Places M×2 of both pictures that LightGlue matches."""
        import torch

        planes, ratios = zip(*(reduced(p) for p in (theirs, ours)), strict=True)
        none = np.zeros((0, 2), np.float32)
        if min(min(p.shape) for p in planes) < SMALLEST:
            return none, none
        # A pair has one size: the smaller is filled up with black below and to the right.
        height, width = (max(p.shape[n] for p in planes) for n in (0, 1))
        frames = [np.pad(p, ((0, height - p.shape[0]), (0, width - p.shape[1]))) for p in planes]
        with torch.inference_mode():
            found = self.matcher(torch.stack([_planes(f)[0] for f in frames])[None])
        first, score = found.matches[0, 0].numpy(), found.matching_scores[0, 0].numpy()
        chosen = np.flatnonzero((first >= 0) & (score >= CLOSE) & (found.mask[0, 0].numpy() > 0))
        size = np.array([width, height], np.float32)
        places = [found.keypoints[0, n].numpy() * size for n in (0, 1)]
        pairs = [places[0][chosen], places[1][first[chosen]]]
        one, two = (((p + 0.5) * ratio - 0.5).astype(np.float32) for p, ratio in zip(pairs, ratios, strict=True))
        return one, two


def _planes(grey: Pixels) -> Any:
    """float32 1×3×H×W in 0-1, as both nets take it."""
    import torch

    return torch.from_numpy(grey.astype(np.float32) / 255)[None, None].repeat(1, 3, 1, 1)
