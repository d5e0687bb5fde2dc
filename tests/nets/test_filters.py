"""The filters keep the promises their papers make: sums, constraints, exact reconstruction, grid phases."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from scipy import fft, ndimage  # noqa: E402

from ifdl.nets import filters  # noqa: E402

torch.set_num_threads(1)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [3, 30])
def test_srm_kernels_sum_to_zero_and_differ(count: int) -> None:
    kernels = filters.srm_kernels(count)
    assert kernels.shape == (count, 5, 5)
    assert kernels.sum((1, 2)).abs().max() < 1e-6
    assert torch.allclose(kernels[:, 2, 2], torch.tensor(-1.0))
    assert len({tuple(k.flatten().tolist()) for k in kernels}) == count


def test_srm_families_annihilate_what_their_order_says() -> None:
    x = torch.arange(24.0) / 24
    ramp = (0.3 * x[:, None] + 0.7 * x[None])[None, None]
    inner = torch.nn.functional.conv2d(ramp, filters.srm_kernels(30)[:, None])[0].abs().amax((1, 2))
    assert (inner[:8] > 1e-3).all()  # first differences see a ramp
    assert inner[8:].max() < 1e-6  # every other family does not
    square = (x * x).expand(24, 24)[None, None]
    seen = torch.nn.functional.conv2d(square, filters.srm_kernels(30)[:, None])[0].abs().amax((1, 2))
    assert seen[12:20].max() < 1e-6  # third differences annihilate parabolas too
    assert seen[8] > 1e-4


def test_srm_layer_is_the_plain_correlation_and_nine_keeps_channels_apart() -> None:
    pixels = noise(2, 3, 17, 13)
    picture, kernels = pixels.numpy(), filters.srm_kernels(3).numpy()
    per_channel = np.array(
        [[[ndimage.correlate(c, k, mode="nearest") for k in kernels] for c in p] for p in picture]
    )  # N×channel×kernel
    assert np.allclose(filters.Srm(3)(pixels).numpy(), per_channel.sum(1), atol=1e-6)
    assert np.allclose(filters.Srm(9)(pixels).numpy(), per_channel.reshape(2, 9, 17, 13), atol=1e-6)
    assert filters.Srm(30)(pixels).shape == (2, 30, 17, 13)
    assert filters.Srm(30)(torch.full((1, 3, 9, 9), 0.7)).abs().max() < 1e-6
    assert filters.Srm(3, clip=0.02)(pixels).abs().max() == pytest.approx(0.02)
    assert not filters.Srm(3).state_dict()
    for wrong in (4, 0):
        with pytest.raises(ValueError, match="SRM"):
            filters.Srm(wrong)


def test_bayar_holds_its_constraint_after_any_optimiser_step() -> None:
    torch.manual_seed(0)
    layer = filters.Bayar(3, 4)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.5)
    start = layer.kernels().detach()
    pixels = noise(1, 3, 12, 12)
    for _ in range(5):
        optimiser.zero_grad()
        (layer(pixels) ** 2).mean().backward()
        optimiser.step()
        kernels = layer.kernels().detach()
        assert torch.equal(kernels[..., 2, 2], torch.full((4, 3), -1.0))
        assert kernels.sum((-1, -2)).abs().max() < 1e-6
    assert (kernels - start).abs().max() > 1e-3  # it learnt
    assert layer.weight.grad is not None
    assert layer(pixels).shape == (1, 4, 12, 12)
    assert layer(torch.full((1, 3, 9, 9), 0.4)).abs().max() < 1e-6


def test_bayar_leaves_published_weights_as_they_are() -> None:
    layer = filters.Bayar(1, 1, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[0.5, 0.1, 0.1, 0.2, -0.1, 0.1, 0.05, 0.05]]]))
    expected = torch.tensor([[0.5, 0.1, 0.1], [0.2, -1.0, -0.1], [0.1, 0.05, 0.05]])
    assert torch.allclose(layer.kernels()[0, 0], expected, atol=1e-6)


def test_npr_is_the_difference_to_the_blocks_corner_at_odd_sizes() -> None:
    pixels = noise(1, 2, 5, 7)
    expected = torch.empty_like(pixels)
    for y in range(5):
        for x in range(7):
            expected[..., y, x] = pixels[..., y, x] - pixels[..., y // 2 * 2, x // 2 * 2]
    assert torch.equal(filters.npr(pixels), expected)
    upsampled = noise(1, 1, 4, 4).repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert not filters.npr(upsampled).any()


def test_block_dct_is_scipys_and_inverts() -> None:
    pixels = noise(2, 3, 24, 16)
    coefficients = filters.block_dct(pixels)
    assert coefficients.shape == (2, 3, 64, 3, 2)
    block = fft.dctn(pixels[1, 2, 8:16, 8:16].numpy(), norm="ortho")
    assert np.allclose(coefficients[1, 2, :, 1, 1].numpy().reshape(8, 8), block, atol=1e-6)
    assert torch.allclose(filters.block_idct(coefficients), pixels, atol=1e-6)


@pytest.mark.parametrize("edges", [(), (1, 4), (1, 2, 5, 9), tuple(range(1, 15))])
def test_dct_bands_sum_to_the_picture_and_are_orthogonal(edges: tuple[int, ...]) -> None:
    pixels = noise(1, 2, 16, 24)
    bands = filters.dct_bands(pixels, edges)
    assert bands.shape == (1, 2, len(edges) + 1, 16, 24)
    assert torch.allclose(bands.sum(2), pixels, atol=1e-6)
    assert bands.square().sum().item() == pytest.approx(pixels.square().sum().item(), rel=1e-5)


def test_the_first_dct_band_is_the_block_mean() -> None:
    pixels = noise(1, 1, 8, 16)
    mean = pixels.unflatten(-1, (2, 8)).mean((-3, -1))
    assert torch.allclose(filters.dct_bands(pixels)[0, 0, 0, 0, ::8], mean[0, 0], atol=1e-6)


def test_haar_reconstructs_and_keeps_energy() -> None:
    pixels = noise(2, 3, 10, 6)
    bands = filters.haar(pixels)
    assert bands.shape == (2, 3, 4, 5, 3)
    assert torch.allclose(filters.inverse_haar(bands), pixels, atol=1e-6)
    assert bands.square().sum().item() == pytest.approx(pixels.square().sum().item(), rel=1e-5)
    columns = torch.tensor([1.0, -1.0]).repeat(3).expand(1, 1, 6, 6)  # changes from column to column only
    assert [filters.haar(columns)[0, 0, n].abs().max().item() for n in range(4)] == [0, 2, 0, 0]


def blocky(height: int, width: int) -> torch.Tensor:
    """Each 8×8 block its own grey with a little noise: a caricature of a JPEG with its grid at (0, 0)."""
    grey = noise(1, 1, height // 8, width // 8, seed=3).repeat_interleave(8, -1).repeat_interleave(8, -2)
    return (grey + 0.02 * noise(1, 1, height, width, seed=4)).repeat(1, 3, 1, 1)


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (3, 0), (0, 6), (5, 2)])
def test_grid_phases_follow_the_grid(dy: int, dx: int) -> None:
    cut = blocky(88, 104)[..., dy : dy + 80, dx : dx + 96]
    phases = filters.grid_phases(cut)
    assert phases.shape == (1, 16, 10, 12)
    middle = phases[0, :, 2:-2, 2:-2].mean((1, 2))
    assert set(middle[:8].topk(2).indices.tolist()) == {(0 - dx) % 8, (7 - dx) % 8}
    assert set(middle[8:].topk(2).indices.tolist()) == {(0 - dy) % 8, (7 - dy) % 8}
    quiet = filters.grid_phases(noise(1, 3, 80, 96))[0, :, 2:-2, 2:-2].mean((1, 2))
    assert middle[:8].max() > 2 * quiet.max()


def test_grid_phases_ignore_brightness_and_mean_one() -> None:
    pixels = noise(1, 3, 32, 40)
    phases = filters.grid_phases(pixels, floor=0.0)
    assert torch.allclose(filters.grid_phases(0.5 * pixels + 0.2, floor=0.0), phases, atol=1e-4)
    assert torch.allclose(phases.unflatten(1, (2, 8)).mean(2), torch.tensor(1.0), atol=1e-5)
    assert not filters.grid_phases(torch.full((1, 3, 16, 16), 0.5)).any()


@pytest.mark.parametrize("filtered", [filters.block_dct, filters.haar, filters.grid_phases])
def test_broken_blocks_are_refused(filtered) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="9×16 pixels are not whole"):
        filtered(torch.zeros(1, 3, 9, 16))


@pytest.mark.parametrize(
    "filtered", [filters.Srm(9), filters.npr, filters.dct_bands, filters.haar, filters.grid_phases]
)
def test_gradients_reach_the_picture(filtered) -> None:  # type: ignore[no-untyped-def]
    pixels = noise(1, 3, 16, 16).requires_grad_()
    filtered(pixels).square().sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().amax() > 0
    assert torch.isfinite(pixels.grad).all()
