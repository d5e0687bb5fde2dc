"""What happens to a picture after it was made: re-saved, reduced, cut, sent, posted, taken off a screen, scanned.

A chain is drawn once and applied alike to an edited picture and to its untouched sibling, so that no
format, size, quality or table predicts which is which: what a chain does depends on a picture's size
alone, never on its content. Metadata are stripped by nature: arrays carry none, and the files written
hold only what their format needs.

The numbers of messengers and platforms are ranges, not any one service: long sides of 1,280 to 2,048
pixels for photographs of 3,000 to 4,600 (only that ratio counts here), JPEG 4:2:0 of quality 70 to 87.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from ifdl.forge._jpeg import CAMERA_TABLES, SUBSAMPLINGS, Jpeg, Pixels, decode
from ifdl.forge._operations import KERNELS, Adjust, Crop, Operation, Png, Resize, Save, Scan, Size, Webp
from ifdl.forge.record import Mask

Rng = np.random.Generator


class Laundered(NamedTuple):
    """A finished file, the masks in its geometry, what was done in words, and the file's suffix."""

    data: bytes
    masks: tuple[Mask, ...]
    words: str
    suffix: str


@dataclass(frozen=True)
class Chain:
    """Operations in order, the last of which saves. Resizing comes before cutting.

    `spare` is the cut for when the caller fixes the size and the chain has no cut of its own.
    """

    name: str
    operations: tuple[Operation, ...]
    spare: Crop = field(default_factory=Crop)

    def __post_init__(self) -> None:
        kinds = [type(o) for o in self.operations]
        if not kinds or not isinstance(self.operations[-1], Save):
            raise ValueError("the last operation of a chain saves the picture")
        if kinds.count(Crop) > 1 or (Crop in kinds and Resize in kinds[kinds.index(Crop) :]):
            raise ValueError("a chain cuts once, and resizes before it cuts")

    @classmethod
    def draw(cls, rng: Rng, name: str | None = None) -> Chain:
        """A chain by chance, of one of the `STRATA` if named. Raises KeyError for another name."""
        if name is None:
            name = str(rng.choice(list(STRATA)))
        if name not in STRATA:
            raise KeyError(f"no chain is called {name!r}; there are {', '.join(STRATA)}")
        place = (float(rng.random()), float(rng.random()))
        return cls(name, STRATA[name](rng), Crop(place=place, on_grid=True))

    def plan(self, given: Size, size: Size | None = None) -> tuple[Operation, ...]:
        """The operations with all numbers filled in, for a picture of (height, width) `given`.

        With `size` the result has that size: factors grow if less would be left, and the picture is
        cut after the last resizing. A picture smaller than `size` is enlarged, and one of exactly that
        size is neither reduced nor cut: leave room where those are wanted.
        """
        operations = list(self.operations)
        if size is not None:
            resizes = [n for n, o in enumerate(operations) if isinstance(o, Resize)]
            if not resizes and (given[0] < size[0] or given[1] < size[1]):
                operations.insert(0, Resize(1.0, "bicubic"))
                resizes = [0]
            if not any(isinstance(o, Crop) for o in operations):
                operations.insert(resizes[-1] + 1 if resizes else 0, self.spare)
        now, planned = given, []
        for operation in operations:
            if isinstance(operation, Resize):
                least = (1, 1) if size is None else size
                factor = max(operation.factor, least[0] / now[0], least[1] / now[1])
                to = (max(least[0], round(now[0] * factor)), max(least[1], round(now[1] * factor)))
                if to == now:
                    continue
                operation, now = Resize(factor, operation.kernel, to), to
            elif isinstance(operation, Crop):
                operation = operation.fitted(now, size)
                if operation.box[2:] == now:
                    continue
                now = operation.box[2:]
            planned.append(operation)
        return tuple(planned)

    def apply(self, pixels: Pixels, masks: Sequence[Mask] = (), size: Size | None = None) -> Laundered:
        """The file of pixels uint8 H×W×3 RGB after the chain, and `masks` (bool H×W) moved along."""
        plan = self.plan((pixels.shape[0], pixels.shape[1]), size)
        moved, data = [np.asarray(m) for m in masks], b""
        for number, operation in enumerate(plan, 1):
            if isinstance(operation, Save):
                data = operation.encode(pixels)
                if number < len(plan):
                    pixels = decode(data)
                continue
            pixels = operation.apply(pixels)
            if not isinstance(operation, Adjust | Scan):
                moved = [operation.move(m) for m in moved]
        last = plan[-1]
        assert isinstance(last, Save), "a chain ends by saving"
        return Laundered(data, tuple(moved), ", then ".join(o.words for o in plan), last.suffix)


# ---------------------------------------------------------------- strata


def _jpeg(rng: Rng, low: int = 60, high: int = 98) -> Jpeg:
    progressive = bool(rng.random() < 0.15)
    if rng.random() < 0.3:
        tables = int(rng.integers(len(CAMERA_TABLES)))
        return Jpeg(tables=tables, subsampling=CAMERA_TABLES[tables].subsampling, progressive=progressive)
    layout = str(rng.choice(SUBSAMPLINGS, p=(0.25, 0.2, 0.55)))
    return Jpeg(int(rng.integers(low, high + 1)), subsampling=layout, progressive=progressive)


def _resize(rng: Rng, low: float = 0.4, high: float = 1.0) -> Resize:
    factor = float(rng.uniform(1.02, 1.5) if rng.random() < 0.1 else rng.uniform(low, high))
    return Resize(factor, str(rng.choice(KERNELS)))


