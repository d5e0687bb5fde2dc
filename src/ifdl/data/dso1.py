"""DSO-1: 100 splices of people into photographs of groups, and 100 authentic photographs, PNG.

Layout, within `tifs-database/`:

    DSO-1/                      normal-01.png, splicing-01.png
    DSO-1-Fake-Images-Masks/    splicing-01.png

Where it was learned: PhotoHolmes' `datasets/dso1.py`; CAT-Net's `Carvalho_DSO-1_spliced_list.txt` and
`Carvalho_DSO-1_normal_list.txt`, which name all files. The other set of the same download, DSI-1, is not read.

In a mask black is what was pasted and white the rest, the other way round than in most sets: PhotoHolmes and the
loader of RGB-N turn it, and so does this reader. Who uses masks turned before has to turn them back.
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

NAME = re.compile(r"(?P<kind>normal|splicing)-\d+", re.ASCII)
TERMS = "research; read the terms on the authors' page; cite Carvalho et al. 2013"

CARD = Card(
    id="dso1",
    title="DSO-1: people spliced into photographs of groups, PNG",
    citation=(
        "Carvalho, Riess, Angelopoulou, Pedrini, Rocha, Exposing Digital Image Forgeries by Illumination Color "
        "Classification, IEEE TIFS 8(7), 2013"
    ),
    url="https://recodbr.wordpress.com/code-n-data/#dso1_dsi1",
    domain="How to obtain: download tifs-database.zip from that page and unpack it.",
    limits=(
        "In the masks black is what was pasted; copies with turned masks are about.",
        "Names do not say which photographs a splice was made from, so a split by source is not possible.",
        "The set is small and has one kind of edit: people pasted beside people.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection"),
    size="100 edited pictures with masks and 100 authentic ones, mostly 2048×1536",
    layout=Layout(
        source=(
            "github.com/photoholmes/photoholmes, commit f57f487, src/photoholmes/datasets/dso1.py; "
            "github.com/mjkwon2021/CAT-Net, commit 6536f9d, Splicing/data/Carvalho_DSO-1_spliced_list.txt and "
            "Carvalho_DSO-1_normal_list.txt"
        ),
        names=("DSO-1/splicing-01.png", "DSO-1-Fake-Images-Masks/splicing-01.png", "DSO-1/normal-01.png"),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; a mask has its picture's name."""
    place = next((p for n in ("tifs-database/tifs-database", "tifs-database") if (p := first_folder(root, n))), root)
    folder, truths = first_folder(place, "DSO-1"), first_folder(place, "DSO-1-Fake-Images-Masks")
    need(root, folder, "DSO-1/normal-01.png, DSO-1/splicing-01.png and DSO-1-Fake-Images-Masks/splicing-01.png")
    assert folder is not None
    masks, unclear = by_stem(truths) if truths else ({}, [])
    pictures, shared = by_stem(folder)
    yield from doubled(unclear + shared, root)
    for stem, path in pictures.items():
        match = NAME.fullmatch(stem)
        if match is None:
            yield Bad(shown(path, root), "a picture is called normal-<number> or splicing-<number>")
            continue
        edited = match["kind"] == "splicing"
        yield Record(
            image=path,
            label="edited" if edited else "authentic",
            mask=masks.get(stem) if edited else None,
            kind="splice" if edited else None,
            sources=(stem,),
            licence=TERMS,
            marks="black",
            name=shown(path, root),
        )
    yield from lone(masks, [s for s in pictures if s.startswith("splicing-")], root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, number in enumerate(("01", "58", "100")):
        pixels, mask = _fabric.forged(n)
        _fabric.save(_fabric.scene(n), root / "tifs-database" / "DSO-1" / f"normal-{number}.png")
        _fabric.save(pixels, root / "tifs-database" / "DSO-1" / f"splicing-{number}.png")
        _fabric.save(~mask, root / "tifs-database" / "DSO-1-Fake-Images-Masks" / f"splicing-{number}.png")
