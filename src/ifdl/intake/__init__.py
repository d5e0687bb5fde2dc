"""The only room that decodes files: bytes in, a Picture or a clean refusal out.

`decode` is one pure function; `load` runs it in a killable child under `Limits`, and `Pool` keeps a few
such children for batch work.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ifdl.intake.decode import decode
from ifdl.intake.errors import Corrupt, IntakeError
from ifdl.intake.isolate import Decoder, Pool, enforced_limits, read_source
from ifdl.intake.limits import Limits
from ifdl.intake.part import MAIN, Part, of
from ifdl.intake.sniff import is_pdf
from ifdl.types import Picture

__all__ = [
    "MAIN",
    "Decoder",
    "IntakeError",
    "Limits",
    "Part",
    "Pool",
    "decode",
    "enforced_limits",
    "is_pdf",
    "load",
    "read_source",
]


def load(
    source: str | Path | bytes,
    limits: Limits = Limits(),  # noqa: B008
    *,
    isolated: bool = True,
    sha256: str | None = None,
    name: str | None = None,
    page: int | None = None,
    frame: int | None = None,
    picture: int | None = None,
) -> Picture:
    """Decode a file, or its bytes, in a child process under limits of time, memory and pixels.

    `page` or `frame`, two words for one number that counts from 1, opens another page of a TIFF, frame of a GIF, WebP,
    PNG or AVIF, or picture of an MPO or HEIC, than the main one. Of a PDF, `page` (1 by default) is the scan the page
    consists of, else the page drawn, and `picture` one of the pictures on it, counted from 1.
    `isolated=False` decodes in this process, without limits of time and memory: only for files whose
    `sha256` a manifest vouches for. A given `sha256` is checked either way. Raises IntakeError, one
    subclass for each kind of refusal.
    """
    data, own_name = read_source(source, limits)
    shown, wanted = name or own_name, of(page, frame, picture)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise Corrupt(shown, f"its sha256 is not {sha256}; the file changed since its manifest was written.")
    if not isolated:
        return decode(data, limits, shown, wanted)
    with Decoder(limits) as decoder:
        return decoder.decode(data, shown, wanted)
