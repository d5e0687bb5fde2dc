"""From a SOURCE to encoded pictures: folders, globs, lists, tar archives, object stores.

`pieces` says where pictures are, cheaply: lists of addresses, or one archive, never one listing call a picture.
`items` reads one piece; on a cluster that happens where the work is done. Nothing is decoded here.
"""

from __future__ import annotations

import glob
import hashlib
import itertools
import json
import re
import tarfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias

from ifdl.data import manifest
from ifdl.data._record import SUFFIXES, Bad
from ifdl.data.shards import MASKS
from ifdl.intake import IntakeError, Limits, is_pdf, read_source
from ifdl.intake.errors import Corrupt, FileTooLarge, Missing, UnsupportedFormat
from ifdl.serve import sources

# Web addresses are not among them: what they give can change, and fetching strangers' links needs its own guard.
STORES = ("s3", "gs", "gcs", "abfs", "abfss", "az", "file", "memory")
SCHEME = re.compile(r"^([a-z0-9]+)://", re.IGNORECASE)
LISTS = (".txt", ".jsonl", ".json")
PIECE = 16  # addresses read one after the other

Piece: TypeAlias = "tuple[Address, ...]"


@dataclass(frozen=True)
class Address:
    """Where a picture, or an archive of pictures, lies: a path or URI; `wrong` if a list's line names none."""

    uri: str
    wrong: str = ""

    @property
    def is_archive(self) -> bool:
        return self.uri.lower().endswith(".tar")


@dataclass(frozen=True)
class Item:
    """One picture file: its address, and its bytes or why there are none. `seconds` went into reading it."""

    uri: str
    data: bytes = field(default=b"", repr=False)
    error: IntakeError | None = None
    seconds: float = 0.0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def pieces(wanted: Sequence[str]) -> Iterator[Piece]:
    """Where the pictures of all sources are. An archive is a piece of its own.

    Raises ValueError for a source that cannot be used, ImportError for one that needs an extra.
    """
    waiting: list[Address] = []
    for address in itertools.chain.from_iterable(map(_addresses, wanted)):
        if address.is_archive:
            yield (address,)
            continue
        waiting.append(address)
        if len(waiting) == PIECE:
            yield tuple(waiting)
            waiting = []
    if waiting:
        yield tuple(waiting)


def items(piece: Piece, limits: Limits) -> Iterator[Item]:
    """The pictures of one piece, read one at a time. What cannot be read is an item with its error."""
    for address in piece:
        if address.wrong:
            yield Item(address.uri, error=Missing(address.uri, address.wrong))
        elif address.is_archive:
            yield from _members(address.uri, limits)
        else:
            yield _item(address.uri, limits)


# ---------------------------------------------------------------- where


def _addresses(source: str) -> Iterable[Address]:
    scheme = SCHEME.match(source)
    if scheme:
        return _stored(source, scheme[1].lower())
    path = Path(source)
    if path.suffix.lower() in (".gz", ".tgz", ".zip", ".zst", ".7z") and path.is_file():
        raise ValueError(f"{source} is a compressed archive; unpack it, or make a plain .tar of it")
    if path.is_dir():
        return map(Address, sorted([*sources.expand([source]), *map(str, _archives(path))]))
    if path.suffix.lower() in LISTS and path.is_file():
        return _listed(path.read_text(encoding="utf-8"), path)
    if not path.exists() and glob.has_magic(source):
        return map(Address, sorted(sources.expand([source])))
    if not path.exists():
        raise ValueError(f"there is nothing at {source}; check the path")
    return (Address(source),)


def _archives(folder: Path) -> Iterator[Path]:
    return (p for p in folder.rglob("*.tar") if p.is_file() and not p.is_symlink() and not p.name.startswith("."))


def _listed(text: str, place: Path) -> Iterator[Address]:
    """The pictures a list names.

    The lines of a .txt are paths beside it, or addresses of a store: whoever runs the batch vouches for them. A
    manifest may come from elsewhere: its paths stay below its folder.
    """
    if place.suffix.lower() == ".json":
        yield from (
            Address(r.name, r.reason) if isinstance(r, Bad) else Address(str(r.image)) for r in manifest.records(place)
        )
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if place.suffix.lower() == ".txt":
            _known(line)
            yield Address(line if SCHEME.match(line) else str(place.parent / line))
            continue
        where = f"{place.name}, line {number}"
        try:
            named = json.loads(line)["image"]
            yield Address(str(manifest._place(place.parent, named, absolute=False)))
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            why = str(error) if isinstance(error, ValueError) else "names no picture (`image`)"
            yield Address(where, f"{why}.")


