"""BAS: the frozen copy, the measure that keeps pushing, and a map that stays dark where nothing was edited."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.experts import bas  # noqa: E402
from ifdl.nets.bas import evidence, losses  # noqa: E402
from ifdl.train import recipe  # noqa: E402
from tests.experts import planted  # noqa: E402
from tests.experts.test_wscl import RESNET  # noqa: E402


def outputs(cells: torch.Tensor, erased: torch.Tensor, heat: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "cells": cells, "erased": erased, "map": heat, "classes": cells.mean((2, 3)), "ramp": torch.tensor(1.0),
    }  # fmt: skip


def test_what_is_erased_teaches_the_generator_and_no_layer_of_the_classifier() -> None:
    net = bas.tiny().net().train()
    found = net(pixels=torch.rand(2, 3, 64, 64))
    found["erased"].square().sum().backward()
    reached = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert reached == {"generate"} and net.generate.weight.grad.abs().sum() > 0
    # The copy is the layers as they are now: a map of nothing erases nothing.
    with torch.no_grad():
        net.generate.weight.zero_()
        net.generate.bias.fill_(-30.0)
        found = net(pixels=torch.rand(2, 3, 64, 64))
        assert torch.allclose(found["erased"], found["cells"], atol=1e-5)
        net.generate.bias.fill_(30.0)
        assert not net(pixels=torch.rand(2, 3, 64, 64))["erased"].any()


def test_the_mass_of_evidence_still_pushes_where_the_published_logit_has_stopped() -> None:
    left = torch.full((1, 2, 4, 4), 0.0)
    left[:, 1] = -1.0  # the rest of the picture looks untouched
    left[:, 1, :1, :2] = 2.0  # and part of the edit is still there
    for kind, pushes in (("logit", False), ("mass", True)):
        own = left.clone().requires_grad_()
        evidence(own, kind).sum().backward()
        assert bool(own.grad.any()) is pushes, kind  # type: ignore[union-attr]
    assert float(evidence(left, "mass")) == pytest.approx(2 * 2.0 / 16) and float(evidence(left, "logit")) == 0
    with pytest.raises(ValueError, match="mass or logit"):
        evidence(left, "area")


def test_the_losses_by_hand() -> None:
    cells = torch.zeros(2, 2, 2, 2)
    cells[0, 1] = torch.tensor([[4.0, 0.0], [0.0, 0.0]])
    erased = cells.clone()
    erased[0, 1, 0, 0] = 1.0
    heat = torch.full((2, 1, 2, 2), -30.0)
    heat[0, 0, 0, 0] = 30.0
    terms = losses(outputs(cells, erased, heat), torch.tensor([1, 0]), 0.5, 2.0, 0.4, "mass")
    assert float(terms["background"]) == pytest.approx(2.0 * 0.25)  # a quarter of the evidence is left
    assert float(terms["area"]) == pytest.approx(0.4 / 8)
    assert float(terms["inside"]) == pytest.approx(0.5 * np.log(1 + np.exp(-1.0)))
    # More evidence after erasing than before counts as all of it, and an untouched picture has none to suppress.
    terms = losses(outputs(cells, cells * 9, heat), torch.tensor([1, 0]), 0.5, 2.0, 0.4, "mass")
    assert float(terms["background"]) == 2.0
    terms = losses(outputs(cells, erased, heat), torch.tensor([0, 0]), 0.5, 2.0, 0.4, "mass")
    assert float(terms["background"]) == 0 == float(terms["inside"])


def test_the_map_is_lit_on_the_edit_dark_on_untouched_pictures_and_needs_no_rescaling() -> None:
    pictures, masks, labels = planted.splices(24, seed=5)
    edited = labels == 1
    gaps = {}
    for shuffled in (False, True):
        expert = bas.tiny()
        heat = planted.maps(expert, planted.learned(expert, 80, shuffled=shuffled), pictures)
        gaps[shuffled] = float(heat[masks].mean() - heat[~edited].mean())
        if not shuffled:
            area = planted.auc(heat[edited], masks[edited])
            assert area > 0.9 > planted.auc(planted.centre(int(edited.sum()), 64), masks[edited])
            assert heat[masks].mean() > 0.8 and (heat[~edited] > 0.5).mean() < 0.15
    assert gaps[False] > 0.6 and gaps[True] < 0.3, gaps


def test_the_papers_configuration_has_its_shapes_and_small_weights_are_small(tmp_path: Path) -> None:
    from ifdl.nets.export import save

    net = bas.build(size="paper", untrained=True, resnet=RESNET).net().train()
    found = net(pixels=torch.rand(2, 3, 64, 96))
    assert found["map"].shape == (2, 1, 4, 6) and found["cells"].shape == (2, 2, 2, 3)
    assert found["erased"].shape == (2, 2, 2, 3) and found["classes"].shape == (2, 2)
    own = bas.build(untrained=True)
    save(own.net(), tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size < 1.5e6
    again = bas.build(tmp_path / "w.safetensors")
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(own.net().eval()(pixels)["map"], again.net().eval()(pixels)["map"])
    with pytest.raises(TypeError):
        bas.build(untrained=True, breadth=2)


@pytest.mark.parametrize("name", ["bas", "bas_small"])
def test_recipes_train_it_from_labels(name: str) -> None:
    plan = recipe.load(name)
    assert plan.expert.name == "bas" and plan.validation.metric == "picture_auc"
