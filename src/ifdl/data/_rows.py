"""Sets that come as parquet shards: every row of a shard becomes picture files once, below `unpacked/`.

A record names a picture file, so that checks, training and other programs read it like any other: rows are
therefore written out, byte by byte as they are stored, the first time a shard is met (the set then needs as
much room again; the shard may be deleted afterwards):

    data/train-00000-of-00249.parquet
    unpacked/data/train-00000-of-00249/image/000017_<id>.png
    unpacked/data/train-00000-of-00249/mask/000017_<id>.png
    unpacked/data/train-00000-of-00249/rows.jsonl

Reading shards needs pyarrow, which the `hub` extra brings; an unpacked set needs nothing.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ifdl.data._record import Bad, pictures_below
from ifdl.intake.sniff import EXTENSIONS, picture_format

PLACE, LIST = "unpacked", "rows.jsonl"
IMAGE, MASK = "image", "mask"


@dataclass(frozen=True)
class Row:
    """One row: its picture, its mask if the shard has one, all other columns that were asked for, its shard."""

    image: Path
    mask: Path | None
    facts: Mapping[str, Any]
    shard: str


def rows(root: Path, names: re.Pattern[str], key: str, facts: tuple[str, ...]) -> Iterator[Row | Bad]:
    """Every row of the shards below `root` whose file is called `names`; `key` is the column of their id.

    Raises ImportError for a shard that is not unpacked yet where pyarrow is missing.
    """
    for folder, shard in _shards(root, names).items():
        if not (folder / LIST).is_file():
            _write(_read(shard, (key, *facts)), folder, key, (key, *facts))
        yield from _listed(folder, root)


def any_shards(root: Path, names: re.Pattern[str]) -> bool:
    """Whether `root` holds shards of that name, unpacked or not."""
    return bool(_shards(root, names))


def fabricate(root: Path, shard: str, key: str, made: list[dict[str, Any]]) -> None:
    """Write rows as a shard; where pyarrow is missing, as what the reader would have made of that shard."""
    path = root / shard
    cells = [{**row, IMAGE: {"bytes": row[IMAGE], "path": None}, MASK: {"bytes": row[MASK], "path": None}
              if row[MASK] else None} for row in made]  # fmt: skip
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        _write(cells, root / PLACE / Path(shard).with_suffix(""), key, tuple(k for k in made[0] if k != IMAGE))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist(cells), path)


def encoded(pixels: NDArray[np.uint8] | NDArray[np.bool_], picture_format: str, **options: Any) -> bytes:
    """A fabricated picture, or a mask as 0 and 255, as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels).save(
        buffer, picture_format, **options
    )
    return buffer.getvalue()


def _shards(root: Path, names: re.Pattern[str]) -> dict[Path, Path]:
    """Folder to which a shard is or will be unpacked → the shard, or its list where the shard itself is gone."""
    found = {folder.parent: folder for folder in sorted((root / PLACE).rglob(LIST))}
    for path in sorted(root.rglob("*.parquet")):
        inner = path.relative_to(root)
        if not any(part.startswith(".") for part in inner.parts):
            found[root / PLACE / inner.with_suffix("")] = path
    return {folder: shard for folder, shard in sorted(found.items()) if names.fullmatch(folder.name)}


def _read(shard: Path, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ImportError(
            f'{shard.name} is a parquet shard, and reading one needs pyarrow: pip install "ifdl[hub]"'
        ) from error
    with parquet.ParquetFile(shard) as file:
        there = set(file.schema_arrow.names)
        wanted = [name for name in dict.fromkeys((IMAGE, MASK, *columns)) if name in there]
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group, columns=wanted).to_pylist()


def _write(cells: Iterable[Mapping[str, Any]], folder: Path, key: str, facts: tuple[str, ...]) -> None:
    """Pictures, masks and their list, into a folder that appears only when it is whole."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / IMAGE).mkdir(parents=True)
    lines = []
    for number, row in enumerate(cells):
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(str(row.get(key))).stem)[:80]
        line: dict[str, Any] = {"facts": {name: row.get(name) for name in facts if name != MASK}}
        for column in (IMAGE, MASK):
            data = _bytes(row.get(column))
            if data:
                suffix = EXTENSIONS.get(picture_format(data) or "", ("bin",))[0]
                (part / column).mkdir(exist_ok=True)
                (part / column / f"{number:06d}_{stem}.{suffix}").write_bytes(data)
                line[column] = f"{number:06d}_{stem}.{suffix}"
        lines.append(json.dumps(line, ensure_ascii=False, default=str))
    (part / LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(folder)


def _bytes(cell: object) -> bytes | None:
    inner = cell.get("bytes") if isinstance(cell, Mapping) else cell
    return inner if isinstance(inner, bytes) else None


def _listed(folder: Path, root: Path) -> Iterator[Row | Bad]:
    shard = folder.relative_to(root / PLACE).as_posix()
    known: set[Path] = set()
    for number, text in enumerate((folder / LIST).read_text(encoding="utf-8").splitlines()):
        line = json.loads(text)
        if IMAGE not in line or not (folder / IMAGE / line[IMAGE]).is_file():
            yield Bad(f"{shard} row {number}", "its picture is missing")
            continue
        image, mask = folder / IMAGE / line[IMAGE], folder / MASK / line[MASK] if MASK in line else None
        known |= {image} | ({mask} if mask else set())
        yield Row(image, mask if mask and mask.is_file() else None, line["facts"], shard)
    for path in pictures_below(folder):
        if path not in known:
            yield Bad(path.relative_to(root).as_posix(), "is no picture or mask of its shard")
