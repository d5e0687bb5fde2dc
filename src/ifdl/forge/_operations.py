"""The operations laundering is made of. Each depends on a picture's size and its own numbers, never on content.

`words` say what was done; `apply` changes pixels uint8 H×W×3 RGB, `move` takes a mask bool H×W along, and
what saves has `encode` and a file `suffix` instead.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ifdl.forge._jpeg import Jpeg, Pixels
from ifdl.forge.record import Mask

Size = tuple[int, int]
# Pillow's kernels widen when they reduce and so do not alias; "plain bilinear" is what quick programs do.
KERNELS = ("area", "bilinear", "bicubic", "lanczos", "plain bilinear")
_PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Resize:
    """Both sides times `factor`. `to` is set once the picture's size is known."""

    factor: float
    kernel: str = "area"
    to: Size = (0, 0)

    @property
    def words(self) -> str:
        verb = "reduced" if self.factor < 1 else "enlarged"
        return f"{verb} to {self.factor:.2f} of its size ({self.kernel})"

    def apply(self, pixels: Pixels) -> Pixels:
        height, width = self.to
        if self.kernel in _PILLOW:
            return np.asarray(Image.fromarray(pixels).resize((width, height), _PILLOW[self.kernel]))
        area = self.kernel == "area" and self.factor < 1
        how = cv2.INTER_AREA if area else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)

    def move(self, mask: Mask) -> Mask:
        """A pixel stays marked where at least half of it was."""
        height, width = self.to
        how = cv2.INTER_AREA if self.factor < 1 else cv2.INTER_LINEAR
        levels = cv2.resize(mask.astype(np.uint8) * np.uint8(255), (width, height), interpolation=how)
        return np.asarray(levels >= 128)


@dataclass(frozen=True)
class Crop:
    """Keeps `share` of each side, at `place` (0-1 down and across) of what can be chosen.

    `on_grid` cuts at multiples of 8 pixels, so that JPEG blocks stay in phase; otherwise they do not.
    `box` (top, left, height, width) is set once the picture's size is known.
    """

    share: tuple[float, float] = (0.9, 0.9)
    place: tuple[float, float] = (0.5, 0.5)
    on_grid: bool = True
    box: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def words(self) -> str:
        return f"cut to {self.box[3]}×{self.box[2]} {'on' if self.on_grid else 'off'} the 8×8 grid"

    def apply(self, pixels: Pixels) -> Pixels:
        top, left, height, width = self.box
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])

    def move(self, mask: Mask) -> Mask:
        top, left, height, width = self.box
        return np.ascontiguousarray(mask[top : top + height, left : left + width])

    def fitted(self, now: Size, goal: Size | None) -> Crop:
        """With its box, in a picture of size `now`, cutting to `goal` if one is given."""
        size = goal or (max(1, round(now[0] * self.share[0])), max(1, round(now[1] * self.share[1])))
        corner = [round(p * (n - s)) for p, n, s in zip(self.place, now, size, strict=True)]
        if self.on_grid:
            corner = [c - c % 8 for c in corner]
        elif not any(c % 8 for c in corner):
            # Off the grid by some pixels, on the side where there is room for it.
            room = [n - s for n, s in zip(now, size, strict=True)]
            corner = [min(c + 3, r) if r > c else max(c - 5, 0) for c, r in zip(corner, room, strict=True)]
        off = any(c % 8 for c in corner)
        return Crop(self.share, self.place, not off, (corner[0], corner[1], *size))


