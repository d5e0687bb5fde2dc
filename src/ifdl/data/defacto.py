"""DEFACTO: about 149,000 splices, copy-moves and object removals made automatically from COCO pictures, TIFF.

Layout, in three downloads that may lie in one folder or in folders of their own below it:

    splicing_1_img/img/                      0_000000195755.tif        (likewise 2 to 7)
    splicing_1_annotations/probe_mask/       0_000000195755.jpg        (beside donor_mask/ and graph/*.json)
    copymove_img/img/                        0_000000000071.tif
    copymove_annotations/probe_mask/         0_000000000071.jpg
    inpainting_img/img/                      0_000000000260.tif
    inpainting_annotations/probe_mask/       0_000000000260.jpg        (beside inpaint_mask/)

Where it was learned: the trees in `src/datasets/defacto.py` of github.com/cainspencerm/image-manipulation-datasets;
parts and numbers from defactodataset.github.io. A name is a running number and a COCO id. The other photograph of a
splice is told in graph/*.json, which is not read. The face morphs, a fourth download, have no such source and are not
read. There are no authentic pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import doubled, lone, shown
from ifdl.data._record import Bad, Record, by_stem, first_folder, need
from ifdl.types import Card

PARTS = {"copymove": "copymove", "inpainting": "removal"} | {f"splicing_{n}": "splice" for n in range(1, 8)}
NAME = re.compile(r"\d+_(?P<coco>\d{12})", re.ASCII)
TERMS = "research; read the terms on the set's page, and MS COCO's for its pictures"

CARD = Card(
    id="defacto",
    title="DEFACTO: automatic splices, copy-moves and object removals of COCO pictures",
    citation=(
        "Mahfoudi, Tajini, Retraint, Morain-Nicolier, Dugelay, Pic, DEFACTO: Image and Face Manipulation Dataset, "
        "EUSIPCO 2019"
    ),
    url="https://defactodataset.github.io",
    domain="How to obtain: that page links to the three downloads.",
    limits=(
        "There are no authentic pictures.",
        "Some splices have masks of another size than the picture; other loaders scale the mask.",
        "Some pictures are there twice, byte for byte.",
        "Masks are JPEG pictures: the border is taken at half brightness.",
        "Pictures were JPEG in COCO and are TIFF here: do not mix them with COCO's JPEG files as the authentic class.",
        "Pictures of different parts share COCO photographs: split by source.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation",),
    size="about 105,000 splices, 19,000 copy-moves and 25,000 object removals with masks",
    layout=Layout(
        source=(
            "github.com/cainspencerm/image-manipulation-datasets, commit 0c8faf3, src/image_manip/defacto.py; "
            "defactodataset.github.io"
        ),
        names=(
            "splicing_1_img/img/0_000000195755.tif",
            "splicing_1_annotations/probe_mask/0_000000195755.jpg",
            "copymove_img/img/0_000000000071.tif",
            "inpainting_annotations/probe_mask/0_000000000260.jpg",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the parts that are there; a mask has its picture's name."""
    below = [root] + [p for p in sorted(root.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    found = [(part, place) for part in PARTS for place in below if first_folder(place, f"{part}_img/img")]
    need(root, found, "splicing_1_img/img/ and splicing_1_annotations/probe_mask/, or copymove_, inpainting_")
    for part, place in found:
        folder, truths = (first_folder(place, f"{part}_{n}") for n in ("img/img", "annotations/probe_mask"))
        assert folder is not None
        masks, unclear = by_stem(truths) if truths else ({}, [])
        pictures, shared = by_stem(folder)
        yield from doubled(unclear + shared, root)
        for stem, path in pictures.items():
            match = NAME.fullmatch(stem)
            if match is None:
                yield Bad(shown(path, root), "a picture is called <number>_<COCO id>, as 0_000000195755.tif")
                continue
            yield Record(
                image=path,
                label="edited",
                mask=masks.get(stem),
                kind=PARTS[part],
                sources=(match["coco"],),
                licence=TERMS,
                name=shown(path, root),
            )
        yield from lone(masks, pictures, root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, (part, name) in enumerate(
        (
            ("splicing_1", "0_000000195755"),
            ("splicing_7", "0_000000529545"),
            ("copymove", "0_000000000071"),
            ("copymove", "0_000000000109"),
            ("inpainting", "0_000000000260"),
            ("inpainting", "0_000000000332"),
        )
    ):
        pixels, mask = _fabric.forged(n)
        _fabric.save(pixels, root / f"{part}_img" / "img" / f"{name}.tif")
        _fabric.save(mask, root / f"{part}_annotations" / "probe_mask" / f"{name}.jpg", quality=95)
