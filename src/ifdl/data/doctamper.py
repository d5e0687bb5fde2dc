"""DocTamper: pictures of documents whose text was tampered with, 512×512 JPEG, with masks.

Layout. The set comes as LMDB databases; `cvtlmdb.py` of the authors' repository writes each of them out as
files, byte for byte, which is what is read here:

    DocTamperV1-TrainingSet/data.mdb, lock.mdb          (and -TestingSet, -FCD, -SCD)
    DocTamperV1-TrainingSet_new/images/0.jpg
    DocTamperV1-TrainingSet_new/masks/0.png

Where it was learned: `cvtlmdb.py` (file names), `models/Readme.md` (databases) and the issues of
github.com/qcf-568/DocTamper.
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

# FCD and SCD: the two test sets of other kinds of documents.
SPLITS = {"TrainingSet": "train", "TestingSet": "test", "FCD": "fcd", "SCD": "scd"}
NUMBER = re.compile(r"\d+", re.ASCII)
TERMS = "non-commercial, universities and research institutions; by application with an academic address"

CARD = Card(
    id="doctamper",
    title="DocTamper: tampered text in pictures of documents",
    citation=(
        "Qu, Liu, Liu, Chen, Peng, Guo, Jin, Towards Robust Tampered Text Detection in Document Image: New Dataset and "
        "New Solution, CVPR 2023"
    ),
    url="https://github.com/qcf-568/DocTamper",
    domain=(
        "How to obtain: the README of that repository links to the databases and says how to apply for the password; "
        "then run its cvtlmdb.py on each (as published it stops at once: write range(nSamples) for "
        "range(len(nSamples)))."
    ),
    limits=(
        "Every picture is tampered with: no authentic document is published (issues 19 and 28), so that false alarms "
        "cannot be measured.",
        "Digital tampering only, of crops of 512×512; phone photographs of clean documents are marked all over by "
        "what is trained on it (issue 48), and resizing destroys what it rests on.",
        "The databases' masks say 1 for tampered: masks written out by other scripts than cvtlmdb.py look black "
        "(issue 64).",
        "One page may have been tampered with in several ways and be in the set as often (issue 44); which, nobody "
        "says: each picture counts as its own source.",
        "No text was made by a generative model.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("documents", "localisation"),
    size="170,000 pictures, all tampered with, in a training set and three test sets",
    layout=Layout(
        source=(
            "github.com/qcf-568/DocTamper: cvtlmdb.py (commit cb41c72; _new/images/'%d.jpg', _new/masks/'%d.png'), "
            "models/Readme.md (commit 1708864; databases), vizlmdb.py (commit 81eac39; keys), README.md"
        ),
        names=(
            "DocTamperV1-FCD/data.mdb",
            "DocTamperV1-FCD/lock.mdb",
            "DocTamperV1-FCD_new/images/'%d.jpg'",
            "DocTamperV1-FCD_new/masks/'%d.png'",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the databases that were written out."""
    found = {part: first_folder(root, f"DocTamperV1-{part}_new", f"DocTamperV1-{part}") for part in SPLITS}
    need(root, any(found.values()), "DocTamperV1-TrainingSet_new/images/0.jpg and …/masks/0.png, as cvtlmdb.py writes")
    for part, folder in found.items():
        images = first_folder(folder, "images") if folder else None
        if folder is None or images is None:
            if folder is not None:
                yield Bad(shown(folder, root), "a database; write it out with the authors' cvtlmdb.py")
            continue
        truths = first_folder(folder, "masks")
        pictures, twice = by_stem(images)
        masks, again = by_stem(truths) if truths else ({}, [])
        yield from doubled(twice + again, root)
        for stem, path in pictures.items():
            if NUMBER.fullmatch(stem) is None:
                yield Bad(shown(path, root), "a picture is called by its number in the database, such as 0.jpg")
                continue
            yield Record(
                image=path,
                label="edited",
                mask=masks.get(stem),
                kind="text",
                licence=TERMS,
                split=SPLITS[part],
                name=shown(path, root),
            )
        yield from lone(masks, pictures, root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n in range(6):
        folder = root / f"DocTamperV1-{tuple(SPLITS)[n % 4]}_new"
        pixels, mask = _fabric.forged(n)
        _fabric.save(pixels, folder / "images" / f"{n}.jpg", quality=90)
        _fabric.save(mask, folder / "masks" / f"{n}.png")
