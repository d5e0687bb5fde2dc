"""The network of MMFusion: three forensic filters beside the picture, mixed early or encoded apart and merged late.

Source: Triaridis and Mezaris, "Exploring multi-modal fusion for image manipulation detection and localization", MMM
2024, and the card of its code; confidence and score as in TruFor (Guillaro et al., CVPR 2023). Needs the train extra.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ifdl.nets import losses, pooling
from ifdl.nets.cmx import Fuse, Rectify
from ifdl.nets.dncnn import DnCnn
from ifdl.nets.filters import Bayar, Srm
from ifdl.nets.heads import AllMlp
from ifdl.nets.mit import MEAN, SIZES, STD, Mit, Size, from_nvlabs
from ifdl.nets.weak import two_classes

HUB, REVISION = "nvidia/mit-b2", "3bb39e8739149c3777d0325349b2a6c32c6413db"
FILTERS = ("noiseprint", "bayar", "srm")
CLIP = 2 / 255  # of the SRM residual, in the unit of the picture
Fusion = Literal["early", "late", "rgb"]
Phase = Literal["localise", "detect", "both"]


@dataclass(frozen=True)
class Shape:
    """Sizes of the parts; the default is the paper's. `rgb` as fusion leaves the filters out: the control.

    `denoiser` is depth and width of the Noiseprint-like filter, `mixer` the channels of a block of the early mixer,
    `width` those of both decoders.
    """

    fusion: Fusion = "early"
    size: Size = SIZES["b2"]
    denoiser: tuple[int, int] = (17, 64)
    mixer: tuple[int, int, int] = (24, 48, 96)
    width: int = 512
    score: int = 128


SMALL = Shape(
    size=Size((16, 24, 40, 64), (1, 1, 1, 1)), denoiser=(4, 8), mixer=(4, 8, 16), width=32, score=32
)  # fmt: skip
TINY = Shape(size=SIZES["tiny"], denoiser=(3, 4), mixer=(4, 4, 4), width=8, score=8)


class Mixer(nn.Sequential):
    """Three 3×3 layers and a 1×1: N×`inputs`×H×W → N×3×H×W."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            inputs = width
        super().__init__(*layers, nn.Conv2d(inputs, 3, 1))


class Filters(nn.Module):
    """`pixels` N×3×H×W in [0, 1] → a residual N×3×H×W of each of `FILTERS`."""

    def __init__(self, denoiser: tuple[int, int]) -> None:
        super().__init__()
        self.noiseprint = DnCnn(*denoiser)
        self.bayar = Bayar(3, 3, 5)
        self.srm = Srm(3, clip=CLIP)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        noise = self.noiseprint(pixels).expand(-1, 3, -1, -1)
        return {"noiseprint": noise, "bayar": self.bayar(pixels), "srm": self.srm(pixels) / CLIP}


class Early(nn.Module):
    """Residuals to one auxiliary picture N×3×H×W, through a block each and one for all."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.apart = nn.ModuleDict({name: Mixer(3, widths) for name in FILTERS})
        self.dropout = nn.Dropout2d(0.33)
        self.together = Mixer(3 * len(FILTERS), widths)

    def forward(self, residuals: dict[str, Tensor]) -> Tensor:
        apart = torch.cat([self.apart[name](residuals[name]) for name in FILTERS], 1)
        return self.together(self.dropout(apart))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Two MiTs; after every stage they rectify each other, go on rectified, and are fused for the decoders."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.rgb, self.other = Mit(size), Mit(size)
        self.rectify = nn.ModuleList(Rectify(c) for c in size.channels)
        self.fuse = nn.ModuleList(Fuse(c, h) for c, h in zip(size.channels, size.heads, strict=True))

    def forward(self, one: Tensor, two: Tensor) -> list[Tensor]:
        fused = []
        stages = zip(self.rgb.body.stages, self.other.body.stages, self.rectify, self.fuse, strict=True)
        for first, second, rectify, fuse in stages:
            one, two = rectify(first(one), second(two))
            fused.append(fuse(one, two))
        return fused


class Late(nn.Module):
    """A two-branch encoder of the picture and each filter; their features are merged by 1×1 at every stage."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({name: Encoder(size) for name in FILTERS})
        self.merge = nn.ModuleList(nn.Conv2d(len(FILTERS) * c, c, 1) for c in size.channels)

    def forward(self, pixels: Tensor, residuals: dict[str, Tensor]) -> list[Tensor]:
        apart = [self.encoders[name](pixels, residuals[name]) for name in FILTERS]
        return [merge(torch.cat(own, 1)) for merge, own in zip(self.merge, zip(*apart, strict=True), strict=True)]


