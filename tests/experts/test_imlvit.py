"""IML-ViT: padding changes no number, the edge band, weights of a plain ViT under VitDet's names, windows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.experts import imlvit  # noqa: E402
from ifdl.intake import decode  # noqa: E402
from ifdl.nets import imlvit as nets  # noqa: E402
from ifdl.nets import losses, windowed  # noqa: E402
from ifdl.nets.frozen import Lora  # noqa: E402
from tests.experts import planted  # noqa: E402
from tests.photographs import bundled  # noqa: E402


class Loud(nets.ImlVit):
    """The same net, with anything at all in the cells of the padding."""

    level = 0.0

    def on_canvas(self, seen: Any) -> Any:
        logits = super().on_canvas(seen)
        rows, columns = -(-self.valid[0] // 4), -(-self.valid[1] // 4)
        logits[..., rows:, :] = self.level
        logits[..., :, columns:] = self.level
        return logits

    def forward(self, pixels: Any) -> Any:
        self.valid = pixels.shape[2:]
        return super().forward(pixels)


def test_padding_changes_no_number() -> None:
    """A canvas three times as wide: whatever the net says there moves no map, no score, no loss and no gradient."""
    photograph = decode(bundled()[0].data)
    picture = replace(photograph, pixels=np.ascontiguousarray(photograph.pixels[:43, :61]))
    net = Loud(replace(nets.TINY, canvas=128)).eval()
    expert = imlvit.IMLViT(lambda: net)
    pixels = torch.rand(2, 3, 43, 61)
    mask = torch.zeros(2, 1, 43, 61)
    mask[0, :, 30:43, 40:61] = 1  # an edit at the very border with the padding
    truth = {"mask": mask, "known": torch.ones(2, dtype=torch.bool), "label": torch.tensor([1, 0])}
    told = []
    for level in (-30.0, 0.0, 30.0):
        net.level = level
        net.zero_grad()
        outputs = net(pixels)
        assert outputs["map"].shape == (2, 1, 11, 16)
        terms = nets.loss(outputs, truth)
        sum(terms.values()).backward()
        found = expert.predict(picture)
        gradient = net.head.classify.weight.grad.clone()
        told.append((outputs["map"], outputs["classes"], *terms.values(), gradient))
        told[-1] += (torch.from_numpy(found.heat.values.astype(np.int64)), torch.tensor(found.score))
    for other in told[1:]:
        assert all(torch.equal(a, b) for a, b in zip(told[0], other, strict=True))


def test_the_test_above_would_notice_padding_that_is_scored() -> None:
    net = Loud(replace(nets.TINY, canvas=128)).eval()
    pixels = torch.rand(1, 3, 43, 61)
    with torch.no_grad():
        seen = net.padded(pixels)
        net.valid = pixels.shape[2:]
        maps = []
        for net.level in (-30.0, 30.0):
            maps.append(net.on_canvas(seen).sigmoid().mean())
    assert maps[1] - maps[0] > 0.5


def test_what_is_padded_is_zero_and_on_the_right_and_below() -> None:
    net = nets.ImlVit(replace(nets.TINY, canvas=96))
    seen = net.padded(torch.rand(1, 3, 50, 33))
    assert seen.shape[2:] == (96, 96) and not seen[..., 50:, :].any() and not seen[..., 33:].any()
    assert nets.ImlVit(nets.TINY).padded(torch.rand(1, 3, 50, 33)).shape[2:] == (64, 48)


def test_the_edge_band_is_a_cross_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((40, 40), bool)
    mask[5:20, 8:30] = True
    mask[rng.integers(0, 40, 12), rng.integers(0, 40, 12)] ^= True
    reach = nets.BAND // 2

    def dilated(given: Any) -> Any:
        out = given.copy()
        for y, x in zip(*np.nonzero(given), strict=True):
            out[max(0, y - reach) : y + reach + 1, x] = True
            out[y, max(0, x - reach) : x + reach + 1] = True
        return out

    expected = dilated(mask) & dilated(~mask)
    found = losses.edge_band(torch.from_numpy(mask[None, None].astype(np.float32)), nets.BAND)
    assert np.array_equal(found[0, 0].numpy(), expected)


def test_the_edge_term_is_the_weighted_mean_over_all_pixels() -> None:
    heat, mask = torch.randn(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 8:20] = 1
    truth = {"mask": mask, "known": torch.tensor([True]), "label": torch.tensor([1])}
    found = nets.loss({"map": heat}, truth)
    each = torch.nn.functional.binary_cross_entropy_with_logits(heat, mask, reduction="none")
    band = losses.edge_band(mask, 7)
    assert float(found["edge"]) == pytest.approx(20 * float((each * band).sum()) / 1024, rel=1e-5)
    unknown = nets.loss({"map": heat}, truth | {"known": torch.tensor([False])})
    assert float(unknown["edge"]) == float(unknown["bce"]) == 0


def test_weights_of_a_plain_vit_fit_and_say_the_same() -> None:
    """All blocks global and no relative positions: VitDet is then the ViT itself, without its class token."""
    from transformers import ViTMAEConfig, ViTMAEModel

    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32}
    mae = ViTMAEModel(ViTMAEConfig(intermediate_size=64, **config)).eval()
    state = {n: t + 0.1 * torch.randn_like(t) if t.is_floating_point() else t for n, t in mae.state_dict().items()}
    mae.load_state_dict(state)
    arguments = config | {"pretrain_image_size": 32, "use_relative_position_embeddings": True, "layer_norm_eps": 1e-12}
    net = windowed.vitdet(arguments, state).eval()
    pixels = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        tokens = mae.embeddings.patch_embeddings(pixels) + state["embeddings.position_embeddings"][:, 1:]
        for layer in mae.layers:
            tokens = layer(tokens)
        found = net(pixels).last_hidden_state
    assert torch.allclose(found.flatten(2).transpose(1, 2), tokens, atol=1e-5)
    del state["layers.1.mlp.fc1.weight"]
    with pytest.raises(ValueError, match=r"encoder\.layer\.1\.mlp\.fc1\.weight"):
        windowed.vitdet(arguments, state)


def test_relative_positions_are_interpolated_to_other_grids() -> None:
    net = windowed.vitdet(nets.config(16, 1, 2, 2, (0,), 64) | {"pretrain_image_size": 64}).eval()
    with torch.no_grad():
        net.encoder.layer[0].attention.rel_pos_h.normal_()
        assert net(torch.rand(1, 3, 160, 48)).last_hidden_state.shape == (1, 16, 10, 3)


def test_windows_see_nothing_of_each_other_until_a_block_looks_everywhere() -> None:
    pixels = torch.rand(1, 3, 64, 64)
    other = pixels.clone()
    other[..., 32:, 32:] = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        for everywhere, reaches in (((), False), ((1,), True)):
            net = windowed.vitdet(nets.config(16, 2, 2, 2, everywhere, 64) | {"pretrain_image_size": 64}).eval()
            apart = (net(pixels).last_hidden_state - net(other).last_hidden_state).abs()[..., :2, :2]
            assert bool(apart.max() > 1e-7) is reaches


def test_the_small_one_stores_what_it_learned_alone() -> None:
    net = nets.ImlVit(nets.TINY)
    frozen = [m.layer.body for m in net.modules() if isinstance(m, Lora)]
    assert len(frozen) == 2 * 4  # qkv, proj and two of the MLP in each block
    held = {id(p) for layer in frozen for p in layer.parameters()}
    assert not held & {id(p) for p in net.parameters()} and not any(".layer.weight" in n for n in net.state_dict())
    with torch.device("meta"):
        small = nets.ImlVit(nets.SMALL)
        paper = nets.ImlVit(nets.Shape())
    assert sum(t.numel() for t in small.state_dict().values()) <= 750_000
    windows = [layer.window_size for layer in paper.vit.encoder.layer]
    assert windows == [14, 14, 0] * 4 and paper.shape.canvas == 1024


def test_it_learns_where_of_a_batch_and_not_of_the_middle() -> None:
    """Outlines weigh most in its loss; still the map ends up inside the parts, wherever they lie."""
    pictures, masks, labels = planted.splices(8, seed=3)
    net = nets.ImlVit(replace(nets.TINY, lora=None)).train()
    expert = imlvit.IMLViT(lambda: net)
    pixels = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32) / 255)
    truth = {"mask": torch.from_numpy(masks[:, None].astype(np.float32)), "label": torch.from_numpy(labels)}
    truth["known"] = torch.ones(8, dtype=torch.bool)
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    for _ in range(30):
        optimiser.zero_grad()
        sum(expert.loss(net(pixels), truth).values()).backward()
        optimiser.step()
    found = planted.auc(planted.maps(expert, net.eval(), pictures[1::2]), masks[1::2])
    assert found > planted.auc(planted.centre(4, 64), masks[1::2]) + 0.15, found


def test_trained_weights_need_the_encoder_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ifdl.nets import weights

    monkeypatch.setenv("IFDL_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="ifdl models fetch vit_tiny"):
        weights.needed(beside=tmp_path / "nothing")
    (tmp_path / "other").write_bytes(b"other weights")
    with pytest.raises(ValueError, match="not the vit_tiny"):
        weights.needed(beside=tmp_path / "other")
