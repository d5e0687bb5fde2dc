"""RelayFormer: cells cut and merged exactly, what relays alone can carry, clips, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.experts import relayformer  # noqa: E402
from ifdl.intake import decode  # noqa: E402
from ifdl.nets import plain  # noqa: E402
from ifdl.nets import relayformer as nets  # noqa: E402
from ifdl.nets.relayformer import Cells  # noqa: E402
from tests.photographs import bundled  # noqa: E402


def net(**changes: Any) -> Any:
    shape = replace(nets.TINY, **changes)
    made = nets.RelayFormer(shape, plain.plain_vit(shape.vit))
    for name, parameter in made.named_parameters():
        if name.endswith(".up"):  # zero at first, so that both sets would be the published block
            torch.nn.init.normal_(parameter, std=0.05)
    return made.eval()


@pytest.mark.parametrize("grid", [(1, 1), (4, 4), (6, 6), (7, 13), (3, 30)])
def test_cut_and_merge_are_an_exact_round_trip(grid: tuple[int, int]) -> None:
    cells = Cells(*grid, 4)
    values = torch.randn(2, 3, *grid)
    taken = cells.cut(values)
    down, across = cells.counts
    assert taken.shape == (2, down * across, 16, 3) and torch.equal(cells.merge(taken), values)
    assert bool(cells.valid(values.device).any(1).all()), "a cell touches nothing of the picture"


def test_the_papers_canvas_is_four_cells_and_the_small_crop_too() -> None:
    assert Cells(64, 64, 33).counts == (2, 2) and Cells(64, 64, 33).step == 31
    assert Cells(10, 10, nets.SMALL.cell).counts == (2, 2)


def test_merging_leaves_constants_and_averages_what_cells_share() -> None:
    cells = Cells(6, 6, 4)
    assert torch.equal(cells.merge(torch.full((1, 4, 16, 2), 0.3)), torch.full((1, 2, 6, 6), 0.3))
    own = torch.arange(4.0).view(1, 4, 1, 1).expand(1, 4, 16, 1)  # cell k says k
    merged = cells.merge(own)[0, 0]
    assert merged[0, 0] == 0 and merged[0, 5] == 1 and merged[5, 0] == 2 and merged[5, 5] == 3
    assert merged[0, 2] == 0.5 and merged[2, 0] == 1 and merged[2, 2] == 1.5


def far(pixels: Any) -> Any:
    """The same with another third cell: two cells away from the first, and sharing nothing with it."""
    other = pixels.clone()
    other[..., 16 * 6 :] = torch.rand_like(other[..., 16 * 6 :])
    return other


def test_only_relays_carry_from_cell_to_distant_cell() -> None:
    pixels = torch.rand(1, 1, 3, 64, 16 * 8)  # three cells in a row
    assert Cells(4, 8, 4).counts == (1, 3)
    for relay, reaches in ((False, False), (True, True)):
        own = net(relay=relay)
        with torch.no_grad():
            apart = (own.encode(pixels) - own.encode(far(pixels))).abs()[..., :2]
        assert bool(apart.max() > 1e-6) is reaches, relay


def test_what_depends_on_a_distant_cell_is_learned_with_relays_alone() -> None:
    """Read in the first cell: is the third one bright? Chance without relays."""
    found = {}
    for relay in (True, False):
        torch.manual_seed(0)
        own = net(relay=relay).train()
        told = torch.nn.Linear(32, 1)
        optimiser = torch.optim.AdamW([*own.parameters(), *told.parameters()], 5e-3)
        right = []
        for _ in range(40):
            truth = torch.rand(16).round()
            pixels = torch.full((16, 1, 3, 64, 128), 0.5)
            pixels[..., 96:] = truth[:, None, None, None, None]
            logits = told(own.encode(pixels)[..., :2].mean((2, 3)))[:, 0]
            optimiser.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(logits, truth).backward()
            optimiser.step()
            right.append(float(((logits > 0) == (truth > 0.5)).float().mean()))
        found[relay] = float(np.mean(right[-10:]))
    assert found[True] > 0.9 and found[False] < 0.7, found


def test_cost_of_cells_is_linear_in_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs of query and key, counted where attention is computed."""
    pairs = {"inside": 0, "among": 0}
    real = nets.attention

    def counted(query: Any, key: Any, value: Any, mask: Any = None) -> Any:
        pairs["inside" if mask is not None else "among"] += query.shape[0] * query.shape[2] * key.shape[2]
        return real(query, key, value, mask)

    monkeypatch.setattr(nets, "attention", counted)
    own, found = net(), []
    for columns in (4, 8, 16):  # 1, 3 and 7 cells
        pairs.update(inside=0, among=0)
        with torch.no_grad():
            own.encode(torch.rand(1, 1, 3, 64, 16 * columns))
        found.append((Cells(4, columns, 4).counts[1], dict(pairs)))
    blocks, held = 2, nets.TINY.relays
    for cells, told in found:
        assert told == {"inside": blocks * cells * (held + 16) ** 2, "among": blocks * (cells * held) ** 2}


