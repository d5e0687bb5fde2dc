"""FaceForensics++: video frames of swapped and re-enacted faces, with their originals and masks.

Layout, as the download script and `dataset/extract_compressed_videos.py` of the authors' repository write it
(`images` and `masks` are downloaded as such, or extracted from the videos beside them):

    original_sequences/{youtube,actors}/{raw,c23,c40}/images/<video>/0000.png
    manipulated_sequences/<method>/{raw,c23,c40}/images/<video>/0000.png
    manipulated_sequences/<method>/masks/images/<video>/0000.png
    splits/{train,val,test}.json                          pairs of video numbers (or beside the two folders)

A video of `youtube` is called by its number (870), one made of two by both, target first (979_875); one of the
DeepFakeDetection actors by actor and scene (27__walking_and_outside_surprised), or by target, source, scene and an
id (27_13__walking_and_outside_surprised__A1OSUJE9). Frames are called by their number. Masks serve all compressions.

Where it was learned: that script for folders and frame names, `dataset/README.md` and `dataset/splits` for the
rest; mask folders from public scripts (quoted in ABOUT). Other places of the frames are not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import lone, shown
from ifdl.data._record import Bad, Record, by_stem, first_folder, need
from ifdl.types import Card

VIDEO = re.compile(r"(?P<host>\d+)(_(?P<donor>\d+))?(__(?P<scene>[a-z_]+?)(__(?P<id>[A-Z0-9]{8}))?)?", re.ASCII)
FRAME = re.compile(r"\d+", re.ASCII)
COMPRESSIONS = ("raw", "c23", "c40")
SPLITS = ("train", "val", "test")
TERMS = "non-commercial research and education; the terms of use of FaceForensics (see the form)"

CARD = Card(
    id="faceforensics",
    title="FaceForensics++: faces swapped and re-enacted in video, frame by frame",
    citation=(
        "Rössler, Cozzolino, Verdoliva, Riess, Thies, Nießner, FaceForensics++: Learning to Detect Manipulated "
        "Facial Images, ICCV 2019"
    ),
    url="https://github.com/ondyari/FaceForensics",
    domain=(
        "How to obtain: fill in the form in that repository's dataset/README.md, which leads to the download script; "
        "extract the frames with dataset/extract_compressed_videos.py, and copy dataset/splits beside them."
    ),
    limits=(
        "Frames of one video are nearly alike: split by the published lists of videos, never by frame.",
        "Frames of c23 and c40 carry the traces of H.264, and those of no photograph.",
        "A mask video of DeepFakeDetection may be far shorter than its video (ondyari/FaceForensics issue 40): the "
        "frames behind its end have no mask.",
        "Originals have no masks, and FaceShifter has none either in the public loaders.",
        "A target's person is in the original and in the edit: whoever learns faces learns the split.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("faces", "localisation", "detection"),
    size="1,000 original videos (720 to train, 140 to validate, 140 to test) and what each method made of them",
    layout=Layout(
        source=(
            "github.com/ondyari/FaceForensics: dataset/extract_compressed_videos.py (commit 155a113; folders and "
            "'{:04d}.png'), dataset/splits/val.json (commit e452f05), issue 40 (a mask's place); masks/images from a "
            "public loader (stored text 34320569207); video names from a public test (stored text 69458850460); that "
            "the target comes first from a later dataset/README.md (stored text 2479684163)"
        ),
        names=(
            "original_sequences/youtube/c23/videos/000.mp4",
            "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
            "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4",
            "manipulated_sequences/DeepFakeDetection/masks/videos/27_13__walking_and_outside_surprised__A1OSUJE9.mp4",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every extracted frame, in all compressions that are there."""
    places = [(p, label) for label, top in (("authentic", "original_sequences"), ("edited", "manipulated_sequences"))
              if (folder := first_folder(root, top)) for p in sorted(folder.iterdir()) if p.is_dir()]  # fmt: skip
    need(root, places, "original_sequences/youtube/c23/images/<video>/0000.png and manipulated_sequences/<method>/…")
    splits = _splits(root)
    for place, label in places:
        masks = first_folder(place, "masks/images")
        for compression in COMPRESSIONS:
            images, videos = place / compression / "images", place / compression / "videos"
            if images.is_dir():
                yield from _videos(root, images, masks, label, place.name, splits)
            elif videos.is_dir():
                yield Bad(shown(videos, root), "videos only; extract their frames with extract_compressed_videos.py")


def _videos(
    root: Path, images: Path, masks: Path | None, label: str, method: str, splits: dict[str, str]
) -> Iterator[Record | Bad]:
    for folder in sorted(images.iterdir()):
        match = VIDEO.fullmatch(folder.name)
        if not folder.is_dir() or match is None:
            yield Bad(shown(folder, root), "is not the folder of a video, such as 870 or 979_875")
            continue
        scene = f"__{match['scene']}" if match["scene"] else ""
        made_from = tuple(f"{n}{scene}" for n in (match["host"], match["donor"]) if n)
        frames, twice = by_stem(folder)
        truths, doubled = by_stem(masks / folder.name) if masks and (masks / folder.name).is_dir() else ({}, [])
        for path, others in twice + doubled:
            yield Bad(shown(path, root), f"shares its name with {others}; it is unclear which is meant")
        for stem, path in frames.items():
            if FRAME.fullmatch(stem) is None:
                yield Bad(shown(path, root), "a frame is called by its number, such as 0000.png")
                continue
            yield Record(
                image=path,
                label=label,
                mask=truths.get(stem) if label == "edited" else None,
                kind=method if label == "edited" else None,
                sources=made_from,
                licence=TERMS,
                split=splits.get(match["host"]) if not scene else None,
                name=shown(path, root),
                extra={"video": folder.name, "compression": images.parent.name},
            )
        yield from lone(truths, frames, root)
    for folder in sorted(masks.iterdir()) if masks else ():
        if not (images / folder.name).is_dir():
            yield Bad(shown(folder, root), f"masks of a video without frames in {shown(images, root)}")


def _splits(root: Path) -> dict[str, str]:
    """Video number → split, from the published lists of pairs where they lie in the set's folder."""
    found = {}
    for split in SPLITS:
        places = (
            root / "splits" / f"{split}.json",
            root / "dataset" / "splits" / f"{split}.json",
            root / f"{split}.json",
        )
        listed = next((p for p in places if p.is_file()), None)
        pairs = json.loads(listed.read_text("utf-8")) if listed else []
        found.update({str(number): split for pair in pairs for number in pair})
    return found


def fabricate(root: Path) -> None:
    """Six fake frames in the layout above."""
    for n, (split, pair) in enumerate((("train", ("071", "054")), ("val", ("720", "672")), ("test", ("953", "974")))):
        video = "_".join(pair)
        pixels, mask = _fabric.forged(n)
        method = root / "manipulated_sequences" / "Deepfakes"
        _fabric.save(pixels, method / "c23" / "images" / video / f"{n:04d}.png")
        _fabric.save(mask, method / "masks" / "images" / video / f"{n:04d}.png")
        _fabric.save(_fabric.scene(n), root / "original_sequences/youtube/c23/images" / pair[0] / f"{n:04d}.png")
        (root / "splits").mkdir(exist_ok=True)
        (root / "splits" / f"{split}.json").write_text(json.dumps([list(pair)]), encoding="utf-8")
