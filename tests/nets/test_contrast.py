"""Contrast decoding: the published rule on numbers, alpha 0 as identity, and a random mask as control."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ifdl.nets import contrast
from ifdl.nets.contrast import Contrast
from ifdl.nets.vlm_tiny import tiny

SCORES = torch.tensor([[2.0, 1.9, 1.5, -3.0]])
VIEW = torch.tensor([[0.0, 0.5, 9.0, 9.0]])
IDS = torch.zeros(1, 3, dtype=torch.long)


def test_the_rule_on_numbers() -> None:
    mixed = Contrast(lambda ids: VIEW, alpha=2.0, beta=0.5)(IDS, SCORES)
    # log 0.5 = -0.69: the third word is within the cut, the fourth is not, however much the view wants it.
    assert mixed[0, :3].tolist() == pytest.approx([2.0, 2.9, 19.5])
    assert mixed[0, 3] == -math.inf
    strict = Contrast(lambda ids: VIEW, alpha=2.0, beta=0.9)(IDS, SCORES)
    assert torch.isinf(strict[0, 1:]).tolist() == [False, True, True]


def test_alpha_0_is_the_identity_and_does_not_look() -> None:
    def looks(ids: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    assert Contrast(looks, alpha=0.0)(IDS, SCORES) is SCORES


def test_a_large_alpha_leaves_the_choice_to_the_view() -> None:
    assert int(Contrast(lambda ids: VIEW, alpha=1e4)(IDS, SCORES).argmax()) == 2
    assert int(Contrast(lambda ids: -VIEW, alpha=1e4)(IDS, SCORES).argmax()) == 0


@pytest.mark.parametrize(("alpha", "beta"), [(-1, 0.5), (math.nan, 0.5), (1, 0), (1, 1.5)])
def test_impossible_settings(alpha: float, beta: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        Contrast(lambda ids: VIEW, alpha, beta)


def test_part_and_control_keep_shape_and_area() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (20, 30, 3), np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[3:8, 4:10] = True
    seen = contrast.part(picture, mask)
    assert (seen[mask] == picture[mask]).all() and (seen[~mask] == contrast.GREY).all()
    others = [contrast.moved(mask, rng) for _ in range(10)]
    assert all(other.sum() == mask.sum() for other in others) and any((other != mask).any() for other in others)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm", "llava_onevision"])
def test_on_a_tiny_model(family: str) -> None:
    vlm = tiny(family)
    for weights in vlm.model.parameters():
        weights.data *= 4.0 if weights.ndim > 1 else 1.0  # so that the picture matters to a random model's words
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (56, 56, 3), np.uint8)
    mask = np.zeros((56, 56), bool)
    mask[:28, :28] = True
    plain = vlm.words(picture, mask, "What is wrong?", most=6)
    assert contrast.words(vlm, picture, mask, "What is wrong?", alpha=0.0, most=6) == plain
    guided, again = (contrast.words(vlm, picture, mask, "What is wrong?", 50.0, 1e-6, 6) for _ in range(2))
    assert guided == again != plain
    with pytest.raises(ValueError, match="marks something"):
        contrast.words(vlm, picture, np.zeros_like(mask), "What is wrong?")


def test_the_view_sees_the_masked_part_and_a_moved_mask_another() -> None:
    vlm = tiny("llava")
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (56, 56, 3), np.uint8)
    outside = picture.copy()
    mask = np.zeros((56, 56), bool)
    mask[:28, :28] = True
    outside[~mask] = 255 - outside[~mask]

    def logits(pixels: np.ndarray, where: np.ndarray) -> torch.Tensor:
        given, view = vlm.given(contrast.part(pixels, where), mask, "What?")
        with vlm.looking(view, given["input_ids"]):
            return contrast.through(vlm.model, given)(given["input_ids"])

    own = logits(picture, mask)
    assert torch.equal(own, logits(outside, mask)), "what lies outside the mask must not reach the view"
    assert not torch.allclose(own, logits(picture, np.roll(mask, (28, 28), (0, 1))))
