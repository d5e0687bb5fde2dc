"""Region-aware visual feature enhancement (RAVFE): the mask told to a vision-language model through its own eyes.

T = alpha·V(x) + (1 − alpha)·V(x ⊙ M) on the patch tokens of the vision tower, before the projector, so that their
number stays the same. Source: Guo, Cui, Hong, IFDL-VLM, arXiv 2603.12930, and our record of its released code.

It works for any family: the masked picture goes through the tower once and what enters each projector is kept; when
the plain picture follows, what enters is blended. Blending what *leaves* the tower would be wrong for the Qwen
families, whose merger lies inside it and whose later mergers take tokens of earlier layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ifdl.nets.vlm_geometry import Eyes, View, look


@dataclass(frozen=True)
class Ravfe:
    """How the mask guides. The defaults are the paper's.

    `alpha` is the share of the plain picture. `weights` "coverage" blends each patch only as far as the mask covers
    it. `background` "blur" puts a blurred picture outside the mask in place of zero; `soft` keeps a mask's grey
    levels. `prior` adds −prior·(1 − coverage) to the language model's attention to each image token (0: not at all).
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    alpha: float = 0.5
    weights: Literal["uniform", "coverage"] = "uniform"
    background: Literal["zero", "blur"] = "zero"
    soft: bool = False
    prior: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha is a share between 0 and 1, not {self.alpha}")
        if self.prior < 0:
            raise ValueError(f"prior is 0 or more, not {self.prior}")
        if self.weights not in ("uniform", "coverage") or self.background not in ("zero", "blur"):
            raise ValueError("weights is uniform or coverage, background is zero or blur")

    def look(self, picture: NDArray[np.uint8], eyes: Eyes, mask: NDArray[Any] | None) -> View:
        """The picture as these options have it seen."""
        return look(picture, eyes, mask, soft=self.soft, background=self.background)


def projectors(model: nn.Module) -> tuple[nn.Module, ...]:
    """The modules that turn patch tokens into the language model's. Raises ValueError for an unknown family."""
    core: Any = model.model if hasattr(model, "model") else model
    family = str(model.config.model_type)  # type: ignore[union-attr, unused-ignore]
    if family in ("llava", "llava_onevision"):
        return (core.multi_modal_projector,)
    if family == "smolvlm":
        return (core.connector,)
    if family == "qwen2_5_vl":
        return (core.visual.merger,)
    if family == "qwen3_vl":
        return (core.visual.merger, *core.visual.deepstack_merger_list)
    raise ValueError(f"no projector is known of the family {family!r}")


def tower(model: nn.Module) -> nn.Module:
    """The vision tower, without its projector where they are two modules."""
    core: Any = model.model if hasattr(model, "model") else model
    for name in ("vision_tower", "visual", "vision_model"):
        if hasattr(core, name):
            return core.__getattr__(name)  # type: ignore[no-any-return, unused-ignore]
    raise ValueError("the model has no vision tower that is known")


def inputs(view: View, eyes: Eyes, masked: bool = False, device: Any = None, dtype: Any = None) -> dict[str, Tensor]:
    """What the model takes of a view, by the names of transformers; `masked` gives the masked picture."""
    values = view.masked if masked else view.values
    if values is None:
        raise ValueError("this view has no mask")
    pixels = torch.from_numpy(values).to(device=device, dtype=dtype)
    if eyes.layout == "patches":
        return {"pixel_values": pixels, "image_grid_thw": torch.tensor([[1, *view.grid]], device=device)}
    if eyes.layout == "square":
        return {"pixel_values": pixels}
    if eyes.layout == "anyres":
        return {"pixel_values": pixels[None], "image_sizes": torch.tensor([view.size], device=device)}
    # This family takes a tile of nothing but zeros for padding and drops it; a tile outside the mask is no padding.
    empty = (pixels == 0).all(dim=(1, 2, 3))
    pixels[empty, 0, 0, 0] = 1e-6
    return {"pixel_values": pixels[None]}


