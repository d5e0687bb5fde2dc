"""Which picture of a file is meant: a page, a frame, a further picture, or one of those on a page of a PDF."""

from __future__ import annotations

from dataclasses import dataclass

from ifdl.intake.errors import NoSuchPart

NOUNS = {"TIFF": "page", "PDF": "page", "GIF": "frame", "WEBP": "frame", "PNG": "frame", "AVIF": "frame"}


@dataclass(frozen=True)
class Part:
    """`page` counts pages, frames and further pictures from 1, as viewers do; None is the file's main picture.

    `picture` counts, from 1 and in drawing order, the pictures on that page of a PDF; None is the page itself.
    Raises ValueError for numbers below 1.
    """

    page: int | None = None
    picture: int | None = None

    def __post_init__(self) -> None:
        for number in (self.page, self.picture):
            if number is not None and number < 1:
                raise ValueError(f"pages, frames and pictures count from 1; there is no number {number}")

    @property
    def suffix(self) -> str:
        """What tells its files from those of the file's other parts: "-p2", "-p2-i1", or nothing."""
        picture = f"-i{self.picture}" if self.picture is not None else ""
        return f"-p{self.page}{picture}" if self.page is not None else picture


MAIN = Part()


def of(page: int | None, frame: int | None, picture: int | None = None) -> Part:
    """The part that was asked for; `page` and `frame` are two words for one number. Raises ValueError for two."""
    if page is not None and frame is not None and page != frame:
        raise ValueError(f"page {page} and frame {frame} were both asked for; name one of them")
    return Part(frame if page is None else page, picture)


def noun(form: str) -> str:
    """What the pictures inside a file of that format are called."""
    return NOUNS.get(form, "picture")


def check(name: str, kind: str, number: int, count: int, where: str = "the file") -> None:
    """Raises NoSuchPart, which says how many there are, unless there is that one."""
    if number <= count:
        return
    has = f"has {count} {kind}s" if count > 1 else f"has one {kind} only" if count else f"has no {kind}s"
    raise NoSuchPart(name, f"there is no {kind} {number}; {where} {has}.")
