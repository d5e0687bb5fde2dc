"""CASIA v1.0 (CASIA TIDE), 800 authentic and about 920 edited JPEG pictures of 384×256.

Layout, as the revised copy and the masks of Pham et al. come (the authors' own server is gone):

    Au/ (or Authentic/)                Au_ani_0001.jpg
    Modified Tp/Tp/{CM,Sp}/            Sp_D_CND_A_pla0005_pla0023_0281.jpg
    CASIA 1.0 groundtruth/{CM,Sp}/     Sp_D_CND_A_pla0005_pla0023_0281_gt.png

Where it was learned: names from the README of github.com/namtpham/casia1groundtruth, which also says that
dozens of edited files were renamed ("modified version"); `Modified Tp` and the one picture without a mask
from github.com/SunnyHaze/IML-Dataset-Corrections; `Au`, `Tp/{CM,Sp}` and `CASIA 1.0 groundtruth/{CM,Sp}`
from PhotoHolmes' `datasets/casia1.py`; `CASIA 1.0 dataset/` above them from public loaders. Copies differ
in how these folders nest, so all variants are accepted: pictures are found anywhere below the folder of
edited ones (the modified one, if both are there), masks anywhere below the ground truth folder.

The README calls the first id of a name the source and the second the target. The shared `casia1_dev`
list takes the first for the host; so does this reader. They are the same in a copy-move.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, by_stem, first_folder, need, pictures_below
from ifdl.types import Card

EDITED = re.compile(r"Sp_(?P<where>[DS])_\w+?_(?P<host>[a-z]{3}\d{4})_(?P<donor>[a-z]{3}\d{4})_\d+", re.ASCII)
AUTHENTIC = re.compile(r"Au_(?P<category>[a-z]{3})_(?P<number>\d{4})", re.ASCII)
TERMS = "research and teaching, no income-generating use; credit CASIA/NLPR (Dong, Wang, Tan 2013)"

CARD = Card(
    id="casia1",
    title="CASIA v1.0: splices and copy-moves, JPEG 384×256",
    citation=(
        "Dong, Wang, Tan, CASIA Image Tampering Detection Evaluation Database, ChinaSIP 2013; masks: Pham, Lee, Kwon, "
        "Park, Hybrid Image-Retrieval Method for Image-Splicing Validation, Symmetry 11(1):83, 2019"
    ),
    url="https://github.com/namtpham/casia1groundtruth",
    domain=(
        "How to obtain: the README of that repository links to copies of the pictures; its zip holds the masks. "
        "Unpack both into one folder."
    ),
    limits=(
        "The two classes use almost disjoint JPEG quantisation tables: any whole-picture score that looks at header, "
        "quality or ELA level wins without seeing a forgery. Use it for localisation, or re-save everything alike.",
        "Authentic pictures are hosts of edited ones: split by source.",
        "Dozens of edited files are misnamed in the first release; Pham's modified copy renames them, and only its "
        "names match the masks.",
        "One edited picture (Sp_D_NRN_A_cha0011_sec0011_0542) has no mask.",
        "The pictures are small: 384×256.",
    ),
    licence=TERMS,
)


ABOUT = About(
    tasks=("localisation", "detection"),
    size="800 authentic and about 920 edited pictures of 384×256",
    layout=Layout(
        source=(
            "github.com/namtpham/casia1groundtruth, README.md; github.com/SunnyHaze/IML-Dataset-Corrections, commit "
            "2d88fac, README.md; github.com/photoholmes/photoholmes, commit f57f487, src/photoholmes/datasets/casia1.py"
        ),
        names=(
            "Au_ani_0001.jpg",
            "Sp_D_CND_A_pla0005_pla0023_0281.jpg",
            "Modified Tp/Tp/Sp_D_NRN_A_cha0011_sec0011_0542.jpg",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; masks are found by the picture's name plus `_gt`."""
    places = [root] + [p for p in (first_folder(root, "CASIA 1.0 dataset"), first_folder(root, "CASIA1.0dataset")) if p]
    authentic = next((f for p in places if (f := first_folder(p, "Au", "Authentic"))), None)
    modified = ("Modified Tp/Tp", "Modified Tp", "ModifiedTp")
    edited = next((f for p in places if (f := first_folder(p, *modified))), None) or next(
        (f for p in places if (f := first_folder(p, "Tp"))), None
    )
    need(root, authentic or edited, "Au/, Modified Tp/Tp/{CM,Sp}/ and CASIA 1.0 groundtruth/{CM,Sp}/")
    for path in pictures_below(authentic) if authentic else ():
        name = path.relative_to(root).as_posix()
        match = AUTHENTIC.fullmatch(path.stem)
        if match is None:
            yield Bad(name, "an authentic picture is called Au_<category>_<number>, such as Au_ani_0001.jpg")
            continue
        yield Record(path, "authentic", sources=(match["category"] + match["number"],), licence=TERMS, name=name)
    truths = first_folder(root, "CASIA 1.0 groundtruth", "CASIA1.0groundtruth", "groundtruth", "Gt")
    masks: dict[str, Path] = {}
    for path in pictures_below(truths) if truths else ():
        stem = path.stem.removesuffix("_gt")
        if stem in masks:
            yield Bad(path.relative_to(root).as_posix(), f"a second mask of {stem}; {masks[stem].parent.name}/ is used")
        else:
            masks[stem] = path
    pictures, shared = _by_name(edited) if edited else ({}, [])
    for path, others in shared:
        yield Bad(path.relative_to(root).as_posix(), f"shares its name with another picture ({others})")
    for stem, path in pictures.items():
        name = path.relative_to(root).as_posix()
        match = EDITED.fullmatch(stem)
        if match is None:
            yield Bad(name, "an edited picture is called Sp_<D or S>_…_<host>_<donor>_<number>")
            continue
        same = match["host"] == match["donor"] or match["where"] == "S"
        yield Record(
            image=path,
            label="edited",
            mask=masks.get(stem),
            kind="copymove" if same else "splice",
            sources=tuple(dict.fromkeys((match["host"], match["donor"]))),
            licence=TERMS,
            name=name,
        )
    for stem in sorted(set(masks) - set(pictures)):
        yield Bad(masks[stem].relative_to(root).as_posix(), f"a mask without its picture {stem}")


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, category in enumerate(("ani", "pla", "txt")):
        _fabric.save(_fabric.scene(n), root / "Au" / f"Au_{category}_{n + 1:04d}.jpg", quality=95)
    for n, (kind, name) in enumerate(
        (
            ("Sp", "Sp_D_CND_A_ani0001_pla0002_0281"),
            ("Sp", "Sp_D_NRN_A_pla0002_txt0003_0542"),
            ("CM", "Sp_S_NNN_R_txt0003_txt0003_0047"),
        )
    ):
        pixels, mask = _fabric.forged(n)
        _fabric.save(pixels, root / "Modified Tp" / "Tp" / kind / f"{name}.jpg", quality=75)
        _fabric.save(mask, root / "CASIA 1.0 groundtruth" / kind / f"{name}_gt.png")


def _by_name(folder: Path) -> tuple[dict[str, Path], list[tuple[Path, str]]]:
    """Edited pictures by bare name, wherever below the folder they lie."""
    nested, shared = by_stem(folder)
    found: dict[str, list[Path]] = {}
    for path in nested.values():
        found.setdefault(path.stem, []).append(path)
    twice = [(p, ", ".join(str(q.parent.name) for q in ps if q != p)) for ps in found.values() if len(ps) > 1
             for p in ps]  # fmt: skip
    return {stem: paths[0] for stem, paths in found.items() if len(paths) == 1}, shared + twice