# ---------------------------------------------------------------- object stores


def _stored(source: str, scheme: str) -> Iterator[Address]:
    _known(source)
    files, path = _filesystem(source)
    if path.lower().endswith(".txt"):
        folder = source.rpartition("/")[0]
        for line in files.cat_file(path).decode("utf-8").split("\n"):
            if line.strip():
                _known(line)
                yield Address(line if SCHEME.match(line) else f"{folder}/{line.strip()}")
        return
    if glob.has_magic(path):
        names = files.glob(path)
    elif files.isdir(path):
        names = [n for n in files.find(path) if PurePosixPath(n).suffix.lower() in (*SUFFIXES, ".tar")]
    else:
        yield Address(source)
        return
    for name in sorted(names):
        yield Address(f"{scheme}://{str(name).removeprefix(f'{scheme}://')}")


def _known(uri: str) -> None:
    scheme = SCHEME.match(uri)
    if scheme and scheme[1].lower() not in STORES:
        raise ValueError(f"{uri}: {scheme[1]} is none of the stores {', '.join(STORES)}; fetch the files first")


def _filesystem(uri: str) -> tuple[Any, str]:
    try:
        import fsspec

        files, path = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        raise ImportError(f'{uri} needs the cloud extra: pip install "ifdl[cloud]" ({error})') from error
    return files, path


# ---------------------------------------------------------------- reading


def _item(uri: str, limits: Limits) -> Item:
    began = time.perf_counter()
    try:
        data = _fetched(uri, limits) if SCHEME.match(uri) else read_source(uri, limits)[0]
        return Item(uri, _checked(uri, data), seconds=time.perf_counter() - began)
    except IntakeError as error:
        return Item(uri, error=error, seconds=time.perf_counter() - began)


def _opened(uri: str) -> IO[bytes]:
    if not SCHEME.match(uri):
        return Path(uri).open("rb")
    files, path = _filesystem(uri)
    opened: IO[bytes] = files.open(path, "rb")
    return opened


def _fetched(uri: str, limits: Limits) -> bytes:
    try:
        with _opened(uri) as file:
            data = file.read(limits.file_bytes + 1)
    except ImportError:
        raise
    except Exception as error:  # every store has its own errors
        raise Missing(uri, f"the store does not give it ({type(error).__name__}: {error}).") from error
    if len(data) > limits.file_bytes:
        raise _too_large(uri, limits)
    return data


def _checked(name: str, data: bytes) -> bytes:
    if is_pdf(data):
        raise UnsupportedFormat(name, "a PDF file, which is no single picture; use `ifdl examine` for its pages.")
    return data


def _too_large(name: str, limits: Limits) -> FileTooLarge:
    return FileTooLarge(name, f"over the limit of {limits.file_bytes:,} bytes; raise --max-megabytes if you trust it.")


def _members(uri: str, limits: Limits) -> Iterator[Item]:
    """The pictures of a tar archive, by webdataset's convention; masks, texts, links and devices are passed over."""
    try:
        with _opened(uri) as file, tarfile.open(fileobj=file, mode="r|") as archive:
            began = time.perf_counter()
            for member in archive:
                stem, _, ending = PurePosixPath(member.name).name.partition(".")
                parts = ending.lower().split(".")
                if not member.isfile() or not stem or f".{parts[-1]}" not in SUFFIXES or set(parts[:-1]) & set(MASKS):
                    continue
                name = f"{uri}::{member.name}"
                if member.size > limits.file_bytes:
                    yield Item(name, error=_too_large(name, limits))
                else:
                    content = archive.extractfile(member)
                    data = content.read() if content else b""
                    yield Item(name, data, seconds=time.perf_counter() - began)
                began = time.perf_counter()
    except (OSError, EOFError, tarfile.TarError) as error:
        yield Item(uri, error=Corrupt(uri, f"the archive cannot be read to its end ({error})."))
