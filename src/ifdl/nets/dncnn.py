"""DnCNN, the shape of Noiseprint: what camera and processing leave in a picture, as one map of residuals.

Sources: Zhang et al., "Beyond a Gaussian denoiser", IEEE TIP 2017; Cozzolino and Verdoliva, "Noiseprint: a CNN-based
camera model fingerprint", IEEE TIFS 2020. Their weights are not ours to ship: without a file it starts at random.
"""

from __future__ import annotations

from torch import Tensor, nn


class DnCnn(nn.Sequential):
    """`depth` 3×3 layers of `width` channels, normalised by batch but for the first and last: N×3×H×W → N×1×H×W."""

    def __init__(self, depth: int = 17, width: int = 64) -> None:
        if depth < 2:
            raise ValueError(f"DnCNN has a first and a last layer, so a depth of 2 or more, not {depth}")
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Residuals of RGB in [0, 1]; Noiseprint's own scale is x/256 of 0-255, the same to 0.4 %."""
        for layer in self:
            pixels = layer(pixels)
        return pixels
