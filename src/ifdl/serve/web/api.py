"""The JSON service: picture bytes in, a report or an answer about a part out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Security
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

import ifdl
from ifdl import report as reports
from ifdl.ask import region as regions
from ifdl.serve.web import forms
from ifdl.serve.web.fetch import Fetcher
from ifdl.serve.web.forms import (
    COUNTERS,
    FEW,
    OBJECT,
    OPEN,
    PICTURE,
    REFUSALS,
    STREAM,
    Health,
    Progress,
    State,
    Url,
    Why,
)
from ifdl.serve.web.jobs import Desk, Job
from ifdl.serve.web.metrics import MEDIA_TYPE, Metrics
from ifdl.serve.web.requests import Refusal, box_of, fetched, received
from ifdl.types import Card, Report
from ifdl.verdict import battery

BEAT = 15.0  # seconds without an event after which a comment keeps the connection
BOX = r"^-?[0-9]{1,9}(,-?[0-9]{1,9}){3}$"
CORNERS = r"^-?[0-9]{1,9},-?[0-9]{1,9}( -?[0-9]{1,9},-?[0-9]{1,9}){2,199}$"
Name = Annotated[str, Query(max_length=255, description="The file's name, as the report shall show it.")]
Full = Annotated[bool, Query(description="Keep places, serial numbers and owners' names.")]
Deep = Annotated[bool, Query(description="Repeat the answers after six mild changes; always a job.")]
AsJob = Annotated[bool, Query(alias="job", description="Answer at once with a job instead of waiting for the report.")]
Box = Annotated[str | None, Query(max_length=60, pattern=BOX, description="x,y,width,height in stored pixels")]
JobId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{16}$")]


def router(desk: Desk, metrics: Metrics, fetcher: Fetcher | None = None) -> APIRouter:
    """All routes for programs."""
    fetcher = fetcher or Fetcher(desk.settings.limits.file_bytes)
    needs = [Security(HTTPBearer(auto_error=False))] if desk.settings.keys else []  # said; the guard checks
    api = APIRouter(dependencies=needs)
    asking = anyio.CapacityLimiter(desk.settings.workers)

    async def answer(job: Job, full: bool, at_once: bool) -> Response:
        if at_once:
            place = f"/v1/jobs/{job.id}"
            return JSONResponse(_progress(job).model_dump(), 202, {"location": place})
        await job.finished()
        return await run_in_threadpool(_report, _done(job), full)

    @api.post(
        "/v1/examine", summary="Examine a picture", response_class=Response, responses=forms.EXAMINED,
        openapi_extra=PICTURE,
    )  # fmt: skip
    async def examine(
        request: Request, name: Name = "picture", full: Full = False, deep: Deep = False, as_job: AsJob = False
    ) -> Response:
        return await answer(await received(request, desk, name=name, deep=deep), full, deep or as_job)

    @api.post(
        "/v1/examine-url",
        summary="Examine a picture at an address; refused unless the service was started with --allow-urls",
        response_class=Response,
        responses=forms.EXAMINED,
    )
    async def examine_url(
        at: Url, name: Name = "picture", full: Full = False, deep: Deep = False, as_job: AsJob = False
    ) -> Response:
        return await answer(await fetched(at.url, desk, fetcher, name=name, deep=deep), full, deep or as_job)

    @api.get("/v1/jobs/{job_id}", summary="How far a job is, and at its end the report", responses=forms.HELD)
    def job(job_id: JobId, full: Full = False) -> Progress:
        found = _held(desk, job_id)
        told = _progress(found)
        if found.report is not None:
            told.report = json.loads(_line(found.report, full))
        return told

    @api.get(
        "/v1/jobs/{job_id}/events",
        summary="The same as server-sent events, without the report",
        response_class=Response,
        responses=forms.HELD | STREAM,
    )
    async def events(job_id: JobId) -> StreamingResponse:
        return StreamingResponse(_events(_held(desk, job_id)), media_type="text/event-stream")

    @api.post(
        "/v1/region",
        summary="Ask about a part of a picture: a box or a polygon",
        response_class=Response,
        responses={200: {**OBJECT, "description": "What every test says of the part."}, **REFUSALS},
        openapi_extra=PICTURE,
    )
    async def region(
        request: Request,
        box: Box = None,
        polygon: Annotated[
            str | None, Query(max_length=4000, pattern=CORNERS, description="x,y x,y x,y … in stored pixels")
        ] = None,
        name: Name = "picture",
    ) -> Response:
        if (box is None) == (polygon is None):
            raise Refusal(422, "bad_part", "name one part: a box or a polygon.")
        wanted = box_of(box) if box else None
        corners = [_corner(pair) for pair in polygon.split()] if polygon else None
        job = await received(request, desk, pixels=True, name=name)
        with desk.using(job):
            await job.finished()
            verdict, picture = _done(job).verdict, job.picture
            assert picture is not None
            try:
                part = regions.part(picture, wanted, corners)
            except ValueError as error:
                raise Refusal(422, "bad_part", f"{error}.") from error
            asked = await to_thread.run_sync(
                regions.ask, picture, verdict.findings, verdict.predictions, part, limiter=asking
            )
            return JSONResponse(regions.to_dict(asked, picture))

    @api.post(
        "/v1/trace",
        summary="Where a picture comes from, in the archive the service was started with (--index)",
        response_class=Response,
        responses={
            200: {**OBJECT, "description": "Pictures of the archive that it, or a part of it, was made from."},
            404: {"model": forms.Error, "description": "The service was started without an archive."},
            **REFUSALS,
        },
        openapi_extra=PICTURE,
    )
    async def trace(request: Request, box: Box = None, name: Name = "picture") -> Response:
        if desk.settings.index is None:
            raise Refusal(404, "no_index", "no archive to look in: start the service with --index ARCHIVE.index.")
        job = await received(request, desk, name=name, trace=True, box=box_of(box) if box else None)
        await job.finished()
        if job.error is not None:
            raise Refusal(422, *job.error)
        return JSONResponse(job.traced)

    @api.get(
        "/v1/reports/{sha256}",
        summary="The report of a picture examined before",
        response_class=Response,
        responses={
            200: {**OBJECT, "description": "The report."},
            404: {"model": forms.Error, "description": "No report of that picture is held."},
            **FEW,
        },
    )
    def report(sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], full: Full = False) -> Response:
        job = desk.of_hash(sha256)
        if job is not None and job.report is not None:
            return _report(job.report, full)
        if (kept := _kept(desk, sha256)) is not None:
            return JSONResponse(kept)
        raise Refusal(404, "unknown", "no report of that picture is held; hand it in.")

    @api.get("/v1/models", summary="The cards of all tests and experts", responses=FEW)
    def models() -> list[Card]:
        return [battery.card(name) for name in battery.names()]

    @api.get(
        "/v1/schema",
        summary="JSON Schema of a report",
        response_class=Response,
        responses={200: {**OBJECT, "description": "JSON Schema 2020-12."}, **FEW},
    )
    def schema() -> Response:
        return JSONResponse(reports.schema())

    @api.get("/metrics", summary="Counters in Prometheus's format", response_class=Response, responses=COUNTERS | FEW)
    def counters() -> Response:
        return Response(metrics.text(), media_type=MEDIA_TYPE)

    unlocked = APIRouter()

    @unlocked.get("/healthz", summary="Whether the service runs", responses=OPEN)
    def health() -> Health:
        return Health(status="ok", version=ifdl.__version__)

    unlocked.include_router(api)
    return unlocked


async def _events(job: Job) -> AsyncIterator[str]:
    """Server-sent events: one for each change, the last is "done" or "failed"."""
    while True:
        seen, told = job.events, _progress(job)
        yield f"id: {seen}\nevent: {told.state}\ndata: {told.model_dump_json()}\n\n"
        if told.state in ("done", "failed"):
            return
        while job.events == seen and not job.done:
            with anyio.move_on_after(BEAT) as beat:
                await job.after(seen)
            if beat.cancelled_caught:
                yield ": still here\n\n"


def _progress(job: Job) -> Progress:
    state: State = "failed" if job.error else "done" if job.done else "running" if job.events else "waiting"
    error = Why(kind=job.error[0], reason=job.error[1]) if job.error else None
    return Progress(id=job.id, sha256=job.sha256, state=state, step=job.step, error=error)


def _held(desk: Desk, job_id: str) -> Job:
    job = desk.get(job_id)
    if job is None or job.task.trace:
        raise Refusal(404, "unknown", "that job is no longer in memory; hand the picture in again.")
    return job


def _done(job: Job) -> Report:
    if job.error is not None:
        raise Refusal(422, *job.error)
    assert job.report is not None
    return job.report


def _line(report: Report, full: bool) -> str:
    return reports.to_line(report if full else reports.redacted(report))


def _report(report: Report, full: bool) -> Response:
    return Response(_line(report, full), media_type="application/json")


def _kept(desk: Desk, sha256: str) -> dict[str, Any] | None:
    """The report of an earlier run in the folder that keeps them, if it is of this very picture."""
    if desk.settings.keep is None:
        return None
    try:
        text = (desk.settings.keep / sha256[:16] / "report.json").read_text(encoding="utf-8")
        stored: dict[str, Any] = json.loads(text)
        return stored if stored["item"]["sha256"] == sha256 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _corner(pair: str) -> tuple[int, int]:
    x, y = (int(part) for part in pair.split(","))
    return x, y
