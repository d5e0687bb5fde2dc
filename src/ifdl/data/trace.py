"""TRACE: photographs whose local edit is a change of the camera's own processing, nothing that an eye could see, PNG.

Layout, one folder for each raw photograph of RAISE (below `images/`, or at the root):

    images/r14289905t/noise_exo.png, noise_endo.png          edited; also jpeg_quality, jpeg_grid, hybrid_select,
                                                             cfa_alg, cfa_grid
    images/r14289905t/mask_exo.png, mask_endo.png            where the second processing was used
    images/r14289905t/jpeg_grid_0.png, jpeg_grid_1.png       the whole picture by the first and the second processing
    images/r14289905t/original.NEF, segmentation.png, gt_*.txt   (not read)

`endo` masks are a segment of the picture itself, `exo` ones of another picture.

Where it was learned: the tree, readme and `scripts/merge_images.py` of github.com/qbammey/trace; that the twelve
edits are the set, from PhotoHolmes' `datasets/trace.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import doubled, shown
from ifdl.data._record import Bad, Record, by_stem, first_folder, need
from ifdl.types import Card

NAME = re.compile(
    r"(?P<trace>noise|jpeg_quality|jpeg_grid|hybrid_select|cfa_alg|cfa_grid|cfa)_(?P<which>endo|exo|0|1)", re.ASCII
)
MASKS, BESIDE = ("mask_endo", "mask_exo"), ("segmentation",)
TERMS = "non-commercial research and education, as RAISE's pictures; cite Bammey et al. 2022 and RAISE"

CARD = Card(
    id="trace",
    title="TRACE: local edits of the camera's processing only, invisible to the eye",
    citation=(
        "Bammey, Nikoukhah, Gardella, Grompone von Gioi, Colom, Morel, Non-Semantic Evaluation of Image Forensics "
        "Tools: Methodology and Database, WACV 2022; Dang-Nguyen et al., RAISE, MMSys 2015"
    ),
    url="https://github.com/qbammey/trace",
    domain="How to obtain: the readme of that repository links to trace.zip; unpack it.",
    limits=(
        "Nothing was pasted: a detector of objects or meaning must find nothing here. Report each of the twelve edits "
        "alone, for each is another question.",
        "The JPEG edits are PNG files: no header tells the quality.",
        "Twelve edits and several plain versions share one raw photograph: split by source.",
        "The plain versions (_0, _1) are whole pictures of one processing, taken for authentic here; the authors "
        "measure on the edits alone.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation",),
    size="twelve edits of each raw photograph",
    layout=Layout(
        source=(
            "github.com/qbammey/trace, commit 2f08bad, images/ (file list) and scripts/merge_images.py; "
            "github.com/photoholmes/photoholmes, commit f57f487, src/photoholmes/datasets/trace.py"
        ),
        names=(
            "images/r14289905t/jpeg_grid_exo.png",
            "images/r14289905t/jpeg_quality_endo.png",
            "images/r14289905t/jpeg_grid_0.png",
            "images/r14289905t/mask_exo.png",
            "noise_exo.png",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every edit and every plain version; an edit's mask is that of its kind in the same folder."""
    top = first_folder(root, "images") or root
    folders = [p for p in sorted(top.iterdir()) if p.is_dir() and any(_ours(f.stem) for f in p.glob("*.png"))]
    need(root, folders, "images/<raw photograph>/noise_exo.png with mask_exo.png beside it")
    for folder in folders:
        files, shared = by_stem(folder)
        yield from doubled(shared, root)
        for stem, path in files.items():
            match = NAME.fullmatch(stem)
            if stem in MASKS:
                if not any(other.endswith(stem.removeprefix("mask")) for other in files if other not in MASKS):
                    yield Bad(shown(path, root), "a mask without its picture")
                continue
            if match is None:
                if stem not in BESIDE:
                    yield Bad(shown(path, root), "an edit is called <trace>_endo or <trace>_exo, such as noise_exo.png")
                continue
            edited = match["which"] in ("endo", "exo")
            yield Record(
                image=path,
                label="edited" if edited else "authentic",
                mask=files.get(f"mask_{match['which']}") if edited else None,
                kind=stem if edited else None,
                sources=(folder.name,),
                licence=TERMS,
                name=shown(path, root),
            )


def _ours(stem: str) -> bool:
    return stem in MASKS or NAME.fullmatch(stem) is not None


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, (photograph, trace, which) in enumerate(
        (("r14289905t", "jpeg_grid", "exo"), ("r18791531t", "noise", "exo"), ("r18990432t", "cfa_alg", "endo"))
    ):
        folder = root / "images" / photograph
        pixels, mask = _fabric.forged(n)
        _fabric.save(_fabric.scene(n), folder / f"{trace.removesuffix('_alg')}_0.png")
        _fabric.save(pixels, folder / f"{trace}_{which}.png")
        _fabric.save(mask, folder / f"mask_{which}.png")
