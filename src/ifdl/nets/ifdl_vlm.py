"""Stage 1 of IFDL-VLM: CLIP says what was done, and its patches tell SAM's decoder to say where.

Source: Guo, Cui, Hong, arXiv 2603.12930, re-implemented from a written record of the released code, whose sections
the comments name (§). The class logits are in the paper's order inside, in ours outside. Needs the train extra.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModel

from ifdl.nets import losses, sam

HUB = "openai/clip-vit-large-patch14"
REVISION = "32bd64288804d66eefd0ccbe215aa642df71cc41"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's, of RGB in [0, 1]
OURS = (0, 2, 1)  # authentic, edited, synthetic in the paper's order: real, full synthetic, tampered (§1.3)
EDITED = 1


class IFDLVLM(nn.Module):
    """CLIP (all trained) → classes; its patches and the class logits → SAM's sparse prompt → map.

    `queries` 0 pools the patches into one prompt as the paper does; more are as many learned tokens that look at
    the patches each in their own way and become as many prompts (§7.1: learned_token is 1, multi_query more).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, clip: CLIPVisionModel, seen: sam.Sam, hidden: int = 512, heads: int = 8, queries: int = 0
    ) -> None:
        super().__init__()
        inside, width = int(clip.config.hidden_size), seen.decoder.width
        self.clip = clip
        # The last hidden state is used without the final norm (§1.1), which no gradient reaches.
        clip.post_layernorm.requires_grad_(False)
        self.sam = seen
        self.detect = nn.Sequential(nn.Linear(inside, hidden), nn.ReLU(), nn.Linear(hidden, 3))
        self.project = nn.Sequential(nn.Linear(inside, width), nn.ReLU())
        self.ask = nn.Linear(3, width)
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.tokens = nn.Parameter(torch.randn(queries, width) * 0.02) if queries else None
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)

    def forward(self, clip: Tensor, sam: Tensor) -> dict[str, Tensor]:
        """Logits "map" N×1×h×w and "classes" N×3, of `clip` N×3×224×224 and `sam` N×3×h×w, both RGB in [0, 1].

        `sam` has its longer side at 1024, un-padded; the map has its size. Every picture is decoded: whose map
        counts is for the loss to say, which knows the labels.
        """
        return self.decode(clip, self.sam.encode(sam), (sam.shape[-2], sam.shape[-1]))

    def decode(self, clip: Tensor, features: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
        """The same from SAM's features, which never change and can be kept; `size` is that of the un-padded view."""
        hidden = self.clip((clip - self.mean) / self.std).last_hidden_state
        scores = self.detect(hidden[:, 0])
        prompts = self.prompts(scores, hidden[:, 1:])
        return {"map": self.sam.decode(features, size, prompts), "classes": scores[:, list(OURS)].float()}

    def prompts(self, scores: Tensor, patches: Tensor) -> Tensor:
        """Sparse prompts N×K×C of class logits N×3 (the paper's order, raw: no softmax) and CLIP's patches (§1.2)."""
        projected = self.project(patches)
        query = self.ask(scores)[:, None]
        if self.tokens is not None:
            attended, _ = self.attend(query + self.tokens, projected, projected, need_weights=False)
            return attended + self.tokens  # type: ignore[no-any-return]
        attended, _ = self.attend(query, projected, projected, need_weights=False)
        # Added to every patch and averaged, so that one vector is left and where the patches lay is lost (§1.2).
        return (projected + attended).mean(1, keepdim=True)  # type: ignore[no-any-return]


def loss(
    outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor], classes: float = 1.0, mask: float = 1.0
) -> dict[str, Tensor]:
    """classes·CE + mask·(BCE + Dice); the mask terms over edited pictures of known mask alone (§1.3).

    The mask is resized bilinearly to the map and not made binary again: targets are soft at edges (§1.3, §7.7).
    """
    target = F.interpolate(truth["mask"].float(), outputs["map"].shape[-2:], mode="bilinear", align_corners=False)
    counted = truth["known"] & (truth["label"] == EDITED)
    return {
        "ce": classes * losses.ce(outputs["classes"], truth["label"]),
        "bce": mask * losses.bce(outputs["map"], target, counted),
        "dice": mask * losses.dice(outputs["map"], target, counted, smooth=1e-3),  # LISA's form (§1.3)
    }


def build(clip: Mapping[str, Any], seen: Mapping[str, Any], **heads: int) -> IFDLVLM:
    """With random weights; `clip` and `seen` are the arguments of CLIPVisionConfig and SamConfig."""
    return IFDLVLM(CLIPVisionModel(CLIPVisionConfig(**clip)), sam.build(**seen), **heads)


def load_pretrained(**heads: int) -> IFDLVLM:
    """CLIP ViT-L/14 and SAM ViT-H as published, of one revision each, from safetensors alone; heads untrained.

    This is what training starts from, and no detector yet. Needs the network once (about 4 GB).
    """
    clip = CLIPVisionModel.from_pretrained(HUB, revision=REVISION, use_safetensors=True)
    return IFDLVLM(clip, sam.load_pretrained(), **heads)


def load_checkpoint(net: nn.Module, path: Path) -> None:
    """Read our own weights, a safetensors file or the index of its shards, into the net.

    Raises RuntimeError that names every tensor that is missing, unknown or of another shape.
    """
    from safetensors.torch import load_file

    state: dict[str, Tensor] = {}
    if path.name.endswith(".index.json"):
        shards = set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())
        for shard in sorted(shards):
            state |= load_file(path.parent / Path(shard).name)
    else:
        state = load_file(path)
    net.load_state_dict(state, strict=True)
