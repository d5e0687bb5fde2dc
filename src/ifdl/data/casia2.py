"""CASIA v2.0, 7,491 authentic and 5,123 edited pictures (JPEG, TIFF, BMP), with the masks of Pham et al.

Layout, as the corrected zip comes and as the first release with Pham's masks beside it:

    Au/                                  Au_ani_00001.jpg
    Tp/                                  Tp_D_CRN_S_N_cha00063_art00014_11818.jpg
    Gt/ (or CASIA 2 Groundtruth/)        Tp_D_CRN_S_N_ani00028_ani00058_00148_gt.png

Where it was learned: names from the README and `Samples/` of github.com/namtpham/casia2groundtruth; Au, Tp and
Gt from the README of github.com/SunnyHaze/CASIA2.0-Corrected-Groundtruth (commit 2156bfb); `CASIA 2.0/{Au,Tp}`
beside `CASIA 2 Groundtruth`, and the one mask that ends in `_gt3`, from CAT-Net's `Splicing/data/dataset_CASIA.py`.
All variants are accepted. The masks are named after the corrected names of the pictures: a first release needs
the renaming script of Pham's spreadsheet first, else its misnamed pictures have no mask and their masks no picture.

Pham calls the first id of a name the source and the second the target. As for CASIA v1 this reader takes the first
for the host; both are sources. xxx00000 stands for a photograph that is not known.
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

EDITED = re.compile(
    r"Tp_(?P<where>[DS])_[A-Z]{3}_[A-Z]_[A-Z]_(?P<host>[a-z]{3}\d{5})_(?P<donor>[a-z]{3}\d{5})_\d{5}", re.ASCII
)
AUTHENTIC = re.compile(r"Au_(?P<category>[a-z]{3})_(?P<number>\d{5})", re.ASCII)
UNKNOWN = "xxx00000"
TERMS = "research and teaching, no income-generating use; credit CASIA/NLPR (Dong, Wang, Tan 2013)"

CARD = Card(
    id="casia2",
    title="CASIA v2.0: splices and copy-moves, JPEG, TIFF and BMP, with corrected masks",
    citation=(
        "Dong, Wang, Tan, CASIA Image Tampering Detection Evaluation Database, ChinaSIP 2013; masks: Pham, Lee, Kwon, "
        "Park, Hybrid Image-Retrieval Method for Image-Splicing Validation, Symmetry 11(1):83, 2019"
    ),
    url="https://github.com/SunnyHaze/CASIA2.0-Corrected-Groundtruth",
    domain=(
        "How to obtain: the README of that repository links to a zip of the pictures with corrected masks; "
        "github.com/namtpham/casia2groundtruth has the first masks and the table of corrected file names."
    ),
    limits=(
        "Authentic pictures are nearly all JPEG, edited ones more often TIFF: the format tells much of the label. Use "
        "it for localisation, or re-save everything alike.",
        "Dozens of edited files are misnamed in the first release; only the corrected names match the masks.",
        "17 of Pham's masks have another size than their picture (such as Tp_D_CNN_M_N_sec00011_cha00085_11227 and "
        "Tp_S_NRN_S_B_ind10002_ind10002_20010); the corrected copy repairs them.",
        "Two splices are crops of authentic pictures (Tp_D_NRD_S_N_cha10002_cha10001_20094, "
        "Tp_D_NRN_M_N_cha00085_ani10104_10029); Tp_D_NRD_S_B_ani20002_nat20042_02437 has no mask.",
        "Some authentic pictures are there twice, and many are hosts of edited ones: split by source.",
        "Masks are thresholded differences to the authentic picture: ragged, with holes.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection"),
    size="7,491 authentic and 5,123 edited pictures of 240×160 to 900×600",
    layout=Layout(
        source=(
            "github.com/namtpham/casia2groundtruth, commit 000bfba, README.md; "
            "github.com/SunnyHaze/CASIA2.0-Corrected-Groundtruth, commit 2156bfb, README.md; "
            "github.com/mjkwon2021/CAT-Net, commit 039926b, Splicing/data/dataset_CASIA.py and CASIA_v2_valid_list.txt"
        ),
        names=(
            "Au_ani_00001.jpg",
            "Tp_D_CRN_S_N_cha00063_art00014_11818.jpg",
            "Tp_S_NRN_M_N_pla00020_pla00020_10988.jpg",
            "CASIA 2.0/Tp/Tp_S_NNN_S_N_nat00058_nat00058_00665.tif",
            "CASIA 2 Groundtruth/Tp_S_NNN_S_N_nat00058_nat00058_00665_gt.png",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; masks are found by the picture's name plus `_gt`."""
    places = [root] + [p for n in ("CASIA 2.0", "CASIA2.0", "CASIA2") if (p := first_folder(root, n))]
    authentic = next((f for p in places if (f := first_folder(p, "Au"))), None)
    edited = next((f for p in places if (f := first_folder(p, "Tp"))), None)
    truths = next((f for p in places if (f := first_folder(p, "Gt", "CASIA 2 Groundtruth"))), None)
    need(root, authentic and edited, "Au/, Tp/ and Gt/ or CASIA 2 Groundtruth/")
    assert authentic is not None and edited is not None
    pictures, shared = by_stem(authentic)
    yield from doubled(shared, root)
    for path in pictures.values():
        match = AUTHENTIC.fullmatch(path.stem)
        if match is None:
            yield Bad(shown(path, root), "an authentic picture is called Au_<category>_<number>, as Au_ani_00001.jpg")
            continue
        source = match["category"] + match["number"]
        yield Record(path, "authentic", sources=(source,), licence=TERMS, name=shown(path, root))
    masks, shared = by_stem(truths, ("_gt", "_gt3", "")) if truths else ({}, [])
    yield from doubled(shared, root)
    pictures, shared = by_stem(edited)
    yield from doubled(shared, root)
    for stem, path in pictures.items():
        match = EDITED.fullmatch(path.stem)
        if match is None:
            yield Bad(shown(path, root), "an edited picture is called Tp_<D or S>_…_<host>_<donor>_<number>")
            continue
        sources = tuple(s for s in dict.fromkeys((match["host"], match["donor"])) if s != UNKNOWN)
        yield Record(
            image=path,
            label="edited",
            mask=masks.get(stem),
            kind="copymove" if match["where"] == "S" or match["host"] == match["donor"] else "splice",
            sources=sources,
            licence=TERMS,
            name=shown(path, root),
        )
    yield from lone(masks, pictures, root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, name in enumerate(("Au_ani_00001.jpg", "Au_pla_00002.jpg", "Au_txt_00003.bmp")):
        _fabric.save(_fabric.scene(n), root / "Au" / name)
    names = ("Tp_D_CRN_S_N_ani00001_pla00002_11818.jpg", "Tp_D_NRN_M_B_pla00002_txt00003_00108.tif",
             "Tp_S_NNN_S_N_txt00003_txt00003_00665.tif")  # fmt: skip
    for n, name in enumerate(names):
        pixels, mask = _fabric.forged(n)
        _fabric.save(pixels, root / "Tp" / name)
        _fabric.save(mask, root / "Gt" / f"{Path(name).stem}_gt.png")
