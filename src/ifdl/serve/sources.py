"""From what was typed on the command line to the picture files meant."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from ifdl.intake import IntakeError, Limits
from ifdl.intake.errors import FileTooLarge, Missing
from ifdl.intake.sniff import EXTENSIONS, is_pdf, picture_format

STDIN = "-"


def expand(arguments: Sequence[str]) -> list[str]:
    """Files named by paths, folders and globs, in a stable order and each once; `-` stands for stdin.

    A folder gives every picture below it, judged by content or by a picture's file name, and PDF files where the pdf
    extra is installed; hidden files and symbolic links inside folders are left out. A name that matches nothing stays
    in the list, so that it becomes a row with an error.
    """
    found: dict[str, None] = {}
    for argument in arguments:
        if argument == STDIN:
            found[argument] = None
        elif Path(argument).is_dir():
            found.update(dict.fromkeys(_pictures_below(Path(argument))))
        elif not Path(argument).exists() and glob.has_magic(argument):
            matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
            found.update(dict.fromkeys(m for m in matches if Path(m).is_file()) or {argument: None})
        else:
            found[argument] = None
    return list(found)


def read_stdin(limits: Limits) -> bytes:
    """All of standard input, up to the size limit."""
    data = sys.stdin.buffer.read(limits.file_bytes + 1)
    if len(data) > limits.file_bytes:
        raise FileTooLarge("stdin", f"more than {limits.file_bytes:,} bytes; raise --max-megabytes if you trust it.")
    if not data:
        raise Missing("stdin", "nothing came on standard input; pipe a picture into the command.")
    return data


def read(source: str, limits: Limits) -> tuple[bytes, str] | IntakeError:
    """(bytes, shown name) of one expanded source, or why it cannot be read."""
    from ifdl.intake import read_source

    try:
        return (read_stdin(limits), "stdin") if source == STDIN else read_source(source, limits)
    except IntakeError as error:
        return error


def may_be_pdf(source: str) -> bool:
    """Whether the source begins as a PDF does; stdin, of which nothing was read yet, may."""
    if source == STDIN:
        return True
    try:
        if not Path(source).is_file():  # a pipe would wait for somebody to write
            return False
        with Path(source).open("rb") as file:
            return is_pdf(file.read(64))
    except (OSError, ValueError):
        return False  # reading it as a picture says what is wrong with it


def _pictures_below(folder: Path) -> Iterator[str]:
    known = {extension for extensions in EXTENSIONS.values() for extension in extensions}
    if find_spec("pypdfium2") is not None:
        known.add("pdf")
    for place, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            path = Path(place) / name
            if name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            if path.suffix.lower().lstrip(".") in known or _is_picture(path):
                yield str(path)


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return picture_format(file.read(256)) is not None
    except OSError:
        return True  # unreadable: keep it, so that it becomes a row that says so
