"""Shards of webdataset: tar archives whose members are grouped by their key, the name up to its first dot.

    train-000000.tar: 000017.jpg, 000017.mask.png, 000017.json, 000018.jpg, …

A picture is `<key>.jpg` (or png, webp, tif …), its mask `<key>.mask.png` (also `.seg.png`, `.gt.png`; white =
edited), what is known of it `<key>.json` or `<key>.cls`: `label` (authentic, edited, synthetic; or 0 and 1, where 1
is edited with a mask and synthetic without one), `kind`, `source`, `licence`, `split`. Without a label, a picture
with a mask counts as edited, and one without is passed over.

A record names a picture file, so every archive is unpacked once, below `unpacked/`, under names of our own: what a
member is called never becomes a path. Links and devices in an archive are passed over. See
github.com/webdataset/webdataset for the convention.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ifdl import intake
from ifdl.data import _fabric, _rows
from ifdl.data._record import LABELS, SUFFIXES, Bad, Record, need
from ifdl.types import Card

MASKS = ("mask", "seg", "gt")
FACTS = ("label", "kind", "source", "licence", "split")
MOST = intake.Limits().file_bytes

CARD = Card(
    id="shards",
    title="Shards of your own: webdataset tar archives with pictures, masks and JSON",
    citation="the convention of github.com/webdataset/webdataset; no publication",
    domain=(
        "How to obtain: write <key>.jpg, <key>.mask.png and <key>.json side by side into *.tar; ROOT is their folder, "
        "or one archive. The first reading unpacks them beside themselves, which needs as much room again."
    ),
    limits=(
        "A picture without `source` counts as its own: no split by source is possible.",
        "An archive that changes later is not unpacked again: delete its folder below unpacked/.",
        "Members of one key must lie next to each other, as the convention wants; a key that comes again is another "
        "picture.",
    ),
    licence="as each picture says",
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of every archive; `extra["key"]` is its key, `extra["shard"]` its archive."""
    shards = [root] if root.is_file() and root.suffix == ".tar" else sorted(root.glob("*.tar")) if root.is_dir() else []
    home = root.parent if root.is_file() else root
    need(root, shards, "*.tar with <key>.jpg, <key>.mask.png and <key>.json")
    for shard in shards:
        folder = home / _rows.PLACE / shard.stem
        if not (folder / _rows.LIST).is_file():
            try:
                _rows._write(({**row, "as": "member"} for row in _cells(shard)), folder, "as", ("key", *FACTS))
            except (tarfile.TarError, EOFError) as error:
                shutil.rmtree(folder.with_name(f"{folder.name}.part"), ignore_errors=True)
                yield Bad(shard.name, f"is no readable tar archive ({error})")
                continue
        for row in _rows._listed(folder, home):
            yield row if isinstance(row, Bad) else _record(row, shard.name, home)


def _record(row: _rows.Row, shard: str, home: Path) -> Record | Bad:
    name, facts = row.image.relative_to(home).as_posix(), row.facts
    label = labelled(facts.get("label"), row.mask is not None)
    if label is None:
        return Bad(name, f"has the label {facts.get('label')!r}; there are {', '.join(LABELS)}")
    said = {k: str(v) if (v := facts.get(k)) not in (None, "") else None for k in FACTS}
    return Record(
        image=row.image,
        label=label,
        mask=row.mask if label == "edited" else None,
        kind=said["kind"],
        sources=(said["source"],) if said["source"] else (),
        licence=said["licence"] or "",
        split=said["split"],
        name=name,
        extra={"key": facts.get("key"), "shard": shard},
    )


def labelled(said: object, masked: bool) -> str | None:
    """The label that a list means by a word, or by 0 and 1; None where it says nothing of use."""
    if said in LABELS:
        return str(said)
    if said in (0, "0") and said is not False:
        return "authentic"
    if said in (1, "1") and said is not True:
        return "edited" if masked else "synthetic"
    return "edited" if said is None and masked else None


def _cells(shard: Path) -> Iterator[dict[str, Any]]:
    """One row for each run of members of the same key."""
    row: dict[str, Any] = {}
    with tarfile.open(shard, "r:") as archive:
        for member in archive:
            place = PurePosixPath(member.name)
            stem, _, ending = place.name.partition(".")
            if not member.isfile() or not stem or member.size > MOST:
                continue
            key = (place.parent / stem).as_posix()
            if row and row["key"] != key:
                yield row
                row = {}
            row.setdefault("key", key)
            file = archive.extractfile(member)
            _take(row, ending.lower(), file.read() if file else b"")
    if row:
        yield row


def _take(row: dict[str, Any], ending: str, data: bytes) -> None:
    first, _, last = ending.rpartition(".")
    if ending == "json":
        try:
            told = json.loads(data)
        except (ValueError, RecursionError):
            told = {"label": "unreadable JSON"}
        row.update({k: told[k] for k in FACTS if k in told} if isinstance(told, dict) else {})
    elif ending == "cls":
        row["label"] = data[:32].decode("ascii", "replace").strip()
    elif f".{last}" in SUFFIXES:
        row[_rows.MASK if first.rpartition(".")[2] in MASKS else _rows.IMAGE] = data


def fabricate(root: Path) -> None:
    """Six fake pictures in two archives."""
    import io

    root.mkdir(parents=True, exist_ok=True)
    for part in range(2):
        with tarfile.open(root / f"train-{part:06d}.tar", "w") as archive:

            def add(name: str, data: bytes, archive: tarfile.TarFile = archive) -> None:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))

            for n in range(3 * part, 3 * part + 3):
                pixels, mask = _fabric.forged(n)
                edited = n % 2 == 1
                facts = {"label": LABELS[edited], "source": f"photo{n}", "licence": "CC0-1.0"}
                add(f"{n:06d}.png", _rows.encoded(pixels if edited else _fabric.scene(n), "PNG"))
                if edited:
                    add(f"{n:06d}.mask.png", _rows.encoded(mask, "PNG"))
                add(f"{n:06d}.json", json.dumps(facts | ({"kind": "splice"} if edited else {})).encode())
