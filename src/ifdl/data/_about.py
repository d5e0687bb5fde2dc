"""What a set is for, how large it is, and where its layout was learned: beside the card that every set has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["localisation", "detection", "synthetic", "sequence", "explanation", "documents", "faces"]


@dataclass(frozen=True)
class Layout:
    """Where the layout was read (a page, or repository, commit and file), and real file `names`, verbatim."""

    source: str
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) < 3:
            raise ValueError("quote at least three real file names of the set")


@dataclass(frozen=True)
class About:
    """`tasks` that the set serves, its published `size` in words, its `layout`."""

    tasks: tuple[Task, ...]
    size: str
    layout: Layout
