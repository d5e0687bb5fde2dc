"""Stage 1 of IFDL-VLM: a fully trained CLIP tells authentic, edited and synthetic apart, and prompts SAM for the mask.

Source: Guo, Cui, Hong, "IFDL-VLM", arXiv 2603.12930 (CVPR 2026 Findings), as its released code has it; the comments
name the sections (§) of our record of that code. Two presets: `paper_code`, the code with its quirks, and `clean`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ifdl.experts._base import Arrays, Expert
from ifdl.signal.regions import regions_of
from ifdl.types import Card, Map, Picture, Prediction, Question

WEIGHTS_SHA256 = ""

CARD = Card(
    id="ifdl_vlm",
    title="IFDL-VLM, stage 1: CLIP ViT-L/14 and SAM ViT-H",
    questions=(Question.LOCAL_EDIT, Question.SYNTHETIC_ORIGIN),
    citation="S. Guo, J. Cui, R. Hong: IFDL-VLM. arXiv 2603.12930, CVPR 2026 Findings.",
    url="https://arxiv.org/abs/2603.12930",
    domain="pictures of any size, resized to a longer side of 1024; the paper trains on SID-Set alone",
    threshold="0.5 (logit 0), as the released test code has it",
    limits=(
        "no trained weights are published: train it, or give weights of your own",
        "loader and shapes verified on a tiny random configuration",
        "the paper's numbers were not checked here; the released code's F1 and AUC of masks are not pixel measures",
        "a longer side above 1024 is reduced, and traces finer than that are lost",
        "one prompt vector for the whole picture: where an edit lies is left to SAM's frozen features",
        "the paper's training has no augmentation: JPEG, resizing and noise are untested",
    ),
    experimental=True,
    licence="code Apache-2.0; initial weights: SAM Apache-2.0, CLIP as its hub card states",
)

CLIP_L14: Mapping[str, Any] = {
    "image_size": 224, "patch_size": 14, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
    "intermediate_size": 4096,
}  # fmt: skip
SAM_H: Mapping[str, Any] = {
    "vision_config": {
        "image_size": 1024, "hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 16, "mlp_dim": 5120,
        "global_attn_indexes": [7, 15, 23, 31],
    }
}  # fmt: skip
PAD = (0.48145466, 0.4578275, 0.40821073)  # CLIP's mean colour: zero once normalised


@dataclass(frozen=True)
class Training:
    """How the paper trains (§1.5), for whoever writes the recipe: only `rate` below reads any of it.

    `steps_per_update` is how often the schedule moves in one update.
    """

    lr: float = 1e-5  # the new heads too (§1.5)
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: float = 1.0
    warmup: int = 100
    updates: int = 10_000
    batch: int = 4
    accumulate: int = 10
    precision: Literal["fp16", "bf16"] = "bf16"  # weights stay float32 under bf16 (§7.6)
    steps_per_update: int = 1
    single_class: bool = False  # mixed batches (§7.4)

    def rate(self, update: int) -> float:
        """The share of `lr` at this update (0-based): linear warm-up, then linear decay to zero (§1.5)."""
        step = self.steps_per_update * update
        if step < self.warmup:
            return step / self.warmup
        return max(0.0, (self.updates - step) / (self.updates - self.warmup))


@dataclass(frozen=True)
class Config:
    """The system. `view` is how CLIP sees a picture that is not square; `gate` empties maps of pictures not edited.

    `queries` is explained at the net; `clip` and `sam` are the arguments of CLIPVisionConfig and SamConfig;
    `pretrained` starts both from their published weights, which only the full size has.
    """

    view: Literal["crop", "pad", "squash"] = "pad"  # the whole picture (§7.5)
    gate: bool = True  # by the predicted class (§7.16)
    cls_loss_weight: float = 1.0
    mask_loss_weight: float = 1.0
    hidden: int = 512
    heads: int = 8
    queries: int = 0
    clip: Mapping[str, Any] = field(default_factory=lambda: CLIP_L14)
    sam: Mapping[str, Any] = field(default_factory=lambda: SAM_H)
    pretrained: bool = True
    training: Training = Training()


PRESETS: Mapping[str, Config] = {
    # §7's choices. Architecture and losses are the code's: weights of one preset fit the other.
    "clean": Config(),
    "paper_code": Config(
        # §1.4: CLIP's processor cuts the sides off a picture that is not square; SAM still sees them.
        view="crop",
        # §4.1: the test code scores masks whatever class was predicted, on pictures known to be tampered.
        gate=False,
        # §1.3: the flags ce_, bce_ and dice_loss_weight are ignored by the model, so there are none here.
        training=Training(
            # §1.5: weights in half precision, scaled from 2^12.
            precision="fp16",
            # §1.5: the engine and the loop both step the schedule, so warm-up takes 50 updates and the rate
            # is zero from update 5,000 on; the other half of the run does nothing.
            steps_per_update=2,
            # §1.4: the sampler fills a micro-batch from one class; classes mix through accumulation alone.
            single_class=True,
        ),
    ),
}


class IFDLVLMExpert(Expert):
    """Both views of a picture in, a map of stored pixels and three probabilities out."""

    CARD = CARD
    THRESHOLD = 0.5

    def __init__(self, config: Config, weights: Path | None = None) -> None:
        self.config, self.weights = config, weights
        self._net: Any = None
        if weights is not None:
            with weights.open("rb") as opened:
                self.weights_sha256 = hashlib.file_digest(opened, "sha256").hexdigest()

    def prepare(self, pixels: NDArray[np.uint8]) -> Arrays:
        """`clip` 3×224×224 and `sam` 3×h×w with a longer side of 1024, un-padded; RGB in [0, 1]."""
        picture = Image.fromarray(pixels)
        height, width = fitted(pixels.shape[:2], int(self.config.sam["vision_config"]["image_size"]))
        seen = picture.resize((width, height), Image.Resampling.BILINEAR)
        return {"clip": clip_view(picture, self.config.view, int(self.config.clip["image_size"])), "sam": _floats(seen)}

    def net(self) -> Any:
        """The module, made at the first call: from `weights`, else from the hub, else (tiny) at random."""
        if self._net is None:
            from ifdl.nets import ifdl_vlm as nets

            own, heads = self.config, {k: getattr(self.config, k) for k in ("hidden", "heads", "queries")}
            fresh = self.weights is None and own.pretrained
            self._net = nets.load_pretrained(**heads) if fresh else nets.build(own.clip, own.sam, **heads)
            if self.weights is not None:
                nets.load_checkpoint(self._net, self.weights)
        return self._net

    def loss(self, outputs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
        """Terms ce, bce and dice."""
        from ifdl.nets.ifdl_vlm import loss

        return loss(outputs, truth, self.config.cls_loss_weight, self.config.mask_loss_weight)

    def run(self, inputs: Arrays) -> Arrays:
        """The network on one picture. Raises ValueError where the detector was never trained."""
        if self.weights is None and self.config.pretrained:
            raise ValueError("no trained weights of IFDL-VLM are published; train it or give weights=FILE.safetensors")
        return super().run(inputs)

    def restore(self, outputs: Arrays, picture: Picture) -> Prediction:
        """Logits "map" 1×h×w of the un-padded view, and "classes" 3, as a Prediction in stored pixels."""
        size = (picture.height, picture.width)
        # The view's longer side has no more detail than this; a finer grid would only be larger.
        stride = -(-max(size) // max(outputs["map"].shape[-2:]))
        heat = 1 / (1 + np.exp(-on_grid(outputs["map"][0], size, stride).astype(np.float64)))
        scores = outputs["classes"].astype(np.float64)
        odds = np.exp(scores - scores.max())
        chances = dict(zip(("authentic", "edited", "synthetic"), map(float, odds / odds.sum()), strict=True))
        if self.config.gate and max(chances, key=lambda name: chances[name]) != "edited":
            heat = np.zeros_like(heat)
        found = Map.of(heat, size, stride)
        marked = found.at_full_size() > self.THRESHOLD * 65535
        regions = regions_of(marked, picture.item.orientation)
        return Prediction(CARD.id, found, None, chances, regions, self.weights_sha256)


def build(weights: Path | None = None, preset: str = "clean", **options: Any) -> Expert:
    """The system of a preset, with `options` that replace fields of its Config.

    Without `weights` it starts from CLIP's and SAM's published ones: fit to be trained, not to predict.
    Raises ValueError for an unknown preset, TypeError for an unknown option.
    """
    if preset not in PRESETS:
        raise ValueError(f"no preset is called {preset!r}; there are: {', '.join(sorted(PRESETS))}")
    return IFDLVLMExpert(replace(PRESETS[preset], **options), weights)


def tiny(preset: str = "clean") -> Expert:
    """Some 130,000 random weights, for tests: CLIP at 28 pixels, SAM at 64."""
    clip = {
        "image_size": 28, "patch_size": 14, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 48,
    }  # fmt: skip
    vision = {
        "image_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 48,
        "window_size": 2, "global_attn_indexes": [1], "output_channels": 32, "num_pos_feats": 16,
        "initializer_range": 0.02,
    }  # fmt: skip
    decoder = {"hidden_size": 32, "mlp_dim": 48, "num_attention_heads": 4, "iou_head_hidden_dim": 32}
    sam = {
        "vision_config": vision,
        "prompt_encoder_config": {"hidden_size": 32, "image_size": 64},
        "mask_decoder_config": decoder,
    }
    return build(None, preset, clip=clip, sam=sam, hidden=16, heads=4, pretrained=False)


# ---------------------------------------------------------------- geometry, of pictures and maps alike


def fitted(size: tuple[int, ...], side: int) -> tuple[int, int]:
    """(height, width) with the longer side at `side`, halves rounded up as SAM does, neither below 1."""
    scale = side / max(size)
    height, width = (max(1, int(length * scale + 0.5)) for length in size)
    return height, width


def on_grid(values: NDArray[np.float32], size: tuple[int, int], stride: int) -> NDArray[np.float32]:
    """Float32 values of a view h×w at the centres of cells of `stride` stored pixels, for a picture of `size`.

    The inverse of `fitted`: stored (height, width) and the view cover the same picture, pixel centres at one half.
    """
    places = []
    for length, seen in zip(size, values.shape, strict=True):
        centres = (np.arange(-(-length // stride)) + 0.5) * stride
        places.append((centres * seen / length - 0.5).astype(np.float32))
    x, y = np.meshgrid(places[1], places[0])
    mapped = cv2.remap(values.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return mapped.astype(np.float32)


def clip_view(picture: Image.Image, view: str, side: int) -> NDArray[np.float32]:
    """What CLIP sees, 3×side×side in [0, 1], bicubic: the middle square, all of it padded, or all of it squashed.

    `crop` is CLIP's own processor (shorter side resized, centre cut out), but resizes only what stays: the same
    pixels to two levels of 255, and a picture of 1×4000 asks for no memory.
    """
    bicubic = Image.Resampling.BICUBIC
    width, height = picture.size
    if view == "pad":
        rows, columns = fitted((height, width), side)
        padded = np.empty((3, side, side), np.float32)
        padded[:] = np.array(PAD, np.float32)[:, None, None]
        padded[:, :rows, :columns] = _floats(picture.resize((columns, rows), bicubic))
        return padded
    box = None
    if view == "crop":
        resized = [side if n == min(picture.size) else int(side * n / min(picture.size)) for n in picture.size]
        starts = [(n - side) // 2 for n in resized]
        left, top = (start * n / r for start, n, r in zip(starts, picture.size, resized, strict=True))
        right, bottom = ((start + side) * n / r for start, n, r in zip(starts, picture.size, resized, strict=True))
        box = (left, top, right, bottom)
    return _floats(picture.resize((side, side), bicubic, box=box))


def _floats(picture: Image.Image) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.asarray(picture, np.float32).transpose(2, 0, 1) / np.float32(255))


# ---------------------------------------------------------------- the paper's order of training


def single_class_batches(labels: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Places of `size` pictures of one class each: shuffled in their class, remainder dropped, batches shuffled (§1.4).

    All chance comes from `rng`; the released code seeds nothing.
    """
    known = np.asarray(labels)
    batches = []
    for label in np.unique(known):
        own = rng.permutation(np.flatnonzero(known == label))
        batches += [own[at : at + size].tolist() for at in range(0, len(own) - size + 1, size)]
    yield from (batches[i] for i in rng.permutation(len(batches)))
