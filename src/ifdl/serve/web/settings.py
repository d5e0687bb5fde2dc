"""What the service may cost, and who may use it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ifdl.intake import Limits

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """`port` is the bound one. `key` admits programs; beyond this machine it is required and there is no page.

    `seconds` bind one whole examination, `limits` its decoding; `held` pictures stay in memory, up to `held_bytes` of
    pixels; `keep` is a folder for reports, by default none: nothing is written.
    """

    host: str = "127.0.0.1"
    port: int = 0
    key: str = field(default="", repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    limits: Limits = field(default_factory=lambda: Limits(file_bytes=64 * 1024**2))
    seconds: float = 180.0
    workers: int = 1
    queue: int = 8
    held: int = 12
    held_bytes: int = 512 * 1024**2
    keep: Path | None = None

    def __post_init__(self) -> None:
        if not self.local and len(self.key) < 16:
            raise ValueError("a key of at least 16 characters is required to serve beyond this machine")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which a browser on this machine may call the service."""
        return frozenset(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]"))
