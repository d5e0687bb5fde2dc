"""What `ifdl doctor` looks at: versions, formats, limits, extras, and one decode in the child."""

from __future__ import annotations

import importlib.util
import io
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console

import ifdl
from ifdl import intake
from ifdl.spine import LIBRARIES

EXTRAS = {
    "heif": ("pillow_heif", "HEIC pictures"),
    "pdf": ("pypdfium2", "PDF files and reports"),
    "trace": ("faiss", "archives of more than some hundred pictures"),
    "train": ("torch", "training"),
    "serve": ("fastapi", "the local page"),
}
LIMITS = {
    "seconds": "time limit for decoding",
    "memory": "memory limit for decoding",
    "pixels": "pixel limit",
    "file_bytes": "file size limit",
    "no_file_writes": "decoder may not write files",
    "no_core_dumps": "decoder leaves no core dumps",
}


@dataclass(frozen=True)
class Row:
    """One check. `needed` False marks what only some people want."""

    what: str
    ok: bool
    detail: str
    needed: bool = True


def run() -> list[Row]:
    """All checks, in the order shown."""
    rows = [
        Row("ifdl", True, ifdl.__version__),
        Row("Python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}"),
    ]
    for library in LIBRARIES:
        try:
            rows.append(Row(library, True, version(library)))
        except PackageNotFoundError:
            rows.append(Row(library, False, "missing; reinstall with `pip install ifdl`"))
    rows += [_decode(), *_formats(), *_limits()]
    for extra, (module, purpose) in EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        detail = "installed" if there else f'only for {purpose}: pip install "ifdl[{extra}]"'
        rows.append(Row(f"extra {extra}", there, detail, needed=False))
    return rows


def show(rows: list[Row], console: Console) -> None:
    """One line a check."""
    for row in rows:
        mark = "ok" if row.ok else ("MISSING" if row.needed else "-")
        console.print(f"{mark:8}{row.what:32}{row.detail}", markup=False, soft_wrap=True)


def _decode() -> Row:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), (120, 80, 40)).save(buffer, "JPEG")
    try:
        picture = intake.load(buffer.getvalue())
    except intake.IntakeError as error:
        return Row("decoding in a child process", False, str(error))
    return Row("decoding in a child process", picture.width == 32, picture.item.decoder)


def _formats() -> list[Row]:
    from PIL import features

    webp, avif = bool(features.check("webp")), bool(features.check("avif"))
    return [
        Row("JPEG, PNG, TIFF, BMP, GIF", bool(features.check("jpg") and features.check("zlib")), "read"),
        Row("WebP", webp, "read" if webp else "this build of Pillow reads no WebP"),
        Row("AVIF", avif, "read" if avif else "needs Pillow 11.3", needed=False),
    ]


def _limits() -> list[Row]:
    rows = []
    for name, enforced in intake.enforced_limits().items():
        detail = "enforced" if enforced else f"{platform.system()} does not enforce it; the other limits still hold"
        rows.append(Row(LIMITS[name], enforced, detail, needed=False))
    return rows