@contextmanager
def guided(model: nn.Module, eyes: Eyes, view: View, how: Ravfe) -> Iterator[None]:
    """Inside, the model sees this view's picture blended with its masked one; without a mask, the plain picture.

    The picture must be given to the model once, by `inputs(view, eyes)`. Gradients flow through both pictures to
    whatever trains. Raises RuntimeError where a projector saw no picture, ValueError where it saw another one.
    """
    if view.masked is None:
        yield
        return
    first = next(tower(model).parameters())
    masked = inputs(view, eyes, True, first.device, first.dtype)
    modules = projectors(model)
    shares = None if how.weights == "uniform" else _in_order(model, eyes, view, masked)
    kept: dict[nn.Module, Tensor] = {}
    seen: dict[nn.Module, int] = dict.fromkeys(modules, 0)

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        kept[module] = given[0]

    def mix(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        seen[module] += 1
        return (blend(given[0], kept[module], how.alpha, shares), *given[1:])

    with _hooked(modules, keep):
        model.get_image_features(**masked)  # type: ignore[operator, unused-ignore]
    if missing := [m for m in modules if m not in kept]:
        raise RuntimeError(f"{len(missing)} of the model's projectors took no masked picture")
    with _hooked(modules, mix):
        yield
    if any(count == 0 for count in seen.values()):
        raise RuntimeError("the mask never reached the model: it was given no picture")


def blend(plain: Tensor, masked: Tensor, alpha: float, coverage: Tensor | None = None) -> Tensor:
    """alpha·plain + (1 − alpha)·masked; with `coverage` (tokens' shape without the last axis), that much less masked.

    Written as a step from plain, so that equal tokens stay equal to the last bit.
    """
    if plain.shape != masked.shape:
        raise ValueError(f"the model was given another picture than the mask's: {plain.shape} and {masked.shape}")
    share: Any = 1 - alpha
    if coverage is not None:
        share = share * coverage.to(plain).reshape(*plain.shape[:-1], 1)
    mixed: Tensor = plain + share * (masked - plain)
    return mixed


def token_coverage(model: nn.Module, eyes: Eyes, view: View) -> NDArray[np.float32]:
    """The mask's share of every image token the language model gets, in its order; rows' end tokens count as 1."""
    if view.coverage is None:
        raise ValueError("this view has no mask")
    cover = view.coverage
    if eyes.layout == "square":
        return np.asarray(cover[0])
    if eyes.layout == "patches":
        return np.asarray(cover.reshape(-1, eyes.merge**2).mean(axis=1), np.float32)
    if eyes.layout == "tiles":
        side, m = eyes.side // eyes.patch, eyes.merge
        cells = cover.reshape(len(cover), side // m, m, side // m, m)
        return np.asarray(cells.mean(axis=(2, 4)).reshape(-1), np.float32)
    core: Any = model.model if hasattr(model, "model") else model
    packed, _ = core.pack_image_features(
        [torch.from_numpy(cover)[..., None]],
        torch.tensor([view.size]),
        image_newline=torch.ones(1),
        vision_aspect_ratio=f"anyres_max_{eyes.most}",
    )
    return np.asarray(packed[0][:, 0].numpy(), np.float32)


def _in_order(model: nn.Module, eyes: Eyes, view: View, masked: Mapping[str, Tensor]) -> Tensor:
    """The coverage of patches in the order in which the projector gets them."""
    assert view.coverage is not None
    cover = torch.from_numpy(view.coverage)
    if str(model.config.model_type) != "qwen2_5_vl":  # type: ignore[union-attr, unused-ignore]
        return cover
    from transformers.vision_utils import get_vision_window_index

    seen: Any = tower(model)
    order, _ = get_vision_window_index(
        masked["image_grid_thw"].cpu(), seen.spatial_merge_size, seen.window_size, seen.patch_size
    )
    return cover.reshape(-1, eyes.merge**2)[order.cpu()].reshape(-1)


@contextmanager
def _hooked(modules: tuple[nn.Module, ...], hook: Any) -> Iterator[None]:
    handles = [module.register_forward_pre_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# ---------------------------------------------------------------- the prior on attention


@contextmanager
def attending(model: nn.Module, places: Tensor, coverage: NDArray[np.float32], prior: float) -> Iterator[None]:
    """Inside, attention to the image tokens at `places` (int64) is lowered by prior·(1 − coverage) before its softmax.

    A whole mask changes nothing. Attention is computed the plain way meanwhile, which needs more memory.
    """
    if len(places) != len(coverage):
        raise ValueError(f"{len(places)} image tokens, but a coverage of {len(coverage)}")
    core: Any = model.model if hasattr(model, "model") else model
    text: Any = core.language_model if hasattr(core, "language_model") else core.text_model
    lowered = torch.from_numpy(-prior * (1 - coverage))

    def lower(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        mask = named["attention_mask"]
        bias = torch.zeros(mask.shape[-1], dtype=mask.dtype, device=mask.device)
        bias[places.to(mask.device)] = lowered.to(mask)
        return given, {**named, "attention_mask": mask + bias}

    before = text.config._attn_implementation
    text.config._attn_implementation = "eager"
    handles = [layer.register_forward_pre_hook(lower, with_kwargs=True) for layer in text.layers]
    try:
        yield
    finally:
        text.config._attn_implementation = before
        for handle in handles:
            handle.remove()
