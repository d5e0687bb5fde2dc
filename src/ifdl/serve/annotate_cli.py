"""`ifdl data annotate-pairs`: masks for a folder of manipulated pictures, from one of their originals or sources."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ifdl.intake import Decoder

LEFT_OUT, BAD_CALL = 1, 2
ROWS = "annotations.jsonl"
EPILOG = (
    "Example: ifdl data annotate-pairs originals/ edited/ --out pairs/   "
    "Exit codes: 0 every pair has a mask; 1 some were left out, annotations.jsonl says why; 2 no pairs."
)


def annotate_pairs(
    before: Annotated[Path, typer.Argument(help="Folder of originals, or of the sources of pasted parts.")],
    after: Annotated[Path, typer.Argument(help="Folder of manipulated pictures, each called as its original.")],
    out: Annotated[Path, typer.Option(help="A folder for pictures, masks and manifest; an interrupted run goes on.")],
    least: Annotated[float, typer.Option(min=0, max=1, help="Least quality of a mask that is kept, 0 to 1.")] = 0.5,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Draw masks from before and after: what differs, or which part of the one was put into the other.

    Pictures of a pair have the same path below their folders, extensions aside. The manifest holds the pairs with a
    mask of enough quality, pictures copied byte for byte; it can be checked, evaluated and converted as any other set.
    """
    from rich.console import Console

    from ifdl import intake
    from ifdl.data import manifest
    from ifdl.data._record import Record, by_stem
    from ifdl.serve.progress import bar
    from ifdl.serve.terminal import clean

    for folder in (before, after):
        if not folder.is_dir():
            _refuse(f"{folder} is no folder; name the folder of originals, then that of manipulated pictures")
    (ours, twice), (theirs, again) = by_stem(after), by_stem(before)
    pairs = sorted(ours.keys() & theirs.keys())
    if not pairs:
        _refuse(f"no picture of {after} is called as one of {before}; a pair has one name in both folders")
    console = Console(stderr=True, highlight=False)
    for path, others in (*twice, *again):
        console.print(clean(f"passed over: {path.name} has the name of {others}"), markup=False)
    if alone := len(ours.keys() ^ theirs.keys()):
        console.print(f"passed over, without a partner: {alone}")
    done = _read(out / ROWS)
    rows, records = [], []
    with intake.Decoder() as decoder, bar(console) as shown:
        task = shown.add_task("comparing", total=len(pairs)) if shown else None
        for name in pairs:
            row = _annotated(name, theirs[name], ours[name], out, done.get(name), decoder)
            if row != done.get(name):
                with (out / ROWS).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
            rows.append(row | {"kept": row["quality"] >= least and row["share"] > 0})
            if rows[-1]["kept"]:
                image, mask = _places(out, name, ours[name])
                extra = {"pair": row["pair"], "quality": row["quality"]}
                sources = (row["before"][:16],)
                records.append(
                    Record(image, "edited", mask, f"pair_{row['pair']}", sources, sha256=row["after"], extra=extra)
                )
            if shown and task is not None:
                shown.advance(task)
    manifest.write(records, out / manifest.FILE)
    if json_:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    for row in rows:
        if not row["kept"]:
            console.print(
                clean(f"left out: {row['name']}: {row['reason'] or _low(row['quality'], least)}"), markup=False
            )
    console.print(f"{len(records)} of {len(rows)} pairs have a mask: {out / manifest.FILE}", markup=False)
    if len(records) < len(rows):
        raise typer.Exit(LEFT_OUT)


def _annotated(
    name: str, before: Path, after: Path, out: Path, known: dict[str, Any] | None, decoder: Decoder
) -> dict[str, Any]:
    """One pair's row, taken over from an earlier run where the files are the same; its picture and mask are written."""
    import hashlib

    import numpy as np
    from PIL import Image

    from ifdl import intake
    from ifdl.signal.annotation import Kind, annotate

    row: dict[str, Any] = {"name": name, "before": "", "after": "", "pair": "", "quality": 0.0, "share": 0.0}
    try:
        files = [intake.read_source(path, decoder.limits)[0] for path in (before, after)]
        row |= {k: hashlib.sha256(data).hexdigest() for k, data in zip(("before", "after"), files, strict=True)}
        image, place = _places(out, name, after)
        if known and all(known[k] == row[k] for k in ("before", "after")) and (place.is_file() or not known["share"]):
            return known
        pixels = [decoder.decode(d, p.name).pixels for d, p in zip(files, (before, after), strict=True)]
    except intake.IntakeError as error:
        return row | {"reason": str(error)}
    found = annotate(pixels[0], pixels[1])
    row |= {"pair": str(found.kind), "quality": round(found.quality, 4), "share": round(float(found.mask.mean()), 6)}
    row["reason"] = ""
    if found.kind is Kind.NOTHING:
        row["reason"] = "the two have nothing in common that can be found"
    elif not found.mask.any():
        row["reason"] = "nothing differs that a re-save or a change of the whole picture does not explain"
    else:
        for path in (image, place):
            path.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(files[1])
        Image.fromarray(found.mask.astype(np.uint8) * 255).save(place, "PNG", optimize=True)
    return row


def _places(out: Path, name: str, after: Path) -> tuple[Path, Path]:
    """Where a pair's picture and mask lie."""
    return out / "images" / "edited" / f"{name}{after.suffix.lower()}", out / "masks" / "edited" / f"{name}.png"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run by name; a line cut off by an interruption is done again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            row = json.loads(line)
            found[row["name"]] = row
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _low(quality: float, least: float) -> str:
    return f"quality {quality:.2f} is below {least:g} (--least)"


def _refuse(sentence: str) -> None:
    print(f"ifdl: {sentence}", file=sys.stderr)
    raise typer.Exit(BAD_CALL)
