"""GenImage: pictures of 1,000 ImageNet classes by eight generators, beside as many photographs of ImageNet.

Layout, as the archives unpack (a folder of the generator's name may lie above each):

    imagenet_midjourney/train/ai/         208_midjourney_76.png
    imagenet_ai_0419_biggan/train/ai/     116_biggan_00094.png
    imagenet_glide/train/ai/              GLIDE_1000_200_08_808_glide_00033.png
    imagenet_ai_0508_adm/train/ai/        115_adm_141.PNG
    imagenet_ai_0424_sdv5/train/nature/   n03495258_20762.JPEG
    …/val/{ai,nature}/

Where it was learned: the lists of damaged files in github.com/GenImage-Dataset/GenImage, data/corrupted_files, and
the tree in its Readme.md; the generator is the word before the last number of a name. Any folder that ends in
train/ai, train/nature, val/ai or val/nature, up to two levels below the root, is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, need, pictures_below
from ifdl.types import Card

GENERATED = re.compile(r"(?:.+_)?(?P<generator>[A-Za-z][A-Za-z0-9]*)_\d+", re.ASCII)
TERMS = "research; photographs under the terms of ImageNet: read those and the authors' page"

CARD = Card(
    id="genimage",
    title="GenImage: ImageNet classes by eight generators, with photographs",
    citation="Zhu et al., GenImage: A Million-Scale Benchmark for Detecting AI-Generated Image, NeurIPS 2023",
    url="https://github.com/GenImage-Dataset/GenImage",
    domain="How to obtain: the README of that repository links to the archives; unpack them below one folder.",
    limits=(
        "Photographs are JPEG, generated pictures PNG: format, compression and size give the class away. Re-save and "
        "re-size everything alike, or use the subsets of github.com/gendetection/UnbiasedGenImage.",
        "Every generator has sizes of its own (many square): size is a second shortcut.",
        "Damaged files are listed in data/corrupted_files of that repository: a few of most generators, and thousands "
        "of photographs in imagenet_ai_0424_sdv5/train/nature.",
        "Some PNG files of ADM and GLIDE have an improper header (data/improper_png_header).",
        "The photographs are ImageNet's: whoever trained on ImageNet has seen them.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("synthetic",),
    size="over one million generated pictures and as many photographs",
    layout=Layout(
        source=(
            "github.com/GenImage-Dataset/GenImage, Readme.md at commit 613c8c7 and data/corrupted_files/*.txt at "
            "commits de6313b and da833ca"
        ),
        names=(
            "imagenet_midjourney/train/ai/208_midjourney_76.png",
            "imagenet_ai_0419_biggan/train/ai/116_biggan_00094.png",
            "imagenet_ai_0419_sdv4/train/ai/033_sdv4_00134.png",
            "imagenet_ai_0508_adm/train/ai/115_adm_141.PNG",
            "imagenet_glide/train/ai/GLIDE_1000_200_08_808_glide_00033.png",
            "imagenet_ai_0424_sdv5/train/nature/n03495258_20762.JPEG",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; a photograph is its own source, wherever a copy of it lies."""
    places = [
        place
        for above in ("", "*/", "*/*/")
        for split in ("train", "val")
        for kind in ("ai", "nature")
        for place in root.glob(f"{above}{split}/{kind}")
        if place.is_dir()
    ]
    need(root, places, "imagenet_midjourney/train/{ai,nature} or another generator's train/ and val/")
    for place in sorted(places):
        for path in pictures_below(place):
            name = path.relative_to(root).as_posix()
            match = GENERATED.fullmatch(path.stem)
            if place.name == "nature":
                yield Record(path, "authentic", sources=(path.stem,), licence=TERMS, split=place.parent.name, name=name)
            elif match is None:
                yield Bad(name, "a generated picture is called …_<generator>_<number>, such as 208_midjourney_76.png")
            else:
                generator = match["generator"].lower()
                yield Record(
                    path, "synthetic", kind=generator, licence=TERMS, split=place.parent.name, name=name
                )  # fmt: skip


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    generated = (
        ("imagenet_midjourney", "208_midjourney_76.png"),
        ("imagenet_ai_0508_adm", "115_adm_141.PNG"),
        ("imagenet_glide", "GLIDE_1000_200_08_808_glide_00033.png"),
    )
    for n, (folder, name) in enumerate(generated):
        split = "val" if n == 2 else "train"
        _fabric.save(_fabric.scene(n), root / folder / split / "ai" / name)
        _fabric.save(_fabric.scene(n + 3), root / folder / split / "nature" / f"n0349525{n}_2076{n}.JPEG", quality=95)
