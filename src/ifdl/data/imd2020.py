"""IMD2020, the real-life part: 2,010 pictures that people manipulated, with their 414 originals.

Layout, one folder for each original:

    1a1ogs/   1a1ogs_orig.jpg    c8tf5mq_0.png      c8tf5mq_0_mask.png
    z41/      00109_orig.jpg     00109_fake.jpg     00109_fake_mask.png

Where it was learned: the tree in `src/image_manip/imd2020.py` of github.com/cainspencerm/image-manipulation-datasets;
CAT-Net's `Splicing/data/dataset_IMD2020.py` and its lists of all pictures. Pictures are JPEG or PNG, masks PNG. The
set's other parts (35,000 camera pictures and 35,000 generated edits) have layouts of their own and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import doubled, lone, shown
from ifdl.data._record import Bad, Record, by_stem, need
from ifdl.types import Card

TERMS = "research; read the terms on the authors' page (pictures are from the Internet and belong to their makers)"

CARD = Card(
    id="imd2020",
    title="IMD2020: manipulated pictures from the Internet, with their originals",
    citation=(
        "Novozámský, Mahdian, Saic, IMD2020: A Large-Scale Annotated Dataset Tailored for Detecting Manipulated "
        "Images, WACV Workshops 2020"
    ),
    url="http://staff.utia.cas.cz/novozada/db/",
    domain="How to obtain: download “IMD2020 Real-Life Manipulated Images” from that page and unpack it.",
    limits=(
        "The mask of z14/00030_fake.jpg has another size than its picture; a corrected one is at "
        "github.com/SunnyHaze/IML-Dataset-Corrections.",
        "One original has up to dozens of manipulations: split by source (the folder), never by file.",
        "Pictures come from many people and sites, which re-saved and scaled them: an original is no camera file.",
        "Papers test on all 2,010 or on parts of it, with or without the originals: say which.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection"),
    size="2,010 edited pictures with masks and 414 originals",
    layout=Layout(
        source=(
            "github.com/cainspencerm/image-manipulation-datasets, commit 1675b17, src/image_manip/imd2020.py; "
            "github.com/mjkwon2021/CAT-Net, commit 039926b, Splicing/data/dataset_IMD2020.py and IMD_valid_list.txt"
        ),
        names=(
            "1bl55t/1bl55t_orig.jpg",
            "1bl55t/c97qv4m_0.jpg",
            "1bl55t/c97qv4m_0_mask.png",
            "z28/00065_fake.jpg",
            "z28/00065_fake_mask.png",
            "z28/00065_orig.jpg",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; masks are found by the picture's name plus `_mask`."""
    folders = [f for f in sorted(root.iterdir()) if f.is_dir() and not f.name.startswith(".")]
    listed = [(folder, *by_stem(folder, below=False)) for folder in folders]
    need(root, any(s.endswith("_orig") for _, files, _ in listed for s in files), "1a1ogs/1a1ogs_orig.jpg and so on")
    for folder, files, shared in listed:
        yield from doubled(shared, root)
        if not any(stem.endswith("_orig") for stem in files):
            yield Bad(shown(folder, root), "a folder without its original (<id>_orig.jpg): nothing in it is read")
            continue
        masks = {s.removesuffix("_mask"): p for s, p in files.items() if s.endswith("_mask")}
        pictures = {s: p for s, p in files.items() if not s.endswith("_mask")}
        for stem, path in pictures.items():
            original = stem.endswith("_orig")
            yield Record(
                image=path,
                label="authentic" if original else "edited",
                mask=None if original else masks.get(stem),
                sources=(folder.name,),
                licence=TERMS,
                name=shown(path, root),
            )
        yield from lone(masks, [s for s in pictures if not s.endswith("_orig")], root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    trees = (
        ("1a1ogs", "1a1ogs", "c8tf5mq_0.png"),
        ("1bl55t", "1bl55t", "c97qv4m_0.jpg"),
        ("z41", "00109", "00109_fake.jpg"),
    )
    for n, (folder, original, name) in enumerate(trees):
        pixels, mask = _fabric.forged(n)
        _fabric.save(_fabric.scene(n), root / folder / f"{original}_orig.jpg", quality=92)
        _fabric.save(pixels, root / folder / name)
        _fabric.save(mask, root / folder / f"{Path(name).stem}_mask.png")
