"""tampCOCO: about 800,000 splices and copy-moves made automatically from COCO pictures, JPEG.

Layout, in four parts:

    sp_images/     79_000000505269.jpg_000000562830.jpg.jpg                       (splice)
    sp_masks/      79_000000505269.png_000000562830.png.png
    cm_images/     77_000000315374.jpg_000000315374.jpg_RT-25.0_RS0.92.jpg         (copy-move)
    cm_masks/      77_000000315374.png_000000315374.png_RT-25.0_RS0.92.png
    bcm_images/    64_000000119333.jpg_000000119333.jpg_RT-23.2.jpg               (copy-move of another make)
    bcm_masks/     64_000000119333.png_000000119333.png_RT-23.2.png
    bcmc_images/   98_000000418435_aligned_Q76.jpg_000000418435_aligned_Q76.jpg_aligned_Q76.jpg
                   (those of bcm from compressed pictures; masks are those in bcm_masks)

Where it was learned: CAT-Net's `Splicing/data/dataset_tampCOCO.py` and its lists `{sp,cm,bcm,bcmc}_COCO_*_list.txt`,
which pair all pictures with their masks. A mask is named as its picture, without `_aligned_Q…` and with png for jpg.
CAT-Net is by the set's authors, so its lists are the published split: where `sp_COCO_train_list.txt` and so on lie
beside the folders, records have it. The two long numbers are COCO ids; which is the host is not said, both are
sources. RT is a rotation in degrees and RS a scale. There are no authentic pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import lone, shown
from ifdl.data._record import Bad, Record, first_folder, need, pictures_below
from ifdl.types import Card

PARTS = {"sp": "sp_masks", "cm": "cm_masks", "bcm": "bcm_masks", "bcmc": "bcm_masks"}
SPLITS = ("train", "valid", "test")
ALIGNED = re.compile(r"_aligned_Q\d+", re.ASCII)
NAME = re.compile(r"\d+_(?P<one>\d{12})\.jpg_(?P<other>\d{12})\.jpg(?:_RT-?[\d.]+)?(?:_RS[\d.]+)?", re.ASCII)
TERMS = "research only, under the terms of MS COCO; cite Kwon et al. 2022"

CARD = Card(
    id="tampcoco",
    title="tampCOCO: automatic splices and copy-moves of COCO pictures, for training",
    citation=(
        "Kwon, Nam, Yu, Lee, Kim, Learning JPEG Compression Artifacts for Image Manipulation Detection and "
        "Localization, IJCV 130(8), 2022"
    ),
    url="https://github.com/mjkwon2021/CAT-Net",
    domain="How to obtain: the README of that repository links to the set (at Kaggle); unpack it into one folder.",
    limits=(
        "There are no authentic pictures.",
        "Edits are automatic: objects stand where they make no sense, which a network may learn instead of traces.",
        "Pictures of different parts share COCO photographs: split by source.",
        "CAT-Net's lists name some 560 pictures each of cm and bcm that the download lacks, and some files are empty "
        "(TruFor's loader skips them).",
        "It is large: list it once, then work from a manifest.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation",),
    size="about 800,000 edited pictures with masks, 200,000 in each of four parts",
    layout=Layout(
        source=(
            "github.com/mjkwon2021/CAT-Net, commit 04fa5af, Splicing/data/sp_COCO_test_list.txt, "
            "cm_COCO_test_list.txt, bcm_COCO_valid_list.txt and bcmc_COCO_valid_list.txt; commit 039926b, "
            "Splicing/data/dataset_tampCOCO.py"
        ),
        names=(
            "sp_images/79_000000505269.jpg_000000562830.jpg.jpg",
            "sp_masks/79_000000505269.png_000000562830.png.png",
            "cm_images/77_000000315374.jpg_000000315374.jpg_RT-25.0_RS0.92.jpg",
            "bcm_masks/98_000000418435.png_000000418435.png.png",
            "bcmc_images/98_000000418435_aligned_Q76.jpg_000000418435_aligned_Q76.jpg_aligned_Q76.jpg",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the parts that are there; masks are found by the picture's name as said above."""
    parts = {part: f for part in PARTS if (f := first_folder(root, f"{part}_images"))}
    need(root, parts, "sp_images/ and sp_masks/, or cm_, bcm_, bcmc_ likewise")
    folders = {name: first_folder(root, name) for name in dict.fromkeys(PARTS[part] for part in parts)}
    masks = {name: {p.stem: p for p in pictures_below(f)} if f else {} for name, f in folders.items()}
    wanted: dict[str, set[str]] = {name: set() for name in masks}
    for part, folder in parts.items():
        splits = _splits(root, part)
        for path in pictures_below(folder):
            plain = ALIGNED.sub("", path.stem)
            match = NAME.fullmatch(plain)
            if match is None:
                yield Bad(shown(path, root), "a picture is called <number>_<COCO id>.jpg_<COCO id>.jpg and so on")
                continue
            key = plain.replace(".jpg", ".png")
            wanted[PARTS[part]].add(key)
            yield Record(
                image=path,
                label="edited",
                mask=masks[PARTS[part]].get(key),
                kind="splice" if part == "sp" else "copymove",
                sources=tuple(dict.fromkeys((match["one"], match["other"]))),
                licence=TERMS,
                split=splits.get(path.name),
                name=shown(path, root),
                extra={"part": part},
            )
    for name, keys in wanted.items():
        yield from lone(masks[name], keys, root)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, (part, name) in enumerate(
        (
            ("sp", "79_000000505269.jpg_000000562830.jpg.jpg"),
            ("sp", "95_000000127560.jpg_000000096107.jpg_RT-41.0_RS1.01.jpg"),
            ("cm", "77_000000315374.jpg_000000315374.jpg_RT-25.0_RS0.92.jpg"),
            ("cm", "72_000000435460.jpg_000000435460.jpg.jpg"),
            ("bcm", "64_000000119333.jpg_000000119333.jpg_RT-23.2.jpg"),
            ("bcmc", "98_000000418435_aligned_Q76.jpg_000000418435_aligned_Q76.jpg_aligned_Q76.jpg"),
        )
    ):
        pixels, mask = _fabric.forged(n)
        _fabric.save(pixels, root / f"{part}_images" / name, quality=90)
        truth = ALIGNED.sub("", name).replace(".jpg", ".png")
        _fabric.save(mask, root / PARTS[part] / truth)


def _splits(root: Path, part: str) -> dict[str, str]:
    """The split of each file name, from CAT-Net's lists where they lie in the set's folder."""
    lists = ((split, root / f"{part}_COCO_{split}_list.txt") for split in SPLITS)
    lines = ((split, line) for split, path in lists if path.is_file() for line in path.read_text("utf-8").splitlines())
    return {line.split(",")[0].rpartition("/")[2]: split for split, line in lines}
