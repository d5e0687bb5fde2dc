"""SID-Set of SIDA: photographs, pictures generated whole, and pictures with one generated object.

Layout, as folders (train.zip, validation.zip and test.zip of the authors' Drive):

    train/real/             9f2c2560a72d603c.jpg         (the id of Open Images)
    train/full_synthetic/   full_synthetic_063970.png    (full_synthetic_part1/ and _part2/ are accepted too)
    train/tampered/         tampered_29551.png
    train/masks/            tampered_29551_mask.png
    train/description/      real_GT.json, full_synthetic_GT.json, tampered_GT.json: file name → words
    validation/, test/      the same

or as parquet shards (Hugging Face, saberzl/SID_Set; see `_rows.py`, pyarrow comes with the `hub` extra):

    data/train-00000-of-00249.parquet, data/validation-00000-of-00034.parquet
    columns: img_id, image, mask, width, height, label (0 real, 1 full_synthetic, 2 tampered)

Where it was learned: README.md and utils/SID_Set.py of a fork of hzlsaber/SIDA (folders, extensions, masks),
utils/SID_Set_description.py of another (descriptions), the data set's page (columns, ids, labels) and READMEs of
public loaders (names of shards). That the folders' files are called by these ids follows from the masks' rule and
is not shown anywhere: any name is accepted. An `img_id` repeats across splits with other pixels: a source is
`<split>/<img_id>`, never the id alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ifdl.data import _fabric, _rows
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, first_folder, need, pictures_below
from ifdl.types import Card

SHARD = re.compile(r"(?P<split>train|validation)-\d{5}-of-\d{5}", re.ASCII)
SPLITS = ("train", "validation", "test")
CLASSES = ("real", "full_synthetic", "tampered")
LABELS = dict(zip(CLASSES, ("authentic", "synthetic", "edited"), strict=True))
TERMS = "CC BY 4.0 (page of the data set); photographs under the terms of Open Images V7, COCO and Flickr30k"

CARD = Card(
    id="sidset",
    title="SID-Set: photographs, generated pictures and generated objects",
    citation=(
        "Huang, Hu, Li et al., SIDA: Social Media Image Deepfake Detection, Localization and Explanation with Large "
        "Multimodal Model, CVPR 2025"
    ),
    url="https://huggingface.co/datasets/saberzl/SID_Set",
    domain=(
        "How to obtain: parquet shards (140 GB) from that page, or the archives that the README of "
        "github.com/hzlsaber/SIDA links to, test.zip among them; put either below one folder."
    ),
    limits=(
        "'Width equals height, so it is fake' is right for 97.85 % of a balanced slice: generated and edited pictures "
        "are all square, photographs hardly ever. Crop everything alike, or the score says nothing.",
        "'PNG, so it is fake' is right for 76.7 %: photographs are JPEG, generated pictures PNG of 1024×1024.",
        "An img_id repeats across train and validation with other pixels (8,634 ids): key on split and img_id.",
        "About 2,100 masks of the test set have another size than their pictures (SIDA issue 7); by the page's own "
        "figures masks are 612 to 1,024 pixels wide, so others may have too.",
        "Which photograph an edited picture was made from is lost, and it is none of the set's own (SIDA issue 21); "
        "masks are of mixed quality.",
        "Edits were checked by sampling only: a mask may mark a region that hardly changed.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection", "synthetic", "explanation"),
    size="300,000 pictures: 210,000 to train, 30,000 to validate, 60,000 to test; 3,000 descriptions",
    layout=Layout(
        source=(
            "github.com/Day333/SIDA (fork of hzlsaber/SIDA), utils/SID_Set.py at commit 97a4beb and README.md at "
            "b8660d9; github.com/sayak2103/SIDA, utils/SID_Set_description.py at 861c06f; shards of "
            "huggingface.co/datasets/saberzl/SID_Set as public loaders name them (stored texts 57388664493, "
            "58723580167); columns and ids on that page"
        ),
        names=(
            "train-00000-of-00249.parquet",
            "train-00001-of-00249.parquet",
            "validation-00000-of-00034.parquet",
            "9f2c2560a72d603c",
            "full_synthetic_063970",
            "tampered_29551",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture, of the folders and of the shards."""
    splits = [(split, place) for split in SPLITS if (place := first_folder(root, split))]
    splits = [(split, place) for split, place in splits if any(_places(place, kind) for kind in CLASSES)]
    need(
        root,
        splits or _rows.any_shards(root, SHARD),
        "train/{real,full_synthetic,tampered,masks}/ or data/train-00000-of-00249.parquet and other shards",
    )
    for split, place in splits:
        yield from _folders(root, split, place)
    for row in _rows.rows(root, SHARD, "img_id", ("label",)):
        if isinstance(row, Bad):
            yield row
            continue
        name = row.image.relative_to(root).as_posix()
        number = row.facts.get("label")
        if number not in (0, 1, 2):
            yield Bad(name, f"its label is {number}; there are 0 real, 1 full_synthetic and 2 tampered")
            continue
        match = SHARD.fullmatch(PurePosixPath(row.shard).name)
        assert match is not None
        identity = str(row.facts.get("img_id"))
        yield _record(row.image, row.mask, CLASSES[number], match["split"], identity, name, None)


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout of folders."""
    names = (("9f2c2560a72d603c", "tampered_29551"), ("824dafcc529ea513", "tampered_25335"))
    for n, (real, tampered) in enumerate((*names, ("d13d2e0d24e9aee0", "tampered_52947"))):
        split = SPLITS[n]
        pixels, mask = _fabric.forged(n + 3)
        _fabric.save(_fabric.scene(n), root / split / "real" / f"{real}.jpg", quality=95)
        _fabric.save(pixels, root / split / "tampered" / f"{tampered}.png")
        _fabric.save(mask, root / split / "masks" / f"{tampered}_mask.png")
    (root / "train" / "description").mkdir()
    words = json.dumps({"tampered_29551.png": "The object in the upper left was generated."})
    (root / "train" / "description" / "tampered_GT.json").write_text(words, encoding="utf-8")


def _folders(root: Path, split: str, place: Path) -> Iterator[Record | Bad]:
    truths = first_folder(place, "masks")
    masks = {path.stem: path for path in pictures_below(truths)} if truths else {}
    used = set()
    for kind in CLASSES:
        told, bad = _descriptions(root, place, kind)
        yield from bad
        for path in (path for folder in _places(place, kind) for path in pictures_below(folder)):
            mask = masks.get(f"{path.stem}_mask") if kind == "tampered" else None
            used |= {mask} if mask else set()
            name = path.relative_to(root).as_posix()
            yield _record(path, mask, kind, split, path.stem, name, told.get(path.name))
    for path in sorted(set(masks.values()) - used):
        yield Bad(path.relative_to(root).as_posix(), "a mask without its tampered picture")


def _places(place: Path, kind: str) -> list[Path]:
    names = (kind, f"{kind}_part1", f"{kind}_part2")
    return [folder for name in names if (folder := first_folder(place, name))]


def _descriptions(root: Path, place: Path, kind: str) -> tuple[dict[str, str], list[Bad]]:
    path = place / "description" / f"{kind}_GT.json"
    if not path.is_file():
        return {}, []
    try:
        return {str(k): str(v) for k, v in json.loads(path.read_text(encoding="utf-8")).items()}, []
    except (ValueError, AttributeError) as error:
        return {}, [Bad(path.relative_to(root).as_posix(), f"is no JSON of file name and words ({error})")]


def _record(
    image: Path, mask: Path | None, kind: str, split: str, identity: str, name: str, words: str | None
) -> Record:
    return Record(
        image=image,
        label=LABELS[kind],
        mask=mask if kind == "tampered" else None,
        kind={"real": None, "full_synthetic": "FLUX", "tampered": "latent diffusion inpainting"}[kind],
        sources=(f"{split}/{identity}",),
        licence=TERMS,
        split=split,
        name=name,
        extra={"description": words} if words else {},
    )
