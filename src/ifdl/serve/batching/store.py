"""What is done, so that a kill loses nothing and doubles nothing.

Parquet cannot be added to. Rows are collected and written as immutable parts, each there whole or not at all, into
`<out>.parts/`; at the end all parts, and an earlier table, become one table, and the parts go. A row's key is
(sha256, pipeline). Of two rows with a key the later one holds, and names under which the same bytes were met are in
its `also`. A file that could not be read has no sha256: its key is its address, until it can be read.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ifdl.serve.batching.table import ERROR, SEEN, Row, plain, schema

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ("sha256", "uri", "also", "pipeline", "status")
GROUP = 10_000  # rows in a row group of the finished table
SECONDS = 60.0  # a part is written after so long, however few rows there are

Key = tuple[str, str]


class Store:
    """The table `out` while it grows. One process at a time: a second one is refused."""

    def __init__(self, out: Path, pipeline: str, part_rows: int = 256, retry: bool = False) -> None:
        """Read what is done. With `retry` rows with errors count as not done. Raises ValueError if it is in use."""
        schema()
        self.out, self.parts = out, parts_of(out)
        self.pipeline, self.part_rows = pipeline, part_rows
        self.parts.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.parts / "lock")
        self.done: set[bytes] = set()  # sha256, raw: a million take about 0.1 GB
        self._names: set[int] = set()
        self._unread: set[str] = set()
        self._rows: list[Row] = []
        self._written = time.monotonic()
        for draft in self.parts.glob("*.draft"):
            draft.unlink()
        for _, keys in self._keys():
            self._learn(keys, retry)
        self._next = 1 + max((int(p.stem) for p in self._files()), default=0)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()
        self._lock.close()

    def add(self, row: Row) -> None:
        """Take a finished row; a part is written now and then."""
        self._rows.append({"pipeline": self.pipeline, **row})
        if row["sha256"]:
            self.done.add(bytes.fromhex(row["sha256"]))
            self._names.add(hash((row["sha256"], row["uri"])))
        else:
            self._unread.add(row["uri"])
        if len(self._rows) >= self.part_rows or time.monotonic() - self._written > SECONDS:
            self.flush()

    def seen(self, sha256: str, uri: str) -> None:
        """The bytes of a done row were met under that name; noted unless it is known."""
        uri = plain(uri)
        if hash((sha256, uri)) not in self._names or uri in self._unread:
            self._unread.discard(uri)
            self.add({"sha256": sha256, "uri": uri, "status": SEEN})

    def flush(self) -> None:
        """Write the collected rows as a part."""
        self._written = time.monotonic()
        if self._rows:
            import pyarrow as pa

            table = pa.Table.from_pylist(self._rows, schema=schema())
            _write(self.parts / f"{self._next:08d}.parquet", iter([table]))
            self._next, self._rows = self._next + 1, []

    def finish(self) -> int:
        """Make one table of all there is, and drop the parts; returns its number of rows."""
        self.flush()
        held, also = self._winners()
        count = 0

        def groups() -> Iterator[pa.Table]:
            nonlocal count
            import pyarrow as pa

            waiting: list[pa.Table] = []
            for path in self._all():
                table = _read(path).filter(pa.array(held[path]))
                if also:
                    rows = [self._merged(row, also) for row in table.to_pylist()]
                    table = pa.Table.from_pylist(rows, schema=schema())
                count += len(table)
                waiting.append(table)
                if sum(map(len, waiting)) >= GROUP:
                    yield pa.concat_tables(waiting)
                    waiting = []
            if waiting:
                yield pa.concat_tables(waiting)

        _write(self.out, groups())
        self._lock.close()
        shutil.rmtree(self.parts)
        return count

    # ------------------------------------------------------------ inside

    def _files(self) -> list[Path]:
        return sorted(self.parts.glob("*.parquet"))

    def _all(self) -> list[Path]:
        """The earlier table and all parts, oldest first."""
        return [*([self.out] if self.out.exists() else []), *self._files()]

    def _keys(self) -> Iterator[tuple[Path, list[Row]]]:
        for path in self._all():
            yield path, _read(path, KEYS).to_pylist()

    def _learn(self, keys: list[Row], retry: bool) -> None:
        for row in keys:
            if row["pipeline"] != self.pipeline:
                continue
            if row["sha256"] is None:
                self._unread.add(row["uri"])
                continue
            self._names |= {hash((row["sha256"], uri)) for uri in (row["uri"], *(row["also"] or ()))}
            if row["status"] != SEEN:
                again = retry and row["status"] == ERROR
                (self.done.discard if again else self.done.add)(bytes.fromhex(row["sha256"]))

    def _winners(self) -> tuple[dict[Path, list[bool]], dict[Key, dict[str, None]]]:
        """Which rows of which file hold, and all names of the keys that have several."""
        last: dict[Key, tuple[Path, int]] = {}
        unread: dict[Key, tuple[Path, int]] = {}
        first: dict[Key, str] = {}
        also: dict[Key, dict[str, None]] = {}
        held: dict[Path, list[bool]] = {}
        for path, keys in self._keys():
            held[path] = [False] * len(keys)
            for place, row in enumerate(keys):
                by_name = (row["uri"], row["pipeline"])
                if row["sha256"] is None:
                    unread[by_name] = (path, place)
                    continue
                unread.pop(by_name, None)  # it can be read now
                key = (row["sha256"], row["pipeline"])
                for uri in (row["uri"], *(row["also"] or ())):
                    if uri != first.setdefault(key, uri):
                        also.setdefault(key, {first[key]: None})[uri] = None
                if row["status"] != SEEN:
                    last[key] = (path, place)
        for path, place in (*last.values(), *unread.values()):
            held[path][place] = True
        return held, also

    @staticmethod
    def _merged(row: Row, also: dict[Key, dict[str, None]]) -> Row:
        """The row with every name of its bytes; the first stands in `uri`."""
        names = list(also.get((row["sha256"], row["pipeline"]), ()))
        return row | ({"uri": names[0], "also": names[1:]} if names else {})


def parts_of(out: Path) -> Path:
    """Where the parts of a table lie while it grows."""
    return out.with_name(f"{out.name}.parts")


def remove(out: Path) -> None:
    """Forget a table and its parts."""
    out.unlink(missing_ok=True)
    shutil.rmtree(parts_of(out), ignore_errors=True)


def _read(path: Path, columns: tuple[str, ...] | None = None) -> pa.Table:
    """A part or table. Raises ValueError for a file that is none of ours."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not a data set: folders called key=value in its path would become columns.
        with pq.ParquetFile(path) as file:
            if file.schema_arrow != schema():
                raise ValueError(f"{path} has other columns than this version writes; name another --out")
            return file.read(columns=list(columns) if columns else None)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is no table of `ifdl batch` ({error}); name another --out") from error


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    """Write a file so that it is there whole or not at all, even if the machine loses power."""
    import pyarrow.parquet as pq

    draft = path.with_name(f"{path.name}.draft")
    with draft.open("wb") as file:
        with pq.ParquetWriter(file, schema(), compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _locked(path: Path) -> Any:
    """A held lock, which ends with its process however that ends; no lock where the platform has none."""
    file = path.open("a")
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass
    except OSError as error:
        file.close()
        raise ValueError(
            f"another `ifdl batch` is writing {path.parent}; wait for it, or name another --out"
        ) from error
    return file
