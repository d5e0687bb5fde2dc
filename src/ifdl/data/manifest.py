"""The project's own list format, and the one split for everybody.

A manifest is JSON Lines, one object a picture: `image` (path beside the manifest), `label` (authentic,
edited, synthetic), `mask` (8-bit PNG of the same size, 255 = manipulated, or null), `sha256`, `source`
(the photograph it comes from), and whatever else is known.

Two list formats of others are read too, each a JSON file:

- IMDL-BenCo, `[["./Tp/6.jpg", "./Gt/6.jpg"], ["./Au/8.jpg", "Negative"]]` (scu-zjz/IMDLBenCo,
  `datasets/iml_datasets.py`, JsonDataset). IMDL-BenCo looks for relative paths from where it is started;
  here they are looked for beside the list.
- ForensicHub, `[{"path": …, "mask": …, "label": 0 or 1}]` (scu-zjz/ForensicHub, `tasks/aigc/datasets/
  label_dataset.py`, which has `path` and `label`; `mask` is accepted as well). 1 is taken for edited with a
  mask, and for synthetic without one.

Paths stay below the list's folder, symbolic links followed. Only the lists of others, which are absolute by
habit, may name absolute paths; their records say so (`extra["absolute"]`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from ifdl.data import _fabric
from ifdl.data._record import LABELS, Bad, Record
from ifdl.types import Card

NEGATIVE = "Negative"
FILE = "manifest.jsonl"
OWN = ("image", "label", "mask", "sha256", "source", "sources", "host", "donor", "kind", "licence", "split")

CARD = Card(
    id="manifest",
    title="A manifest (JSON Lines), or an IMDL-BenCo or ForensicHub list (JSON)",
    citation="this project; Ma et al., IMDL-BenCo, NeurIPS 2024; Du et al., ForensicHub, 2025",
    domain=(
        "How to obtain: `ifdl data convert` and `ifdl forge` write manifests; ROOT is the folder of a manifest.jsonl, "
        "the file itself, or a .json list."
    ),
    limits=(
        "A list of IMDL-BenCo or ForensicHub says nothing of sources: each picture counts as its own.",
        "A path that leads out of the manifest's folder is refused; absolute paths are taken from .json lists only.",
    ),
    licence="as each line says",
)


class Split(StrEnum):
    """What a photograph may be used for. Counted by photograph, never by crop."""

    TRAIN = "train"
    CALIBRATE = "calibrate"
    TEST = "test"


def split_of(source: str) -> Split:
    """The split of a photograph of `camera` or `camera_whole`, by its hexadecimal source id.

    Last decimal digit of the id: 0-5 train and forge, 6-7 thresholds and calibration, 8-9 test only.
    """
    digit = int(source, 16) % 10
    return Split.TRAIN if digit <= 5 else Split.CALIBRATE if digit <= 7 else Split.TEST


# ---------------------------------------------------------------- reading


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of a manifest or list, in its order; `root` is the file or its folder."""
    path = root / FILE if root.is_dir() else root
    if not path.is_file():
        raise FileNotFoundError(f"{root} does not hold this set; expected {FILE}, or a .json list")
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        yield from _list(path, text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Bad(f"line {number}", f"is not JSON ({error})")
            continue
        yield _record(path.parent, f"line {number}", row)


def _list(path: Path, text: str) -> Iterator[Record | Bad]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        yield Bad(path.name, f"is not JSON ({error})")
        return
    for number, row in enumerate(rows, 1):
        where = f"entry {number}"
        if isinstance(row, list) and len(row) == 2 and all(isinstance(r, str) for r in row):
            negative = row[1] == NEGATIVE
            row = {"image": row[0], "label": LABELS[0 if negative else 1], "mask": None if negative else row[1]}
        elif isinstance(row, dict) and isinstance(row.get("path"), str):
            mask = row.get("mask") if row.get("mask") not in (NEGATIVE, "", None) else None
            label = row.get("label")
            if isinstance(label, int | float) and label in (0, 1):
                label = "authentic" if label == 0 else "edited" if mask else "synthetic"
            kept = {k: v for k, v in row.items() if k != "path"}
            row = {**kept, "image": row["path"], "mask": mask, "label": label}
        else:
            yield Bad(where, 'is neither [picture, mask or "Negative"] nor {"path", "mask", "label"}')
            continue
        yield _record(path.parent, where, row, absolute=True)


def _record(folder: Path, where: str, row: object, absolute: bool = False) -> Record | Bad:
    if not isinstance(row, Mapping) or not isinstance(row.get("image"), str):
        return Bad(where, "names no picture (a manifest's line has `image`)")
    name = row["image"]
    if row.get("label") not in LABELS:
        return Bad(name, f"has the label {row.get('label')!r}; there are {', '.join(LABELS)}")
    try:
        image = _place(folder, name, absolute)
        mask = _place(folder, row["mask"], absolute) if row.get("mask") else None
        if not image.is_file():
            return Bad(name, "there is no such file")
    except (ValueError, OSError) as error:
        return Bad(name, str(error))
    several = row.get("sources")
    listed = [row[key] for key in ("host", "source", "donor") if row.get(key)]
    listed += several if isinstance(several, list) else []
    extra = {key: value for key, value in row.items() if key not in OWN}
    if Path(name).is_absolute():
        extra["absolute"] = True
    return Record(
        image=image,
        label=str(row["label"]),
        mask=mask,
        kind=_words(row.get("kind")),
        sources=tuple(dict.fromkeys(str(source) for source in listed)),
        licence=_words(row.get("licence")) or "",
        sha256=_words(row.get("sha256")),
        split=_words(row.get("split")),
        name=name,
        extra=extra,
    )


def _words(value: object) -> str | None:
    return str(value) if value is not None and value != "" else None


def _place(folder: Path, named: object, absolute: bool) -> Path:
    """The file a list means. Raises ValueError for a path that leads out of the list's folder."""
    if not isinstance(named, str) or "\0" in named:
        raise ValueError(f"{named!r} is not a path")
    path = Path(named)
    if path.is_absolute() and not absolute:
        raise ValueError(f"{named} is an absolute path, which a manifest may not name")
    if ".." in PurePosixPath(named.replace("\\", "/")).parts:
        raise ValueError(f"{named} leads out of its folder")
    if path.is_absolute():
        return path
    if not (folder / path).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{named} is a symbolic link that leads out of its folder")
    return folder / path


# ---------------------------------------------------------------- writing


def write(records: Iterable[Record], path: Path) -> None:
    """Write a manifest, all at once, sorted by picture, with paths relative to its folder.

    Raises ValueError for a picture or mask that does not lie below that folder.
    """
    rows = sorted((row_of(record, path.parent) for record in records), key=lambda row: str(row["image"]))
    write_text(path, "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in rows))


def row_of(record: Record, folder: Path) -> dict[str, Any]:
    """One manifest line as a dictionary; what is not known is left out, but for a missing mask."""
    row: dict[str, Any] = {k: v for k, v in record.extra.items() if k != "absolute"}
    row |= {"image": _below(record.image, folder), "label": record.label, "kind": record.kind}
    row["mask"] = None if record.mask is None else _below(record.mask, folder)
    row |= {k: v for k in ("sha256", "licence", "split") if (v := getattr(record, k))}
    if record.sources:
        row["source"] = record.sources[0]
    if len(record.sources) > 1:
        row["sources"] = list(record.sources)
    return row


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(draft).unlink()
        raise


def _below(path: Path, folder: Path) -> str:
    return path.absolute().relative_to(folder.absolute()).as_posix()


def fabricate(root: Path) -> None:
    """Six fake pictures with a manifest, as `ifdl forge` would write them."""
    made = []
    for n in range(3):
        source = f"{n + 1:010x}"
        pixels, mask = _fabric.forged(n)
        authentic, edited = root / "images" / "authentic" / f"{n}.jpg", root / "images" / "forged" / f"{n}.jpg"
        truth = root / "masks" / f"{n}.png"
        _fabric.save(_fabric.scene(n), authentic, quality=90)
        _fabric.save(pixels, edited, quality=90)
        _fabric.save(mask, truth)
        for path, label, kind in ((authentic, "authentic", None), (edited, "edited", "splice")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            made.append(Record(path, label, truth if kind else None, kind, (source,), "CC0-1.0", digest))
    write(made, root / FILE)
