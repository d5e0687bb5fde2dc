"""What both the page and the service do with a request: read its body under limits, and refuse in one form."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from ifdl.report import overlay
from ifdl.serve.web.fetch import Fetched, Fetcher, NotFetched
from ifdl.serve.web.jobs import RETRY_SECONDS, Busy, Desk, Job
from ifdl.serve.web.worker import Task
from ifdl.types import Picture

INVERSE = {6: 8, 8: 6}  # the orientation that undoes another; the rest undo themselves
Box = tuple[int, int, int, int]


class Refusal(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: int, kind: str, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason, self.headers = status, kind, reason, headers


async def body_of(request: Request, most: int, keep: bool = True) -> bytes:
    """The request's body; without `keep` it is read and dropped. Raises Refusal (413) as soon as it is too long."""
    too_long = Refusal(413, "file_too_large", f"more than {most:,} bytes.", {"connection": "close"})
    if (length := request.headers.get("content-length", "")).isdigit() and int(length) > most:
        raise too_long
    parts, count = [], 0
    try:
        async for part in request.stream():
            count += len(part)
            if count > most:
                raise too_long
            if keep:
                parts.append(part)
    except ClientDisconnect:
        raise Refusal(400, "cut_off", "the connection ended before the file did.") from None
    return b"".join(parts)


async def received(request: Request, desk: Desk, pixels: bool = False, **asked: Any) -> Job:
    """A job for the file in the request's body; `asked` are fields of its Task.

    Its place in the queue is taken before the file arrives: no more files are in memory than may wait.
    """
    most, seconds = desk.settings.limits.file_bytes, desk.settings.upload_seconds
    slow = Refusal(408, "too_slow", f"the file did not arrive within {seconds:g} s.", {"connection": "close"})
    try:
        async with asyncio.timeout(seconds):
            try:
                with desk.place():
                    data = await body_of(request, most)
            except Busy:
                # A client that is still sending when the connection ends would not see the answer.
                await body_of(request, most, keep=False)
                raise busy() from None
    except TimeoutError:
        raise slow from None
    return handed_in(desk, data, pixels=pixels, **asked)


async def fetched(url: str, desk: Desk, fetcher: Fetcher, **asked: Any) -> Job:
    """The same for a file at an address."""
    if not desk.settings.urls:
        raise Refusal(
            403, "no_urls", "this service fetches nothing; send the picture's bytes (or start it with --allow-urls)."
        )
    try:
        with desk.place():
            got: Fetched = await run_in_threadpool(fetcher.get, url)
    except Busy:
        raise busy() from None
    except NotFetched as error:
        raise Refusal(413 if error.kind == "file_too_large" else 422, error.kind, str(error)) from None
    return handed_in(desk, got.data, origin=got.origin, **asked)


def handed_in(desk: Desk, data: bytes, name: str = "picture", pixels: bool = False, **asked: Any) -> Job:
    """A job for the file. Raises Refusal: 422 for an empty one, 503 if the queue is full."""
    if not data:
        raise Refusal(422, "empty", "the file holds no bytes.")
    try:
        return desk.submit(data, Task(name or "picture", **asked), pixels)
    except Busy:
        raise busy() from None


def busy() -> Refusal:
    """Too many pictures are waiting."""
    wait = {"retry-after": str(RETRY_SECONDS)}
    return Refusal(503, "busy", "too many pictures are waiting; try again later.", wait)


def box_of(text: str) -> Box:
    """Four numbers "x,y,width,height". Raises Refusal (422)."""
    if not re.fullmatch(r"-?[0-9]{1,9}(,-?[0-9]{1,9}){3}", text):
        raise Refusal(422, "bad_box", "a box is four whole numbers: x,y,width,height.")
    x, y, width, height = (int(part) for part in text.split(","))
    return x, y, width, height


def stored_box(box: Box, picture: Picture) -> Box:
    """A box as displayed, in stored pixels, cut to the picture."""
    stored = picture.item.orientation
    shown = (picture.width, picture.height) if stored >= 5 else (picture.height, picture.width)
    return overlay.displayed_box(box, shown, INVERSE.get(stored, stored))
