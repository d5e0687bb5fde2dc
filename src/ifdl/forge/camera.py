"""A virtual camera: makes of a scene a picture with the traces a camera leaves.

A scene is uint8 H×W×3 RGB without traces of its own, such as a reduced photograph. On its way to the
file it becomes linear light, loses what the optics lose, is sampled through a Bayer pattern, gains
sensor noise and the sensor's fixed pattern, and is developed as cameras and phones do it.

Sources: noise with variance a·x + b, Foi et al., IEEE TIP 2008; photo-response non-uniformity, Lukáš,
Fridrich and Goljan, IEEE TIFS 2006; demosaicing, Malvar, He and Cutler, ICASSP 2004, and Hamilton and
Adams, US patent 5,629,734 (expired); tone curve, IEC 61966-2-1. Gains and strengths are drawn from
ranges of consumer cameras from base ISO to about ISO 3200.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.forge._jpeg import CAMERA_TABLES, Jpeg, Pixels, camera_tables
from ifdl.types import Number

Plane = NDArray[np.float32]
# Row and column of the first red sample.
CFA = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}
DEMOSAICING = ("bilinear", "malvar", "gradient")
LEVELS = 1 << 14
PRNU_BLOCK = 256
SMALLEST = 8


@dataclass(frozen=True)
class Camera:
    """One camera and its settings.

    `id` seeds the fixed pattern of the sensor: the same id has the same pattern. `noise_gain` a and
    `read_noise` √b give the variance a·x + b of a raw value x in [0, 1]; `prnu` is the pattern's
    standard deviation as a share of the signal; `blur` and `sharpen_radius` are Gaussian sigmas in
    pixels. `white` are the gains of red and blue; `saturation` 0 has no colour matrix, 0.6 a strong one.
    `contrast` bends the tone curve, `denoise` is in grey levels of the finished picture.
    """

    id: int
    cfa: str = "RGGB"
    demosaicing: str = "malvar"
    blur: float = 0.0
    noise_gain: float = 2e-4
    read_noise: float = 1e-3
    prnu: float = 0.006
    white: tuple[float, float] = (1.8, 1.5)
    saturation: float = 0.3
    contrast: float = 0.1
    denoise: float = 0.0
    chroma_denoise: float = 0.0
    sharpen: float = 0.0
    sharpen_radius: float = 1.0
    jpeg: Jpeg = field(default_factory=lambda: Jpeg(95, subsampling="4:2:2"))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Camera:
        """A camera by chance."""
        phone = bool(rng.random() < 0.5)
        gain = float(np.exp(rng.uniform(np.log(3e-5), np.log(1e-3))))
        if rng.random() < 0.75:
            tables = int(rng.choice(camera_tables(85)))
            jpeg = Jpeg(tables=tables, subsampling=CAMERA_TABLES[tables].subsampling)
        else:
            jpeg = Jpeg(int(rng.integers(86, 100)), subsampling="4:2:0" if phone else "4:2:2")
        return cls(
            id=int(rng.integers(2**32)),
            cfa=str(rng.choice(list(CFA))),
            demosaicing=str(rng.choice(DEMOSAICING)),
            blur=float(rng.uniform(0.35, 0.75)) if rng.random() < 0.8 else 0.0,
            noise_gain=gain,
            read_noise=float(np.sqrt(gain) * rng.uniform(0.03, 0.1)),
            prnu=float(rng.uniform(0.003, 0.01)),
            white=(float(rng.uniform(1.4, 2.3)), float(rng.uniform(1.2, 2.0))),
            saturation=float(rng.uniform(0.1, 0.6)),
            contrast=float(rng.uniform(-0.1, 0.35)),
            # Phones smooth and sharpen more; noisier pictures are smoothed more, in colour first of all.
            denoise=float(rng.uniform(0.3, 1.0) * 60 * np.sqrt(gain)) if phone else 0.0,
            chroma_denoise=float(rng.uniform(0.8, 1.6)) if phone or gain > 3e-4 or rng.random() < 0.3 else 0.0,
            sharpen=float(rng.uniform(0.3, 0.9) if phone else rng.uniform(0.0, 0.5)),
            sharpen_radius=float(rng.uniform(0.7, 1.4)),
            jpeg=jpeg,
        )

    @property
    def parameters(self) -> dict[str, Number]:
        """Everything about this camera, flat, for a record."""
        flat = asdict(self)
        red, blue = flat.pop("white")
        jpeg = flat.pop("jpeg")
        table = -1 if jpeg["tables"] is None else jpeg["tables"]
        return (
            flat
            | {"white_red": red, "white_blue": blue}
            | {f"jpeg_{k}": v for k, v in jpeg.items()}
            | {"jpeg_tables": table}
        )

    @property
    def words(self) -> str:
        return (
            f"taken by a virtual camera ({self.cfa}, {self.demosaicing} demosaicing, "
            f"noise gain {self.noise_gain:.1g}), {self.jpeg.words}"
        )

    def shoot(self, scene: Pixels, rng: np.random.Generator) -> bytes:
        """The JPEG file the camera writes of the scene; `rng` gives the noise of this one exposure."""
        return self.jpeg.encode(self.develop(scene, rng))

    def develop(self, scene: Pixels, rng: np.random.Generator) -> Pixels:
        """What `shoot` compresses: the developed picture, uint8 H×W×3 RGB, of the scene's size."""
        height, width = scene.shape[:2]
        if min(height, width) < SMALLEST:
            raise ValueError(f"a scene is at least {SMALLEST} pixels wide and high, not {width}×{height}")
        raw = self._expose(scene, rng)
        red, blue = self.white
        row, column = CFA[self.cfa]
        raw[row::2, column::2] *= red
        raw[1 - row :: 2, 1 - column :: 2] *= blue
        colour = cv2.transform(demosaic(raw, self.cfa, self.demosaicing), _matrix(self.saturation))
        levels = np.clip(colour, 0, 1) * np.float32(LEVELS - 1) + np.float32(0.5)
        return self._finish(_tone_curve(round(self.contrast, 3))[levels.astype(np.int32)])

    def _expose(self, scene: Pixels, rng: np.random.Generator) -> Plane:
        """Raw values in [0, 1], float32 H×W, before white balance."""
        light: Plane = _to_light()[scene]
        if self.blur:
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), self.blur), np.float32)
        # What the development will undo: the colours as the sensor's own filters see them.
        seen = cv2.transform(light, np.linalg.inv(_matrix(self.saturation)))
        red, blue = self.white
        row, column = CFA[self.cfa]
        raw: Plane = np.ascontiguousarray(seen[..., 1], np.float32)
        raw[row::2, column::2] = seen[row::2, column::2, 0] / np.float32(red)
        raw[1 - row :: 2, 1 - column :: 2] = seen[1 - row :: 2, 1 - column :: 2, 2] / np.float32(blue)
        np.maximum(raw, 0, out=raw)
        raw *= 1 + np.float32(self.prnu) * fixed_pattern(self.id, raw.shape)
        deviation = np.sqrt(np.float32(self.noise_gain) * raw + np.float32(self.read_noise**2))
        raw += deviation * rng.standard_normal(raw.shape, np.float32)
        return np.asarray(np.clip(raw, 0, 1), np.float32)

    def _finish(self, toned: Plane) -> Pixels:
        """Smoothing and sharpening as the firmware does it, on grey levels 0-255 float32 H×W×3."""
        if not (self.denoise or self.chroma_denoise or self.sharpen):
            return np.asarray(np.rint(toned), np.uint8)
        luma = cv2.transform(toned, np.array([[0.299, 0.587, 0.114]], np.float32))
        finished = luma
        if self.denoise:  # coring: detail smaller than the noise goes
            smooth = cv2.GaussianBlur(luma, (0, 0), 1.0)
            detail = luma - smooth
            limit = np.float32(self.denoise)
            finished = smooth + detail - np.clip(detail, -limit, limit)
        if self.sharpen:
            smooth = cv2.GaussianBlur(finished, (0, 0), self.sharpen_radius)
            finished = finished + np.float32(self.sharpen) * (finished - smooth)
        if self.chroma_denoise:
            chroma = cv2.GaussianBlur(toned - luma[..., None], (0, 0), self.chroma_denoise)
            picture = chroma + finished[..., None]
        else:
            picture = toned + (finished - luma)[..., None]
        return np.asarray(np.rint(np.clip(picture, 0, 255)), np.uint8)


