"""Chameleon: generated pictures that people took for photographs, beside photographs; a test set.

Layout:

    test/0_real/   0010cc9d-66ff-460a-bf13-1e0c3b6ab603.jpg
    test/1_fake/   00005a79-1347-4bb6-bb01-4d80c2d856e7.jpg

Where it was learned: the authors' own loader (data/datasets.py of github.com/shilinyan99/AIDE reads 0_real and
1_fake) and utils/dataset_source.py of github.com/Mu437/HiDA-Net (Chameleon/test/0_real and 1_fake); names of
pictures from public scripts that open single ones. `Chameleon/` above `test/` is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, first_folder, need, pictures_below
from ifdl.types import Card

FOLDERS = {"0_real": "authentic", "1_fake": "synthetic"}
TERMS = "academic research only, no commercial use in any form (README of AIDE)"

CARD = Card(
    id="chameleon",
    title="Chameleon: generated pictures that deceive people",
    citation=("Yan, Li, Cai et al., A Sanity Check for AI-generated Image Detection, ICLR 2025"),
    url="https://github.com/shilinyan99/AIDE",
    domain="How to obtain: write to the address in the README of that repository; unpack Chameleon/test.",
    limits=(
        "A test set: nothing of it may be trained on.",
        "Which generator made a picture is not said.",
        "Both classes come from the web and were compressed there, each on sites of its own: size and quality may "
        "differ between them.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("synthetic",),
    size="14,863 photographs and 11,170 generated pictures",
    layout=Layout(
        source=(
            "github.com/shilinyan99/AIDE, commit 101d14f, data/datasets.py; github.com/Mu437/HiDA-Net, commit 091f348, "
            "utils/dataset_source.py; names of pictures from public scripts (stored texts 13396049898, 66985398326, "
            "67250431365)"
        ),
        names=(
            "Chameleon/test/0_real/0010cc9d-66ff-460a-bf13-1e0c3b6ab603.jpg",
            "Chameleon/test/0_real/0a4dcb15-6fe3-4a28-9821-ad8da7823f15.jpg",
            "Chameleon/test/1_fake/00005a79-1347-4bb6-bb01-4d80c2d856e7.jpg",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set."""
    test = first_folder(root, "Chameleon/test", "test")
    places = [(first_folder(test, name), label) for name, label in FOLDERS.items()] if test else []
    need(root, any(place for place, _ in places), "test/0_real/ and test/1_fake/")
    for place, label in places:
        for path in pictures_below(place) if place else ():
            name = path.relative_to(root).as_posix()
            yield Record(path, label, sources=(path.stem,), licence=TERMS, split="test", name=name)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n in range(6):
        folder = list(FOLDERS)[n >= 3]
        path = root / "test" / folder / f"0010cc9{n}-66ff-460a-bf13-1e0c3b6ab603.jpg"
        _fabric.save(_fabric.scene(n), path, quality=95)
