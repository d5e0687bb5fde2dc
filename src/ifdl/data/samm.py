"""SAMM: news pictures with captions, some of both altered together: a face swapped or its attribute changed.

Layout:

    jsons/         train.json, val.json, test.json
    emotion_jpg/   65039.jpg     attributes changed
    swap_jpg/                    faces swapped
    orig_output/                 originals
    people_imgs/                 pictures of known people as evidence; not read

An entry of a list: text, fake_cls (orig, swap_manipulation, attribute_manipulation), image ("emotion_jpg/65039.jpg"),
id, fake_image_box (left, top, right, bottom in pixels), fake_text_pos, and evidence (cap_…).

Where it was learned: README.md, dataset/dataset.py (the box) and tools/multilabel_metrics.py (the classes) of
github.com/shen8424/SAMM-RamDG-CAP. `SAMM_datasets/` above all of it is accepted. There are boxes, no masks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, first_folder, need, pictures_below
from ifdl.types import Card

SPLITS = ("train", "val", "test")
FOLDERS = ("emotion_jpg", "swap_jpg", "orig_output")
CLASSES = {"orig": None, "swap_manipulation": "face swap", "attribute_manipulation": "face attribute"}
TERMS = "Apache-2.0 (repository); the pictures' own terms are not stated"

CARD = Card(
    id="samm",
    title="SAMM: news pictures and captions altered together",
    citation=(
        "Shen, Wang, Chen, Pu, Zhong, Beyond Artificial Misalignment: Detecting and Grounding Semantic-Coordinated "
        "Multimodal Manipulation, ACM MM 2025"
    ),
    url="https://github.com/shen8424/SAMM-RamDG-CAP",
    domain=(
        "How to obtain: the README of that repository links to SJJ0854/SAMM on Hugging Face; put jsons/, emotion_jpg/, "
        "swap_jpg/ and orig_output/ into one folder."
    ),
    limits=(
        "There are boxes (`extra['box']`), no masks: localisation by pixels cannot be scored.",
        "Pictures were re-saved by the program that made each class: compression may tell the classes apart.",
        "The authors' loader compares boxes in two scales, so that its patch labels are nearly always zero.",
        "Captions of altered pictures are altered too: a text alone may give the answer.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("detection", "faces", "explanation"),
    size="three lists of pictures with captions; for numbers see the figure in the README",
    layout=Layout(
        source=(
            "github.com/shen8424/SAMM-RamDG-CAP, README.md at commit 02a0d66, dataset/dataset.py at 25e3f7a, "
            "tools/multilabel_metrics.py at d75c449"
        ),
        names=("jsons/train.json", "jsons/val.json", "jsons/test.json", "emotion_jpg/65039.jpg"),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every entry of the lists; a picture with several captions counts once, with the first of them."""
    base = first_folder(root, "SAMM_datasets") or root
    lists = {split: base / "jsons" / f"{split}.json" for split in SPLITS}
    need(root, any(path.is_file() for path in lists.values()), "jsons/{train,val,test}.json and emotion_jpg/ …")
    seen: set[str] = set()
    for split, path in lists.items():
        if not path.is_file():
            continue
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            yield Bad(path.relative_to(root).as_posix(), f"is not JSON ({error})")
            continue
        for number, entry in enumerate(entries):
            image = str(entry.get("image")) if isinstance(entry, dict) else ""
            if image not in seen:
                seen.add(image)
                yield _record(base, split, number, image, entry)
    for folder in FOLDERS:
        for path in pictures_below(base / folder) if (base / folder).is_dir() else ():
            if path.relative_to(base).as_posix() not in seen:
                yield Bad(path.relative_to(root).as_posix(), "is in none of the lists")


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for n in range(3):
        original, altered = f"orig_output/6503{n}.jpg", f"{FOLDERS[n % 2]}/6504{n}.jpg"
        pixels, mask = _fabric.forged(n + 3)
        _fabric.save(_fabric.scene(n), root / original, quality=95)
        _fabric.save(pixels, root / altered, quality=95)
        down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = [int(v) for v in (across[0], down[0], across[-1] + 1, down[-1] + 1)]
        kind = list(CLASSES)[2 - n % 2]
        for number, image, words, kept in ((n, original, "orig", []), (n + 3, altered, kind, box)):
            rows[SPLITS[n]].append({
                "text": "A caption.", "fake_cls": words, "image": image, "id": number, "fake_image_box": kept,
                "fake_text_pos": [],
            })  # fmt: skip
    (root / "jsons").mkdir(parents=True)
    for split, entries in rows.items():
        (root / "jsons" / f"{split}.json").write_text(json.dumps(entries), encoding="utf-8")


def _record(base: Path, split: str, number: int, image: str, entry: Any) -> Record | Bad:
    where = f"jsons/{split}.json entry {number}"
    inner = PurePosixPath(image)
    if not image or inner.is_absolute() or ".." in inner.parts:
        return Bad(where, "names no picture below the set's folder")
    kind = entry.get("fake_cls")
    if kind not in CLASSES:
        return Bad(where, f"its fake_cls is {kind}; there are {', '.join(CLASSES)}")
    if not (base / inner).is_file():
        return Bad(image, f"is missing, {where} names it")
    extra: dict[str, Any] = {"text": entry.get("text"), "fake_text_pos": entry.get("fake_text_pos")}
    if kind != "orig":
        extra["box"] = entry.get("fake_image_box")
    return Record(
        image=base / inner,
        label="authentic" if kind == "orig" else "edited",
        kind=CLASSES[kind],
        sources=(inner.stem,),
        licence=TERMS,
        split=split,
        name=image,
        extra=extra,
    )