# ---------------------------------------------------------------- the sensor


def fixed_pattern(camera: int, shape: tuple[int, ...]) -> Plane:
    """The sensor's fixed pattern from its first pixel on, float32 H×W, mean 0 and deviation 1."""
    rows, columns = -(-shape[0] // PRNU_BLOCK), -(-shape[1] // PRNU_BLOCK)
    blocks = [[_pattern_block(camera, r, c) for c in range(columns)] for r in range(rows)]
    return np.block(blocks)[: shape[0], : shape[1]]


@lru_cache(maxsize=64)
def _pattern_block(camera: int, row: int, column: int) -> Plane:
    return np.random.default_rng([camera, row, column]).standard_normal((PRNU_BLOCK, PRNU_BLOCK), np.float32)


def demosaic(raw: Plane, cfa: str, method: str) -> Plane:
    """RGB float32 H×W×3 of raw samples H×W under a Bayer pattern; samples themselves are kept."""
    row, column = CFA[cfa]
    if method == "malvar":
        return _malvar(raw, row, column)
    if method == "gradient":
        green = _gradient_green(raw, row, column)
        difference = raw - green
        planes = [
            green + _spread(difference, row, column),
            green,
            green + _spread(difference, 1 - row, 1 - column),
        ]
        return np.asarray(cv2.merge(planes), np.float32)
    if method == "bilinear":
        cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
        green = raw.copy()
        between = cv2.filter2D(raw, -1, cross)
        for r, c in ((row, column), (1 - row, 1 - column)):
            green[r::2, c::2] = between[r::2, c::2]
        return np.asarray(cv2.merge([_spread(raw, row, column), green, _spread(raw, 1 - row, 1 - column)]), np.float32)
    raise ValueError(f"no demosaicing is called {method!r}; there are {', '.join(DEMOSAICING)}")


def _spread(values: Plane, row: int, column: int) -> Plane:
    """Bilinear interpolation of the samples at (row, column) modulo 2."""
    sparse = np.zeros_like(values)
    sparse[row::2, column::2] = values[row::2, column::2]
    weights = np.array([0.5, 1, 0.5], np.float32)
    return np.asarray(cv2.sepFilter2D(sparse, -1, weights, weights), np.float32)


def _malvar(raw: Plane, row: int, column: int) -> Plane:
    at_green, along, diagonal = _malvar_kernels()
    green_here = cv2.filter2D(raw, -1, at_green)
    across, down = cv2.filter2D(raw, -1, along), cv2.filter2D(raw, -1, along.T)
    opposite = cv2.filter2D(raw, -1, diagonal)
    rgb = np.repeat(raw[..., None], 3, axis=2)
    red, blue = (row, column), (1 - row, 1 - column)
    for (r, c), own, other in ((red, 0, 2), (blue, 2, 0)):
        rgb[r::2, c::2, 1] = green_here[r::2, c::2]
        rgb[r::2, c::2, other] = opposite[r::2, c::2]
        # Greens of this row have `own` beside them, greens of this column have it above and below.
        rgb[r::2, 1 - c :: 2, own] = across[r::2, 1 - c :: 2]
        rgb[1 - r :: 2, c::2, own] = down[1 - r :: 2, c::2]
    return rgb


@cache
def _malvar_kernels() -> tuple[Plane, Plane, Plane]:
    """Figure 2 of Malvar et al.: green at red or blue, a colour at green along its row, the opposite colour."""
    green = [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]
    along = [[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]
    other = [[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]
    eight = np.float32(8)
    return np.array(green, np.float32) / eight, np.array(along, np.float32) / eight, np.array(other, np.float32) / eight


def _gradient_green(raw: Plane, row: int, column: int) -> Plane:
    """Green by Hamilton and Adams: along the direction of the smaller gradient, with a Laplacian correction."""
    mean = np.array([[-0.25, 0.5, 0.5, 0.5, -0.25]], np.float32)
    first, second = np.array([[-1, 0, 1]], np.float32), np.array([[-1, 0, 2, 0, -1]], np.float32)
    steps = [
        np.abs(cv2.filter2D(raw, -1, f)) + np.abs(cv2.filter2D(raw, -1, s))
        for f, s in ((first, second), (first.T, second.T))
    ]
    across, down = cv2.filter2D(raw, -1, mean), cv2.filter2D(raw, -1, mean.T)
    chosen = np.where(steps[0] < steps[1], across, np.where(steps[1] < steps[0], down, (across + down) / 2))
    green = raw.copy()
    for r, c in ((row, column), (1 - row, 1 - column)):
        green[r::2, c::2] = chosen[r::2, c::2]
    return green


# ---------------------------------------------------------------- light and colour


@cache
def _to_light() -> Plane:
    """Linear light in [0, 1] of the 256 grey levels."""
    level = np.arange(256) / 255
    return np.asarray(np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4), np.float32)


@lru_cache(maxsize=64)
def _tone_curve(contrast: float) -> Plane:
    """Grey level 0-255 of `LEVELS` steps of linear light."""
    light = np.linspace(0, 1, LEVELS)
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    bent = level + contrast * level * (1 - level) * (2 * level - 1) * 2
    return np.asarray(255 * bent, np.float32)


def _matrix(saturation: float) -> Plane:
    """Sensor colour to picture colour; rows sum to 1, so that grey stays grey."""
    s = saturation
    return np.array(
        [[1 + s, -0.8 * s, -0.2 * s], [-0.3 * s, 1 + s, -0.7 * s], [-0.05 * s, -0.95 * s, 1 + s]], np.float32
    )
