"""DEAL-300K: COCO pictures edited by InstructPix2Pix after a language model's instructions, with masks.

Layout: train.zip, val.zip, test.zip and label.zip, each unpacked to a folder of its name. The picture, its edit by
the instructions of checkpoint 120, the mask of that edit:

    train/   000000000009.jpg   000000000009_qwen120.jpg
    label/   000000000009_qwen120.png
    instructions/checkpoint-120_dev_results.json      (from the repository, if it is there: what was asked for)

Where it was learned: README.md (the four archives), assets/examples (names of pictures, edits and masks) and
instructions/ of github.com/ymhzyj/DEAL-300K. How folders nest inside the archives is not documented: pictures are
found anywhere below train/, val/ and test/, masks anywhere below label/, by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, first_folder, need, pictures_below
from ifdl.types import Card

NAME = re.compile(r"(?P<id>\d{12})(?P<edit>_qwen(?P<checkpoint>\d+))?", re.ASCII)
SPLITS = ("train", "val", "test")
TERMS = "MIT (repository); pictures under the terms of MS COCO"

CARD = Card(
    id="deal300k",
    title="DEAL-300K: edits of COCO pictures by InstructPix2Pix, with masks",
    citation=(
        "Zhang, Wang, Liu, Zhou, Zeng, DEAL-300K: Diffusion-based Editing Area Localization with a 300K-Scale Dataset "
        "and Frequency-Prompted Baseline, 2025"
    ),
    url="https://github.com/ymhzyj/DEAL-300K",
    domain=(
        "How to obtain: the README of that repository links to train.zip, val.zip, test.zip and label.zip; unpack each "
        "into a folder of its name."
    ),
    limits=(
        "The editor rewrites every pixel of a picture, so that traces of it lie outside the masks too.",
        "Masks were made by a change detector and corrected by hand only where that was hard.",
        "The published F1 (82.48 %) is of edited pictures alone.",
        "Every edit's photograph is in COCO and may be in the set: split by source (the COCO id).",
        "One editor, InstructPix2Pix, made all edits.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection"),
    size="119,371 photographs and 221,097 edited pictures, 128×512 to 512×576",
    layout=Layout(
        source=(
            "github.com/ymhzyj/DEAL-300K: README.md at commit 2389ecb, assets/examples at b3fefcb, instructions at "
            "540f284"
        ),
        names=(
            "000000000009.jpg",
            "000000000009_qwen120.jpg",
            "000000000009_qwen120.png",
            "000000436795_qwen180.jpg",
            "000000436795_qwen180.png",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the set; the mask of `<id>_qwen<n>.jpg` is `<id>_qwen<n>.png`."""
    places = {split: first_folder(root, split) for split in SPLITS}
    need(root, any(places.values()), "train/, val/, test/ and label/")
    asked = _instructions(root)
    truths = first_folder(root, "label", "labels")
    masks: dict[str, Path] = {}
    for path in pictures_below(truths) if truths else ():
        if path.stem in masks:
            yield Bad(path.relative_to(root).as_posix(), f"a second mask of {path.stem}; the first is used")
        else:
            masks[path.stem] = path
    edited: set[str] = set()
    for split, place in places.items():
        for path in pictures_below(place) if place else ():
            name = path.relative_to(root).as_posix()
            match = NAME.fullmatch(path.stem)
            if match is None:
                yield Bad(name, "a picture is called by its COCO id, with _qwen<n> behind it if it was edited")
                continue
            label = "edited" if match["edit"] else "authentic"
            if label == "edited":
                edited.add(path.stem)
            words = asked.get((match["checkpoint"], match["id"]))
            yield Record(
                image=path,
                label=label,
                mask=masks.get(path.stem) if label == "edited" else None,
                kind="instructpix2pix" if label == "edited" else None,
                sources=(match["id"],),
                licence=TERMS,
                split=split,
                name=name,
                extra={"instruction": words} if words else {},
            )
    for stem in sorted(set(masks) - edited):
        yield Bad(masks[stem].relative_to(root).as_posix(), f"a mask without its picture {stem}")


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, coco in enumerate(("000000000009", "000000000459", "000000436603")):
        pixels, mask = _fabric.forged(n)
        _fabric.save(_fabric.scene(n), root / SPLITS[n] / f"{coco}.jpg", quality=95)
        _fabric.save(pixels, root / SPLITS[n] / f"{coco}_qwen120.jpg", quality=95)
        _fabric.save(mask, root / "label" / f"{coco}_qwen120.png")


def _instructions(root: Path) -> dict[tuple[str, str], str]:
    """(checkpoint, COCO id) → what the editor was asked for, where the repository's lists lie beside the set."""
    found = {}
    for path in sorted((root / "instructions").glob("checkpoint-*_dev_results.json")):
        checkpoint = path.name.removeprefix("checkpoint-").split("_")[0]
        for row in json.loads(path.read_text(encoding="utf-8")):
            found[checkpoint, Path(row["image_name"]).stem] = str(row["generated_text"])
    return found
