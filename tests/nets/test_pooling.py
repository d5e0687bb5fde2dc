"""Scores of maps: hand-worked values, limits, and padding that must not matter."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ifdl.nets import pooling  # noqa: E402

torch.set_num_threads(1)


def cells(*values: float) -> torch.Tensor:
    return torch.tensor(values)[None, None, None]


def test_top_share_by_hand() -> None:
    values = cells(0.0, 4.0, 1.0, 3.0)
    assert pooling.top_share(values, 0.25).item() == 4
    assert pooling.top_share(values, 0.26).item() == 3.5  # rounded up
    assert pooling.top_share(values, 1.0).item() == 2
    assert pooling.top_share(values, 0.0001).item() == 4  # at least one
    hundred = torch.arange(100.0)[None, None, None]
    assert pooling.top_share(hundred, 0.07).item() == pytest.approx(96)
    assert pooling.maximum(values).item() == 4


def test_top_share_counts_valid_cells_only() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 9.0], [1.0, 2.0, 3.0, 4.0]])[:, None, None]
    valid = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)[:, None, None]
    assert pooling.top_share(values, 0.5, valid).tolist() == [2.0, 3.5]


def test_gem_lies_between_mean_and_maximum() -> None:
    values = cells(0.1, 0.2, 0.6)
    assert pooling.gem(values, 1.0).item() == pytest.approx(0.3)
    assert pooling.gem(values, 3.0).item() == pytest.approx(((0.001 + 0.008 + 0.216) / 3) ** (1 / 3))
    assert pooling.gem(values, 60.0).item() == pytest.approx(0.6, abs=0.02)
    power = torch.tensor(3.0, requires_grad=True)
    pooling.gem(values, power).sum().backward()
    assert power.grad is not None
    assert power.grad.item() > 0  # a higher power moves it towards the maximum


def test_log_sum_exp_by_hand_and_in_the_limits() -> None:
    values = cells(-1.0, 0.0, 2.0)
    mean_exp = (math.exp(-2.0) + 1 + math.exp(4.0)) / 3
    assert pooling.log_sum_exp(values, 2.0).item() == pytest.approx(math.log(mean_exp) / 2)
    assert pooling.log_sum_exp(values, 1e-3).item() == pytest.approx(1 / 3, abs=1e-2)
    assert pooling.log_sum_exp(values, 500.0).item() == pytest.approx(2.0, abs=0.01)


def test_statistics_by_hand() -> None:
    got = pooling.statistics(cells(-1.0, 3.0))[0].tolist()
    low = -math.log((math.exp(1.0) + math.exp(-3.0)) / 2)
    high = math.log((math.exp(-1.0) + math.exp(3.0)) / 2)
    assert got == pytest.approx([low, high, 1.0, 5.0])
    weighted = pooling.statistics(cells(-1.0, 3.0), cells(math.log(1.0), math.log(3.0)))[0].tolist()
    assert weighted[2:] == pytest.approx([2.0, 7.0])
    assert weighted[1] == pytest.approx(math.log((math.exp(-1.0) + 3 * math.exp(3.0)) / 4))


def test_distrusted_cells_hardly_count() -> None:
    values, reliability = cells(5.0, -2.0, -2.0), cells(-12.0, 4.0, 4.0)
    vector = pooling.confidence_weighted(values, reliability)[0]
    assert vector.shape == (8,)
    assert vector[:4].tolist() == pytest.approx(pooling.statistics(reliability)[0].tolist())
    assert vector[6].item() == pytest.approx(-2.0, abs=1e-3)
    assert pooling.confidence_weighted(values, cells(4.0, -12.0, -12.0))[0, 6].item() == pytest.approx(5.0, abs=1e-3)


POOLS = [
    pooling.maximum,
    lambda v, valid=None: pooling.top_share(v, 0.3, valid),
    lambda v, valid=None: pooling.gem(v, 3.0, valid),
    lambda v, valid=None: pooling.log_sum_exp(v, 2.0, valid),
    lambda v, valid=None: pooling.statistics(v, None, valid).sum(1),
    lambda v, valid=None: pooling.statistics(v, 2 * v, valid).sum(1),
    lambda v, valid=None: pooling.confidence_weighted(v, 1 - v, valid).sum(1),
]


@pytest.mark.parametrize("pool", POOLS)
def test_padding_is_honoured_in_value_and_gradient(pool) -> None:  # type: ignore[no-untyped-def]
    inner = torch.rand(2, 1, 5, 6, generator=torch.Generator().manual_seed(1))
    padded = torch.full((2, 1, 8, 9), 1e4)
    padded[..., 2:7, :6] = inner
    valid = torch.zeros(2, 1, 8, 9, dtype=torch.bool)
    valid[..., 2:7, :6] = True
    padded.requires_grad_()
    score = pool(padded, valid)
    assert score.shape == (2,)
    assert torch.allclose(score, pool(inner), atol=1e-5)
    score.sum().backward()
    assert torch.isfinite(padded.grad).all()
    assert not padded.grad[~valid].any()
    assert padded.grad[valid].abs().max() > 0