class MMFusion(nn.Module):
    """`pixels` N×3×H×W RGB in [0, 1] → logits "map" and "reliability" N×1×H/4×W/4 and "classes" N×2.

    "noiseprint", "bayar" and "srm" N×1×H/4×W/4 are what each filter measured: the root mean square of its residual.
    Phase `localise` trains the map, `detect` confidence and score with all else frozen, `both` the two at once: what
    confidence and score read is cut from the map's gradient, so they never change it. `silenced` filters give nothing.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, shape: Shape = Shape(), phase: Phase = "localise") -> None:
        super().__init__()
        self.shape, self.phase = shape, phase
        self.silenced: frozenset[str] = frozenset()
        self.filters = Filters(shape.denoiser)
        channels = shape.size.channels
        self.early = Early(shape.mixer) if shape.fusion == "early" else None
        self.encoder = {"early": Encoder, "late": Late, "rgb": Mit}[shape.fusion](shape.size)
        self.decoder = AllMlp(channels, shape.width, maps=2, norm=nn.BatchNorm2d)
        self.confidence = AllMlp(channels, shape.width, maps=1, norm=nn.BatchNorm2d)
        self.score = nn.Sequential(
            nn.Linear(8, shape.score), nn.ReLU(), nn.Dropout(0.5), nn.Linear(shape.score, 1)
        )  # fmt: skip
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)
        detecting = (self.confidence, self.score)
        for name, part in self.named_children():
            if phase != "both" and (part in detecting) != (phase == "detect"):
                part.requires_grad_(False)
            if name == "filters" and shape.fusion == "rgb":
                part.requires_grad_(False)

    def train(self, mode: bool = True) -> MMFusion:
        """In phase `detect` the statistics of frozen norms stay too."""
        super().train(mode)
        if mode and self.phase == "detect":
            for part in self.children():
                part.train(part in (self.confidence, self.score))
        return self

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        residuals = self.filters(pixels)
        heard = {n: torch.zeros_like(r) if n in self.silenced else r for n, r in residuals.items()}
        seen = (pixels - self.mean) / self.std
        if self.shape.fusion == "late":
            features = self.encoder(seen, heard)
        elif self.early is not None:
            features = self.encoder(seen, self.early(heard))
        else:
            features = self.encoder(seen)
        logits = self.decoder(features).float()
        outputs = {"map": logits[:, 1:] - logits[:, :1]}
        for name, residual in residuals.items():
            power = F.avg_pool2d(residual.detach().float().square().mean(1, keepdim=True), 4, ceil_mode=True)
            outputs[name] = power.sqrt()
        if self.phase == "localise":  # no score yet: the mean of the highest cells stands in
            return outputs | {"classes": two_classes(pooling.top_share(outputs["map"].detach()))}
        trust = self.confidence([feature.detach() for feature in features]).float()
        told = pooling.confidence_weighted(outputs["map"].detach(), trust)
        return outputs | {"reliability": trust, "classes": two_classes(self.score(told).squeeze(1))}


def loss(outputs: dict[str, Tensor], truth: dict[str, Tensor], phase: Phase) -> dict[str, Tensor]:
    """Phase 1: .3 of cross-entropy with classes weighing .5 and 2.5, .7 of Dice over both classes. Phase 2: squared
    error of the confidence to the probability given to the true class, and .5 of the score's cross-entropy.
    """
    mask, known = truth["mask"], truth["known"]
    heat = _at(outputs["map"], mask)
    terms = {}
    if phase != "detect":
        both = torch.cat([torch.zeros_like(heat), heat], 1)
        labels = (mask[:, 0] > 0.5).long()
        edited = known & (truth["label"] == 1)
        # Dice of the untouched class too, so that a picture without an edit has its say.
        dice = (losses.dice(heat, mask, edited) + losses.dice(-heat, 1 - mask, known)) / 2
        terms = {"ce": 0.3 * losses.ce(both, labels, known, (0.5, 2.5)), "dice": 0.7 * dice}
    if phase != "localise":
        share = heat.detach().sigmoid()
        right = share * mask + (1 - share) * (1 - mask)
        apart = (_at(outputs["reliability"], mask).sigmoid() - right).square().mean((1, 2, 3))
        terms["confidence"] = torch.where(known, apart, 0.0).sum() / known.sum().clamp(min=1)
        score = outputs["classes"][:, 1] - outputs["classes"][:, 0]
        terms["score"] = 0.5 * F.binary_cross_entropy_with_logits(score, (truth["label"] > 0).float())
    return terms


def _at(logits: Tensor, mask: Tensor) -> Tensor:
    return F.interpolate(logits, mask.shape[2:], mode="bilinear", align_corners=False)


# ---------------------------------------------------------------- where the paper starts from


def start_from(net: MMFusion, encoder: Path | None = None, body: Any = None) -> None:
    """Give every MiT of the net published weights: a safetensors file with NVlabs' names, `body`, or the hub's.

    What the hub holds at that revision may be a pickle alone, which is refused: convert it, and give the file.
    """
    if encoder is not None:
        from safetensors.torch import load_file

        state = from_nvlabs(load_file(encoder))
    else:
        if body is None:
            from transformers import SegformerModel

            body = SegformerModel.from_pretrained(HUB, revision=REVISION, use_safetensors=True)
        state = body.state_dict()
    for part in net.modules():
        if isinstance(part, Mit):
            part.body.load_state_dict(state, strict=True)


def keep_noiseprint(net: MMFusion, weights: Path) -> None:
    """Give the DnCNN weights that it keeps."""
    from safetensors.torch import load_file

    net.filters.noiseprint.load_state_dict(load_file(weights), strict=True)
    net.filters.noiseprint.requires_grad_(False)
