"""WSCL: its pooling, its two consistencies and its teacher against brute force; labels alone show where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl import experts  # noqa: E402
from ifdl.experts import _published, wscl  # noqa: E402
from ifdl.nets import pooling, weak  # noqa: E402
from ifdl.nets.wscl import CLIP, Wscl, differ, ensemble, losses, teacher  # noqa: E402
from ifdl.train import recipe  # noqa: E402
from tests.experts import planted  # noqa: E402

RESNET = {"embedding_size": 8, "hidden_sizes": [8, 8, 12, 16], "depths": [1, 1, 1, 1], "layer_type": "basic"}


def test_adaptive_pooling_is_otsus_split_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (1, 2), (3, 5), (8, 8)):
        values = rng.random(shape).astype(np.float32)
        ordered = np.sort(values.ravel())[::-1].astype(np.float64)
        choices = range(1, max(1, len(ordered) // 2) + 1)
        spread = [sum(((g - g.mean()) ** 2).sum() for g in (ordered[:k], ordered[k:]) if len(g)) for k in choices]
        kept = choices[int(np.argmin(spread))]
        found = pooling.otsu(torch.from_numpy(values)[None, None])
        assert float(found) == pytest.approx(ordered[:kept].mean(), abs=1e-6)


def test_pooling_reaches_the_upper_group_alone() -> None:
    values = torch.full((1, 1, 4, 4), 0.1)
    values[0, 0, 0, :3] = 0.9
    values.requires_grad_()
    pooling.otsu(values).backward()
    assert values.grad is not None and int((values.grad > 0).sum()) == 3 and float(values.grad[0, 0, 0].sum()) == 1


def test_the_teacher_names_a_cell_of_every_edited_picture_and_none_of_an_untouched_one() -> None:
    streams = torch.full((3, 3, 2, 3), -4.0)
    streams[0, :, 0, 1] = 5.0  # sure, edited
    streams[1, :, 1, 2] = -1.0  # unsure, edited: its likeliest cell
    streams[2] = 5.0  # sure, untouched
    found = teacher(streams, torch.tensor([1, 1, 0]))[:, 0]
    assert found[0].nonzero().tolist() == [[0, 1]] and found[1].nonzero().tolist() == [[1, 2]] and not found[2].any()
    # The residual streams count twice: two of three agreeing is enough, colour alone is not.
    streams = torch.full((2, 3, 1, 1), -8.0)
    streams[0, 1:] = 8.0
    streams[1, 0] = 8.0
    assert (ensemble(streams)[:, 0, 0, 0] > 0.5).tolist() == [True, False]


def test_patches_differ_symmetrically_and_a_map_of_one_kind_not_at_all() -> None:
    labels = torch.zeros(2, 1, 32, 32)
    labels[0, :, :16] = 1
    found = differ(labels)
    assert found.shape == (2, 256, 256) and torch.equal(found, found.transpose(1, 2))
    assert not found[1].any() and not found.diagonal(dim1=1, dim2=2).any()
    assert float(found[0].mean()) == 0.5  # half and half: half of all pairs


def test_the_losses_are_those_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(1)
    streams = torch.randn(2, 3, 4, 4, generator=generator)
    unlike = torch.randn(2, 3, 16, 16, generator=generator)
    label = torch.tensor([1, 0])
    terms = losses({"streams": streams, "unlike": unlike, "ramp": torch.tensor(0.5)}, label)
    p, q = streams.sigmoid().numpy().astype(float), teacher(streams, label).numpy()
    assert float(terms["msc"]) == pytest.approx(0.05 * sum(((p[:, k] - q[:, 0]) ** 2).mean() for k in range(3)))
    cells = q.reshape(2, -1)
    target = (cells[:, :, None] != cells[:, None])[:, None]
    v = 1 / (1 + np.exp(-unlike.numpy().astype(float)))
    bce = -np.where(target, np.log(v), np.log(1 - v)).mean()
    assert float(terms["ipc"]) == pytest.approx(0.05 * bce, rel=1e-5)
    scores = torch.stack([pooling.otsu(streams[:, k : k + 1].sigmoid()) for k in range(3)], 1).numpy()
    assert float(terms["image"]) == pytest.approx(-(np.log(scores[0]) + np.log(1 - scores[1])).sum() / 2, rel=1e-5)


def test_the_consistencies_start_slowly_and_a_resumed_net_goes_on_where_it_was() -> None:
    ramp = weak.Ramp(4)
    grown = [float(ramp()) for _ in range(6)]
    assert grown[0] == pytest.approx(np.exp(-5)) and grown[4:] == [1.0, 1.0] and grown == sorted(grown)
    again = weak.Ramp(4)
    again.load_state_dict(ramp.state_dict())
    assert float(again()) == 1.0
    assert float(weak.Ramp(4).eval()()) == float(weak.Ramp(4).eval()())


def test_three_views_of_which_two_know_no_content() -> None:
    net = wscl.tiny().net()
    colour, srm, bayar = net.views(torch.full((1, 3, 32, 32), 0.7))
    assert srm.abs().max() < 1e-4 and bayar.abs().max() < 1e-4 and colour.abs().min() > 0.5
    assert float(net.views(torch.rand(1, 3, 32, 32))[1].abs().max()) == pytest.approx(1.0) and CLIP == 5 / 255


def test_labels_alone_show_where_and_wrong_labels_do_not() -> None:
    pictures, masks, labels = planted.splices(24, seed=5)
    edited = labels == 1
    gaps = {}
    for shuffled in (False, True):
        expert = wscl.tiny()
        heat = planted.maps(expert, planted.learned(expert, 50, shuffled=shuffled), pictures)
        gaps[shuffled] = float(heat[masks].mean() - heat[~edited].mean())
        if not shuffled:
            area = planted.auc(heat[edited], masks[edited])
            assert area > 0.9 > planted.auc(planted.centre(int(edited.sum()), 64), masks[edited])
    assert gaps[False] > 0.5 and gaps[True] < 0.25, gaps


def test_every_stream_learns() -> None:
    expert = wscl.tiny()
    net = expert.net().train()
    pictures, _, labels = planted.splices(4)
    pixels = torch.from_numpy(np.stack([expert.prepare(p)["pixels"] for p in pictures]))
    sum(expert.loss(net(pixels=pixels), {"label": torch.from_numpy(labels)}).values()).backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum()]


def test_the_papers_configuration_loads_published_backbones_and_has_its_shapes(tmp_path: Path) -> None:
    from transformers import ResNetConfig, ResNetModel

    body = ResNetModel(ResNetConfig(**RESNET))
    body.save_pretrained(tmp_path)
    loaded = weak.ResNet(hub=str(tmp_path))
    assert torch.equal(loaded.body.embedder.embedder.convolution.weight, body.embedder.embedder.convolution.weight)
    expert = wscl.build(size="paper", untrained=True, resnet=RESNET)
    net: Any = expert.net().train()
    assert isinstance(net, Wscl)
    outputs = net(pixels=torch.rand(2, 3, 64, 96))
    assert outputs["map"].shape == (2, 1, 4, 6) and outputs["streams"].shape == (2, 3, 4, 6)
    assert outputs["unlike"].shape == (2, 3, 24, 24) and outputs["classes"].shape == (2, 2)
    assert len(weak.RESNET50_REVISION) == 40


def test_without_weights_it_says_how_to_train_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_published, "REPOSITORY", tmp_path)
    monkeypatch.setenv("IFDL_HOME", str(tmp_path))
    monkeypatch.setattr(wscl, "WEIGHTS_SHA256", "0" * 64)
    expert = experts.load("wscl")
    with pytest.raises(ValueError, match="wscl has no trained weights here; train it with `ifdl train wscl_small"):
        expert.run(expert.prepare(planted.splices(1)[0][0]))
    (tmp_path / "wscl_small.safetensors").write_bytes(b"other")
    with pytest.raises(ValueError, match="is not the file that wscl was measured with"):
        experts.load("wscl")


def test_small_weights_are_small_and_come_back_in_half_precision(tmp_path: Path) -> None:
    from ifdl.nets.export import save

    own = wscl.build(untrained=True)
    save(own.net(), tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size < 1.5e6
    again = wscl.build(tmp_path / "w.safetensors")
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(own.net().eval()(pixels)["map"], again.net().eval()(pixels)["map"])
    assert len(again.weights_sha256) == 64


@pytest.mark.parametrize("name", ["wscl", "wscl_small"])
def test_recipes_train_it_from_labels(name: str) -> None:
    plan = recipe.load(name)
    assert plan.expert.name == "wscl" and plan.validation.metric == "picture_auc" and plan.expert.options["untrained"]
