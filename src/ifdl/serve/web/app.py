"""The application: page and service behind one guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

import ifdl
from ifdl.serve.web import api, case_pages, pages, trace_pages
from ifdl.serve.web.fetch import Fetcher
from ifdl.serve.web.guard import Guard, Sessions, refusal
from ifdl.serve.web.jobs import Desk
from ifdl.serve.web.metrics import Metrics
from ifdl.serve.web.requests import Refusal
from ifdl.serve.web.settings import Settings


def create(settings: Settings, fetcher: Fetcher | None = None) -> FastAPI:
    """The application for the given settings; workers start and end with it."""
    metrics = Metrics()
    desk = Desk(settings, metrics)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        desk.start()
        yield
        desk.stop()

    app = FastAPI(
        title="ifdl",
        version=ifdl.__version__,
        summary="Examine pictures for traces of processing, local edits and synthetic origin, offline.",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page would load scripts from the network
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.desk = desk
    app.include_router(api.router(desk, metrics, fetcher))
    if settings.local:
        app.include_router(pages.router(desk))
        if settings.case is not None:
            app.include_router(case_pages.router(desk, settings.case))
        if settings.index is not None:
            app.include_router(trace_pages.router(desk))
    app.add_middleware(Guard, settings=settings, sessions=Sessions(settings), metrics=metrics)

    @app.exception_handler(Refusal)
    async def refused(_request: Request, error: Refusal) -> Response:
        metrics.refused(error.kind)
        return refusal(error.status, error.kind, error.reason, error.headers)

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers) if error.headers else None
        return refusal(error.status_code, "http", str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        metrics.refused("invalid")
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return refusal(422, "invalid", f"{place}: {first['msg']}")

    return app
