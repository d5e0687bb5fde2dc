"""The pages of a case: find pictures, read a stored report, write notes and marks, take evidence along, see the log."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from ifdl.report import words
from ifdl.serve.cases import Case, Mark, Query, export, search
from ifdl.serve.cases.store import LONGEST
from ifdl.serve.web import case_views, drawings, views
from ifdl.serve.web.jobs import Desk
from ifdl.serve.web.requests import Refusal, body_of, handed_in
from ifdl.types import Question, Report, State

SHOWN = 50  # pictures a page
FIELDS = ("name", "note", "question", "state", "mark", "since", "until")
ENDINGS = {"html": "html", "json": "json", "pdf": "pdf", "zip": "bundle"}
Sha256 = Annotated[str, InPath(pattern="^[0-9a-f]{64}$")]


def router(desk: Desk, folder: Path) -> APIRouter:
    """All routes of one case."""
    pages = APIRouter(include_in_schema=False, prefix="/case")

    def rendered(request: Request, template: str, **data: Any) -> HTMLResponse:
        return HTMLResponse(views.render(template, **data, token=request.state.page_token, case=folder.name))

    def said(sha256: str, what: str, text: str) -> HTMLResponse:
        try:
            with Case(folder) as case:
                if what == "note":
                    case.note(sha256, text)
                else:
                    case.mark(sha256, Mark(text))
        except ValueError as error:
            raise Refusal(422, "not_written", f"{error}.") from error
        return HTMLResponse(views.render("analyst.html", **case_views.section(folder, sha256)))

    @pages.get("")
    def listed(request: Request, skip: int = 0) -> HTMLResponse:
        given = {name: request.query_params.get(name, "")[:200] for name in FIELDS}
        query, wrong = _query(given)
        skip = max(0, min(skip, 10**9))
        with Case(folder) as case:
            found = search.pictures(case, query, SHOWN, skip)
            total = search.count(case, query)
        asked = {"given": given, "wrong": wrong, "skip": skip, "most": SHOWN}
        choices = {
            "QUESTIONS": words.QUESTIONS,
            "states": [(state, called) for state, (_, called) in words.STATES.items()],
            "markings": [(str(mark), str(mark)) for mark in (*case_views.MARKS, Mark.NONE)],
        }
        return rendered(request, "case_list.html", found=found, total=total, **asked, **choices)

    @pages.get("/log")
    def log(request: Request) -> HTMLResponse:
        with Case(folder) as case:
            broken = case.broken()
        return rendered(request, "case_log.html", log=case_views.log(folder), broken=broken)

    @pages.get("/pictures/{sha256}")
    def picture(request: Request, sha256: Sha256) -> HTMLResponse:
        try:
            with Case(folder) as case:
                report = export.restored(case.report(sha256))
                kept = case.kept(sha256) is not None
        except ValueError as error:
            raise Refusal(404, "unknown", f"{error}.") from error
        data = views.about(report, f"/case/pictures/{sha256}") | case_views.section(folder, sha256)
        more = {"log": case_views.log(folder, sha256), "kept": kept, "job": desk.of_hash(sha256), "picture": None}
        return rendered(request, "case_picture.html", **{k: v for k, v in data.items() if k != "case"}, **more)

    @pages.get("/pictures/{sha256}/preview.jpg")
    def preview(sha256: Sha256) -> Response:
        with Case(folder) as case:
            stored = export.stored(case, sha256)
        if stored.picture is None:
            raise Refusal(404, "not_kept", "the picture is not kept in the case.")
        return Response(drawings.preview(stored.picture), media_type="image/jpeg")

    @pages.post("/pictures/{sha256}/note")
    async def note(request: Request, sha256: Sha256) -> HTMLResponse:
        text = (await body_of(request, 4 * LONGEST)).decode("utf-8", "replace")
        return await run_in_threadpool(said, sha256, "note", text)

    @pages.post("/pictures/{sha256}/mark")
    async def mark(request: Request, sha256: Sha256) -> HTMLResponse:
        text = (await body_of(request, 100)).decode("utf-8", "replace")
        return await run_in_threadpool(said, sha256, "mark", text)

    @pages.post("/pictures/{sha256}/again")
    async def again(sha256: Sha256) -> JSONResponse:
        def held() -> tuple[bytes | None, str]:
            with Case(folder) as case:
                known = search.picture(case, sha256)
                return case.kept(sha256), known.name if known else ""

        data, name = await run_in_threadpool(held)
        if data is None:
            raise Refusal(404, "not_kept", "the picture is not kept in the case; hand it in again.")
        return JSONResponse({"location": f"/pictures/{handed_in(desk, data, name, pixels=True).id}"}, 201)

    @pages.get("/pictures/{sha256}/report.{form}")
    def report(sha256: Sha256, form: str, full: bool = False) -> Response:
        job = desk.of_hash(sha256)
        return exported(folder, sha256, job.report if job else None, form, full)

    return pages


def exported(folder: Path | None, sha256: str, report: Report | None, form: str, full: bool) -> Response:
    """A report to take along: the one in memory, else the case's; where there is a case, its log says so."""
    kind = ENDINGS.get(form, "")
    try:
        if folder is not None:
            with Case(folder) as case:
                data = export.made(case, sha256, kind, full, report)
        elif report is not None:
            data = export.rendered(report, kind, full)
        else:
            raise ValueError("there is no such report")
    except ImportError as error:
        raise Refusal(501, "no_extra", f"{error}.") from error
    except ValueError as error:
        raise Refusal(404, "unknown", f"{error}.") from error
    saved = {"content-disposition": f'attachment; filename="report-{sha256[:12]}.{form}"'}
    return Response(data, media_type=export.FORMS[kind], headers=saved)


def _query(given: dict[str, str]) -> tuple[Query, str]:
    """What is asked of the case, and in words what of it could not be read; that part is left out."""
    try:
        days = {name: given[name] and date.fromisoformat(given[name]).isoformat() for name in ("since", "until")}
    except ValueError:
        return Query(), "A day is written YYYY-MM-DD."
    try:
        return Query(
            given["name"],
            given["note"],
            Question(given["question"]) if given["question"] else None,
            State(given["state"]) if given["state"] else None,
            Mark(given["mark"]) if given["mark"] else None,
            **days,
        ), ""
    except ValueError as error:
        return Query(), f"{error}."
