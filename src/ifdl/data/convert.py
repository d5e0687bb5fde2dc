"""From any set to a manifest folder, and from there to an IMDL-BenCo list.

Pictures are copied byte for byte (their compression is the evidence); masks become 8-bit PNG, 255 = edited.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ifdl import intake
from ifdl.data import manifest
from ifdl.data._header import announced
from ifdl.data._record import Bad, Record, mask_of, misfit


@dataclass(frozen=True)
class Converted:
    """What was written, and what was passed over and why."""

    path: Path
    written: int
    bad: tuple[Bad, ...]


def to_manifest(
    records: Iterable[Record | Bad], out: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Converted:
    """Copy a set into `out`: images/<label>/, masks/ and manifest.jsonl, which is written last.

    A record whose picture or mask cannot be read, or do not fit, is passed over and named. Raises
    FileExistsError if `out` has a manifest already.
    """
    path = out / manifest.FILE
    if path.exists():
        raise FileExistsError(f"{path} is there already; name another folder")
    listed = list(records)
    done, bad, taken = [], [], set[str]()
    with intake.Decoder() as decoder:
        for n, record in enumerate(listed, 1):
            made = record if isinstance(record, Bad) else _copied(record, out, taken, decoder)
            bad.append(made) if isinstance(made, Bad) else done.append(made)
            progress(n, len(listed))
    manifest.write(done, path)
    return Converted(path, len(done), tuple(bad))


def to_imdlbenco(records: Iterable[Record | Bad], path: Path) -> Converted:
    """Write the list that IMDL-BenCo's JsonDataset reads, with absolute paths (it resolves none itself).

    Edited pictures without a mask are passed over, for IMDL-BenCo would take them for authentic; so are
    masks that it could not read as they are (convert to a manifest first), and synthetic pictures.
    """
    rows, bad = [], []
    for record in records:
        if isinstance(record, Bad):
            bad.append(record)
        elif record.label == "authentic":
            rows.append([str(record.image.resolve()), manifest.NEGATIVE])
        elif record.mask is None or not record.mask.is_file():
            bad.append(Bad(record.shown, f"{record.label} without a mask, which this list cannot say"))
        elif record.marks != "white":
            bad.append(Bad(record.shown, "its mask is two-coloured; convert to a manifest first"))
        else:
            rows.append([str(record.image.resolve()), str(record.mask.resolve())])
    manifest.write_text(path, json.dumps(sorted(rows), indent=1, ensure_ascii=False) + "\n")
    return Converted(path, len(rows), tuple(bad))


def _copied(record: Record, out: Path, taken: set[str], decoder: intake.Decoder) -> Record | Bad:
    try:
        data, _ = intake.read_source(record.image, decoder.limits)
        size = announced(data)
        if size is None:
            picture = decoder.decode(data, record.image.name)
            size = (picture.width, picture.height)
        mask = mask_of(record, decoder)
    except intake.IntakeError as error:
        return Bad(record.shown, str(error))
    digest = hashlib.sha256(data).hexdigest()
    if record.sha256 not in (None, digest):
        return Bad(record.shown, "its sha256 is not the one its list states")
    if mask is not None and mask.shape != size[::-1]:
        return Bad(record.shown, misfit(mask.shape, size[::-1]))
    stem, suffix = record.image.stem, record.image.suffix.lower()
    name, again = stem, 1
    while f"{record.label}/{name}".lower() in taken:  # the same name from another folder
        again += 1
        name = f"{stem}-{again}"
    taken.add(f"{record.label}/{name}".lower())
    image = out / "images" / record.label / f"{name}{suffix}"
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(data)
    truth = None
    if mask is not None:
        truth = out / "masks" / record.label / f"{name}.png"
        truth.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG", optimize=True)
        truth.write_bytes(buffer.getvalue())
    kept = {k: v for k, v in record.extra.items() if k != "absolute"}
    return replace(record, image=image, mask=truth, marks="white", sha256=digest, name="", extra=kept)
