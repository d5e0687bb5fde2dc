"""DFFD (Diverse Fake Face Dataset): real faces, faces altered by apps and GANs, and faces made by GANs, PNG.

Layout:

    <source>/{train,validation,test}/R_FFHQ_17103.png            a picture
    <source>/{train,validation,test}_mask/F_FAP0_01256-3.png     the mask of a local edit, under its picture's name

Sources: ffhq, celeba, youtube (real); faceapp, stargan (attributes altered), Deepfakes, FaceSwap, Face2Face (frames
of FaceForensics++); pggan_v1, pggan_v2, stylegan_celeba, stylegan_ffhq (made whole).

Where it was learned: the loader of github.com/joizhang/ffd-attention for folders and masks, a public plotting script
for file names (both quoted in ABOUT). The authors' own loader (JStehouwer/FFD_CVPR2020, dataset.py) reads a tree
of their own making, <split>/{Real,Fake,Mask}, which is not how the set is handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import doubled, lone, shown
from ifdl.data._record import Bad, Record, by_stem, need
from ifdl.types import Card

REAL = ("ffhq", "celeba", "youtube")
ALTERED = ("faceapp", "stargan", "Deepfakes", "FaceSwap", "Face2Face")
MADE = ("pggan_v1", "pggan_v2", "stylegan_celeba", "stylegan_ffhq")
LABELS = {name: label for label, names in (("authentic", REAL), ("edited", ALTERED), ("synthetic", MADE))
          for name in names}  # fmt: skip
SPLITS = ("train", "validation", "test")
TERMS = "research only; by application to MSU's Computer Vision Lab, parts under the terms of FFHQ, CelebA and FF++"

CARD = Card(
    id="dffd",
    title="DFFD: real faces, altered faces, generated faces",
    citation="Dang, Liu, Stehouwer, Liu, Jain, On the Detection of Digital Face Manipulation, CVPR 2020",
    url="http://cvlab.cse.msu.edu/dffd-dataset.html",
    domain=(
        "How to obtain: apply on that page; a password and instructions follow, also for the parts (CelebA, "
        "FaceForensics++) that the authors may not hand out. Unpack every source into one folder."
    ),
    limits=(
        "How masks were made, and whether their files are black and white, was not found: a faint mask shows as empty.",
        "A picture that was made whole has no mask, and neither have all altered ones.",
        "Real and made faces come from different sources in different sizes: file facts may tell them apart.",
        "Pictures whose names differ in the number behind the dash are held to be of one source; this is not "
        "documented. That the splits share no identity is the authors' word.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("faces", "localisation", "synthetic"),
    size="four groups of fakes; 50 % to train, 5 % to validate, 45 % to test",
    layout=Layout(
        source=(
            "github.com/joizhang/ffd-attention, commit 40bec49, training/datasets/dffd_dataset.py (folders, masks); "
            "file names from a public script that plots one picture of each source (stored text 57818587494); splits "
            "from cvlab.cse.msu.edu/dffd-dataset.html"
        ),
        names=(
            "ffhq/test/R_FFHQ_17103.png",
            "faceapp/train/F_FAP0_01256-3.png",
            "pggan_v1/test/F_PGN1_19431.png",
            "stargan/test/F_STGN_1715-19.png",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of every source that is there; a mask lies in its split's mask folder under the same name."""
    known = {name.lower(): name for name in LABELS}
    folders = {known[p.name.lower()]: p for p in sorted(root.iterdir()) if p.is_dir() and p.name.lower() in known}
    need(root, folders, "ffhq/train/R_FFHQ_00000.png, faceapp/train/ and faceapp/train_mask/")
    for source, folder in folders.items():
        for split in SPLITS:
            if not (folder / split).is_dir():
                continue
            pictures, twice = by_stem(folder / split)
            place = folder / f"{split}_mask"
            masks, again = by_stem(place) if place.is_dir() and LABELS[source] == "edited" else ({}, [])
            yield from doubled(twice + again, root)
            for stem, path in pictures.items():
                yield Record(
                    image=path,
                    label=LABELS[source],
                    mask=masks.get(stem),
                    kind=source if source not in REAL else None,
                    sources=(stem.partition("-")[0],),
                    licence=TERMS,
                    split=split,
                    name=shown(path, root),
                )
            yield from lone(masks, pictures, root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above: two real, two altered, two made."""
    for n, name in enumerate(("ffhq/train/R_FFHQ_00000", "ffhq/test/R_FFHQ_17103")):
        _fabric.save(_fabric.scene(n), root / f"{name}.png")
    for n, (split, name) in enumerate((("train", "F_FAP0_01256-3"), ("test", "F_FAP0_01311-1"))):
        pixels, mask = _fabric.forged(n)
        _fabric.save(pixels, root / "faceapp" / split / f"{name}.png")
        _fabric.save(mask, root / "faceapp" / f"{split}_mask" / f"{name}.png")
    for n, name in enumerate(("pggan_v1/test/F_PGN1_19431", "stylegan_ffhq/test/F_SyFQ_16808")):
        _fabric.save(_fabric.scene(n + 6), root / f"{name}.png")
