"""MMFusion: its filters' constraints, fusion early and late, the two phases, and which filter saw it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.experts import mmfusion  # noqa: E402
from ifdl.intake import decode  # noqa: E402
from ifdl.nets import mmfusion as nets  # noqa: E402
from ifdl.nets.cmx import Fuse, Rectify  # noqa: E402
from ifdl.nets.dncnn import DnCnn  # noqa: E402
from ifdl.nets.filters import srm_kernels  # noqa: E402
from ifdl.types import State  # noqa: E402
from tests.experts import planted  # noqa: E402
from tests.photographs import bundled  # noqa: E402


def batch(count: int = 4, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    pictures, masks, labels = planted.splices(count, seed=seed)
    pixels = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32) / 255)
    truth = {"mask": torch.from_numpy(masks[:, None].astype(np.float32)), "label": torch.from_numpy(labels)}
    return pixels, truth | {"known": torch.ones(count, dtype=torch.bool)}


def trained(net: Any, phase: str, steps: int, rate: float = 3e-3) -> Any:
    optimiser = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], rate)
    net.train()
    for step in range(steps):
        pixels, truth = batch(8, seed=100 + step)
        loss = sum(nets.loss(net(pixels), truth, phase).values())  # type: ignore[arg-type]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval()


def test_srm_hears_neither_constants_nor_ramps() -> None:
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    for flat in (torch.full((24, 24), 0.7), 0.2 + 0.01 * x, 0.9 - 0.02 * y + 0.013 * x):
        found = nets.Filters((2, 4)).srm(flat.expand(1, 3, -1, -1))
        assert float(found[..., 3:-3, 3:-3].abs().max()) < 1e-6
    assert srm_kernels(3).sum((1, 2)).abs().max() < 1e-6
    assert float(nets.Filters((2, 4)).srm(torch.rand(1, 3, 24, 24)).abs().max()) > 1e-3  # and noise it hears


def test_bayar_holds_its_constraint_after_every_step() -> None:
    net = trained(nets.MMFusion(nets.TINY, "both"), "both", 0)
    start = net.filters.bayar.weight.detach().clone()
    for _ in range(3):
        trained(net, "both", 1, rate=0.1)
        kernels = net.filters.bayar.kernels()
        assert torch.allclose(kernels[..., 2, 2], torch.tensor(-1.0))
        assert torch.allclose(kernels.sum((2, 3)), torch.tensor(0.0), atol=1e-5)
    assert not torch.equal(start, net.filters.bayar.weight)  # it did learn


def test_dncnn_has_noiseprints_shape() -> None:
    net = DnCnn()
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert (len(layers), len(norms), layers[0].out_channels, layers[-1].out_channels) == (17, 15, 64, 1)


def test_rectification_is_the_formula() -> None:
    block = Rectify(4)
    one, two = torch.rand(2, 4, 5, 7), torch.rand(2, 4, 5, 7)
    both = torch.cat([one, two], 1)
    channels = block.channels(torch.cat([both.mean((2, 3)), both.amax((2, 3))], 1))
    places = block.places(both)
    found = block(one, two)
    expected = one + 0.5 * channels[:, 4:, None, None] * two + 0.5 * places[:, 1:] * two
    assert torch.allclose(found[0], expected, atol=1e-6)
    expected = two + 0.5 * channels[:, :4, None, None] * one + 0.5 * places[:, :1] * one
    assert torch.allclose(found[1], expected, atol=1e-6)


def test_fusion_asks_across_branches() -> None:
    """What one branch is told depends on the other alone: its own keys and values do not enter."""
    block = Fuse(8, 2).eval()
    one, two = torch.rand(1, 8, 4, 4), torch.rand(1, 8, 4, 4)
    before = block(one, two)
    with torch.no_grad():
        block.keys[1].weight.mul_(-2.0)
    assert not torch.allclose(before, block(one, two), atol=1e-4)
    with torch.no_grad():  # without what branch 1 asks and keeps, the keys of branch 2 reach nothing
        block.split[0].weight.zero_()
        block.split[0].bias.zero_()
        after = block(one, two)
        block.keys[1].weight.mul_(5.0)
        assert torch.allclose(after, block(one, two), atol=1e-6)


def test_both_fusions_and_the_control_have_maps_of_a_quarter() -> None:
    pixels = torch.rand(1, 3, 64, 96)
    counts = {}
    for fusion in ("early", "late", "rgb"):
        net = nets.MMFusion(replace(nets.TINY, fusion=fusion), "both").eval()  # type: ignore[arg-type]
        found = net(pixels)
        assert all(found[name].shape == (1, 1, 16, 24) for name in ("map", "reliability", *nets.FILTERS))
        assert found["classes"].shape == (1, 2)
        counts[fusion] = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert counts["rgb"] < counts["early"] < counts["late"]


def test_the_second_phase_changes_nothing_that_localises() -> None:
    net = trained(nets.MMFusion(nets.TINY, "localise"), "localise", 2)
    second = nets.MMFusion(nets.TINY, "detect")
    second.load_state_dict(net.state_dict())
    pixels, _ = batch(2, seed=9)
    before = {n: t.clone() for n, t in second.state_dict().items()}
    with torch.no_grad():
        heat = second.eval()(pixels)["map"]
    trained(second, "detect", 3, rate=0.05)
    changed = {n.split(".")[0] for n, t in second.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"confidence", "score"}, changed
    with torch.no_grad():
        assert torch.equal(second(pixels)["map"], heat)
        assert second(pixels)["reliability"].std() > 0


def test_phases_at_once_keep_confidence_and_score_out_of_the_map() -> None:
    net = nets.MMFusion(nets.TINY, "both").train()
    pixels, truth = batch()
    terms = nets.loss(net(pixels), truth, "both")
    (terms["confidence"] + terms["score"]).backward()
    touched = {n.split(".")[0] for n, p in net.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert touched == {"confidence", "score"}


def test_the_losses_are_those_of_the_card() -> None:
    heat = torch.randn(2, 1, 8, 8)
    mask = (torch.rand(2, 1, 8, 8) > 0.5).float()
    outputs = {"map": heat, "reliability": torch.randn(2, 1, 8, 8), "classes": torch.tensor([[0.0, 1.5], [0.0, -0.5]])}
    truth = {"mask": mask, "known": torch.ones(2, dtype=torch.bool), "label": torch.tensor([1, 0])}
    found = nets.loss(outputs, truth, "both")
    p = 1 / (1 + np.exp(-heat.double().numpy()))
    m = mask.double().numpy()
    right = p * m + (1 - p) * (1 - m)
    weight = np.where(m > 0, 2.5, 0.5)
    assert float(found["ce"]) == pytest.approx(0.3 * (weight * -np.log(right)).sum() / weight.sum(), rel=1e-5)
    q = outputs["reliability"].sigmoid().double().numpy()
    assert float(found["confidence"]) == pytest.approx(((q - right) ** 2).mean(), rel=1e-5)
    bce = (np.log1p(np.exp(-1.5)) + np.log1p(np.exp(-0.5))) / 2
    assert float(found["score"]) == pytest.approx(0.5 * bce, rel=1e-5)


def test_filters_hear_where_colours_say_nothing() -> None:
    """Scenes alike, the part is only noisier: the residuals' strength, untrained, against brightness and the middle."""
    pictures, masks, _ = planted.splices(24, seed=5, noise=5.0)
    pixels = torch.from_numpy(np.stack(pictures[1::2]).transpose(0, 3, 1, 2).astype(np.float32) / 255)
    with torch.no_grad():
        told = nets.MMFusion(nets.TINY, "both").eval()(pixels)
        told["brightness"] = torch.nn.functional.avg_pool2d(pixels.mean(1, keepdim=True), 4)
        large = {n: torch.nn.functional.interpolate(told[n], (64, 64))[:, 0].numpy() for n in ("srm", "brightness")}
    found = {name: planted.auc(heat, masks[1::2]) for name, heat in large.items()}
    assert found["srm"] > 0.8 and abs(found["brightness"] - 0.5) < 0.25, found
    assert planted.auc(planted.centre(12, 64), masks[1::2]) < found["srm"] - 0.1


