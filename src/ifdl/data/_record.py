"""One picture of a set before anything is decoded, and the way from there to a Sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ifdl import intake
from ifdl.data._header import announced
from ifdl.intake.sniff import EXTENSIONS
from ifdl.types import Picture, Sample, Truth

LABELS = ("authentic", "edited", "synthetic")
SUFFIXES = frozenset(f".{extension}" for extensions in EXTENSIONS.values() for extension in extensions)
# How a mask file marks what was edited: bright pixels, green ones (Columbia's two-coloured masks), dark ones
# (DSO-1, NIST16), or any that are not black (Korus' maps of three levels).
Marks = Literal["white", "green", "black", "any"]
NOT_BLACK = 10  # of 255; PhotoHolmes' threshold for Korus' maps


@dataclass(frozen=True)
class Record:
    """Where a picture lies and what its set says of it. `mask` None: none is known (or none is needed).

    `sources` are the photographs it was made from, its host first: split by `source`. `name` is the
    path below the set's root, as shown to people; `extra` is whatever else the set says.
    """

    image: Path
    label: str
    mask: Path | None = None
    kind: str | None = None
    sources: tuple[str, ...] = ()
    licence: str = ""
    sha256: str | None = None
    split: str | None = None
    marks: Marks = "white"
    name: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The photograph by which splits are made; a picture of unknown origin is its own."""
        return self.sources[0] if self.sources else self.shown

    @property
    def shown(self) -> str:
        return self.name or self.image.name


@dataclass(frozen=True)
class Bad:
    """Something that is no usable record: what it is called, and why it was passed over."""

    name: str
    reason: str


class WrongMask(ValueError):
    """A mask that does not fit its picture."""


class Here(intake.Decoder):
    """A decoder without a child: faster, and without limits of time and memory. For files one trusts."""

    def decode(self, data: bytes, name: str = "picture", wanted: intake.Part = intake.MAIN) -> Picture:
        return intake.decode(data, self.limits, name, wanted)


def mask_of(record: Record, decoder: intake.Decoder | None = None) -> NDArray[np.bool_] | None:
    """The record's mask, bool H×W, True where edited; None if none is known. Raises IntakeError."""
    if record.mask is None:
        return None
    return marked(_decoded(record.mask, record, decoder, None).pixels, record.marks)


def marked(pixels: NDArray[np.uint8], marks: Marks = "white") -> NDArray[np.bool_]:
    """What a decoded mask file (uint8 H×W×3) marks as edited, bool H×W."""
    if marks == "green":
        # Saved as JPEG, so that colours are off by some levels and mix along edges.
        return np.asarray((pixels[..., 1] >= 100) & (pixels[..., 1] > pixels[..., 0]))
    if marks == "black":
        return np.asarray(pixels.max(axis=2) < 128)
    return np.asarray(pixels.max(axis=2) > NOT_BLACK if marks == "any" else pixels.max(axis=2) >= 128)


def sample(record: Record, decoder: intake.Decoder | None = None, *, decode: bool = False) -> Sample:
    """The record as a Sample with its mask; `decode` also decodes the picture, else it stays a path.

    Files are decoded by `decoder` if given; without one in this process where the record's sha256
    vouches for the file (its mask is then trusted too), else in a child of their own, which is slow
    for many. Raises IntakeError for a file that cannot be read, WrongMask for a mask of another size.
    """
    picture = _decoded(record.image, record, decoder, record.sha256) if decode else None
    size = (picture.width, picture.height) if picture else announced(intake.read_source(record.image, LIMITS)[0])
    if size is None:  # a format whose header is not read here
        whole = _decoded(record.image, record, decoder, record.sha256)
        size = (whole.width, whole.height)
    mask = mask_of(record, decoder)
    if mask is None and record.label == "authentic":
        mask = np.zeros(size[::-1], bool)
    elif mask is not None and mask.shape != size[::-1]:
        raise WrongMask(f"{record.shown}: {misfit(mask.shape, size[::-1])}")
    words = f"{record.kind}" if record.kind else ""
    return Sample(picture or str(record.image), Truth(record.label, mask, words=words), record.source, record.licence)


def misfit(mask: tuple[int, ...], picture: tuple[int, int]) -> str:
    """In words, how a mask's (height, width) differs from its picture's."""
    turned = " (turned by a quarter: the picture may carry an EXIF orientation)" if mask[::-1] == picture else ""
    return f"its mask is {mask[1]}×{mask[0]}, the picture {picture[1]}×{picture[0]}{turned}"


def pictures_below(folder: Path) -> Iterator[Path]:
    """Picture files below a folder, by their extension, in a stable order; hidden files are not pictures."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield path


def by_stem(
    folder: Path, endings: tuple[str, ...] = ("",), *, below: bool = True
) -> tuple[dict[str, Path], list[tuple[Path, str]]]:
    """Pictures of a folder by their stem without one of `endings`, and those that share theirs with another.

    The stem is the path below the folder without extension; a longer ending counts before a shorter
    one. `below` False looks at the folder itself only.
    """
    found: dict[str, list[Path]] = {}
    for path in pictures_below(folder):
        if not below and path.parent != folder:
            continue
        stem = path.relative_to(folder).with_suffix("").as_posix()
        ending = max((e for e in endings if stem.endswith(e)), key=len, default=None)
        if ending is not None:
            found.setdefault(stem[: len(stem) - len(ending)], []).append(path)
    single = {stem: paths[0] for stem, paths in found.items() if len(paths) == 1}
    shared = [(p, ", ".join(q.name for q in paths if q != p)) for paths in found.values() if len(paths) > 1
              for p in paths]  # fmt: skip
    return single, shared


def first_folder(root: Path, *candidates: str) -> Path | None:
    """The first of the folders (relative paths, upper and lower case alike) that is there."""
    for candidate in candidates:
        place: Path | None = root
        for part in Path(candidate).parts:
            below = sorted(p for p in place.iterdir() if p.is_dir() and p.name.lower() == part.lower()) if place else []
            place = below[0] if below else None
        if place is not None:
            return place
    return None


def need(root: Path, found: object, layout: str) -> None:
    """Raise FileNotFoundError that shows the expected layout, if nothing of it was found."""
    if not found:
        raise FileNotFoundError(f"{root} does not hold this set; expected {layout}")


LIMITS = intake.Limits()


def _decoded(path: Path, record: Record, decoder: intake.Decoder | None, sha256: str | None) -> Picture:
    if decoder is not None:
        return decoder.decode(*intake.read_source(path, decoder.limits))
    return intake.load(path, isolated=record.sha256 is None, sha256=sha256)
