"""Parameter groups, LoRA, the rate over time, the moving average."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ifdl.train import schedule  # noqa: E402
from ifdl.train.recipe import Group, Optim, Schedule  # noqa: E402


def net() -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = {"encoder": torch.nn.Linear(6, 6), "norm": torch.nn.LayerNorm(6), "head": torch.nn.Linear(6, 2)}
    module = torch.nn.Sequential()
    for name, layer in layers.items():
        module.add_module(name, layer)
    return module


def by_name(module: Any, groups: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    names = {parameter: name for name, parameter in module.named_parameters()}
    return {names[p]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}


def test_groups_have_their_own_rates_and_vectors_no_decay() -> None:
    module = net()
    optim = Optim(lr=1.0, weight_decay=0.1, groups=(Group("encoder.*", "frozen"), Group("head.*", lr=0.5)))
    assert by_name(module, schedule.groups(module, optim)) == {
        "norm.weight": (1.0, 0.0),
        "norm.bias": (1.0, 0.0),
        "head.weight": (0.5, 0.1),
        "head.bias": (0.5, 0.0),
    }
    assert not module.encoder.weight.requires_grad


def test_what_the_net_froze_stays_frozen_unless_a_group_trains_it() -> None:
    module = net().requires_grad_(False)
    module.norm.requires_grad_(True)
    found = by_name(module, schedule.groups(module, Optim(groups=(Group("head.weight"),))))
    assert found.keys() == {"norm.weight", "norm.bias", "head.weight"}


@pytest.mark.parametrize(
    ("group", "said"),
    [(Group("eyes.*"), "eyes"), (Group("*", "frozen"), "frozen"), (Group("norm.*", "lora"), "linear")],
)
def test_a_useless_group_is_refused(group: Group, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        schedule.groups(net(), Optim(groups=(group,)))


def test_lora_trains_additions_alone_and_merges_into_the_same_net() -> None:
    pytest.importorskip("peft", reason="the train extra is not installed")
    module = net()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    groups = schedule.groups(module, Optim(groups=(Group("encoder.*", "lora", lr=0.2, rank=2), Group("norm.*"))))
    found = by_name(module, groups)
    assert {n for n in found if n.startswith("encoder")} == {
        "encoder.lora_A.group0.weight",
        "encoder.lora_B.group0.weight",
    }
    assert found["encoder.lora_A.group0.weight"][0] == 0.2 and "head.weight" in found
    optimiser = torch.optim.AdamW(groups)
    inputs = torch.randn(4, 6)
    for _ in range(3):
        module(inputs).square().sum().backward()
        optimiser.step()
    whole = schedule.merged(module)
    assert whole.keys() == before.keys()
    assert torch.equal(whole["encoder.bias"], before["encoder.bias"])
    assert not torch.allclose(whole["encoder.weight"], before["encoder.weight"])
    plain = net()
    plain.load_state_dict(whole)
    torch.testing.assert_close(plain(inputs), module(inputs))


def test_rate_warms_up_falls_as_a_cosine_and_follows_the_clock() -> None:
    plan = Schedule(steps=100, warmup=10, floor=0.1, minutes=1.0)
    assert schedule.rate(plan, 0) == pytest.approx(0.1) and schedule.rate(plan, 4) < schedule.rate(plan, 9)
    assert schedule.rate(plan, 50) == pytest.approx(0.55) and schedule.rate(plan, 100) == pytest.approx(0.1)
    assert schedule.rate(plan, 20, seconds=30) == pytest.approx(0.55)  # half of the minute is over
    assert schedule.done(plan, 20, seconds=90) == 1.0


def test_average_follows_the_weights_and_steps_aside() -> None:
    module = net()
    module.norm.requires_grad_(False)
    ema = schedule.Ema(module, 0.9)
    start = module.head.weight.detach().clone()
    with torch.no_grad():
        module.head.weight += 1
    ema.update(1)
    assert "norm.weight" not in ema.shadow
    torch.testing.assert_close(ema.shadow["head.weight"], start + 0.9)  # the decay starts at 1/10
    with ema.applied():
        torch.testing.assert_close(module.head.weight.detach(), start + 0.9)
    torch.testing.assert_close(module.head.weight.detach(), start + 1)
    ema.update(1000)
    torch.testing.assert_close(ema.shadow["head.weight"], start + 0.91)
