"""COVERAGE: 100 copy-moves among similar but genuine objects, each with its original, TIFF.

Layout:

    image/   1.tif (original), 1t.tif (tampered)
    mask/    1forged.tif (the edited region), 1copy.tif (where it came from), 1paste.tif
    label/   *.mat (kinds of processing; not read)

Where it was learned: PhotoHolmes' `datasets/coverage.py`; the mask names and the nine numbers whose masks have
the wrong size (41, 48, 55-59, 61, 95) from github.com/SunnyHaze/IML-Dataset-Corrections; terms and citation
from the README of github.com/wenbihan/coverage. `images/` and `masks/` are accepted as well, and other
picture extensions than .tif.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, by_stem, first_folder, need
from ifdl.types import Card

NAME = re.compile(r"(\d+)(t?)", re.ASCII)
MASK = re.compile(r"(\d+)(forged|copy|paste)", re.ASCII)
TERMS = "non-commercial research only; cite Wen et al. 2016"

CARD = Card(
    id="coverage",
    title="COVERAGE: copy-moves beside similar genuine objects, with their originals",
    citation=(
        "Wen, Zhu, Subramanian, Ng, Shen, Winkler, COVERAGE: a Novel Database for Copy-Move Forgery Detection, "
        "ICIP 2016"
    ),
    url="https://github.com/wenbihan/coverage",
    domain="How to obtain: follow the download link in the README of that repository; unpack image/ and mask/.",
    limits=(
        "The masks of nine pictures (41, 48, 55-59, 61, 95) have another size than their pictures; corrected ones are "
        "linked at github.com/SunnyHaze/IML-Dataset-Corrections.",
        "Every edited picture has its original in the set: split by source (the number), never by file.",
        "The pictures are small: 334×190 to 752×472 pixels.",
        "Original pictures also repeat objects: a score here punishes whoever only looks for similar parts.",
    ),
    licence=TERMS,
)


ABOUT = About(
    tasks=("localisation", "detection"),
    size="100 edited pictures with masks and their 100 originals",
    layout=Layout(
        source=(
            "github.com/photoholmes/photoholmes, commit f57f487, src/photoholmes/datasets/coverage.py; "
            "github.com/SunnyHaze/IML-Dataset-Corrections, commit 2d88fac, README.md; "
            "github.com/mjkwon2021/CAT-Net, commit 6536f9d, Splicing/data/COVERAGE_tamp.txt"
        ),
        names=("1.tif", "1t.tif", "41forged.tif", "41copy.tif", "41paste.tif"),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; the mask of `7t.tif` is `7forged.tif`."""
    images, truths = first_folder(root, "image", "images"), first_folder(root, "mask", "masks")
    need(root, images, "image/1.tif, image/1t.tif and mask/1forged.tif")
    assert images is not None
    masks, doubled = by_stem(truths, below=False) if truths else ({}, [])
    pictures, shared = by_stem(images, below=False)
    for path, others in shared + doubled:
        yield Bad(path.relative_to(root).as_posix(), f"shares its name with {others}; it is unclear which is meant")
    for stem, path in pictures.items():
        name = path.relative_to(root).as_posix()
        match = NAME.fullmatch(stem)
        if match is None:
            yield Bad(name, "a picture is called by a number, with a t behind it if it was tampered with")
            continue
        number, tampered = match[1], bool(match[2])
        yield Record(
            image=path,
            label="edited" if tampered else "authentic",
            mask=masks.get(f"{number}forged") if tampered else None,
            kind="copymove" if tampered else None,
            sources=(number,),
            licence=TERMS,
            name=name,
        )
    for stem, path in sorted(masks.items()):
        match = MASK.fullmatch(stem)
        if match is None or f"{match[1]}t" not in pictures:
            yield Bad(path.relative_to(root).as_posix(), "a mask without its picture")


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for number in (1, 2, 10):
        pixels, mask = _fabric.forged(number)
        _fabric.save(_fabric.scene(number), root / "image" / f"{number}.tif")
        _fabric.save(pixels, root / "image" / f"{number}t.tif")
        for part in ("forged", "copy", "paste"):
            _fabric.save(mask if part != "copy" else mask[:, ::-1], root / "mask" / f"{number}{part}.tif")
