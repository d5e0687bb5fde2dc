"""So-Fake-OOD: the test set of So-Fake, pictures from Reddit and from commercial generators and editors, parquet.

Layout, as the Hugging Face data set saberzl/So-Fake-OOD comes:

    data/test_image-00000-of-00046.parquet

Columns used: id, image, mask, scope (REAL, FULL_SYNTHETIC, TAMPERED), generator, editor, source_name,
source_platform, filename; others are passed over.

Where it was learned: the README of github.com/hzlsaber/So-Fake for the set and its links; shard names, columns and
the values of scope from a public fetcher of these shards and its test (only their stored texts are known, see
ABOUT). So-Fake-Set, the 2 million pictures for training, has other shards whose names were not found: it is not
read. How shards become files: see `_rows.py`; pyarrow comes with the `hub` extra.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric, _rows
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, need
from ifdl.types import Card

SHARD = re.compile(r"test_image-\d{5}-of-\d{5}", re.ASCII)
LABELS = {"REAL": "authentic", "FULL_SYNTHETIC": "synthetic", "TAMPERED": "edited"}
FACTS = ("scope", "generator", "editor", "source_name", "source_platform", "filename")
TERMS = "CC BY-NC 4.0 as a public collector states it; read the data set's own page"

CARD = Card(
    id="so_fake",
    title="So-Fake-OOD: social media pictures, generated and edited by commercial models",
    citation="Huang et al., So-Fake: Benchmarking and Explaining Social Media Image Forgery Detection, 2025",
    url="https://github.com/hzlsaber/So-Fake",
    domain=(
        "How to obtain: the README of that repository links to saberzl/So-Fake-OOD on Hugging Face (about 135 GB); put "
        "its parquet files below one folder. The first reading unpacks them and needs as much room again."
    ),
    limits=(
        "A test set: nothing of it may be trained on.",
        "Photographs come from Reddit, generated pictures from the generators' own services: platform, size and "
        "compression may tell them apart.",
        "The published release has changed (public readers know other columns and splits): say which one a score is "
        "from.",
        "Only the test set is read; the training set's layout is not known.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection", "synthetic"),
    size="about 100,000 pictures of three classes, 46 shards, 135 GB",
    layout=Layout(
        source=(
            "github.com/hzlsaber/So-Fake, commit 1d2bdd4, README.md (the set); huggingface.co/datasets/saberzl/"
            "So-Fake-OOD/resolve/main/data as a public fetcher and its tests name it (stored texts 59121674750, "
            "59604818503, 66262840632: 46 shards, the last name follows from their pattern)"
        ),
        names=(
            "test_image-00000-of-00046.parquet",
            "test_image-00045-of-00046.parquet",
            "test_image-00001-of-00046.parquet",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every row of every shard; masks are the rows' own."""
    need(root, _rows.any_shards(root, SHARD), "data/test_image-00000-of-00046.parquet and the other shards")
    for row in _rows.rows(root, SHARD, "id", FACTS):
        if isinstance(row, Bad):
            yield row
            continue
        name = row.image.relative_to(root).as_posix()
        label = LABELS.get(str(row.facts.get("scope")))
        if label is None:
            yield Bad(name, f"its scope is {row.facts.get('scope')}; there are {', '.join(LABELS)}")
            continue
        maker = row.facts.get("editor" if label == "edited" else "generator") or row.facts.get("generator")
        yield Record(
            image=row.image,
            label=label,
            mask=row.mask if label == "edited" else None,
            kind=str(maker) if maker and label != "authentic" else None,
            sources=(str(row.facts.get("id")),),
            licence=TERMS,
            split="test",
            name=name,
            extra={k: v for k, v in row.facts.items() if k.startswith("source_") and v},
        )


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    made = []
    for n in range(6):
        edited = n >= 3
        pixels, mask = _fabric.forged(n) if edited else (_fabric.scene(n), None)
        made.append({
            "id": f"{n:08d}", "scope": "TAMPERED" if edited else "REAL",
            "generator": "GPT-4o" if edited else None, "editor": None, "source_platform": "Reddit",
            "image": _rows.encoded(pixels, "PNG" if edited else "JPEG"),
            "mask": None if mask is None else _rows.encoded(mask, "PNG"),
        })  # fmt: skip
    _rows.fabricate(root, "data/test_image-00000-of-00046.parquet", "id", made)
