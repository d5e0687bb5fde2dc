"""Periodic unpredictability by windows and by cells, for `resampling`.

Enlarging or turning a picture makes every new pixel a weighted mean of old ones, with weights that repeat over the
picture; so does the size of its second derivatives (Gallagher 2005; Mahdian and Saic 2008), which is how badly fixed
predictors do (Kirchner 2008). They are taken along rows and along columns, since JPEG files keep less of the mixed
ones. A similarity repeats along two directions at right angles, so its peaks come in pairs: at a frequency f and at f
turned by 90 degrees, also after both are folded back into the spectrum.

Frequencies are (fy, fx) in cycles a pixel; windows and cells are in rows and columns of stored pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Floats = NDArray[np.float32]
Complex = NDArray[np.complex64]
Frequency = tuple[float, float]

WINDOW, STEP = 128, 64  # pixels
MOST_WINDOWS = 320
CELL = 32  # pixels
HALF = WINDOW // 2
SOFT = 4.0  # grey levels of second derivative below which rounding and compression decide
BLOCK_LINES = 1.6  # bins of WINDOW beside a multiple of 1/8 that blocks of 8 pixels may fill
LOWEST = 7.0  # bins: below, texture's own unevenness decides
SMOOTH = 15  # bins of the background
LEVEL = 17  # pixels over which unevenness of texture is taken out
STRIP, REACH = 512, 12  # rows converted at a time, and how far a pixel's value depends on others
_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)
_EULER = 0.5772  # minus the mean logarithm of a power that follows an exponential law of mean 1


@dataclass(frozen=True, eq=False)
class Windows:
    """`pairs` float32 rows×columns×64×64: the weaker of the powers at f and at f turned by 90°, over the background.

    By chance about 1/2. Index [fy, fx - 1] in bins of WINDOW, fy from 0 and fx from 1, stands for each such pair once.
    `ys`, `xs` are the windows' first rows and columns.
    """

    pairs: Floats
    ys: NDArray[np.int64]
    xs: NDArray[np.int64]


def unpredicted(pixels: NDArray[np.uint8]) -> Floats:
    """Logarithm of the second derivatives' sizes, less its mean around: float32 H×W of RGB pixels H×W×3."""
    height = pixels.shape[0]
    out = np.empty(pixels.shape[:2], np.float32)
    for top in range(0, height, STRIP):
        above, stop = max(top - REACH, 0), min(top + STRIP, height)
        luma = np.asarray(cv2.transform(pixels[above : stop + REACH].astype(np.float32), _LUMA), np.float32)
        across = _second(luma, np.array([[1, -2, 1]], np.float32))
        across *= _second(luma, np.array([[1], [-2], [1]], np.float32))
        size = np.asarray(cv2.log(across, dst=across), np.float32)
        size -= cv2.blur(size, (LEVEL, LEVEL))
        out[top:stop] = size[top - above : stop - above]
    return out


