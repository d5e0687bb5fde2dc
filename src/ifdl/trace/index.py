"""An archive's index: one folder that holds every picture's facts and local features, and can be added to.

`facts.sqlite` has one row a picture; `features-N.bin` the features of all, appended, 140 bytes each. A picture counts
once its row is committed, which is after its features reached the disk: whatever lies behind the committed end was cut
off by an interruption and is overwritten. What is committed never moves, so that an index can be asked while it grows;
once most of it belongs to pictures that were removed, a new file is written. Opened, the features are mapped, not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl import intake
from ifdl.evidence.hashes import phash
from ifdl.intake.errors import IntakeError
from ifdl.intake.sniff import EXTENSIONS
from ifdl.trace import features, near
from ifdl.trace.features import Extractor, Features, RootSift
from ifdl.types import Item

FORMAT = 2
ROOTSIFT = RootSift()
PICTURES = {f".{extension}" for extensions in EXTENSIONS.values() for extension in extensions}
AT_ONCE = 64  # pictures of one commit
SPARE = 100_000  # features of removed pictures that are never worth a new file
SIDE = 8  # of a layout
TABLE = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pictures (
  path BLOB PRIMARY KEY, length INTEGER, modified INTEGER, sha256 TEXT, phash TEXT, mirrored_phash TEXT, layout BLOB,
  width INTEGER, height INTEGER, format TEXT, dated TEXT, camera TEXT, first INTEGER, count INTEGER, error TEXT);
CREATE INDEX IF NOT EXISTS by_sha256 ON pictures (sha256);
"""


@dataclass(frozen=True)
class Entry:
    """One picture of the archive. `length` is in bytes, `modified` in nanoseconds; `first` and `count` say which
    features are its own; `dated` and `camera` are the file's words."""

    path: str
    length: int
    modified: int
    sha256: str = ""
    phash: str = ""
    mirrored_phash: str = ""
    layout: bytes = b""
    width: int = 0
    height: int = 0
    format: str = ""
    dated: str = ""
    camera: str = ""
    first: int = 0
    count: int = 0
    error: str = ""


NAMES = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True)
class Counts:
    """What an update did."""

    added: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0


class BadIndex(ValueError):
    """A folder that is no index, or of another version."""


