"""What both the page and the service do with a request: read its body under a limit, and refuse in one form."""

from __future__ import annotations

import re

from fastapi import Request

from ifdl.report import overlay
from ifdl.serve.web.jobs import RETRY_SECONDS, Busy, Desk, Job
from ifdl.types import Picture

INVERSE = {6: 8, 8: 6}  # the orientation that undoes another; the rest undo themselves
Box = tuple[int, int, int, int]


class Refusal(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: int, kind: str, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason, self.headers = status, kind, reason, headers


async def body_of(request: Request, most: int) -> bytes:
    """The request's body. Raises Refusal (413) as soon as it is longer than `most` bytes."""
    too_long = Refusal(413, "file_too_large", f"more than {most:,} bytes.", {"connection": "close"})
    if (length := request.headers.get("content-length", "")).isdigit() and int(length) > most:
        raise too_long
    parts, count = [], 0
    async for part in request.stream():
        count += len(part)
        if count > most:
            raise too_long
        parts.append(part)
    return b"".join(parts)


def handed_in(desk: Desk, data: bytes, name: str) -> Job:
    """A job for the file. Raises Refusal: 422 for an empty one, 503 if the queue is full."""
    if not data:
        raise Refusal(422, "empty", "the file holds no bytes.")
    try:
        return desk.submit(data, name)
    except Busy:
        wait = {"retry-after": str(RETRY_SECONDS)}
        raise Refusal(503, "busy", "too many pictures are waiting; try again later.", wait) from None


def box_of(text: str) -> Box:
    """Four numbers "x,y,width,height". Raises Refusal (422)."""
    if not re.fullmatch(r"-?\d{1,9}(,-?\d{1,9}){3}", text):
        raise Refusal(422, "bad_box", "a box is four whole numbers: x,y,width,height.")
    x, y, width, height = (int(part) for part in text.split(","))
    return x, y, width, height


def stored_box(box: Box, picture: Picture) -> Box:
    """A box as displayed, in stored pixels, cut to the picture."""
    stored = picture.item.orientation
    shown = (picture.width, picture.height) if stored >= 5 else (picture.height, picture.width)
    return overlay.displayed_box(box, shown, INVERSE.get(stored, stored))
