"""From a Report to files. One file here is one format; none of them decides anything."""

from __future__ import annotations

import json as text
import os
from pathlib import Path

from ifdl.report import mask, overlay
from ifdl.report.html import to_html
from ifdl.report.json import SCHEMA_VERSION, error_row, schema, to_dict, to_json, to_line
from ifdl.report.parts import heat_maps
from ifdl.report.redact import redacted
from ifdl.types import Report

__all__ = [
    "SCHEMA_VERSION",
    "contents",
    "error_row",
    "redacted",
    "schema",
    "to_dict",
    "to_html",
    "to_json",
    "to_line",
    "write",
]


def write(report: Report, out: Path, full: bool = False) -> dict[str, Path]:
    """Write the report into the folder `out`, made if need be; gives each file's name and path.

    Always report.html and report.json; overlay.png and layers/<finding>.png if the picture is at hand;
    mask.png (stored pixels), mask_display.png and mask.json if the local-edit answer points anywhere.
    Masks and layers of an earlier report in the same folder go. Each file appears whole or not at all,
    report.json last. Private values are redacted unless `full`. No name derives from the picture's.
    """
    report = report if full else redacted(report)
    made = contents(report)
    out.mkdir(parents=True, exist_ok=True)
    for stale in _earlier(out):
        if stale.relative_to(out).as_posix() not in made:
            stale.unlink(missing_ok=True)
    return {name: _write_whole(out / name, data) for name, data in made.items()}


def contents(report: Report) -> dict[str, bytes]:
    """Every file that `write` writes, by its name; nothing is redacted here."""
    contents: dict[str, bytes] = {}
    picture = report.picture
    if picture is not None:
        contents["overlay.png"] = overlay.png(overlay.overlay(picture, report.verdict))
        for name, heat in heat_maps(report):
            contents[f"layers/{name}.png"] = overlay.layer_png(heat, picture)
    stored, shown = mask.union(report), mask.displayed(report)
    if stored is not None and shown is not None:
        contents["mask.png"], contents["mask_display.png"] = overlay.png(stored), overlay.png(shown)
        contents["mask.json"] = (text.dumps(mask.to_coco(report), ensure_ascii=False) + "\n").encode()
    contents["report.html"] = to_html(report, full=True).encode()
    contents["report.json"] = (to_json(report) + "\n").encode()
    return contents


def _earlier(out: Path) -> list[Path]:
    """Files that an earlier report left in this folder; nothing unless a whole report lies there."""
    if not ((out / "report.json").is_file() and (out / "report.html").is_file()):
        return []
    masks = [out / name for name in ("overlay.png", "mask.png", "mask_display.png", "mask.json")]
    return [path for path in masks if path.exists()] + sorted((out / "layers").glob("*.png"))


def _write_whole(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