class Index:
    """An index opened to be asked, or, with `write`, to be changed by one process at a time.

    `extractor` is the kind of features it was or will be made of.
    """

    def __init__(self, place: Path, write: bool = False, extractor: Extractor = ROOTSIFT) -> None:
        self.place, self.extractor = place, extractor
        # Packed, so a feature takes no byte more than it needs.
        self.row = np.dtype(
            [("place", "<f4", (2,)), ("size", "<f2"), ("turn", "<f2"), ("word", "u1", (extractor.width,))]
        )
        facts = place / "facts.sqlite"
        if not write and not facts.is_file():
            raise BadIndex(f"{place} is no index; make one with: ifdl index ARCHIVE --out {place}")
        if write and place.is_dir() and not facts.exists() and any(place.iterdir()):
            raise BadIndex(f"{place} is a folder of something else; name a new one for the index")
        place.mkdir(parents=True, exist_ok=True)
        self._decoder: intake.Decoder | None = None
        self._cells: tuple[int, near.Cells | None] | None = None
        # Not opened read-only even to ask: SQLite may have to undo what a killed writer left half done.
        address = f"{facts.resolve().as_uri()}?mode={'rwc' if write else 'rw'}"
        self._facts = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)
        try:
            if write:
                self._facts.executescript(TABLE)
            self._check(write)
            self._read()
        except sqlite3.DatabaseError as error:
            self._facts.close()
            raise BadIndex(f"{place} is no index, or cannot be opened: {error}") from error
        except BadIndex:
            self._facts.close()
            raise

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._facts.close()
        if self._decoder is not None:
            self._decoder.close()

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def generation(self) -> str:
        """Which file of features it is: within one, a feature's number never changes."""
        return self._file.split("-")[1].split(".")[0]

    def features(self, entry: Entry) -> Features:
        """The features of one picture."""
        rows = self.rows[entry.first : entry.first + entry.count]
        sizes, turns = (np.array(rows[name], np.float32) for name in ("size", "turn"))
        return Features(np.array(rows["place"]), sizes, turns, np.array(rows["word"]), self.extractor.middle)

    def pixels(self, entry: Entry) -> NDArray[np.uint8] | None:
        """The pixels of the archive's file; None where it is gone or no longer the one that was indexed."""
        if self._decoder is None:
            self._decoder = intake.Decoder()
        try:
            data, name = intake.read_source(entry.path, self._decoder.limits)
            if hashlib.sha256(data).hexdigest() != entry.sha256:
                return None
            return self._decoder.decode(data, name).pixels
        except IntakeError:
            return None

    def blocks(self, most: int = 16_384) -> Iterator[tuple[int, int, NDArray[np.uint8], NDArray[np.intp]]]:
        """(first picture, picture after the last, words N×width, where each picture's begin), whole pictures a time."""
        at = 0
        while at < len(self.entries):
            end, count = at + 1, self.entries[at].count
            after = self.entries[at].first + count
            # Neighbours on disk only: removed pictures leave gaps.
            while end < len(self.entries) and self.entries[end].first == after:
                if count + self.entries[end].count > most:
                    break
                count += self.entries[end].count
                after += self.entries[end].count
                end += 1
            first = self.entries[at].first
            words = np.ascontiguousarray(self.rows["word"][first : first + count])
            starts = np.array([e.first - first for e in self.entries[at:end]], np.intp)
            yield at, end, words, starts
            at = end

    def owners(self) -> NDArray[np.int32]:
        """The number of the picture that each feature of the file belongs to; -1 for those of removed ones."""
        found = np.full(len(self.rows), -1, np.int32)
        for n, entry in enumerate(self.entries):
            found[entry.first : entry.first + entry.count] = n
        return found

    @property
    def cells(self) -> near.Cells | None:
        """What finds the nearest features without looking at all of them; None where all must be looked at."""
        if self._cells is None or self._cells[0] != len(self.rows):
            self._cells = len(self.rows), near.opened(self)
        return self._cells[1]

    def errors(self) -> list[tuple[str, str]]:
        """(path, why) of every file that could not be indexed."""
        found = self._facts.execute("SELECT path, error FROM pictures WHERE error != '' ORDER BY path")
        return [(os.fsdecode(path), str(error)) for path, error in found]

    # ------------------------------------------------------------ change

    def update(
        self,
        files: Iterable[Path],
        remove: Iterable[str] = (),
        told: Callable[[int], None] = lambda n: None,
        workers: int = 2,
    ) -> Counts:
        """Take in new and changed files and drop those of `remove`; `told` hears how many files are done.

        A file that cannot be read becomes a row with its error; what is done stays done after an interruption.
        """
        asked = list(dict.fromkeys(files))
        known = {
            os.fsdecode(path): (size, when)
            for path, size, when in self._facts.execute("SELECT path, length, modified FROM pictures")
        }
        gone = [path for path in dict.fromkeys(remove) if path in known]
        with self._change():
            self._facts.executemany("DELETE FROM pictures WHERE path = ?", [(os.fsencode(path),) for path in gone])
        new = [f for f in asked if str(f) in gone or known.get(str(f)) != _stamp(f)]
        told(len(asked) - len(new))
        added = failed = 0
        made: list[tuple[Entry, Features]] = []
        for number, one in enumerate(intake.Pool(workers=workers).map(self._made, new), 1):
            made.append(one)
            if len(made) == AT_ONCE or number == len(new):
                self._append(made)
                failed += sum(bool(entry.error) for entry, _ in made)
                added += sum(not entry.error for entry, _ in made)
                told(len(made))
                made = []
        self._read()
        if len(self.rows) > 2 * sum(e.count for e in self.entries) + SPARE:
            self._compact()
        return Counts(added, len(asked) - len(new), len(gone), failed)

    def _made(self, decoder: intake.Decoder, file: Path) -> tuple[Entry, Features]:
        """A file's facts and features; a file that cannot be read has an error and none."""
        size, when = _stamp(file)
        none = features.nothing(self.extractor.width, self.extractor.middle)
        try:
            picture = decoder.decode(*intake.read_source(file, decoder.limits))
        except IntakeError as error:
            why = str(error).encode("utf-8", "backslashreplace").decode() or type(error).__name__
            return Entry(str(file), size, when, error=why), none
        item = picture.item
        hashes = [phash(picture.pixels), phash(picture.pixels[:, ::-1])]
        entry = Entry(
            path=str(file),
            length=size,
            modified=when,
            sha256=item.sha256,
            phash="" if hashes[0] is None else f"{hashes[0]:016x}",
            mirrored_phash="" if hashes[1] is None else f"{hashes[1]:016x}",
            layout=layout(picture.pixels).tobytes(),
            width=picture.width,
            height=picture.height,
            format=item.format,
            dated=dated(item),
            camera=camera(item),
        )
        return entry, self.extractor.extract(picture.pixels, features.INDEXED)

    def _append(self, made: list[tuple[Entry, Features]]) -> None:
        with self._change():  # held from here on, so that a second writer waits and then sees the new end
            name, first = self._about("file"), int(self._about("end"))
            rows = []
            with (self.place / name).open("r+b") as file:
                file.seek(first * self.row.itemsize)
                for entry, own in made:
                    packed = np.zeros(len(own), self.row)
                    packed["place"], packed["size"], packed["turn"] = own.places, own.sizes, own.turns
                    packed["word"] = own.words
                    file.write(packed.tobytes())
                    rows.append(replace(entry, first=first, count=len(own)))
                    first += len(own)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            self._insert(rows)
            self._tell("end", str(first))

    def _compact(self) -> None:
        """Write the features still wanted to a new file; one step then says that this is the one that counts."""
        with self._change():
            self._read()
            old, new = self._file, f"features-{int(self.generation) + 1}.bin"
            first, rows = 0, []
            with (self.place / new).open("wb") as file:
                for entry in self.entries:
                    file.write(self.rows[entry.first : entry.first + entry.count].tobytes())
                    rows.append(replace(entry, first=first))
                    first += entry.count
                file.flush()
                os.fsync(file.fileno())
            self._insert(rows)
            self._tell("file", new)
            self._tell("end", str(first))
        self._read()
        (self.place / old).unlink()

    def _insert(self, rows: list[Entry]) -> None:
        marks = ", ".join("?" * len(NAMES))
        # Paths as bytes: a file's name need not be text.
        values = [(os.fsencode(e.path), *(getattr(e, name) for name in NAMES[1:])) for e in rows]
        self._facts.executemany(f"INSERT OR REPLACE INTO pictures ({', '.join(NAMES)}) VALUES ({marks})", values)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One step that is done whole or not at all."""
        try:
            self._facts.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise BadIndex(f"{self.place} cannot be changed now: {error}") from error
        try:
            yield
        except BaseException:
            self._facts.execute("ROLLBACK")
            raise
        self._facts.execute("COMMIT")

    def _about(self, key: str) -> str:
        found = self._facts.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
        return "" if found is None else str(found[0])

    def _tell(self, key: str, value: str) -> None:
        self._facts.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))

    # ------------------------------------------------------------ opening

    def _check(self, write: bool) -> None:
        own = json.dumps({"format": FORMAT, "features": self.extractor.name})
        found = self._about("made")
        if not found and write:
            with self._change():
                (self.place / "features-0.bin").touch()
                self._tell("file", "features-0.bin")
                self._tell("end", "0")
                self._tell("made", own)
        elif found != own:
            raise BadIndex(
                f"{self.place} was made otherwise ({found or 'by nobody known'}; asked for {own}): index again"
            )
        if write:  # what a killed writer left of a file that never came to count, or of one that no longer does
            for stray in self.place.glob("features-*.bin"):
                if stray.name != self._about("file"):
                    stray.unlink()

    def _read(self) -> None:
        rows = self._facts.execute(
            f"SELECT {', '.join(NAMES)} FROM pictures WHERE error = '' ORDER BY first, count, path"
        )
        self.entries = [Entry(os.fsdecode(row[0]), *row[1:]) for row in rows]
        self._file = self._about("file")
        file, end = self.place / self._file, int(self._about("end"))
        needed = max((e.first + e.count for e in self.entries), default=0)
        if needed > end or (end and (not file.is_file() or file.stat().st_size < end * self.row.itemsize)):
            raise BadIndex(f"{file} is shorter than its facts say: index again")
        self.rows = np.memmap(file, self.row, "r", shape=(end,)) if end else np.zeros(0, self.row)


def layout(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as a whole, uint8 8×8×3: Lab of a thumbnail, which says how light and colour are spread."""
    small = cv2.resize(np.ascontiguousarray(pixels), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), np.uint8)


def dated(item: Item) -> str:
    """When the picture was taken or made, by the file's own word; empty where it says nothing."""
    names = ("DateTimeOriginal", "exif:DateTimeOriginal", "CreateDate", "xmp:CreateDate", "photoshop:DateCreated")
    return next(iter(item.metadata.all(*names)), "")[:40]


def camera(item: Item) -> str:
    """Make and model of the camera, by the file's own word; empty where it does not name both."""
    make, model = item.metadata.get("EXIF", "Make"), item.metadata.get("EXIF", "Model")
    return f"{make} {model}"[:80] if make and model else ""


def pictures(place: Path) -> list[Path]:
    """Every picture file of a folder, at any depth, in a stable order; a file stands for itself."""
    if place.is_file():
        return [place.resolve()]
    if not place.is_dir():
        raise FileNotFoundError(f"{place} is neither a file nor a folder")
    found = (p for p in place.rglob("*") if p.suffix.lower() in PICTURES and p.is_file() and not p.is_symlink())
    return sorted(p.resolve() for p in found)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        about = file.stat()
    except OSError:
        return -1, -1
    return about.st_size, about.st_mtime_ns
