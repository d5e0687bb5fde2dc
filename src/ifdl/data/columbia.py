"""Columbia Uncompressed Image Splicing Detection Evaluation Dataset: 183 authentic, 180 spliced, uncompressed.

Layout:

    4cam_auth/                  canong3_02_sub_01.tif
    4cam_splc/                  canong3_nikond70_sub_01.tif
    4cam_splc/edgemask/         canong3_nikond70_sub_01_edgemask.jpg

Where it was learned: folders, counts, sizes and cameras from www.ee.columbia.edu/ln/dvmm/downloads/
authsplcuncmp/ (TIFF or BMP); names and place of the masks from PhotoHolmes' `datasets/columbia.py` and other
public loaders. Copies that unpack into a folder of the same name (4cam_auth/4cam_auth/) are accepted.

Colours of an edgemask, as public converters document them: red is camera 1 and green is camera 2; bright
(255) near the suspected boundary and regular (200) away from it. Which of the two cameras was pasted into
the other's picture could not be checked against the authors' own words. PhotoHolmes and two more loaders take
all green, bright and regular, as the spliced region, and so does this reader; at least one public converter
takes bright red instead. A score on this set must say which it used. `*_edgemask_3.jpg`, with a third
colour, and the edgemasks that also lie beside the authentic pictures are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, by_stem, first_folder, need, pictures_below
from ifdl.types import Card

TERMS = "research only; credit the DVMM Laboratory of Columbia University (read the terms on the form)"

CARD = Card(
    id="columbia",
    title="Columbia Uncompressed: simple splices of four cameras, TIFF or BMP",
    citation=(
        "Hsu, Chang, Detecting Image Splicing Using Geometry Invariants and Camera Characteristics Consistency, "
        "ICME 2006"
    ),
    url="https://www.ee.columbia.edu/ln/dvmm/downloads/authsplcuncmp/",
    domain="How to obtain: fill in the form on that page; unpack 4cam_auth and 4cam_splc into one folder.",
    limits=(
        "Splices are blunt cuts without any after-processing, obvious to the eye: a high score here says little.",
        "Masks are two-coloured JPEGs; green is taken for the spliced part, which other readers do differently.",
        "The spliced part may be larger than the rest: a mask above half the picture need not be inverted.",
        "Only the authentic files are said to carry EXIF: metadata may give the label away.",
        "Names do not say which authentic photographs a splice was made from, so a split by source is not possible.",
        "One mask of the spliced set is reported as damaged in a public processing script.",
    ),
    licence=TERMS,
)


ABOUT = About(
    tasks=("localisation", "detection"),
    size="183 authentic and 180 spliced pictures, uncompressed",
    layout=Layout(
        source=(
            "www.ee.columbia.edu/ln/dvmm/downloads/authsplcuncmp/; github.com/photoholmes/photoholmes, commit f57f487, "
            "src/photoholmes/datasets/columbia.py; github.com/mjkwon2021/CAT-Net, commit 6536f9d, "
            "Splicing/data/Columbia_list.txt and Columbia_auth_list.txt"
        ),
        names=(
            "4cam_auth/canong3_02_sub_03.tif",
            "4cam_splc/nikond70_canonxt_sub_03.tif",
            "4cam_splc/edgemask/nikond70_canonxt_sub_03_edgemask.jpg",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; masks are found by the picture's name plus `_edgemask`."""
    authentic = first_folder(root, "4cam_auth/4cam_auth", "4cam_auth")
    spliced = first_folder(root, "4cam_splc/4cam_splc", "4cam_splc")
    need(root, authentic or spliced, "4cam_auth/, 4cam_splc/ and 4cam_splc/edgemask/")
    for folder, label in ((authentic, "authentic"), (spliced, "edited")):
        if folder is None:
            continue
        truths = first_folder(folder, "edgemask") if label == "edited" else None
        masks, doubled = by_stem(truths, ("_edgemask",)) if truths else ({}, [])
        for path in pictures_below(truths) if truths else ():
            if not path.stem.endswith(("_edgemask", "_edgemask_3")):
                yield Bad(path.relative_to(root).as_posix(), "a mask is named after its picture, then _edgemask")
        pictures, shared = by_stem(folder, below=False)
        for path, others in doubled + shared:
            yield Bad(path.relative_to(root).as_posix(), f"shares its name with {others}; it is unclear which is meant")
        for stem, path in pictures.items():
            yield Record(
                image=path,
                label=label,
                mask=masks.get(stem),
                kind="splice" if label == "edited" else None,
                sources=(stem,),
                licence=TERMS,
                marks="green",
                name=path.relative_to(root).as_posix(),
            )
        for stem in sorted(set(masks) - set(pictures)):
            yield Bad(masks[stem].relative_to(root).as_posix(), f"a mask without its picture {stem}")


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, name in enumerate(("canong3_02_sub_01", "nikond70_05_sub_01", "kodakdcs330_02_sub_02")):
        _fabric.save(_fabric.scene(n), root / "4cam_auth" / f"{name}.tif")
    for n, name in enumerate(("canong3_nikond70_sub_01", "canonxt_kodakdcs330_sub_01", "nikond70_canonxt_sub_03")):
        pixels, mask = _fabric.forged(n)
        _fabric.save(pixels, root / "4cam_splc" / f"{name}.tif")
        colours = np.where(mask[..., None], (0, 200, 0), (200, 0, 0)).astype(np.uint8)
        _fabric.save(colours, root / "4cam_splc" / "edgemask" / f"{name}_edgemask.jpg", quality=95, subsampling=0)
