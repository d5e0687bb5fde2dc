"""The page: hand in a picture, see it with its answers as they arrive, lay things over it, ask about a part."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from ifdl.ask import region as regions
from ifdl.report import overlay
from ifdl.serve.web import case_views, drawings, views
from ifdl.serve.web.case_pages import exported
from ifdl.serve.web.jobs import Desk, Job
from ifdl.serve.web.requests import INVERSE, Refusal, body_of, box_of, handed_in, stored_box
from ifdl.signal.orientation import point_to_display
from ifdl.types import Picture

STATIC = {
    "base.css": ("ifdl.report", "templates/report.css", "text/css"),  # the report's own style: one look
    "page.css": ("ifdl.serve.web", "static/page.css", "text/css"),
    "hand_in.js": ("ifdl.serve.web", "static/hand_in.js", "text/javascript"),
    "picture.js": ("ifdl.serve.web", "static/picture.js", "text/javascript"),
    "stage.js": ("ifdl.serve.web", "static/stage.js", "text/javascript"),
    "layers.js": ("ifdl.serve.web", "static/layers.js", "text/javascript"),
    "box.js": ("ifdl.serve.web", "static/box.js", "text/javascript"),
    "analyst.js": ("ifdl.serve.web", "static/analyst.js", "text/javascript"),
    "trace.js": ("ifdl.serve.web", "static/trace.js", "text/javascript"),
}
MOST_CORNERS = 20_000  # characters
BEAT = 15.0  # seconds without an event after which a comment keeps the connection


def router(desk: Desk) -> APIRouter:
    """All routes of the page."""
    pages = APIRouter(include_in_schema=False)
    case = desk.settings.case

    def job_of(job_id: str) -> Job:
        job = desk.get(job_id)
        if job is None:
            raise Refusal(404, "unknown", "that picture is no longer in memory; hand it in again.")
        return job

    @pages.get("/")
    def start(request: Request) -> HTMLResponse:
        held = [(job, views.status(job)) for job in desk.latest()]
        most, keep = desk.settings.limits.file_bytes, desk.settings.keep is not None
        token = request.state.page_token
        kept = {"keep": keep, "case": case.name if case else None, "keep_pictures": desk.settings.keep_pictures}
        return HTMLResponse(views.render("start.html", token=token, held=held, most=most, **kept))

    @pages.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in STATIC:
            raise Refusal(404, "unknown", "there is no such file.")
        return Response(_static(name), media_type=STATIC[name][2])

    @pages.post("/pictures")
    async def hand_in(request: Request, name: str = Query("picture", max_length=255)) -> JSONResponse:
        data = await body_of(request, desk.settings.limits.file_bytes)
        job = handed_in(desk, data, name or "picture")
        return JSONResponse({"location": f"/pictures/{job.id}"}, 201)

    @pages.get("/pictures/{job_id}")
    def page(request: Request, job_id: str) -> HTMLResponse:
        job = job_of(job_id)
        seen = job.events
        parts = {name: (html, _version(html)) for name, html in views.fragments(job, case).items()}
        shown = {"parts": parts, "seen": seen, "status": views.status(job), "token": request.state.page_token}
        return HTMLResponse(views.render("picture.html", job=job, **shown, **views.tabs(job, desk.settings, "")))

    @pages.get("/pictures/{job_id}/events")
    async def events(job_id: str) -> StreamingResponse:
        return StreamingResponse(_events(job_of(job_id), case), media_type="text/event-stream")

    @pages.get("/pictures/{job_id}/preview.jpg")
    def preview(job_id: str) -> Response:
        picture = job_of(job_id).picture
        if picture is None:
            raise Refusal(404, "unknown", "the picture is not read yet.")
        return _cached(drawings.preview(picture), "image/jpeg")

    @pages.get("/pictures/{job_id}/layers/{name}.png")
    def layer(job_id: str, name: str) -> Response:
        report = job_of(job_id).report
        drawn = drawings.layer(report, name) if report else None
        if drawn is None:
            raise Refusal(404, "unknown", "there is no such layer.")
        return _cached(drawn, "image/png")

    @pages.get("/pictures/{job_id}/tiles/{column}-{row}.png")
    def tile(job_id: str, column: int, row: int) -> Response:
        picture = job_of(job_id).picture
        drawn = drawings.tile(picture, column, row) if picture and column >= 0 and row >= 0 else None
        if drawn is None:
            raise Refusal(404, "unknown", "there is no such tile.")
        return _cached(drawn, "image/png")

    @pages.post("/pictures/{job_id}/region")
    async def region(request: Request, job_id: str) -> HTMLResponse:
        job = job_of(job_id)
        report, picture = job.report, job.picture
        if report is None or picture is None:
            raise Refusal(409, "not_done", "the picture is still being examined; ask again when the answers are there.")
        told = (await body_of(request, MOST_CORNERS)).decode("ascii", "replace")
        try:
            if " " in told:
                part = regions.part(picture, polygon=[stored_point(corner, picture) for corner in corners_of(told)])
            else:
                part = regions.part(picture, stored_box(box_of(told), picture))
        except ValueError as error:
            raise Refusal(422, "bad_box", f"{error}.") from error
        verdict = report.verdict
        asked = await run_in_threadpool(regions.ask, picture, verdict.findings, verdict.predictions, part)
        return HTMLResponse(views.region(asked))

    @pages.get("/pictures/{job_id}/report.{form}")
    def report(job_id: str, form: str, full: bool = False) -> Response:
        made = job_of(job_id).report
        if made is None:
            raise Refusal(404, "unknown", "there is no such report.")
        return exported(case, made.item.sha256, made, form, full)

    @pages.post("/pictures/{job_id}/looked")
    async def looked(request: Request, job_id: str) -> Response:
        name = (await body_of(request, 100)).decode("ascii", "replace")
        job = job_of(job_id)
        if case is not None and job.report and name in {layer.id for layer in drawings.layers(job.report)}:
            await run_in_threadpool(case_views.looked, case, job.sha256, name)
        return Response(status_code=204)

    @pages.get("/pictures/{job_id}/mask.png")
    def mask(job_id: str) -> Response:
        from ifdl.report import mask as masks

        made = job_of(job_id).report
        stored = masks.union(made) if made else None
        if made is None or stored is None:
            raise Refusal(404, "unknown", "the answer on local edits marks nothing.")
        saved = {"content-disposition": f'attachment; filename="mask-{made.item.sha256[:12]}.png"'}
        return Response(overlay.png(stored), media_type="image/png", headers=saved)

    return pages


async def _events(job: Job, case: Path | None) -> AsyncIterator[str]:
    """Server-sent events: each carries the fragments that changed since the one before."""
    sent: dict[str, str] = {}
    while True:
        seen, done = job.events, job.done
        parts = {name: html for name, html in views.fragments(job, case).items() if sent.get(name) != html}
        sent |= parts
        told = {
            "status": views.status(job),
            "parts": {name: {"html": html, "version": _version(html)} for name, html in parts.items()},
            "done": done,
        }
        yield f"id: {seen}\ndata: {json.dumps(told)}\n\n"
        if done:
            return
        while True:
            try:
                await asyncio.wait_for(job.after(seen), BEAT)
                break
            except TimeoutError:
                yield ": still here\n\n"


def corners_of(text: str) -> list[tuple[int, int]]:
    """Corners "x,y x,y x,y …". Raises Refusal (422)."""
    if not re.fullmatch(r"-?[0-9]{1,9},-?[0-9]{1,9}( -?[0-9]{1,9},-?[0-9]{1,9})*", text):
        raise Refusal(422, "bad_lasso", "a lasso is corners x,y with blanks between them.")
    return [(int(x), int(y)) for x, y in (pair.split(",") for pair in text.split())]


def stored_point(corner: tuple[int, int], picture: Picture) -> tuple[int, int]:
    """A point as displayed, in stored pixels."""
    width, height = drawings.displayed_size(picture.item)
    turned = picture.item.orientation
    x, y = point_to_display(*corner, (height, width), INVERSE.get(turned, turned))
    return int(x), int(y)


def _cached(data: bytes, kind: str) -> Response:
    """An image that never changes under its address; only this browser may keep it, and only for this session."""
    return Response(data, media_type=kind, headers={"cache-control": "private, max-age=600"})


def _version(html: str) -> str:
    return hashlib.sha256(html.encode()).hexdigest()[:16]


@lru_cache
def _static(name: str) -> bytes:
    package, path, _ = STATIC[name]
    return (files(package) / path).read_bytes()