def test_silencing_a_filter_shows_what_rested_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    photograph = decode(bundled()[0].data)
    picture = replace(photograph, pixels=np.ascontiguousarray(photograph.pixels[:96, :128]))
    expert = mmfusion.tiny()
    net = expert.net()
    with torch.no_grad():  # let the auxiliary picture matter
        net.decoder.classify.weight.mul_(60)
    lost = expert.missed(picture)
    assert set(lost) == set(mmfusion.FILTERS) and net.silenced == frozenset()
    assert all(one.size == (96, 128) for one in lost.values()) and any(one.values.max() > 0 for one in lost.values())
    whole = expert.outputs(picture)
    assert all(whole[name].shape == (1, 24, 32) and whole[name].max() > 0 for name in mmfusion.FILTERS)
    monkeypatch.setattr(expert, "GATE", 0.0)
    monkeypatch.setattr(expert, "THRESHOLD", 0.0)
    found = expert.findings(expert.predict(picture), picture)[0]
    assert found.state == State.SUPPORTED and {f"lost_without_{n}" for n in mmfusion.FILTERS} <= set(found.numbers)
    assert "without srm" in found.sentence


def test_the_papers_loader_on_a_tiny_configuration(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from transformers import SegformerConfig, SegformerModel

    size = nets.TINY.size
    config = SegformerConfig(
        hidden_sizes=list(size.channels), depths=list(size.blocks), num_attention_heads=list(size.heads),
        sr_ratios=[8, 4, 2, 1],
    )  # fmt: skip
    published = SegformerModel(config)
    published.save_pretrained(tmp_path)
    net = nets.MMFusion(nets.TINY, "localise")
    nets.start_from(net, body=SegformerModel.from_pretrained(tmp_path, use_safetensors=True))
    for branch in (net.encoder.rgb, net.encoder.other):
        assert all(torch.equal(t, published.state_dict()[n]) for n, t in branch.body.state_dict().items())
    save_file(DnCnn(3, 4).state_dict(), tmp_path / "noise.safetensors")
    nets.keep_noiseprint(net, tmp_path / "noise.safetensors")
    assert not any(p.requires_grad for p in net.filters.noiseprint.parameters())


def test_small_is_small_enough_and_the_paper_is_the_papers() -> None:
    with torch.device("meta"):
        small = nets.MMFusion(nets.SMALL, "both")
        paper = nets.MMFusion(nets.Shape(), "localise")
    assert sum(t.numel() for t in small.state_dict().values()) <= 750_000
    assert paper.encoder.rgb.channels == (64, 128, 320, 512) and paper.decoder.classify.out_channels == 2
    with pytest.raises(ValueError, match="early, late or rgb"):
        mmfusion.build(fusion="middle")  # type: ignore[arg-type]
