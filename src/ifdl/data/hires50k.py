"""HiRes-50K: generated pictures and photographs in eight classes of size, up to 64 megapixels; a test set.

Layout, as the archives W_0900.zip, W_1200.zip, W_1500.zip … unpack:

    W_0900/0_real/   W_0900/1_fake/
    W_1200/ W_1500/ W_2000/ W_2500/ W_3000/ W_5000/ W>5000/      each the same

Where it was learned: utils/dataset_source.py of github.com/Mu437/HiDA-Net, the authors' code, has the folders; the
names of the archives are those of huggingface.co/datasets/Mu437/HiRes-50K as public inspections list them. What
the pictures themselves are called was not found: any name is accepted, and the fabricated ones are mere numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, need, pictures_below
from ifdl.types import Card

FOLDERS = {"0_real": "authentic", "1_fake": "synthetic"}
TERMS = "CC BY-NC 4.0 as a public inspection states it; read the data set's own page"

CARD = Card(
    id="hires50k",
    title="HiRes-50K: high-resolution generated pictures and photographs by size",
    citation=(
        "No Pixel Left Behind: A Detail-Preserving Architecture for Robust High-Resolution AI-Generated Image "
        "Detection, arXiv 2508.17346, ICLR 2026"
    ),
    url="https://github.com/Mu437/HiDA-Net",
    domain=(
        "How to obtain: the README of that repository links to Mu437/HiRes-50K on Hugging Face (22 GB); unpack the "
        "archives below one folder."
    ),
    limits=(
        "A test set: nothing of it may be trained on.",
        "Generated pictures come from Freepik, LiblibAI and Civitai, photographs from Unsplash: site, compression and "
        "subject may differ; state results by class of size.",
        "Which model made a picture is not said by its place.",
        "Pictures of up to 64 megapixels: a detector that shrinks them first sees little of them.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("synthetic",),
    size="50,568 pictures, up to 64 megapixels, 22 GB",
    layout=Layout(
        source=(
            "github.com/Mu437/HiDA-Net, commit 091f348, utils/dataset_source.py (folders); "
            "huggingface.co/datasets/Mu437/HiRes-50K as public inspections list it (stored texts 61908089785, "
            "61782249954); names of pictures are not known"
        ),
        names=("W_0900.zip", "W_1200.zip", "W_1500.zip", "W_4000.zip"),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; `extra["size"]` is its class of size, such as W_0900."""
    places = [place for name in FOLDERS for place in root.glob(f"W[_>]*/{name}") if place.is_dir()]
    need(root, places, "W_0900/0_real/, W_0900/1_fake/ and the other classes of size")
    for place in sorted(places):
        for path in pictures_below(place):
            yield Record(
                path,
                FOLDERS[place.name],
                licence=TERMS,
                split="test",
                name=path.relative_to(root).as_posix(),
                extra={"size": place.parent.name},
            )


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, (folder, size) in enumerate((f, s) for f in FOLDERS for s in ("W_0900", "W_1200", "W_5000")):
        _fabric.save(_fabric.scene(n), root / size / folder / f"{n}.jpg", quality=95)
