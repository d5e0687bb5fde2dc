"""The Trace tab of a picture: where the archive says that it comes from, and in what it differs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ifdl.serve.web import views
from ifdl.serve.web.jobs import Desk, Job
from ifdl.serve.web.requests import Refusal, handed_in


def router(desk: Desk) -> APIRouter:
    """Both routes: the page, and what it asks for."""
    pages = APIRouter(include_in_schema=False)

    def job_of(job_id: str) -> Job:
        job = desk.get(job_id)
        if job is None:
            raise Refusal(404, "unknown", "that picture is no longer in memory; hand it in again.")
        return job

    @pages.get("/pictures/{job_id}/trace")
    def page(request: Request, job_id: str) -> HTMLResponse:
        job = job_of(job_id)
        tabs = views.tabs(job, desk.settings, "trace")
        return HTMLResponse(views.render("trace_tab.html", job=job, token=request.state.page_token, **tabs))

    @pages.post("/pictures/{job_id}/trace")
    async def traced(job_id: str) -> HTMLResponse:
        job = job_of(job_id)
        if job.picture is None:
            raise Refusal(409, "not_read", "the picture is not read yet, or could not be.")
        work = handed_in(desk, job.picture.data, job.name, trace=True, drawn=True)
        await work.finished()
        return HTMLResponse(views.traced(work))

    return pages
