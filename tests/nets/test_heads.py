"""Dense heads: odd sizes, gradients everywhere, and parts against torch's own or worked by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from ifdl.nets import heads  # noqa: E402

torch.set_num_threads(1)
CHANNELS = (8, 12, 16, 20)


def features(height: int, width: int, batch: int = 1) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [
        torch.randn(batch, c, -(-height // s), -(-width // s)) for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize("head", [heads.AllMlp, heads.Fpn, heads.Uper])
@pytest.mark.parametrize("size", [(64, 64), (37, 101), (5, 9)])
def test_any_size_gives_a_map_at_the_finest_stride(head: type[nn.Module], size: tuple[int, int]) -> None:
    net = head(CHANNELS, 16, maps=2).train()
    given = features(*size)
    out = net(given)
    assert out.shape == (1, 2, *given[0].shape[-2:])
    out.square().mean().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("head", [heads.AllMlp, heads.Fpn, heads.Uper])
def test_every_level_matters_and_is_wanted(head: type[nn.Module]) -> None:
    net = head(CHANNELS, 16).eval()
    given = features(40, 56)
    before = net(given)
    for n in range(4):
        changed = [f + 1.0 * (m == n) * torch.randn_like(f) for m, f in enumerate(given)]
        assert (net(changed) - before).abs().max() > 1e-4
    with pytest.raises((ValueError, RuntimeError)):
        net(given[:3])


def test_batch_norm_can_be_had() -> None:
    net = heads.Uper(CHANNELS, 16, norm=nn.BatchNorm2d).train()
    assert net(features(64, 64, batch=2)).shape == (2, 1, 16, 16)
    assert not any(isinstance(part, nn.GroupNorm) for part in net.modules())


def test_all_mlp_by_the_papers_formula() -> None:
    net = heads.AllMlp(CHANNELS, 16, norm=nn.BatchNorm2d).eval()
    given = features(64, 96)
    up = [
        F.interpolate(
            F.linear(f.movedim(1, -1), level.weight[:, :, 0, 0], level.bias).movedim(-1, 1),
            given[0].shape[-2:],
            mode="bilinear",
        )
        for f, level in zip(given, net.levels, strict=True)
    ]
    expected = net.classify(net.mix(torch.cat([up[3], up[2], up[1], up[0]], 1)))
    assert torch.allclose(net(given), expected, atol=1e-5)


def test_the_pyramid_adds_what_is_above() -> None:
    net = heads.Pyramid((1, 1), 1)
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.Conv2d):
                part.weight.zero_()
                part.weight[..., part.weight.shape[-1] // 2, part.weight.shape[-1] // 2] = 1
                part.bias.zero_()
    fine, coarse = torch.arange(9.0).view(1, 1, 3, 3), torch.tensor([[[[10.0, 20.0], [30.0, 40.0]]]])
    low, high = net([fine, coarse])
    assert torch.equal(high, coarse)
    above = torch.tensor([[10.0, 10, 20], [10, 10, 20], [30, 30, 40]])
    assert torch.equal(low[0, 0], fine[0, 0] + above)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (6, 6), (13, 7), (20, 31)])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_pooling_is_torchs_adaptive_average(size: tuple[int, int], bins: int) -> None:
    feature = torch.randn(2, 3, *size)
    assert torch.allclose(heads.pool(feature, bins), F.adaptive_avg_pool2d(feature, bins), atol=1e-6)


def test_the_simple_pyramid_makes_four_strides_of_one() -> None:
    net = heads.SimplePyramid(16, 8)
    levels = net(torch.randn(1, 16, 5, 7))
    assert [tuple(f.shape) for f in levels] == [(1, 8, 20, 28), (1, 8, 10, 14), (1, 8, 5, 7), (1, 8, 3, 4)]
    sum(f.square().mean() for f in levels).backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("channels", [1, 3, 8, 12, 20, 64, 256])
def test_group_norm_divides_any_width(channels: int) -> None:
    norm = heads.group_norm(channels)
    assert isinstance(norm, nn.GroupNorm)
    assert norm(torch.randn(1, channels, 3, 3)).shape == (1, channels, 3, 3)
    assert channels < 8 or norm.num_groups < channels
