"""The parent's side of isolated decoding: a killable child under limits, alone or in a pool."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ifdl.intake.child import READY, request
from ifdl.intake.errors import BY_KIND, DecoderCrashed, FileTooLarge, IntakeError, Missing, NotAFile, TimedOut
from ifdl.intake.limits import Limits
from ifdl.intake.part import MAIN, Part
from ifdl.intake.pdf import Outline
from ifdl.types import Item, Picture

S = TypeVar("S")
R = TypeVar("R")
_Process: TypeAlias = "subprocess.Popen[bytes]"
START_SECONDS = 60.0
MOST_HEADER = 64 * 1024**2
# A fresh process now and then, so that what a codec leaks cannot add up.
PICTURES_PER_CHILD = 500


class Decoder:
    """One decoding process, started when first needed and replaced after a crash or a timeout."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008
        self.limits = limits
        self._process: _Process | None = None
        self._served = 0

    def decode(self, data: bytes, name: str = "picture", wanted: Part = MAIN) -> Picture:
        """`ifdl.intake.decode` in the child. Raises IntakeError; DecoderCrashed and TimedOut among them."""
        return self._ask(data, name, lambda: request(name, data, self.limits, wanted), self._picture)

    def outline(self, data: bytes, name: str = "picture") -> Outline:
        """What a PDF holds, found in the child. Raises IntakeError as `decode` does."""
        return self._ask(data, name, lambda: request(name, data, self.limits, outline=True), self._outline)

    def _ask(
        self, data: bytes, name: str, header: Callable[[], bytes], answer: Callable[[_Process, bytes, str], R]
    ) -> R:
        process = self._ready(name)
        assert process.stdin is not None and process.stdout is not None
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(self.limits.seconds, expire)
        timer.start()
        try:
            process.stdin.write(header())
            process.stdin.write(data)
            process.stdin.flush()
            return answer(process, data, name)
        except (EOFError, OSError, ValidationError, ValueError, KeyError, TypeError) as error:
            self.close()
            if expired.is_set():
                raise TimedOut(
                    name,
                    f"decoding took longer than {self.limits.seconds:g} s; raise --max-seconds if you trust it.",
                ) from error
            raise DecoderCrashed(
                name, "the decoder crashed on this file; treat it as hostile and ask for another copy."
            ) from error
        finally:
            timer.cancel()
            self._served += 1
            if self._served >= PICTURES_PER_CHILD:
                self.close()

    def close(self) -> None:
        """End the child at once; a later `decode` starts a new one."""
        process, self._process, self._served = self._process, None, 0
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ready(self, name: str) -> _Process:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ifdl.intake.child", str(self.limits.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        assert process.stdout is not None
        timer = threading.Timer(START_SECONDS, process.kill)
        timer.start()
        try:
            ready = process.stdout.read(len(READY))
        finally:
            timer.cancel()
        self._process = process
        if ready != READY:
            self.close()
            raise DecoderCrashed(
                name,
                "the decoding process did not start; run `ifdl doctor`, and if --max-memory was lowered, raise it.",
            )
        return process

    def _picture(self, process: _Process, data: bytes, name: str) -> Picture:
        assert process.stdout is not None
        answer, item_json = _answer(process, name)
        item = TypeAdapter(Item).validate_json(item_json)
        if not 0 < item.width * item.height <= self.limits.pixels:
            raise ValueError("the child's picture is over the limit")
        pixels = np.empty((item.height, item.width, 3), np.uint8)
        view = pixels.data.cast("B")
        while view:
            count = process.stdout.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            view = view[count:]
        own = int(answer["own"])
        if not 0 <= own <= self.limits.file_bytes:
            raise ValueError("the child's picture has more bytes than the limit")
        return Picture(pixels, item, _exactly(process, own) if own else data)

    def _outline(self, process: _Process, _data: bytes, name: str) -> Outline:
        answer, _ = _answer(process, name)
        return Outline(tuple(Part(p["page"], p["picture"]) for p in answer["parts"]), str(answer["note"]))


