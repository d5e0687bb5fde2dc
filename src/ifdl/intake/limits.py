"""How much a stranger's file may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Ceilings for one file: wall-clock seconds, bytes of memory and of file, and pixels.

    Pixels are read from the header before anything is decoded. Seconds and memory bind only an
    isolated decode (see `ifdl.intake.load`).
    """

    seconds: float = 20.0
    memory: int = 2 * 1024**3
    pixels: int = 100_000_000
    file_bytes: int = 512 * 1024**2
