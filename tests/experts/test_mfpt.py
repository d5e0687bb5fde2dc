"""MFPT: bands that sum to the picture, prompts that begin as nothing, an encoder that stays, spectra that are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.experts import mfpt  # noqa: E402
from ifdl.nets import mfpt as nets  # noqa: E402
from tests.experts import planted  # noqa: E402


@pytest.mark.parametrize("size", [(64, 64), (30, 43), (1, 9)])
def test_bands_sum_to_the_picture(size: tuple[int, int]) -> None:
    pixels = torch.rand(2, 3, *size)
    bands = nets.bands_of(pixels)
    assert bands.shape == (2, 3, 4, *size) and torch.allclose(bands.sum(2), pixels, atol=1e-5)


def test_bands_are_bands() -> None:
    """A flat picture is in the first alone; a wave of two pixels in the last alone."""
    flat = nets.bands_of(torch.full((1, 3, 16, 16), 0.4)).abs().mean((0, 1, 3, 4))
    assert flat[0] > 0.39 and flat[1:].max() < 1e-6
    wave = (torch.arange(16) % 2).float().expand(1, 3, 16, 16) - 0.5
    loud = nets.bands_of(wave).abs().mean((0, 1, 3, 4))
    assert loud.argmax() == 3 and loud[0] < 1e-6


def test_features_split_by_frequency_and_sum_to_themselves() -> None:
    prompter = nets.FeaturePrompter(4, 2)
    grid = torch.rand(1, 4, 6, 9)
    low, high = prompter.split(grid)
    assert torch.allclose(low + high, grid, atol=1e-6)
    checks = (torch.arange(6)[:, None] + torch.arange(8)) % 2 * 2.0 - 1
    low, high = prompter.split(checks.expand(1, 4, 6, 8))
    assert low.abs().max() < 0.01 < high.abs().min()  # the highest frequency there is
    low, _ = prompter.split(torch.ones(1, 4, 6, 8))
    assert low.min() > 0.99  # and the lowest


def test_prompts_that_are_zero_change_nothing() -> None:
    """With and without prompters, the features are those of the published model, bit by bit."""
    body = nets.encoder(nets.TINY)
    prompted, bare = (nets.Mfpt(replace(nets.TINY, prompts=p), body).eval() for p in (True, False))
    pixels = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        told = body((pixels - 0.5) / 0.5, interpolate_pos_encoding=True, output_hidden_states=True)
        for one, two, depth in zip(prompted.encode(pixels), bare.encode(pixels), bare.seen, strict=True):
            assert torch.equal(one, two)
            if depth < len(body.layers):  # the last of transformers' states is normalised
                own = torch.nn.functional.layer_norm(told.hidden_states[depth][:, 1:], (32,))
                assert torch.allclose(one.flatten(2).transpose(1, 2), own, atol=1e-6)
        prompted.into.up[2].weight.normal_()
        assert not torch.allclose(prompted.encode(pixels)[0], bare.encode(pixels)[0], atol=1e-3)


def spectral(count: int, seed: int) -> tuple[Any, dict[str, Any]]:
    """Noise of one mean and variance everywhere; in the part it is coarser, and that is all."""
    rng = np.random.default_rng(seed)
    pixels, masks = [], np.zeros((count, 1, 64, 64), np.float32)
    for n in range(count):
        fine = rng.normal(0, 1, (64, 64, 3))
        coarse = np.repeat(np.repeat(rng.normal(0, 1, (32, 32, 3)), 2, 0), 2, 1)
        y, x = rng.integers(0, 3, 2) * 16
        masks[n, 0, y : y + 32, x : x + 32] = 1
        pixels.append(np.where(masks[n, 0, :, :, None] > 0, coarse, fine))
    values = torch.from_numpy(np.stack(pixels).transpose(0, 3, 1, 2).astype(np.float32)) * 0.1 + 0.5
    truth = {"mask": torch.from_numpy(masks), "label": torch.ones(count, dtype=torch.int64)}
    return values, truth | {"known": torch.ones(count, dtype=torch.bool)}


def test_prompts_find_a_spectrum_that_the_decoder_alone_does_not_and_the_encoder_stays() -> None:
    body = nets.encoder(nets.TINY)
    before = {n: t.clone() for n, t in body.state_dict().items()}
    shown, truth = spectral(12, 1)
    masks = truth["mask"][:, 0].numpy() > 0
    found = {}
    for prompts in (True, False):
        torch.manual_seed(2)
        net = nets.Mfpt(replace(nets.TINY, prompts=prompts), body).train()
        optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
        for step in range(50):
            pixels, known = spectral(8, 100 + step)
            optimiser.zero_grad()
            sum(nets.loss(net(pixels), known).values()).backward()
            optimiser.step()
        with torch.no_grad():
            heat = net.eval()(shown)["map"]
        large = torch.nn.functional.interpolate(heat, (64, 64), mode="bilinear", align_corners=False)
        found[prompts] = planted.auc(large[:, 0].numpy(), masks)
    centre = planted.auc(planted.centre(12, 64), masks)
    assert found[True] > 0.85 and found[True] > found[False] + 0.1 and found[True] > centre + 0.1, (found, centre)
    assert all(torch.equal(t, before[n]) for n, t in body.state_dict().items())


def test_less_than_a_twentieth_learns() -> None:
    with torch.device("meta"):
        for shape in (nets.Shape(), nets.SMALL):
            body = nets.encoder(shape)
            net = nets.Mfpt(shape, body)
            learns = sum(p.numel() for p in net.parameters())
            assert learns < 0.05 * sum(p.numel() for p in body.parameters()), shape
            assert sum(t.numel() for t in net.state_dict().values()) == learns  # and nothing else is stored
        assert learns <= 750_000


@pytest.mark.parametrize("size", [(64, 64), (57, 83), (20, 130)])
def test_the_papers_encoder_with_patches_of_14_at_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    from transformers import Dinov2Model

    tiny = {
        "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "mlp_ratio": 2, "image_size": 56,
        "patch_size": 14,
    }  # fmt: skip
    shape = nets.Shape(vit=tiny, rank=4, width=16)
    nets.encoder(shape).save_pretrained(tmp_path)
    net = nets.Mfpt(shape, Dinov2Model.from_pretrained(tmp_path, use_safetensors=True)).eval()
    with torch.no_grad():
        found = net(torch.rand(1, 3, *size))
    assert found["map"].shape == (1, 1, -(-size[0] // 4), -(-size[1] // 4)) and found["classes"].shape == (1, 2)


def test_frozen_moves_with_the_net_and_is_in_no_checkpoint() -> None:
    net = mfpt.tiny().net()
    names = {n.split(".")[0] for n in net.state_dict()}
    assert names == {"into", "each", "decoder"}
    net.double()
    assert next(net.body.body.parameters()).dtype == torch.float64
    net.train()
    assert not net.body.body.training
