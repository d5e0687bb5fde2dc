"""SAM through transformers: the frozen picture encoder, and the two-way mask decoder, large or small.

Source: Kirillov et al., "Segment Anything", ICCV 2023. Only what an expert that makes its own prompts needs is kept:
of the frozen prompt encoder its two constants, the positions of the grid and the embedding of "no mask given", which
are buffers here, so that no two tensors of a checkpoint share storage. Needs the train extra.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import SamConfig, SamModel
from transformers.models.sam.configuration_sam import SamMaskDecoderConfig
from transformers.models.sam.modeling_sam import SamMaskDecoder

HUB = "facebook/sam-vit-huge"
REVISION = "87aecf0df4ce6b30cd7de76e87673c49644bdf67"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in [0, 1]


class Decoder(nn.Module):
    """SAM's two-way mask decoder on one fixed grid of h×w cells; `outputs` logit maps of 4h×4w.

    `positions` 1×C×h×w encodes where a cell lies; `blank` 1×C×1×1 is the dense prompt where none is given. What
    cannot reach these outputs (the head that predicts IoU, the heads of other masks) is frozen.
    """

    positions: Tensor
    blank: Tensor

    def __init__(self, decoder: SamMaskDecoder, positions: Tensor, blank: Tensor, outputs: int = 1) -> None:
        super().__init__()
        if outputs not in (1, decoder.num_multimask_outputs):
            raise ValueError(f"this decoder gives 1 map or {decoder.num_multimask_outputs}, not {outputs}")
        self.decoder = decoder
        self.several = outputs > 1  # SAM's own switch: its first mask token, or all the others
        self.register_buffer("positions", positions.contiguous())  # as safetensors asks
        self.register_buffer("blank", blank)
        used = range(1, outputs + 1) if self.several else range(1)
        decoder.iou_prediction_head.requires_grad_(False)
        for number, head in enumerate(decoder.output_hypernetworks_mlps):
            head.requires_grad_(number in used)

    @property
    def width(self) -> int:
        """Channels of features and prompts."""
        return int(self.positions.shape[1])

    def forward(
        self,
        features: Tensor,
        sparse: Tensor | None = None,
        dense: Tensor | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Logits N×outputs×4h×4w of features N×C×h×w, under prompts: `sparse` N×K×C tokens, `dense` N×C×h×w.

        `places` 1×C×h×w stands for the positions where the grid is another than the decoder's own.
        """
        own = self.positions if places is None else places
        maps, _ = self.decoder(
            image_embeddings=features,
            image_positional_embeddings=own.expand(features.shape[0], -1, -1, -1),
            sparse_prompt_embeddings=None if sparse is None else sparse[:, None],  # one set of prompts a picture
            dense_prompt_embeddings=self.blank if dense is None else dense,
            multimask_output=self.several,
        )
        return maps[:, 0]  # type: ignore[no-any-return]


class Sam(nn.Module):
    """The frozen encoder and the trainable decoder. Pictures are N×3×h×w RGB in [0, 1], no side above `side`."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: SamModel) -> None:
        super().__init__()
        whole: Any = model  # transformers leaves much of it untyped
        self.side = int(whole.config.vision_config.image_size)
        self.encoder = whole.vision_encoder.requires_grad_(False)
        blank = whole.prompt_encoder.no_mask_embed.weight.detach().clone()[..., None, None]
        self.decoder = Decoder(whole.mask_decoder, whole.get_image_wide_positional_embeddings().detach(), blank)
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """Features N×C×(side/16)²; normalised, then zero-padded right and below, one picture at a time.

        One at a time because ViT-H's global attention at 1024 takes a gigabyte a picture. No gradient.
        """
        height, width = pixels.shape[-2:]
        if max(height, width) > self.side:
            raise ValueError(f"a picture of {height}×{width} does not fit SAM's {self.side}; resize it first")
        padded = F.pad((pixels - self.mean) / self.std, (0, self.side - width, 0, self.side - height))
        return torch.cat([self.encoder(padded[n : n + 1]).last_hidden_state for n in range(len(padded))])

    def decode(self, features: Tensor, size: tuple[int, int], sparse: Tensor | None = None) -> Tensor:
        """Float32 logits N×1×h×w of pictures of that un-padded (height, width): bilinearly enlarged, then cropped."""
        maps = self.decoder(features, sparse).float()
        full = F.interpolate(maps, (self.side, self.side), mode="bilinear", align_corners=False)
        return full[..., : size[0], : size[1]]


def build(**arguments: Any) -> Sam:
    """SAM with random weights; `arguments` are SamConfig's (vision_config, prompt_encoder_config, …)."""
    return Sam(SamModel(SamConfig(**arguments)))


def load_pretrained() -> Sam:
    """SAM ViT-H as published (Apache-2.0), of one revision and from safetensors alone; needs the network once."""
    return Sam(SamModel.from_pretrained(HUB, revision=REVISION, use_safetensors=True))


def small_decoder(
    width: int = 64,
    grid: tuple[int, int] = (16, 16),
    outputs: int = 1,
    layers: int = 2,
    heads: int = 4,
    mlp: int = 256,
    downsample: int = 2,
) -> Decoder:
    """A narrow decoder for a grid of (rows, columns), untrained; exports to ONNX with a dynamic batch.

    `width` is a multiple of 8 and width / downsample of `heads`. Without a dense prompt nothing is added.
    """
    config = SamMaskDecoderConfig(
        hidden_size=width,
        mlp_dim=mlp,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        attention_downsample_rate=downsample,
        num_multimask_outputs=outputs if outputs > 1 else 0,
        iou_head_hidden_dim=width,
    )
    config._attn_implementation = "sdpa"
    # Random frequencies as SAM's, but the same ones in every run, from a generator of their own.
    frequencies = torch.randn(2, width // 2, generator=torch.Generator().manual_seed(0))
    return Decoder(SamMaskDecoder(config), positions(frequencies, grid), torch.zeros(1, width, 1, 1), max(outputs, 1))


def positions(frequencies: Tensor, grid: tuple[int, int]) -> Tensor:
    """1×2F×h×w: sine and cosine of 2π·(x, y) @ frequencies 2×F, of the cells' centres in [-1, 1].

    Source: Tancik et al., "Fourier features let networks learn high frequency functions", NeurIPS 2020, as in SAM.
    """
    y, x = ((torch.arange(cells) + 0.5) / cells * 2 - 1 for cells in grid)
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    angles = 2 * math.pi * places @ frequencies
    return torch.cat([angles.sin(), angles.cos()], -1).permute(2, 0, 1)[None]