def test_padding_to_whole_cells_is_never_looked_at() -> None:
    """A fourth row and column of patches that no cell fills: other numbers there change nothing."""
    own = net()
    pixels = torch.rand(1, 1, 3, 80, 80)  # 5×5 patches, cells of 4 with a step of 2: one row more than there is
    assert Cells(5, 5, 4).counts == (2, 2)
    real = Cells.cut

    def loud(self: Cells, grid: Any) -> Any:
        found = real(self, grid)
        outside = ~real(self, torch.ones(1, 1, self.rows, self.columns))[..., :1].bool()
        return torch.where(outside, 9.0, found) if grid.shape[1] > 1 else found

    with torch.no_grad():
        quiet = own.encode(pixels)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Cells, "cut", loud)
            assert torch.allclose(own.encode(pixels), quiet, atol=1e-6)


def test_a_clip_of_one_frame_is_the_picture_and_frames_see_each_other() -> None:
    expert = relayformer.RelayFormer(net)
    photograph = decode(bundled()[0].data)
    frames = [
        replace(photograph, pixels=np.ascontiguousarray(photograph.pixels[y : y + 70, 100:230])) for y in (60, 62, 200)
    ]
    alone, (one,) = expert.predict(frames[0]), expert.predict_clip(frames[:1])
    assert np.array_equal(alone.heat.values, one.heat.values) and one.score == pytest.approx(alone.score)
    clip = expert.predict_clip(frames)
    assert len(clip) == 3 and all(found.heat.size == (70, 130) for found in clip)
    again = expert.predict_clip([*frames[:2], frames[1]])
    assert not np.array_equal(clip[0].heat.values, again[0].heat.values)  # another third frame moved the first
    shorter = replace(photograph, pixels=frames[0].pixels[:64])
    with pytest.raises(ValueError, match="all of one size"):
        expert.predict_clip([frames[0], shorter])


def test_turned_queries_and_keys_know_distance_alone() -> None:
    query, key = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)
    for axis in range(4):
        here, there = torch.zeros(1, 4), torch.zeros(1, 4)
        there[0, axis] = 3
        moved = torch.ones(1, 4) * 5
        likeness = (nets.turned(query, here) * nets.turned(key, there)).sum()
        assert torch.allclose(likeness, (nets.turned(query, here + moved) * nets.turned(key, there + moved)).sum())
        assert not torch.allclose(likeness, (query * key).sum(), atol=1e-3)
    with pytest.raises(ValueError, match="too narrow"):
        nets.turned(torch.randn(1, 1, 1, 8), torch.zeros(1, 4))


def test_both_additions_rest_on_one_frozen_block(tmp_path: Path) -> None:
    own = net()
    assert not any("layer.body" in n or n.endswith("layer.weight") for n in own.state_dict())
    q = own.blocks[0].layers["q"]
    before = q.layer.body.weight.clone()
    optimiser = torch.optim.AdamW(own.parameters(), 0.1)
    own.train()(torch.rand(1, 3, 64, 96))["map"].sum().backward()
    optimiser.step()
    assert torch.equal(q.layer.body.weight, before)
    assert q.down.grad[nets.INSIDE].abs().sum() > 0 and q.down.grad[nets.AMONG].abs().sum() > 0
    with torch.device("meta"):
        small = nets.RelayFormer(nets.SMALL, plain.plain_vit(nets.SMALL.vit))
    assert sum(t.numel() for t in small.state_dict().values()) <= 750_000


def test_the_papers_loader_on_a_tiny_configuration(tmp_path: Path) -> None:
    """MAE's weights, as its class saves them, fit the plain ViT by name; its decoder is left."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining, ViTMAEModel

    config = dict(nets.TINY.vit)
    mae = ViTMAEForPreTraining(
        ViTMAEConfig(**config, decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2)
    )  # fmt: skip
    mae.save_pretrained(tmp_path)
    state = ViTMAEModel.from_pretrained(tmp_path, use_safetensors=True).state_dict()
    body = plain.plain_vit(config, state)
    assert torch.equal(body.layers[1].mlp.fc2.weight, mae.state_dict()["vit.layers.1.mlp.fc2.weight"])
    made = nets.RelayFormer(nets.TINY, body)
    assert made(torch.rand(1, 3, 64, 64))["map"].shape == (1, 1, 4, 4)
