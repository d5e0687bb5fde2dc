"""The JSON service: picture bytes in, a report or an answer about a part out."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

import ifdl
from ifdl import report as reports
from ifdl.ask import region as regions
from ifdl.serve.web.jobs import Desk, Job
from ifdl.serve.web.metrics import Metrics
from ifdl.serve.web.requests import Refusal, body_of, box_of, handed_in
from ifdl.types import Card, Report
from ifdl.verdict import battery


class Why(BaseModel):
    """Why there is no answer: `kind` is stable, `reason` is for people."""

    kind: str
    reason: str


class Error(BaseModel):
    """What every refusal looks like."""

    error: Why


class Health(BaseModel):
    """The service runs, and which version it is."""

    status: str
    version: str


PICTURE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The bytes of one picture file, as they are.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
OBJECT: dict[str, Any] = {"content": {"application/json": {"schema": {"type": "object"}}}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "The request cannot be read."},
    401: {"model": Error, "description": "The key is missing or wrong."},
    403: {"model": Error, "description": "Another site sent the request."},
    413: {"model": Error, "description": "The file is too large."},
    421: {"model": Error, "description": "The Host header names another machine."},
    422: {"model": Error, "description": "The file cannot be examined, or a parameter is wrong."},
    503: {"model": Error, "description": "Too many pictures are waiting; see Retry-After."},
}
FEW: dict[int | str, dict[str, Any]] = {status: REFUSALS[status] for status in (401, 403, 421, 422)}
OPEN: dict[int | str, dict[str, Any]] = {status: REFUSALS[status] for status in (403, 421)}
Name = Annotated[str, Query(max_length=255, description="The file's name, as the report shall show it.")]
Full = Annotated[bool, Query(description="Keep places, serial numbers and owners' names.")]


def router(desk: Desk, metrics: Metrics) -> APIRouter:
    """All routes for programs."""
    api = APIRouter()

    async def examined(request: Request, name: str) -> Job:
        data = await body_of(request, desk.settings.limits.file_bytes)
        job = handed_in(desk, data, name or "picture")
        await job.finished()
        if job.error is not None:
            raise Refusal(422, *job.error)
        return job

    @api.post(
        "/v1/examine",
        summary="Examine a picture",
        response_class=Response,
        responses={200: {**OBJECT, "description": "The report; its schema is /v1/schema."}, **REFUSALS},
        openapi_extra=PICTURE,
    )
    async def examine(request: Request, name: Name = "picture", full: Full = False) -> Response:
        job = await examined(request, name)
        assert job.report is not None
        return await run_in_threadpool(_report, job.report, full)

    @api.post(
        "/v1/region",
        summary="Ask about a part of a picture",
        response_class=Response,
        responses={200: {**OBJECT, "description": "What every test says of the part."}, **REFUSALS},
        openapi_extra=PICTURE,
    )
    async def region(
        request: Request,
        box: Annotated[str | None, Query(max_length=60, description="x,y,width,height in stored pixels")] = None,
        polygon: Annotated[
            str | None, Query(max_length=4000, description="x,y x,y x,y … in stored pixels, at least three corners")
        ] = None,
        name: Name = "picture",
    ) -> Response:
        corners = [_corner(pair) for pair in polygon.split()] if polygon else None
        wanted = box_of(box) if box else None
        if (wanted is None) == (corners is None):
            raise Refusal(422, "bad_part", "name one part: a box or a polygon.")
        job = await examined(request, name)
        assert job.report is not None and job.picture is not None
        try:
            part = regions.part(job.picture, wanted, corners)
        except ValueError as error:
            raise Refusal(422, "bad_part", f"{error}.") from error
        verdict = job.report.verdict
        asked = await run_in_threadpool(regions.ask, job.picture, verdict.findings, verdict.predictions, part)
        return JSONResponse(regions.to_dict(asked, job.picture))

    @api.get(
        "/v1/reports/{sha256}",
        summary="The report of a picture examined before",
        response_class=Response,
        responses={
            200: {**OBJECT, "description": "The report."},
            404: {"model": Error, "description": "No report of that picture is held."},
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

    @api.get("/healthz", summary="Whether the service runs", responses=OPEN)
    def health() -> Health:
        return Health(status="ok", version=ifdl.__version__)

    @api.get("/metrics", summary="Counters in Prometheus's format", response_class=PlainTextResponse, responses=FEW)
    def counters() -> PlainTextResponse:
        return PlainTextResponse(metrics.text(desk.depth, sum(1 for _ in desk.latest())))

    return api


def _report(report: Report, full: bool) -> Response:
    text = reports.to_line(report if full else reports.redacted(report))
    return Response(text, media_type="application/json")


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
    try:
        x, y = (int(part) for part in pair.split(","))
    except ValueError:
        raise Refusal(422, "bad_part", "a polygon is corners x,y with blanks between them.") from None
    return x, y
