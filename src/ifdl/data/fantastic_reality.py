"""Fantastic Reality: more than 18,000 splices made by hand and 16,592 authentic pictures, JPEG.

Layout:

    dataset/ColorRealImages/       IMG_0004754.jpg
    dataset/ColorFakeImages/       IMG_0015571_IMG_0005567.jpg
    dataset/SegmentationFake/      IMG_0015571_IMG_0005567.npz
    dataset/SegmentationFakePng/   IMG_0015571_IMG_0005567.png   (made from the arrays; `masks/` is accepted too)

Where it was learned: CAT-Net's `Splicing/data/dataset_FantasticReality.py` and its lists of files; without `dataset/`
in TruFor's loader. The masks come as NumPy arrays (`arr_0`, edited where above 0), which ifdl does not decode: it
reads PNG pictures, edited white, that many users make of them. `SegmentationFakePng` is the folder of the conversion in
issue 23 of github.com/scu-zjz/Mesorch, `masks` the one of github.com/IDT-ITI/MMFusion-IML. Without them edited
pictures are listed without a mask, and one row says so.

An edited picture is named after two photographs. Which is the host is not said; both are sources.
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

EDITED = re.compile(r"(?P<one>IMG_\d{7})_(?P<other>IMG_\d{7})", re.ASCII)
AUTHENTIC = re.compile(r"IMG_\d{7}", re.ASCII)
TERMS = "research; ask the authors for the terms (their download page is gone)"

CARD = Card(
    id="fantastic_reality",
    title="Fantastic Reality: splices made by hand, with authentic pictures",
    citation=(
        "Kniaz, Knyaz, Remondino, The Point Where Reality Meets Fantasy: Mixed Adversarial Generators for Image Splice "
        "Detection, NeurIPS 2019"
    ),
    url="https://github.com/mjkwon2021/CAT-Net/issues/51",
    domain=(
        "How to obtain: the authors' link is broken; CAT-Net's issues 40 and 51 say what to do instead. Then turn "
        "every SegmentationFake/*.npz into SegmentationFakePng/*.png (arr_0 above 0 becomes white)."
    ),
    limits=(
        "Masks are NumPy arrays; ifdl reads PNG pictures made of them.",
        "Edited pictures share photographs with each other: split by source.",
        "Names do not say which photograph is the host, or whether an authentic picture of that name belongs to it.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection"),
    size="16,592 authentic and more than 18,000 edited pictures (counted in CAT-Net's loader and lists)",
    layout=Layout(
        source=(
            "github.com/mjkwon2021/CAT-Net, commit 039926b, Splicing/data/dataset_FantasticReality.py, "
            "FR_valid_list.txt and FR_auth_valid_list.txt; github.com/grip-unina/TruFor, commit d8c3719, "
            "TruFor_train_test/dataset/dataset_FantasticReality.py; github.com/scu-zjz/Mesorch, issue 23"
        ),
        names=("IMG_0004754.jpg", "IMG_0015571_IMG_0005567.jpg", "IMG_0002956_IMG_0011451.jpg"),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; a mask has its picture's name."""
    place = first_folder(root, "dataset") or root
    real, fake = first_folder(place, "ColorRealImages"), first_folder(place, "ColorFakeImages")
    need(root, fake, "dataset/ColorRealImages/, ColorFakeImages/ and SegmentationFakePng/")
    assert fake is not None
    arrays, truths = first_folder(place, "SegmentationFake"), first_folder(place, "SegmentationFakePng", "masks")
    if truths is None and arrays is not None and any(arrays.glob("*.npz")):
        yield Bad(shown(arrays, root), "masks are NumPy arrays: make PNG pictures of them in SegmentationFakePng/")
    pictures, shared = by_stem(real) if real else ({}, [])
    yield from doubled(shared, root)
    for stem, path in pictures.items():
        if AUTHENTIC.fullmatch(stem):
            yield Record(path, "authentic", sources=(stem,), licence=TERMS, name=shown(path, root))
        else:
            yield Bad(shown(path, root), "an authentic picture is called IMG_<number>, as IMG_0004754.jpg")
    masks, unclear = by_stem(truths) if truths else ({}, [])
    pictures, shared = by_stem(fake)
    yield from doubled(unclear + shared, root)
    for stem, path in pictures.items():
        match = EDITED.fullmatch(stem)
        if match is None:
            yield Bad(shown(path, root), "an edited picture is called IMG_<number>_IMG_<number>")
            continue
        yield Record(
            image=path,
            label="edited",
            mask=masks.get(stem),
            kind="splice",
            sources=tuple(dict.fromkeys((match["one"], match["other"]))),
            licence=TERMS,
            name=shown(path, root),
        )
    yield from lone(masks, pictures, root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above, with the masks as PNG pictures."""
    place = root / "dataset"
    for n, (one, other) in enumerate((("0015571", "0005567"), ("0002956", "0011451"), ("0006829", "0001559"))):
        pixels, mask = _fabric.forged(n)
        _fabric.save(_fabric.scene(n), place / "ColorRealImages" / f"IMG_{one}.jpg", quality=90)
        _fabric.save(pixels, place / "ColorFakeImages" / f"IMG_{one}_IMG_{other}.jpg", quality=90)
        _fabric.save(mask, place / "SegmentationFakePng" / f"IMG_{one}_IMG_{other}.png")
