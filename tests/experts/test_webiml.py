"""Web-IML: masks looked at again, objects jittered in place, and the losses; its annotator has tests of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.experts import webiml  # noqa: E402
from ifdl.intake import decode  # noqa: E402
from ifdl.nets import webiml as nets  # noqa: E402
from ifdl.train import recipe, supervision  # noqa: E402
from ifdl.train.data import Batch  # noqa: E402
from tests.experts import planted  # noqa: E402
from tests.photographs import bundled  # noqa: E402

TINY = {"hidden_sizes": [8, 8, 12, 16], "depths": [1, 1, 1, 1]}


@pytest.fixture(scope="module")
def photograph() -> Any:
    return np.ascontiguousarray(decode(bundled()[0].data).pixels[40:200, 60:220])


def test_attention_widens_a_mask_and_never_forgets_it() -> None:
    calibrate = nets.Calibrate(4, rates=(1,))
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 30:34, 30:34] = 0.9
    with torch.no_grad():
        found = calibrate.attention(mask)
    assert float(calibrate.kernel.detach().sum()) == pytest.approx(1.0, abs=1e-5) and calibrate.kernel.shape[-2:] == (
        31,
        31,
    )
    assert (found >= mask).all() and found.max() <= 1 and float(found[0, 0, 32, 38]) > 0.1
    assert float(found[0, 0, 32, 60]) == 0  # beyond the kernel's reach


def test_each_round_looks_at_the_mask_before_it() -> None:
    net = webiml.tiny().net().eval()
    pixels = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        found = net(pixels=pixels)
        assert found["steps"].shape == (1, 4, 16, 24) and torch.equal(found["steps"][:, 3:], found["map"])
        features = torch.rand(1, 12, 16, 24)
        dark, lit = (net.calibrate(features, torch.full((1, 1, 16, 24), level)) for level in (-9.0, 9.0))
        assert not torch.allclose(dark, lit)
        net.rounds = 0
        assert torch.equal(net(pixels=pixels)["map"], found["steps"][:, :1])


def test_the_losses_are_of_the_hard_pixels_of_every_round() -> None:
    steps = torch.randn(3, 3, 8, 8)
    mask = (torch.rand(3, 1, 8, 8) > 0.5).float()
    known = torch.tensor([True, False, True])
    terms = nets.loss({"steps": steps}, {"mask": mask, "known": known})
    each = []
    for n in range(3):
        logits, truth = steps[known, n].numpy().astype(float), mask[known, 0].numpy()
        right = (1 / (1 + np.exp(np.where(truth > 0.5, -logits, logits)))).ravel()
        each.append(-np.log(right[right <= max(0.7, np.sort(right)[31])]).mean())
    assert float(terms["first"]) == pytest.approx(0.4 * each[0], rel=1e-5)
    assert float(terms["ohem"]) == pytest.approx((each[1] + each[2]) / 2, rel=1e-5)
    # Of a map that is sure and right, the hardest quarter still counts.
    sure = torch.full((1, 1, 8, 8), -9.0)
    sure[..., :2] = -4.0
    assert float(nets.ohem(sure, sure * 0, 0.7)) == pytest.approx(np.log(1 + np.exp(-4.0)), rel=1e-4)
    nothing = nets.loss({"steps": steps}, {"mask": mask, "known": known & False})
    assert all(float(term) == 0 for term in nothing.values())


def test_a_jittered_object_changes_in_place_and_nowhere_else(photograph: Any) -> None:
    thing = np.zeros(photograph.shape[:2], bool)
    thing[50:100, 40:110] = True
    for n in range(6):
        made, mask = webiml.jittered(photograph, thing, np.random.default_rng(n))
        assert (mask & thing).sum() == thing.sum() and mask.sum() < 1.5 * thing.sum()
        far = cv2.dilate(mask.astype(np.uint8), np.ones((17, 17), np.uint8)) == 0
        assert np.array_equal(made[far], photograph[far]) and not np.array_equal(made[mask], photograph[mask])
        same, _ = webiml.jittered(photograph, thing, np.random.default_rng(n))
        assert np.array_equal(made, same)


def test_jitter_makes_an_edited_picture_of_an_untouched_one_and_says_so(photograph: Any) -> None:
    expert = webiml.tiny()
    expert._jitter = 1.0
    empty = np.zeros((8, *photograph.shape[:2]), bool)
    labels = np.zeros(8, np.int64)
    batch = Batch(0, (photograph,) * 8, empty, labels, ("a",) * 8, empty.astype(np.uint8))
    inputs, truth = supervision.tensors_of(expert, batch, 0)
    marked = truth["mask"].flatten(1).any(1)
    assert marked.any() and torch.equal(truth["label"], marked.long())
    own = torch.from_numpy(expert.prepare(photograph)["pixels"])
    changed = torch.tensor([not torch.equal(one, own) for one in inputs["pixels"]])
    assert torch.equal(changed, marked)
    share = truth["mask"].mean((1, 2, 3))[marked]
    assert (share >= webiml.LEAST).all() and (share <= 1.5 * webiml.MOST).all()
    expert._jitter = 0.0
    assert not supervision.tensors_of(expert, batch, 0)[1]["mask"].any()


def test_it_learns_masks_above_the_centre_prior() -> None:
    expert = webiml.tiny()
    net = expert.net().train()
    optimiser = torch.optim.AdamW(net.parameters(), 4e-3)
    pictures, masks, labels = planted.splices(24, seed=5, noise=40.0)
    edited = labels == 1
    untrained = planted.auc(planted.maps(expert, net.eval(), pictures)[edited], masks[edited])
    net.train()
    for step in range(100):
        shown, truth, _ = planted.splices(8, seed=1000 + step, noise=40.0)
        pixels = torch.from_numpy(np.stack([expert.prepare(p)["pixels"] for p in shown]))
        known = {"mask": torch.from_numpy(truth[:, None]).float(), "known": torch.ones(8, dtype=torch.bool)}
        loss = sum(expert.loss(net(pixels=pixels), known).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    area = planted.auc(planted.maps(expert, net.eval(), pictures)[edited], masks[edited])
    assert area > 0.9 and area > untrained + 0.05
    assert area > planted.auc(planted.centre(int(edited.sum()), 64), masks[edited])


def test_the_papers_configuration_loads_published_backbones_and_small_weights_are_small(tmp_path: Path) -> None:
    from ifdl.nets.export import save

    body = nets.convnext(TINY)
    body.save_pretrained(tmp_path)
    loaded = nets.convnext(hub=str(tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(body.state_dict().values(), loaded.state_dict().values(), strict=True))
    found = webiml.build(size="paper", untrained=True, convnext=TINY).net().eval()(pixels=torch.rand(2, 3, 64, 96))
    assert found["map"].shape == (2, 1, 16, 24) and found["classes"].shape == (2, 2)
    own = webiml.build(untrained=True)
    save(own.net(), tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size < 1.5e6
    again = webiml.build(tmp_path / "w.safetensors")
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(own.net().eval()(pixels)["map"], again.net().eval()(pixels)["map"])


@pytest.mark.parametrize("name", ["webiml", "webiml_small"])
def test_recipes(name: str) -> None:
    assert recipe.load(name).expert.name == "webiml"
