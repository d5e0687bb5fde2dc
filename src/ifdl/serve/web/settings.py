"""What the service may cost, and who may use it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ifdl.intake import Limits

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """`port` is the bound one. `key` admits programs, several are separated by blanks; beyond this machine one is
    required and there is no page.

    `seconds` bind one whole examination, `limits` its decoding, `upload_seconds` the arrival of a file; `held` results
    stay in memory, up to `held_bytes` of pixels; `keep` is a folder for reports, by default none: nothing is written.
    `index` is the archive's that `/v1/trace` and the page ask; `case` is the folder that examinations are put into,
    with the pictures themselves if `keep_pictures`; `urls` lets programs name a picture by its address.
    """

    host: str = "127.0.0.1"
    port: int = 0
    key: str = field(default="", repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    limits: Limits = field(default_factory=lambda: Limits(file_bytes=64 * 1024**2))
    seconds: float = 180.0
    upload_seconds: float = 60.0
    workers: int = 1
    queue: int = 8
    held: int = 12
    held_bytes: int = 512 * 1024**2
    keep: Path | None = None
    index: Path | None = None
    case: Path | None = None
    keep_pictures: bool = False
    urls: bool = False

    def __post_init__(self) -> None:
        if not self.local and not self.keys:
            raise ValueError("a key of at least 16 characters is required to serve beyond this machine")
        if any(len(key) < 16 for key in self.keys):
            raise ValueError("a key has at least 16 characters")

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that admit programs."""
        return tuple(self.key.split())

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which a browser on this machine may call the service."""
        return frozenset(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]"))
