"""Realistic Tampering (Korus and Huang): 220 forgeries made by hand, with their originals, TIFF of 1920×1080.

Layout, one folder for each of four cameras (Canon_60D, Nikon_D90, Nikon_D7000, Sony_A57):

    Canon_60D/pristine/             DPP0044.TIF
    Canon_60D/tampered-realistic/   DPP0044.TIF
    Canon_60D/ground-truth/         DPP0044.PNG

Where it was learned: folders from PhotoHolmes' `datasets/realistic_tampering.py`; the set's own readme and its files as
stored in github.com/jm20389/mat099 below `datasets/data-korus/original`. `data-images/` above the cameras is accepted.

A map has three levels: black is authentic, white a change of meaning, grey (“collateral damage”) where pixels were
changed but show the same. The readme counts grey and white as tampered for standard evaluation; so does this reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import doubled, lone, shown
from ifdl.data._record import Bad, Record, by_stem, first_folder, need
from ifdl.types import Card

CAMERAS = ("Canon_60D", "Nikon_D90", "Nikon_D7000", "Sony_A57")
TERMS = "educational and research purposes only; cite Korus and Huang 2016 and 2017"

CARD = Card(
    id="korus",
    title="Realistic Tampering (Korus): forgeries by hand with their originals, TIFF 1920×1080",
    citation=(
        "Korus, Huang, Multi-scale Analysis Strategies in PRNU-based Tampering Localization, IEEE TIFS 12(4), 2017; "
        "Korus, Huang, Evaluation of Random Field Models in Multi-modal Unsupervised Tampering Localization, WIFS 2016"
    ),
    url="https://pkorus.pl/downloads/dataset-realistic-tampering",
    domain="How to obtain: follow the link on that page (access must be asked for); unpack the folders of the cameras.",
    limits=(
        "Maps have three levels; grey (collateral damage, shadows and reflections too) counts as tampered here, as the "
        "readme says, but others leave it out.",
        "The line between white and grey was drawn by hand and is rough.",
        "Every edited picture has its original in the set: split by source (camera and number), never by file.",
        "Which forgery is an insertion and which a removal is not said.",
        "Pictures were never JPEG: no compression traces are to be found.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection"),
    size="220 edited pictures with maps and their 220 originals, 1920×1080",
    layout=Layout(
        source=(
            "github.com/photoholmes/photoholmes, commit f57f487, src/photoholmes/datasets/realistic_tampering.py; "
            "github.com/jm20389/mat099, commit 5e81079, datasets/data-korus/original (readme.md and files)"
        ),
        names=(
            "Canon_60D/ground-truth/DPP0044.PNG",
            "Canon_60D/pristine/DPP0044.TIF",
            "Sony_A57/tampered-realistic/DSC05887.TIF",
            "Nikon_D7000/tampered-realistic/r07ece355t.TIF",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; an original, its forgery and its map have the same name."""
    place = first_folder(root, "data-images") or root
    found = [c for c in CAMERAS if first_folder(place, f"{c}/tampered-realistic")]
    need(root, found, "Canon_60D/pristine/, Canon_60D/tampered-realistic/ and Canon_60D/ground-truth/")
    for camera in found:
        truths = first_folder(place, f"{camera}/ground-truth")
        masks, unclear = by_stem(truths) if truths else ({}, [])
        yield from doubled(unclear, root)
        for name, label in (("pristine", "authentic"), ("tampered-realistic", "edited")):
            folder = first_folder(place, f"{camera}/{name}")
            pictures, shared = by_stem(folder) if folder else ({}, [])
            yield from doubled(shared, root)
            for stem, path in pictures.items():
                yield Record(
                    image=path,
                    label=label,
                    mask=masks.get(stem) if label == "edited" else None,
                    sources=(f"{camera}/{stem}",),
                    licence=TERMS,
                    marks="any",
                    name=shown(path, root),
                    extra={"camera": camera},
                )
        yield from lone(masks, pictures, root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above; one row of each map is grey."""
    for n, (camera, name) in enumerate(
        (("Canon_60D", "DPP0044"), ("Nikon_D7000", "r07ece355t"), ("Sony_A57", "DSC05887"))
    ):
        pixels, mask = _fabric.forged(n)
        levels = mask.astype(np.uint8) * 255
        levels[int(np.flatnonzero(mask.any(axis=1))[0])] //= 3
        _fabric.save(_fabric.scene(n), root / camera / "pristine" / f"{name}.TIF")
        _fabric.save(pixels, root / camera / "tampered-realistic" / f"{name}.TIF")
        _fabric.save(levels, root / camera / "ground-truth" / f"{name}.PNG")
