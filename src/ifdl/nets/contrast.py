"""Contrast decoding against a view of the masked part alone: words that the whole picture and the part both call for.

Each next word's logits become those of the whole picture plus `alpha` times those of the view, among the words that
the whole picture finds at least `beta` times as likely as its likeliest: the view can choose between them, and cannot
bring in others. An, Tian et al., "AGLA: Mitigating object hallucinations in large vision-language models with assembly
of global and local attention", CVPR 2025, which takes the view from an attention map; here it is the forgery's mask.
A random mask of the same shape elsewhere (`moved`) is the control: what it gains too is not the mask's doing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ifdl.nets.vlm import Vlm

ALPHA, BETA = 2.0, 0.5  # as published
GREY = (122, 116, 104)  # CLIP's mean colour: nothing, after normalisation


@dataclass(frozen=True)
class Contrast:
    """A LogitsProcessor of transformers: `(input_ids int64 B×T, scores float B×V) -> float B×V`.

    `view` gives the logits float B×V of the next token after the same words, seen through the view. With `alpha` 0
    the scores come back as they are. Words outside the cut get -inf. Raises ValueError for an impossible setting.
    """

    view: Callable[[Tensor], Tensor]
    alpha: float = ALPHA
    beta: float = BETA

    def __post_init__(self) -> None:
        if not (self.alpha >= 0 and math.isfinite(self.alpha)) or not 0 < self.beta <= 1:
            raise ValueError("contrast decoding needs alpha of at least 0, and beta above 0 and at most 1")

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self.alpha == 0:
            return scores
        mixed = scores + self.alpha * self.view(input_ids).to(scores)
        cut = scores.amax(dim=-1, keepdim=True) + math.log(self.beta)
        return mixed.masked_fill(scores < cut, -math.inf)


def part(picture: NDArray[np.uint8], mask: NDArray[Any], fill: tuple[int, int, int] = GREY) -> NDArray[np.uint8]:
    """The picture uint8 H×W×3 where the mask H×W is set, and one colour elsewhere."""
    return np.where(np.asarray(mask, bool)[..., None], picture, np.array(fill, np.uint8))


def moved(mask: NDArray[Any], rng: np.random.Generator) -> NDArray[np.bool_]:
    """The mask shifted by chance, out on one side and in on the other: a control of the same area."""
    height, width = mask.shape
    down, right = int(rng.integers(height)), int(rng.integers(width))
    return np.roll(np.asarray(mask, bool), (down, right), (0, 1))


def through(model: Any, given: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
    """The next token's logits after `given`'s prompt and picture, whatever was said since.

    Without a cache, which the two pictures would have to keep apart: a word costs a second pass over the whole text.
    """

    asked, image = given["input_ids"].shape[1], model.config.image_token_id

    @torch.inference_mode()
    def logits(ids: Tensor) -> Tensor:
        ids = ids.clone()
        ids[:, asked:][ids[:, asked:] == image] = 0  # a model that says the picture's token shows no second picture
        own = dict(given) | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if "mm_token_type_ids" in own:
            more = ids.shape[1] - own["mm_token_type_ids"].shape[1]
            own["mm_token_type_ids"] = torch.nn.functional.pad(own["mm_token_type_ids"], (0, more))
        return model(**own, use_cache=False).logits[:, -1]  # type: ignore[no-any-return, unused-ignore]

    return logits


def words(
    vlm: Vlm,
    picture: NDArray[np.uint8],
    mask: NDArray[Any],
    question: str,
    alpha: float = ALPHA,
    beta: float = BETA,
    most: int = 512,
) -> str:
    """`Vlm.words` under contrast with the masked part, uint8 H×W×3 and H×W as displayed; greedy, so repeatable.

    Raises ValueError for an empty mask: there is no part to look at.
    """
    if not np.any(mask):
        raise ValueError("contrast decoding needs a mask that marks something")
    vlm.model.eval()
    given, view = vlm.given(picture, mask, question)
    masked, _ = vlm.given(part(picture, mask), mask, question)
    asked = given["input_ids"].shape[1]
    contrast = Contrast(through(vlm.model, masked), alpha, beta)
    with torch.inference_mode(), vlm.looking(view, given["input_ids"]):
        said = vlm.model.generate(
            **given,
            max_new_tokens=most,
            do_sample=False,
            pad_token_id=vlm.tokens.eos_token_id,
            logits_processor=[contrast],
        )
    return str(vlm.tokens.decode(said[0, asked:], skip_special_tokens=True)).strip()
