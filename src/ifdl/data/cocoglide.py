"""CocoGlide: 512 COCO pictures of 256×256 in which GLIDE generated one object anew, with their originals.

Layout:

    fake/   glide_inpainting_val2017_114871_up.png
    mask/   dining table_114871_mask.png
    real/   dining table_114871.png

Where it was learned: TruFor's `test_docker/data_test/CocoGlide_fake.txt` and `CocoGlide_real.txt`, which pair all
files. The number is the picture's id in COCO val2017: fake, mask and original are matched by it, and the object's
category is in the names of the other two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import lone, shown
from ifdl.data._record import Bad, Record, first_folder, need, pictures_below
from ifdl.types import Card

FAKE = re.compile(r"glide_inpainting_val2017_(?P<id>\d+)_up", re.ASCII)
REAL = re.compile(r"(?P<category>.+)_(?P<id>\d+)", re.ASCII)
MASK = re.compile(r"(?P<category>.+)_(?P<id>\d+)_mask", re.ASCII)
TERMS = "nonprofit use (licence of TruFor, GRIP-UNINA); pictures under the terms of MS COCO"

CARD = Card(
    id="cocoglide",
    title="CocoGlide: objects of COCO pictures generated anew by GLIDE",
    citation=(
        "Guillaro, Cozzolino, Sud, Dufour, Verdoliva, TruFor: Leveraging All-Round Clues for Trustworthy Image Forgery "
        "Detection and Localization, CVPR 2023"
    ),
    url="https://github.com/grip-unina/TruFor",
    domain="How to obtain: the section on CocoGlide in the README of that repository has the link.",
    limits=(
        "All pictures are 256×256 and PNG: no trace of a camera's JPEG is left, and originals were scaled too.",
        "GLIDE works at 64×64 and an upsampler follows: traces of that chain are not those of other generators.",
        "Every edited picture has its original in the set: split by source (the COCO id), never by file.",
        "Whoever trained on COCO has seen the originals.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection"),
    size="512 edited pictures with masks and their 512 originals, 256×256",
    layout=Layout(
        source=(
            "github.com/grip-unina/TruFor, commit cb2d28c, test_docker/data_test/CocoGlide_fake.txt and "
            "CocoGlide_real.txt"
        ),
        names=(
            "fake/glide_inpainting_val2017_114871_up.png",
            "mask/dining table_114871_mask.png",
            "real/dining table_114871.png",
            "fake/glide_inpainting_val2017_563758_up.png",
            "mask/teddy bear_563758_mask.png",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; fake, mask and original are matched by the COCO id in their names."""
    fakes, reals, truths = (first_folder(root, name) for name in ("fake", "real", "mask"))
    need(root, fakes and reals, "fake/glide_inpainting_val2017_<id>_up.png, mask/ and real/")
    assert fakes is not None and reals is not None
    masks: dict[str, Path] = {}
    yield from _sorted_by_id(truths, MASK, "<category>_<id>_mask", root, masks) if truths else ()
    for folder, pattern, words, label in (
        (reals, REAL, "<category>_<id>", "authentic"),
        (fakes, FAKE, "glide_inpainting_val2017_<id>_up", "edited"),
    ):
        found: dict[str, Path] = {}
        yield from _sorted_by_id(folder, pattern, words, root, found)
        for number, path in found.items():
            yield Record(
                image=path,
                label=label,
                mask=masks.get(number) if label == "edited" else None,
                kind="glide" if label == "edited" else None,
                sources=(number,),
                licence=TERMS,
                name=shown(path, root),
            )
    yield from lone(masks, found, root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, (category, number) in enumerate((("dining table", 114871), ("teddy bear", 563758), ("cake", 493334))):
        pixels, mask = _fabric.forged(n)
        _fabric.save(_fabric.scene(n), root / "real" / f"{category}_{number}.png")
        _fabric.save(pixels, root / "fake" / f"glide_inpainting_val2017_{number}_up.png")
        _fabric.save(mask, root / "mask" / f"{category}_{number}_mask.png")


def _sorted_by_id(
    folder: Path, pattern: re.Pattern[str], words: str, root: Path, into: dict[str, Path]
) -> Iterator[Bad]:
    """Put a folder's pictures `into` a dictionary by their id; what has none or an id of another is told."""
    for path in pictures_below(folder):
        match = pattern.fullmatch(path.stem)
        if match is None:
            yield Bad(shown(path, root), f"a picture of {folder.name}/ is called {words}")
        elif into.setdefault(match["id"], path) != path:
            yield Bad(shown(path, root), f"has the id of {into[match['id']].name}, which is used")
