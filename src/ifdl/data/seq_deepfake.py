"""Seq-DeepFake: faces altered in up to five steps, each picture with the sequence of its steps, JPEG.

Layout:

    facial_components/images/{train,val,test}/nose-eye-lip/<number>.jpg            steps in their order
    facial_attributes/images/{train,val,test}/Young-Smiling-Eyeglasses/<number>.jpg
    facial_attributes/images/{train,val,test}/original/<number>.jpg                untouched
    facial_attributes/annotations/{train,val,test}.csv                             (not read: folders say the same)

Where it was learned: the README of github.com/rshaojimmy/SeqDeepFake, which shows this tree and lists the steps
(file numbers as `xxxxxx.jpg`). There are no masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import doubled, shown
from ifdl.data._record import Bad, Record, by_stem, first_folder, need
from ifdl.types import Card

STEPS = {
    "facial_components": ("nose", "eye", "eyebrow", "lip", "hair"),
    "facial_attributes": ("Bangs", "Eyeglasses", "Beard", "Smiling", "Young"),
}
SPLITS = ("train", "val", "test")
ORIGINAL = "original"
MOST = 5
TERMS = (
    "as its Hugging Face page says (a third party names Apache-2.0); faces of CelebAMask-HQ and FFHQ, non-commercial"
)

CARD = Card(
    id="seq_deepfake",
    title="Seq-DeepFake: faces altered step by step, with the order of the steps",
    citation="Shao, Wu, Liu, Detecting and Recovering Sequential DeepFake Manipulation, ECCV 2022",
    url="https://github.com/rshaojimmy/SeqDeepFake",
    domain=(
        "How to obtain: the README of that repository links to the pictures; unpack facial_components and "
        "facial_attributes into one folder."
    ),
    limits=(
        "There are no masks: it serves the order of edits and whole pictures, not localisation.",
        "Every altered face went through a generator (StyleMapGAN, Talk-To-Edit): traces may lie all over the picture, "
        "also where no step says so.",
        "Whether a number names the same face in different folders is not documented: each picture counts as its own "
        "source.",
        "Components come from CelebAMask-HQ and attributes from FFHQ: what tells the two apart is no edit.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("sequence", "faces", "detection"),
    size="about 85,000 pictures; 28 sequences of components and 26 of attributes, with the original",
    layout=Layout(
        source="github.com/rshaojimmy/SeqDeepFake, commit 1f7f6f7, README.md (Prepare data, Annotations)",
        names=(
            "facial_attributes/annotations/train.csv",
            "facial_attributes/images/train/Bangs-Eyeglasses-Smiling-Young/xxxxxx.jpg",
            "facial_components/images/train/eyebrow-eye-hair-nose-lip/xxxxxx.jpg",
            "facial_components/images/train/original/xxxxxx.jpg",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture; its folder says which steps were taken, in their order (`extra["steps"]`)."""
    parts = {part: folder for part in STEPS if (folder := first_folder(root, f"{part}/images"))}
    need(root, parts, "facial_components/images/train/<steps>/<number>.jpg and facial_attributes/ alike")
    for part, images in parts.items():
        for split in SPLITS:
            folders = sorted((images / split).iterdir()) if (images / split).is_dir() else []
            for folder in folders:
                steps = () if folder.name == ORIGINAL else tuple(folder.name.split("-"))
                wrong = folder.name != ORIGINAL and (len(steps) > MOST or not set(steps) <= set(STEPS[part]))
                if not folder.is_dir() or wrong:
                    yield Bad(shown(folder, root), f"is no folder of steps ({', '.join(STEPS[part])}) or of originals")
                    continue
                pictures, shared = by_stem(folder)
                yield from doubled(shared, root)
                for path in pictures.values():
                    yield Record(
                        image=path,
                        label="edited" if steps else "authentic",
                        kind=folder.name if steps else None,
                        licence=TERMS,
                        split=split,
                        name=shown(path, root),
                        extra={"steps": list(steps), "part": part},
                    )


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, (part, steps) in enumerate(
        (
            ("facial_components", "nose-eyebrow-lip-eye-hair"),
            ("facial_attributes", "Young-Smiling-Eyeglasses"),
            ("facial_attributes", "Bangs-Eyeglasses-Smiling-Young"),
        )
    ):
        images = root / part / "images" / "train"
        _fabric.save(_fabric.scene(n), images / ORIGINAL / f"{n:06d}.jpg", quality=90)
        _fabric.save(_fabric.forged(n + 4)[0], images / steps / f"{n + 4:06d}.jpg", quality=90)