def _second(luma: Floats, kernel: Floats) -> Floats:
    derivative = np.asarray(cv2.filter2D(luma, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32)
    np.abs(derivative, out=derivative)
    derivative += np.float32(SOFT)
    return derivative


def windows_of(plane: Floats) -> Windows:
    """Windows of 128 pixels at a step of 64, wider where a large picture would need more than MOST_WINDOWS."""
    ys, xs = (_starts(length, plane.size) for length in plane.shape)
    window = np.outer(np.hanning(WINDOW), np.hanning(WINDOW)).astype(np.float32)
    pairs = np.empty((len(ys), len(xs), HALF, HALF), np.float32)
    back = (-np.arange(1, HALF + 1)) % WINDOW
    for row, y in enumerate(ys):
        stack = np.stack([plane[y : y + WINDOW, x : x + WINDOW] for x in xs])
        spectrum = fft.rfft2(stack * window)
        power = np.log(spectrum.real**2 + spectrum.imag**2 + np.float32(1e-6))
        ground = ndimage.uniform_filter1d(power, SMOOTH, axis=1, mode="wrap")
        power -= ndimage.uniform_filter1d(ground, SMOOTH, axis=2, mode="mirror")
        pairs[row] = np.minimum(power[:, :HALF, 1:], power[:, back, :HALF].swapaxes(1, 2))
    return Windows(np.exp(pairs - np.float32(_EULER)) * allowed(), ys, xs)


def _starts(length: int, pixels: int) -> NDArray[np.int64]:
    step = max(STEP, int(np.sqrt(pixels / MOST_WINDOWS)))
    count = max(1, round((length - WINDOW) / step) + 1)
    return np.linspace(0, length - WINDOW, count).astype(np.int64)


@cache
def allowed() -> NDArray[np.bool_]:
    """Where `pairs` may say something: not at the lowest frequencies, and not where blocks repeat."""
    fy, fx = np.arange(HALF) / WINDOW, np.arange(1, HALF + 1) / WINDOW
    return np.asarray([[not blocked((y, x)) for x in fx] for y in fy])


def blocked(frequency: Frequency) -> bool:
    """Whether blocks of 8 pixels (16 for reduced colour) or the unevenness of texture can make this frequency."""
    bins = np.abs(frequency) * np.float64(WINDOW)
    eighth = WINDOW / 8
    eighths = np.abs(bins - eighth * np.round(bins / eighth)).max() <= BLOCK_LINES
    lowest = np.abs(bins - eighth / 2 * (bins > eighth / 4)).max() <= BLOCK_LINES
    # Blocks of 16 pixels fill more; along the axes, leaving out all that they may fill would leave little.
    odd = np.abs(bins - eighth * (np.floor(bins / eighth) + 0.5)).max() <= BLOCK_LINES
    return bool(eighths or lowest or odd or np.hypot(*bins) <= LOWEST)


def turned(frequency: Frequency) -> Frequency:
    """The frequency turned by 90°."""
    return -frequency[1], frequency[0]


def _waves(length: int, frequencies: NDArray[np.float64]) -> Floats:
    """exp(-2πi·f·n) for n below `length`: real parts, then imaginary parts, length×2·frequencies."""
    angles = -2 * np.pi * np.outer(np.arange(length), frequencies)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def _product(first: Floats, second: Floats) -> Floats:
    """Matrix product by OpenCV, which waits for no threads: NumPy's BLAS is slow for these on busy machines."""
    return np.asarray(cv2.gemm(first, second, 1.0, None, 0.0), np.float32)  # type: ignore[call-overload]


def refined(patch: Floats, frequency: Frequency) -> Frequency:
    """The frequency near `frequency` (within a bin of WINDOW) at which the pair is strongest in a patch."""
    patch = patch * np.outer(np.hanning(patch.shape[0]), np.hanning(patch.shape[1])).astype(np.float32)
    offsets = np.arange(-12, 13) / (12 * WINDOW)
    count = len(offsets)
    total = np.zeros((count, count), np.float32)
    for n in range(2):
        fy, fx = frequency if n == 0 else turned(frequency)
        down, across = _waves(patch.shape[0], fy + offsets), _waves(patch.shape[1], fx + offsets)
        both = _product(np.ascontiguousarray(down.T), _product(patch, across))
        real = both[:count, :count] - both[count:, count:]
        imaginary = both[:count, count:] + both[count:, :count]
        power = real**2 + imaginary**2
        # Turned, an offset (dy, dx) becomes (-dx, dy).
        total += power if n == 0 else power[::-1].T
    i, j = np.unravel_index(int(total.argmax()), total.shape)
    return frequency[0] + float(offsets[i]), frequency[1] + float(offsets[j])


def energy(plane: Floats) -> Floats:
    """Mean square of the plane in every cell: float32 rows×columns."""
    rows, columns = plane.shape[0] // CELL, plane.shape[1] // CELL
    out = np.empty((rows, columns), np.float32)
    for row in range(rows):
        squares = np.square(plane[row * CELL : (row + 1) * CELL, : columns * CELL])
        out[row] = squares.reshape(CELL, columns, CELL).mean(axis=(0, 2))
    return out


def amplitudes(plane: Floats, frequencies: list[Frequency]) -> Complex:
    """Amplitude of each frequency in every cell: complex64 frequencies×rows×columns.

    Its phase is that of a wave over the whole picture, so cells of one interpolation agree in it.
    """
    rows, columns = plane.shape[0] // CELL, plane.shape[1] // CELL
    fy, fx = np.array(frequencies).T
    count = len(frequencies)
    across = _waves(CELL, fx)
    down = np.exp(-2j * np.pi * np.outer(np.arange(CELL), fy)).astype(np.complex64)
    out = np.empty((count, rows, columns), np.complex64)
    for row in range(rows):
        strip = np.ascontiguousarray(plane[row * CELL : (row + 1) * CELL, : columns * CELL]).reshape(-1, CELL)
        sums = _product(strip, across).reshape(CELL, columns, 2, count)
        out[:, row] = np.einsum("ycf,yf->fc", sums[:, :, 0] + 1j * sums[:, :, 1], down)
    places = fy[:, None, None] * np.arange(rows)[None, :, None] + fx[:, None, None] * np.arange(columns)[None, None, :]
    return np.asarray(out * np.exp(-2j * np.pi * CELL * places), np.complex64)