@dataclass(frozen=True)
class Adjust:
    """Slight global adjustments, as honest people make them; 1 (0 for brightness) leaves all as it is."""

    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    saturation: float = 1.0
    sharpen: float = 0.0

    @property
    def words(self) -> str:
        parts = [
            f"{name} {value:{form}}"
            for name, value, neutral, form in (
                ("brightness", self.brightness, 0, "+.0f"),
                ("contrast", self.contrast, 1, ".2f"),
                ("gamma", self.gamma, 1, ".2f"),
                ("saturation", self.saturation, 1, ".2f"),
                ("sharpening", self.sharpen, 0, ".2f"),
            )
            if value != neutral
        ]
        return f"adjusted as a whole ({', '.join(parts)})"

    def apply(self, pixels: Pixels) -> Pixels:
        level = 255 * (np.arange(256) / 255) ** self.gamma
        curve = np.clip(np.rint((level - 128) * self.contrast + 128 + self.brightness), 0, 255).astype(np.uint8)
        changed = cv2.LUT(pixels, curve)
        if self.saturation != 1:
            grey = np.outer(np.ones(3), (0.299, 0.587, 0.114)) * (1 - self.saturation)
            changed = cv2.transform(changed, grey + self.saturation * np.eye(3))
        if self.sharpen:
            smooth = cv2.GaussianBlur(changed, (0, 0), 1.0)
            changed = cv2.addWeighted(changed, 1 + self.sharpen, smooth, -self.sharpen, 0)
        return np.asarray(changed, np.uint8)


@dataclass(frozen=True)
class Scan:
    """What film, print and scanner leave: softness, grain with its own size, and the sharpening that follows.

    `blur`, `size` and `radius` are Gaussian sigmas in pixels, `grain` its standard deviation in grey levels,
    `colour` the share of it that differs between channels. `seed` draws the grain.
    """

    blur: float = 0.0
    grain: float = 0.0
    size: float = 0.0
    colour: float = 0.0
    sharpen: float = 0.0
    radius: float = 1.0
    seed: int = 0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Scan:
        """A film and a scanner by chance."""
        return cls(
            blur=float(rng.uniform(0.3, 1.1)) if rng.random() < 0.6 else 0.0,
            grain=float(rng.uniform(0.5, 6.0)) if rng.random() < 0.7 else 0.0,
            size=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.6 else 0.0,
            colour=float(rng.uniform(0.0, 1.0)),
            sharpen=float(rng.uniform(0.3, 2.0)) if rng.random() < 0.65 else 0.0,
            radius=float(rng.uniform(0.5, 2.0)),
            seed=int(rng.integers(2**32)),
        )

    @property
    def words(self) -> str:
        return f"as from film and scanner (blur {self.blur:.1f}, grain {self.grain:.1f}, sharpening {self.sharpen:.1f})"

    def apply(self, pixels: Pixels) -> Pixels:
        level = pixels.astype(np.float32)
        if self.blur:
            level = _gaussian(level, self.blur)
        if self.grain:
            rng = np.random.default_rng(self.seed)
            common = rng.standard_normal((*pixels.shape[:2], 1), np.float32)
            own = rng.standard_normal(pixels.shape, np.float32)
            noise = (1 - self.colour) * common + self.colour * own
            if self.size:
                noise = _gaussian(noise, self.size)
            # Film shows its grain most in the middle tones.
            shown = 0.4 + 0.6 * np.sqrt(np.clip(level * (255 - level), 0, None)) / 127.5
            level += noise * (self.grain / max(float(noise.std()), 1e-6)) * shown
        if self.sharpen:
            level += self.sharpen * (level - _gaussian(level, self.radius))
        return np.clip(np.rint(level), 0, 255).astype(np.uint8)


def _gaussian(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)


@dataclass(frozen=True)
class Png:
    suffix: ClassVar[str] = "png"
    words: ClassVar[str] = "saved as PNG"

    def encode(self, pixels: Pixels) -> bytes:
        # The lowest real effort: the pixels are the same, and it takes a third of the time.
        ordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        return bytes(cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


@dataclass(frozen=True)
class Webp:
    suffix: ClassVar[str] = "webp"

    quality: int = 80

    @property
    def words(self) -> str:
        return f"saved as WebP (quality {self.quality})"

    def encode(self, pixels: Pixels) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "WEBP", quality=self.quality)
        return buffer.getvalue()


Save = Jpeg | Webp | Png
Operation = Resize | Crop | Adjust | Scan | Save
