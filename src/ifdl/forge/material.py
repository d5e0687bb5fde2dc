"""What is forged with: photographs from a folder or a manifest, cut without disturbing their JPEG blocks.

Decoded pictures are kept in memory up to a limit, so that workers never wait for the decoder.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ifdl import intake
from ifdl.data.manifest import Split, split_of
from ifdl.forge.record import Box, Material, Pixels, Thing
from ifdl.intake.sniff import EXTENSIONS

CACHE_BYTES = 1024 * 1024**2
AROUND = 0.6  # share of crops laid around a known object
PICTURES = {f".{extension}" for extensions in EXTENSIONS.values() for extension in extensions}


@dataclass(frozen=True)
class Photograph:
    """One authentic picture to forge with: its file, and the photograph it shows (`source`)."""

    path: Path
    source: str
    sha256: str | None = None


class Detected(Protocol):
    """What a detector says of one object: `box` (x, y, width, height) in pixels and its name."""

    @property
    def box(self) -> Box: ...
    @property
    def name(self) -> str: ...


Detector = Callable[[Pixels], Sequence[Detected]]


class Sources:
    """A collection of photographs, drawn from with a generator. Not shared between processes: each has its own.

    `detector` looks for objects once in every photograph, when it is read.
    """

    def __init__(
        self, photographs: list[Photograph], cache_bytes: int = CACHE_BYTES, detector: Detector | None = None
    ) -> None:
        if not photographs:
            raise ValueError("there are no authentic pictures to forge with")
        self.photographs = photographs
        self._limit, self._detector = cache_bytes, detector
        self._kept: OrderedDict[Path, Material] = OrderedDict()
        self._bytes = 0
        by_source: dict[str, list[Photograph]] = {}
        for photograph in photographs:
            by_source.setdefault(photograph.source, []).append(photograph)
        # Drawn by source first, so that a photograph with many crops counts no more than one with few.
        self._by_source = list(by_source.values())

    def draw(self, rng: np.random.Generator, other_than: str | None = None) -> Material:
        """A photograph by chance, not of the source `other_than` if there is any other."""
        for _ in range(20):
            crops = self._by_source[int(rng.integers(len(self._by_source)))]
            chosen = crops[int(rng.integers(len(crops)))]
            if chosen.source != other_than or len(self._by_source) == 1:
                break
        return self.load(chosen)

    def load(self, photograph: Photograph) -> Material:
        """The decoded photograph. Raises IntakeError for one that cannot be read."""
        kept = self._kept.get(photograph.path)
        if kept is not None:
            self._kept.move_to_end(photograph.path)
            return kept
        # A manifest that vouches for the bytes spares the child process.
        trusted = photograph.sha256 is not None
        picture = intake.load(photograph.path, isolated=not trusted, sha256=photograph.sha256)
        grid = (0, 0) if picture.item.format == "JPEG" else None
        found = self._detector(picture.pixels) if self._detector else ()
        things = tuple(Thing(one.box, one.name) for one in found)
        material = Material(picture.pixels, photograph.source, photograph.path.name, grid, things)
        self._kept[photograph.path] = material
        self._bytes += picture.pixels.nbytes
        while self._bytes > self._limit and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.pixels.nbytes
        return material


def find(place: Path, splits: tuple[Split, ...] = (Split.TRAIN,)) -> list[Photograph]:
    """Authentic photographs of a folder or a manifest, in a stable order.

    Of a manifest whose sources are hexadecimal ids, as those of `camera` and `camera_whole`, only the
    given splits are taken; a plain folder has no sources, so each file counts as its own photograph.
    """
    manifest = place / "manifest.jsonl" if place.is_dir() else place
    if manifest.is_file():
        found = []
        for line in manifest.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("label", "authentic") != "authentic" or "image" not in row:
                continue
            source = str(row.get("source") or row["image"])
            if _is_hexadecimal(source) and split_of(source) not in splits:
                continue
            found.append(Photograph(manifest.parent / row["image"], source, row.get("sha256")))
        return found
    if not place.is_dir():
        raise FileNotFoundError(f"{place} is neither a folder nor a manifest")
    files = sorted(p for p in place.rglob("*") if p.suffix.lower() in PICTURES and p.is_file() and not p.is_symlink())
    return [Photograph(p, hashlib.sha256(p.relative_to(place).as_posix().encode()).hexdigest()[:10]) for p in files]


def crop(material: Material, size: tuple[int, int], rng: np.random.Generator, on_grid: bool | None = None) -> Material:
    """A crop of (height, width) `size`, smaller pictures enlarged by mirroring never: they come as they are.

    `on_grid` True cuts on the picture's own JPEG blocks, so that their phase is kept at (0, 0); False
    off them; None by chance, mostly on.
    """
    height, width = material.pixels.shape[:2]
    if on_grid is None:
        on_grid = bool(rng.random() < 0.7)
    high, wide = min(size[0], height), min(size[1], width)
    y, x = _corner(material, (high, wide), rng)
    if material.grid is not None and on_grid:
        gx, gy = material.grid
        x, y = max(0, x - (x - gx) % 8), max(0, y - (y - gy) % 8)
    pixels: NDArray[np.uint8] = np.ascontiguousarray(material.pixels[y : y + high, x : x + wide])
    grid = None if material.grid is None else ((material.grid[0] - x) % 8, (material.grid[1] - y) % 8)
    return Material(pixels, material.source, material.name, grid, _within(material.things, (x, y, wide, high)))


def _corner(material: Material, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Row and column of a crop by chance; where objects are known, mostly one that holds a whole one."""
    free = (material.pixels.shape[0] - size[0], material.pixels.shape[1] - size[1])
    fitting = [t.box for t in material.things if t.box[2] <= size[1] and t.box[3] <= size[0]]
    if not fitting or rng.random() >= AROUND:
        return int(rng.integers(free[0] + 1)), int(rng.integers(free[1] + 1))
    x, y, wide, high = fitting[int(rng.integers(len(fitting)))]
    low = max(0, y + high - size[0]), max(0, x + wide - size[1])
    top = min(free[0], y), min(free[1], x)
    return int(rng.integers(low[0], top[0] + 1)), int(rng.integers(low[1], top[1] + 1))


def _within(things: tuple[Thing, ...], window: Box) -> tuple[Thing, ...]:
    """The things that lie almost wholly in the window, in its own coordinates."""
    kept = []
    for thing in things:
        x0, y0 = max(thing.box[0] - window[0], 0), max(thing.box[1] - window[1], 0)
        x1 = min(thing.box[0] + thing.box[2] - window[0], window[2])
        y1 = min(thing.box[1] + thing.box[3] - window[1], window[3])
        if x1 > x0 and y1 > y0 and (x1 - x0) * (y1 - y0) >= 0.85 * thing.box[2] * thing.box[3]:
            kept.append(Thing((x0, y0, x1 - x0, y1 - y0), thing.name))
    return tuple(kept)


def _is_hexadecimal(text: str) -> bool:
    try:
        int(text, 16)
    except ValueError:
        return False
    return len(text) == 10
