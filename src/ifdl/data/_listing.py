"""What the readers of sets with many loose files say in the same words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from ifdl.data._record import Bad


def shown(path: Path, root: Path) -> str:
    """A file as shown to people: its path below the set's root."""
    return path.relative_to(root).as_posix()


def doubled(shared: Iterable[tuple[Path, str]], root: Path) -> Iterator[Bad]:
    """One row for each file that shares its name with others (as `by_stem` finds them)."""
    for path, others in shared:
        yield Bad(shown(path, root), f"shares its name with {others}; it is unclear which is meant")


def lone(masks: Mapping[str, Path], wanted: Collection[str], root: Path) -> Iterator[Bad]:
    """One row for each mask whose key no picture has."""
    for key in sorted(set(masks) - set(wanted)):
        yield Bad(shown(masks[key], root), f"a mask without its picture {key}")
