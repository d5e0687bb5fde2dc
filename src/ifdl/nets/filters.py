"""Fixed and constrained filters that bring out the noise of a picture and hide its content.

`Srm` and `Bayar` are layers; the rest are functions without parameters. Inputs are float N×C×H×W, in whatever unit
the caller chooses (ours is [0, 1]); every filter but `grid_phases` is linear, so outputs, and `clip`, are in that
same unit. Axes are (row, column). Gradients flow through all of them to the input.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Second-order square 3×3 and the 5×5 square of Ker and Böhme, before normalisation.
SQUARE3 = ((-1, 2, -1), (2, -4, 2), (-1, 2, -1))
SQUARE5 = ((-1, 2, -2, 2, -1), (2, -6, 8, -6, 2), (-2, 8, -12, 8, -2), (2, -6, 8, -6, 2), (-1, 2, -2, 2, -1))
DIRECTIONS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


# ---------------------------------------------------------------- steganalysis residuals


def srm_kernels(count: int) -> Tensor:
    """High-pass kernels of the spatial rich model, float32 count×5×5; each sums to zero, its centre is −1.

    30 is one of each family, as later detectors use them: 8 first-order differences, 4 second-order, 8 third-order,
    4 edges 3×3, 4 edges 5×5, square 3×3, square 5×5. 3 is square 3×3, square 5×5 and the horizontal second order.
    Source: Fridrich and Kodovsky, "Rich models for steganalysis of digital images", IEEE TIFS 2012, tables and
    figure 2; the three by Zhou et al., "Learning rich features for image manipulation detection", CVPR 2018.
    """
    square3, square5 = _centred(torch.tensor(SQUARE3) / 4), torch.tensor(SQUARE5) / 12
    if count == 3:
        return torch.stack([square3, square5, _along((0, 1), {-1: 0.5, 0: -1.0, 1: 0.5})])
    if count != 30:
        raise ValueError(f"there are 3 or 30 SRM kernels, not {count}")
    first = [_along(way, {0: -1.0, 1: 1.0}) for way in DIRECTIONS]
    second = [_along(way, {-1: 0.5, 0: -1.0, 1: 0.5}) for way in DIRECTIONS[:4]]
    third = [_along(way, {-1: 1 / 3, 0: -1.0, 1: 1.0, 2: -1 / 3}) for way in DIRECTIONS]
    edges = []
    for square in (square3, square5):
        half = square * (torch.arange(5) < 3)[:, None]  # the edge kernel is the square without the rows below
        edges += [half.rot90(turns) for turns in range(4)]
    return torch.stack([*first, *second, *third, *edges, square3, square5])


def _along(way: tuple[int, int], values: dict[int, float]) -> Tensor:
    kernel = torch.zeros(5, 5)
    for step, value in values.items():
        kernel[2 + step * way[0], 2 + step * way[1]] = value
    return kernel


def _centred(small: Tensor) -> Tensor:
    margin = (5 - small.shape[-1]) // 2
    return F.pad(small, (margin,) * 4)


class Srm(nn.Module):
    """Fixed SRM residuals at the size of the picture, N×3×H×W → N×`count`×H×W.

    3 and 30: every kernel sees the sum over the channels. 9: the three kernels on each channel apart, ordered channel
    by channel, as ManTraNet has them (Wu et al., CVPR 2019). Values are cut to ±`clip` in the unit of the picture
    (the paper's truncation), None leaves them. `padding` is a mode of torch's pad; "constant" (zeros) is what
    published systems do, "replicate" answers nothing at the border of a flat picture.
    """

    kernels: Tensor

    def __init__(
        self, count: int = 3, clip: float | None = None, channels: int = 3, padding: str = "replicate"
    ) -> None:
        super().__init__()
        if count not in (3, 9, 30) or (count == 9 and channels != 3):
            raise ValueError(f"SRM has 3, 9 (of three channels) or 30 outputs, not {count} of {channels} channels")
        bank = srm_kernels(3 if count == 9 else count)[:, None]
        bank = bank.repeat(3, 1, 1, 1) if count == 9 else bank.repeat(1, channels, 1, 1)
        # Constants, not weights: kept out of checkpoints.
        self.register_buffer("kernels", bank, persistent=False)
        self.clip, self.padding, self.groups = clip, padding, 3 if count == 9 else 1

    def forward(self, pixels: Tensor) -> Tensor:
        residual = F.conv2d(F.pad(pixels, (2, 2, 2, 2), mode=self.padding), self.kernels, groups=self.groups)
        return residual if self.clip is None else residual.clamp(-self.clip, self.clip)


class Bayar(nn.Module):
    """Constrained convolution: each kernel's centre is −1 and the rest sums to 1, N×in×H×W → N×out×H×W.

    Source: Bayar and Stamm, "Constrained convolutional neural networks", IEEE TIFS 2018. They push the weights back
    after every optimiser step; here the free weights out×in×(k²−1) are projected on the constraint in every forward,
    so it always holds. The projection adds to each weight what the sum lacks: unlike dividing by the sum it cannot
    blow up, and it leaves published weights, which meet the constraint, as they are.
    """

    def __init__(self, inputs: int = 3, outputs: int = 3, size: int = 5, padding: str = "replicate") -> None:
        super().__init__()
        if size % 2 == 0 or size < 3:
            raise ValueError(f"the kernel needs a centre: an odd size of 3 or more, not {size}")
        free = torch.rand(outputs, inputs, size * size - 1)
        self.weight = nn.Parameter(free / free.sum(-1, keepdim=True))
        self.size, self.padding = size, padding

    def kernels(self) -> Tensor:
        """The kernels in use, out×in×k×k."""
        count = self.weight.shape[-1]
        free = self.weight + (1 - self.weight.sum(-1, keepdim=True)) / count
        centre = -torch.ones_like(free[..., :1])
        whole = torch.cat([free[..., : count // 2], centre, free[..., count // 2 :]], -1)
        return whole.reshape(*whole.shape[:2], self.size, self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        margin = (self.size // 2,) * 4
        return F.conv2d(F.pad(pixels, margin, mode=self.padding), self.kernels())


def npr(pixels: Tensor) -> Tensor:
    """Neighbouring pixel relationships: each pixel minus the upper left of its 2×2 block; any size.

    Generators end in up-sampling, which ties the pixels of a block together. Source: Tan et al., "Rethinking the
    up-sampling operations in CNN-based generative network", CVPR 2024.
    """
    height, width = pixels.shape[-2:]
    corner = pixels[..., ::2, ::2].repeat_interleave(2, -2).repeat_interleave(2, -1)
    return pixels - corner[..., :height, :width]


# ---------------------------------------------------------------- frequency bands


def dct_matrix(size: int = 8) -> Tensor:
    """Orthonormal DCT-II as size×size float64, row = frequency: coefficients are D · block · Dᵀ."""
    k = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / (2 * size)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


def block_dct(pixels: Tensor) -> Tensor:
    """Orthonormal 8×8 DCT from the upper left: N×C×H×W → N×C×64×H/8×W/8, coefficient 8u + v (u vertical).

    The scale is JPEG's: of pixels in 0–255, minus 128, these are the coefficients before quantisation. Raises
    ValueError unless both sides are multiples of 8.
    """
    basis = dct_matrix().to(pixels)
    return torch.einsum("ui,nchiwj,vj->ncuvhw", basis, _blocks(pixels), basis).flatten(2, 3)


def block_idct(coefficients: Tensor) -> Tensor:
    """The inverse of `block_dct`: N×C×64×h×w → N×C×8h×8w."""
    basis = dct_matrix().to(coefficients)
    n, channels, _, h, w = coefficients.shape
    blocks = torch.einsum("ui,ncuvhw,vj->nchiwj", basis, coefficients.reshape(n, channels, 8, 8, h, w), basis)
    return blocks.flatten(4, 5).flatten(2, 3)


def dct_bands(pixels: Tensor, edges: tuple[int, ...] = (1, 4)) -> Tensor:
    """Pictures of frequency bands that sum to the picture: N×C×H×W → N×C×B×H×W.

    Bands go by the anti-diagonal u + v of the 8×8 DCT (0–14); `edges` are where a new band begins. The default is
    mean, low and high frequencies.
    """
    coefficients = block_dct(pixels)
    u = torch.arange(8, device=pixels.device)
    diagonal = (u[:, None] + u[None]).flatten()[:, None, None]
    starts = (0, *edges)
    ends = (*edges, 15)
    return torch.stack(
        [block_idct(coefficients * ((diagonal >= a) & (diagonal < b))) for a, b in zip(starts, ends, strict=True)], 2
    )


def haar(pixels: Tensor) -> Tensor:
    """Orthonormal Haar bands: N×C×H×W → N×C×4×H/2×W/2, ordered mean, horizontal, vertical, diagonal difference.

    Raises ValueError unless both sides are even.
    """
    _whole_blocks(pixels, 2)
    a, b = pixels[..., ::2, ::2], pixels[..., ::2, 1::2]
    c, d = pixels[..., 1::2, ::2], pixels[..., 1::2, 1::2]
    return torch.stack([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], 2) / 2


def inverse_haar(bands: Tensor) -> Tensor:
    """The inverse of `haar`: N×C×4×h×w → N×C×2h×2w. The transform is its own inverse up to the order of pixels."""
    m, h, v, d = bands.unbind(2)
    top = torch.stack([m + h + v + d, m - h + v - d], -1).flatten(-2)
    bottom = torch.stack([m + h - v - d, m - h - v + d], -1).flatten(-2)
    return torch.stack([top, bottom], -2).flatten(-3, -2) / 2


# ---------------------------------------------------------------- the JPEG grid


def grid_phases(pixels: Tensor, window: int = 5, floor: float = 1e-3) -> Tensor:
    """How strongly each phase of the 8×8 grid breaks smoothness: N×3×H×W → N×16×H/8×W/8.

    Channel p < 8 is the mean absolute second difference across columns x ≡ p (mod 8), channel 8 + p across rows
    y ≡ p, over `window`×`window` blocks (odd), each group of 8 divided by its mean plus `floor` (in the unit of the
    pixels). A JPEG whose blocks start at (0, 0) is loud at phases 0 and 7; pasted from another grid, elsewhere.
    After Fan and de Queiroz, "Identification of bitmap compression history", IEEE TIP 2003. Measured on luma (BT.601),
    for chroma often has a 16-grid. Raises ValueError unless both sides are multiples of 8.
    """
    luma = (pixels * pixels.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)
    padded = F.pad(luma[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    across_columns = (padded[:, 1:-1, :-2] - 2 * luma + padded[:, 1:-1, 2:]).abs()
    across_rows = (padded[:, :-2, 1:-1] - 2 * luma + padded[:, 2:, 1:-1]).abs()
    by_column = _blocks(across_columns).mean(-3)  # N h w 8
    by_row = _blocks(across_rows).mean(-1).transpose(-1, -2)  # N h w 8
    phases = torch.cat([by_column, by_row], -1).permute(0, 3, 1, 2)
    # Blocks beyond the border are not counted, so the border is not dimmer than the middle.
    near = F.avg_pool2d(phases, window, stride=1, padding=window // 2, count_include_pad=False)
    return torch.cat([group / (group.mean(1, keepdim=True) + floor) for group in near.chunk(2, 1)], 1)


def _blocks(pixels: Tensor, block: int = 8) -> Tensor:
    """…×H×W → …×H/b×b×W/b×b."""
    _whole_blocks(pixels, block)
    height, width = pixels.shape[-2:]
    return pixels.reshape(*pixels.shape[:-2], height // block, block, width // block, block)


def _whole_blocks(pixels: Tensor, block: int) -> None:
    height, width = pixels.shape[-2:]
    if height % block or width % block:
        raise ValueError(f"{height}×{width} pixels are not whole {block}×{block} blocks")