class Pool:
    """A few decoding processes for batch work: the next pictures decode while one is examined."""

    def __init__(self, limits: Limits = Limits(), workers: int = 2) -> None:  # noqa: B008
        self.limits = limits
        self.workers = max(1, workers)

    def load_many(self, sources: Iterable[str | Path | bytes]) -> Iterator[Picture | IntakeError]:
        """Pictures in the order of `sources`; a refused one comes as its IntakeError, never as an exception."""

        def load(decoder: Decoder, source: str | Path | bytes) -> Picture | IntakeError:
            try:
                return decoder.decode(*read_source(source, self.limits))
            except IntakeError as error:
                return error

        return self.map(load, sources)

    def map(self, work: Callable[[Decoder, S], R], items: Iterable[S]) -> Iterator[R]:
        """`work(decoder, item)` for every item, in order, at most `workers` ahead of whoever takes the results."""
        decoders = [Decoder(self.limits) for _ in range(self.workers)]
        free = deque(decoders)

        def one(item: S) -> R:
            decoder = free.popleft()
            try:
                return work(decoder, item)
            finally:
                free.append(decoder)

        waiting: deque[Future[R]] = deque()
        try:
            with ThreadPoolExecutor(self.workers) as threads:
                for item in items:
                    waiting.append(threads.submit(one, item))
                    if len(waiting) >= self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
        finally:
            for decoder in decoders:
                decoder.close()


def read_source(source: str | Path | bytes, limits: Limits) -> tuple[bytes, str]:
    """(bytes, name) of a path or of bytes themselves; only regular files within the size limit are read."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), "picture"
    path = Path(source)
    name = path.name or str(path)
    try:
        if not path.exists():
            raise Missing(name, f"there is no file at {path}; check the path.")
        if path.is_dir():
            raise NotAFile(name, "this is a folder; name a picture in it, or examine the folder.")
        if not path.is_file():
            raise NotAFile(name, "this is a device or a pipe, not a file; pass its content on stdin as `-`.")
        if (size := path.stat().st_size) > limits.file_bytes:
            raise FileTooLarge(
                name, f"{size:,} bytes, over the limit of {limits.file_bytes:,}; raise --max-megabytes if you trust it."
            )
        return path.read_bytes(), name
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Missing(name, f"the file cannot be read ({reason}); check its path and permissions.") from error


def enforced_limits() -> dict[str, bool]:
    """Which limits this platform really enforces on the decoding process."""
    linux, posix = sys.platform.startswith("linux"), os.name == "posix"
    return {"seconds": True, "pixels": True, "file_bytes": True, "memory": linux, "no_file_writes": posix,
            "no_core_dumps": posix}  # fmt: skip


def _environment() -> dict[str, str]:
    """The child's environment: where its packages are, one thread, and none of the parent's secrets."""
    keep = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "TMPDIR", "TEMP", "TMP")
    packages = os.pathsep.join(p for p in sys.path if p)
    return {
        **{k: os.environ[k] for k in keep if k in os.environ},
        "PYTHONPATH": packages,
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _answer(process: _Process, name: str) -> tuple[dict[str, Any], bytes]:
    """The answer's own line and what follows it. Raises the refusal if it is one."""
    size = int.from_bytes(_exactly(process, 4), "big")
    if size > MOST_HEADER:
        raise ValueError("the child's answer is too long")
    header, _, rest = _exactly(process, size).partition(b"\n")
    answer: dict[str, Any] = json.loads(header)
    if not answer["ok"]:
        shown = str(answer["name"]) if str(answer["name"]).startswith(name) else name
        raise BY_KIND.get(answer["kind"], DecoderCrashed)(shown, str(answer["reason"]))
    return answer, rest


def _exactly(process: _Process, count: int) -> bytes:
    assert process.stdout is not None
    data = process.stdout.read(count)
    if len(data) < count:
        raise EOFError
    return data
