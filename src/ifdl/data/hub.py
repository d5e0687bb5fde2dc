"""A data set of the Hugging Face hub, whose columns you name; streamed, and kept as files.

ROOT is a folder with `hub.json` (or that file):

    {"dataset": "owner/name", "revision": "<commit>", "split": "train", "take": 1000,
     "columns": {"image": "image", "mask": "mask", "label": "label", "key": "id", "source": "source"},
     "labels": {"0": "authentic", "1": "edited"}}

Only `dataset` (or a folder that the `datasets` library reads) and `columns.image` must be there; `label` instead of
`labels` gives all pictures one label, and `config` names a configuration. The first reading streams `take` rows (all,
if it is left out) and writes their pictures as they are stored below `unpacked/`; afterwards neither the network nor
the library is needed. That needs the `hub` extra; no code of a data set is ever run. This is the one reader that
fetches anything, and it fetches what `hub.json` names: read that set's terms first.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ifdl.data import _fabric, _rows
from ifdl.data._record import LABELS, Bad, Record, need
from ifdl.types import Card

FILE = "hub.json"

CARD = Card(
    id="hub",
    title="A data set of the Hugging Face hub, with the columns you name",
    citation="as that set says",
    domain=(
        "How to obtain: write hub.json (data set, split, columns, labels) into a folder of its own; the first reading "
        'streams what it names. That needs pip install "ifdl[hub]", and your own consent to that set\'s terms.'
    ),
    limits=(
        "Without `revision` the set may change below you: name a commit.",
        "Without a `source` column each picture counts as its own: no split by source is possible.",
        "Whether a mask's white is what was edited, nobody checks but you: look at some, and run `ifdl data check`.",
    ),
    licence="as that set says",
)


@dataclass(frozen=True)
class Wanted:
    """What `hub.json` says."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    dataset: str
    columns: dict[str, str]
    split: str = "train"
    revision: str | None = None
    config: str | None = None
    take: int | None = None
    label: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    licence: str = ""

    def __post_init__(self) -> None:
        unknown = set(self.columns) - {"image", "mask", "label", "key", "source", "kind"}
        if unknown or "image" not in self.columns:
            raise ValueError("columns names image, and may name mask, label, key, source and kind")
        if ("label" in self.columns) == (self.label is not None):
            raise ValueError("name a label column, or one label for all")
        if wrong := ({*self.labels.values(), self.label} - {None, *LABELS}):
            raise ValueError(f"{', '.join(map(str, wrong))} is no label; there are {', '.join(LABELS)}")

    def folder(self, home: Path) -> Path:
        """Where its pictures are kept: another place whenever anything of it changes."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{self.dataset}_{self.split}").strip("_")[-60:]
        return home / _rows.PLACE / f"{name}-{digest}"


def records(root: Path) -> Iterator[Record | Bad]:
    """Every row that `hub.json` wants. Raises ImportError where it must be streamed and the extra is missing."""
    path = root / FILE if root.is_dir() else root
    need(root, path.is_file() and path.suffix == ".json", f"{FILE}, which names a data set of the hub and its columns")
    try:
        wanted = _ADAPTER.validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path.name}: " + "; ".join(e["msg"] for e in error.errors())) from error
    folder = wanted.folder(path.parent)
    if not (folder / _rows.LIST).is_file():
        _rows._write(_cells(wanted), folder, "key", _facts(wanted))
    for row in _rows._listed(folder, path.parent):
        yield row if isinstance(row, Bad) else _record(row, wanted, path.parent)


def _record(row: _rows.Row, wanted: Wanted, home: Path) -> Record | Bad:
    name, said = row.image.relative_to(home).as_posix(), row.facts.get("label")
    label = wanted.label or wanted.labels.get(str(said), str(said))
    if label not in LABELS:
        return Bad(name, f"has the label {said!r}, which `labels` does not translate")
    source = row.facts.get("source")
    kind = row.facts.get("kind")
    return Record(
        image=row.image,
        label=label,
        mask=row.mask if label == "edited" else None,
        kind=None if kind is None else str(kind),
        sources=() if source is None else (str(source),),
        licence=wanted.licence,
        split=wanted.split,
        name=name,
        extra={"dataset": wanted.dataset, "revision": wanted.revision, "key": row.facts.get("key")},
    )


def _facts(wanted: Wanted) -> tuple[str, ...]:
    return tuple(name for name in ("key", "label", "source", "kind") if name in wanted.columns or name == "key")


def _cells(wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Rows as they come, their pictures undecoded."""
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise ImportError(f'streaming {wanted.dataset} needs the `hub` extra: pip install "ifdl[hub]"') from error
    stream = datasets.load_dataset(
        wanted.dataset, wanted.config, split=wanted.split, revision=wanted.revision, streaming=True
    )
    for name in (_rows.IMAGE, _rows.MASK):
        if name in wanted.columns:
            stream = stream.cast_column(wanted.columns[name], datasets.Image(decode=False))
    for number, row in enumerate(islice(stream, wanted.take)):
        if missing := [column for column in wanted.columns.values() if column not in row]:
            raise ValueError(f"{wanted.dataset} has no column {', '.join(missing)}; it has {', '.join(row)}")
        yield {"key": number} | {name: _local(row[column]) for name, column in wanted.columns.items()}


def _local(cell: Any) -> Any:
    """A picture's cell with its bytes, also where the set is a folder on this disk and the cell names a file."""
    if isinstance(cell, dict) and cell.get("bytes") is None and cell.get("path") and Path(cell["path"]).is_file():
        return {"bytes": Path(cell["path"]).read_bytes(), "path": None}
    return cell


def fabricate(root: Path) -> None:
    """Six fake pictures, as the first reading would have kept them."""
    wanted = Wanted("nobody/fabricated", {"image": "img", "mask": "truth", "label": "y", "source": "photo"},
                    labels={"0": "authentic", "1": "edited"}, revision="0" * 40)  # fmt: skip
    root.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(json.dumps(asdict(wanted), indent=1), encoding="utf-8")
    _rows._write(_fabricated(), wanted.folder(root), "key", _facts(wanted))


def _fabricated() -> Iterator[dict[str, Any]]:
    for n in range(6):
        pixels, mask = _fabric.forged(n)
        edited = n % 2
        yield {
            "key": n,
            "image": {"bytes": _rows.encoded(pixels if edited else _fabric.scene(n), "PNG"), "path": None},
            "mask": {"bytes": _rows.encoded(mask, "PNG"), "path": None} if edited else None,
            "label": edited,
            "source": f"photo{n}",
        }


_ADAPTER = TypeAdapter(Wanted)