def _crop(rng: Rng, off_grid: float = 0.7) -> Crop:
    share, place = rng.uniform(0.7, 0.97, 2), rng.random(2)
    return Crop((float(share[0]), float(share[1])), (float(place[0]), float(place[1])), bool(rng.random() >= off_grid))


def _adjust(rng: Rng) -> tuple[Adjust, ...]:
    """Now and then an adjustment, most often two or three of the five."""
    if rng.random() >= 0.25:
        return ()
    chosen = rng.random(5) < 0.5
    drawn = rng.uniform((-14, 0.88, 0.85, 0.8, 0.2), (14, 1.15, 1.18, 1.25, 0.8))
    drawn[0] = np.rint(drawn[0])
    values = np.where(chosen, drawn, (0.0, 1.0, 1.0, 1.0, 0.0))
    return (Adjust(*(float(v) for v in values)),) if chosen.any() else ()


def _none(rng: Rng) -> tuple[Operation, ...]:
    return (Png(),)


def _resave(rng: Rng) -> tuple[Operation, ...]:
    return (*_adjust(rng), _jpeg(rng))


def _resized(rng: Rng) -> tuple[Operation, ...]:
    cut = (_crop(rng),) if rng.random() < 0.3 else ()
    return (_resize(rng), *cut, *_adjust(rng), Png() if rng.random() < 0.2 else _jpeg(rng, 75))


def _cropped(rng: Rng) -> tuple[Operation, ...]:
    return (_crop(rng), *_adjust(rng), Png() if rng.random() < 0.2 else _jpeg(rng))


def _sent(rng: Rng, longest: tuple[int, ...], progressive: float, quality: Size) -> tuple[Operation, ...]:
    factor = max(0.4, float(rng.choice(longest)) / float(rng.integers(3000, 4601)))
    saved = Jpeg(int(rng.integers(quality[0], quality[1] + 1)), progressive=bool(rng.random() < progressive))
    kernel = str(rng.choice(KERNELS[:4]))
    return (*_adjust(rng), Resize(factor, kernel), saved)


def _screenshot(rng: Rng) -> tuple[Operation, ...]:
    shown = Resize(float(rng.uniform(0.45, 1.3)), str(rng.choice(KERNELS)))
    return (shown, _crop(rng, 1.0), Png() if rng.random() < 0.5 else _jpeg(rng, 75))


def _webp(rng: Rng) -> tuple[Operation, ...]:
    resized = (_resize(rng),) if rng.random() < 0.4 else ()
    return (*resized, *_adjust(rng), Webp(int(rng.integers(70, 96))))


def _double(rng: Rng) -> tuple[Operation, ...]:
    between: tuple[Operation, ...] = (_crop(rng, 0.8),) if rng.random() < 0.5 else ()
    return (_jpeg(rng, 70), *between, *_adjust(rng), _jpeg(rng))


def _scan(rng: Rng) -> tuple[Operation, ...]:
    resized = (_resize(rng),) if rng.random() < 0.5 else ()
    return (*resized, Scan.draw(rng), Png() if rng.random() < 0.2 else _jpeg(rng, 70))


STRATA: dict[str, Callable[[Rng], tuple[Operation, ...]]] = {
    "none": _none,
    "resave": _resave,
    "resize": _resized,
    "crop": _cropped,
    "messenger": partial(_sent, longest=(1280, 1600, 2048), progressive=0.3, quality=(70, 85)),
    "platform": partial(_sent, longest=(1080, 1440, 2048), progressive=0.7, quality=(71, 87)),
    "screenshot": _screenshot,
    "webp": _webp,
    "double": _double,
    "scan": _scan,
}


# Level that is taken if none is given, and the operations at a level.
_PRESETS: dict[str, tuple[float, Callable[[float], tuple[Operation, ...]]]] = {
    "none": (0, lambda _: (Png(),)),
    "resave": (75, lambda quality: (Jpeg(round(quality)),)),
    "resize": (0.5, lambda factor: (Resize(factor), Png())),
    "crop": (0.9, lambda share: (Crop((share, share), on_grid=False), Png())),
    "messenger": (75, lambda quality: (Resize(0.5), Jpeg(round(quality)))),
    "platform": (80, lambda quality: (Resize(0.6, "bicubic"), Jpeg(round(quality), progressive=True))),
    "screenshot": (0.75, lambda factor: (Resize(factor, "bilinear"), Crop((0.95, 0.95), on_grid=False), Png())),
    "webp": (80, lambda quality: (Webp(round(quality)),)),
    "double": (75, lambda quality: (Jpeg(90), Jpeg(round(quality)))),
    "scan": (3, lambda grain: (Scan(0.6, grain, 0.5, 0.3, 1.0), Jpeg(85))),
}
_PRESETS["jpeg"] = _PRESETS["resave"]


def preset(name: str, level: float | None = None) -> Chain:
    """A chain without chance, for robustness sweeps: one of the `STRATA`, or "jpeg", which is "resave".

    `level` is the last save's quality, but for "resize" and "screenshot" the factor, for "crop" the share
    of each side kept; "none" has no level. Raises KeyError for an unknown name.
    """
    if name not in _PRESETS:
        raise KeyError(f"no preset is called {name!r}; there are {', '.join(_PRESETS)}")
    usual, operations = _PRESETS[name]
    return Chain("resave" if name == "jpeg" else name, operations(usual if level is None else level))
