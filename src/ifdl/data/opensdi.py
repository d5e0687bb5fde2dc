"""OpenSDID of the OpenSDI challenge: photographs, local edits and whole pictures of five diffusion models, parquet.

Layout, as the two Hugging Face data sets nebula/OpenSDI_train and nebula/OpenSDI_test come (one or both below the
root; their folders may have any name):

    data/sd15-00000-of-00070.parquet      the training set: Stable Diffusion 1.5 only
    data/sd15-00000-of-00019.parquet      the test set: sd15, sd2, sdxl, sd3 and flux
    data/flux-00000-of-00007.parquet

Columns: key (partial/sd15/fake/000651821.png), image, label (0 authentic, 1 fake), mask. A fake whose key begins
with `partial` is a local edit with a mask, one with `entire` is generated whole; the part after it is the model.

Where it was learned: the README of github.com/iamwangyabin/OpenSDI for the sets, splits and terms; shard names,
columns and the meaning of keys from three public download scripts, of which only the stored text is known (quoted
in ABOUT). How shards become files: see `_rows.py`; pyarrow comes with the `hub` extra.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ifdl.data import _fabric, _rows
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, need
from ifdl.types import Card

SHARD = re.compile(r"(?P<model>sd15|sd2|sdxl|sd3|flux)-\d{5}-of-(?P<count>\d{5})", re.ASCII)
TRAIN = ("sd15", "00070")  # the one training split, told from the test's sd15 by its number of shards
LABELS = {"partial": "edited", "entire": "synthetic"}
TERMS = "CC BY-SA 4.0, academic use; photographs from megalith-10m"

CARD = Card(
    id="opensdi",
    title="OpenSDID: local edits and whole pictures of five diffusion models",
    citation="Wang, Huang, Hong, OpenSDI: Spotting Diffusion-Generated Images in the Open World, CVPR 2025",
    url="https://github.com/iamwangyabin/OpenSDI",
    domain=(
        "How to obtain: the README of that repository links to nebula/OpenSDI_train and nebula/OpenSDI_test on "
        "Hugging Face; put their parquet files below one folder. The first reading unpacks them."
    ),
    limits=(
        "As shipped, the JPEG quantisation table separates the classes at 93.8 % (a third party's measurement): "
        "re-save everything alike before training on it.",
        "Trained on Stable Diffusion 1.5 alone; the test set's other four models measure transfer.",
        "The authors' own decision for a picture is 'any pixel above 0.5': one pixel makes a picture fake "
        "(OpenSDI issue 11).",
        "Photographs and edits whose keys end in the same number are held to be of one source; this is not documented.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection", "synthetic"),
    size="300,000 pictures: 100,000 photographs and 100,000 fakes to train, 50,000 and 50,000 to test",
    layout=Layout(
        source=(
            "github.com/iamwangyabin/OpenSDI, commit 0a6e1be, README.md (sets, splits, terms); shard names and key "
            "from public scripts that list hf://datasets/nebula/OpenSDI_train/data and OpenSDI_test/data (stored texts "
            "51804118053, 54771710818, 54597629271)"
        ),
        names=(
            "sd15-00000-of-00070.parquet",
            "sd2-00000-of-00007.parquet",
            "flux-00000-of-00007.parquet",
            "partial/sd15/fake/000651821.png",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every row of every shard; masks are the rows' own."""
    need(root, _rows.any_shards(root, SHARD), "data/sd15-00000-of-00070.parquet and other shards of OpenSDI")
    for row in _rows.rows(root, SHARD, "key", ("label",)):
        if isinstance(row, Bad):
            yield row
            continue
        name = row.image.relative_to(root).as_posix()
        key = PurePosixPath(str(row.facts.get("key")))
        fake = row.facts.get("label")
        if fake not in (0, 1) or (fake == 1 and key.parts[0] not in LABELS):
            yield Bad(name, f"its key is {key} and its label {fake}; a fake's key begins with partial or entire")
            continue
        label = LABELS[key.parts[0]] if fake else "authentic"
        match = SHARD.fullmatch(PurePosixPath(row.shard).name)
        assert match is not None
        yield Record(
            image=row.image,
            label=label,
            mask=row.mask if label == "edited" else None,
            kind=match["model"] if fake else None,
            sources=(key.stem,),
            licence=TERMS,
            split="train" if match.groups() == TRAIN else "test",
            name=name,
            extra={"key": str(key)},
        )


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    made = []
    for n in range(3):
        made.append({"key": f"partial/sd15/real/{651821 + n:09d}.jpg", "label": 0, "mask": None,
                     "image": _rows.encoded(_fabric.scene(n), "JPEG", quality=95)})  # fmt: skip
    for n in range(3, 6):
        pixels, mask = _fabric.forged(n)
        made.append({"key": f"partial/sd15/fake/{651821 + n:09d}.png", "label": 1,
                     "mask": _rows.encoded(mask, "PNG"), "image": _rows.encoded(pixels, "PNG")})  # fmt: skip
    _rows.fabricate(root, "data/sd15-00000-of-00070.parquet", "key", made)
