"""What the JSON service takes and gives, as its OpenAPI description says it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints


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


State = Literal["waiting", "running", "done", "failed"]


class Progress(BaseModel):
    """How far an examination is; `report` is there once it is done."""

    id: str
    sha256: str
    state: State
    step: str
    error: Why | None = None
    report: dict[str, Any] | None = None


class Url(BaseModel):
    """Where a picture lies."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=2000)]


PICTURE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The bytes of one picture file, as they are.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
OBJECT: dict[str, Any] = {"content": {"application/json": {"schema": {"type": "object"}}}}
RETRY: dict[str, Any] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "The request cannot be read."},
    401: {"model": Error, "description": "The key is missing or wrong."},
    403: {"model": Error, "description": "Another site sent the request, or nothing is fetched here."},
    408: {"model": Error, "description": "The file took too long to arrive."},
    413: {"model": Error, "description": "The file is too large."},
    421: {"model": Error, "description": "The Host header names another machine."},
    422: {"model": Error, "description": "The file cannot be examined, or a parameter is wrong."},
    503: {"model": Error, "description": "Too many pictures are waiting.", "headers": RETRY},
}
FEW: dict[int | str, dict[str, Any]] = {status: REFUSALS[status] for status in (401, 403, 421, 422)}
OPEN: dict[int | str, dict[str, Any]] = {status: REFUSALS[status] for status in (403, 421)}
HELD: dict[int | str, dict[str, Any]] = {
    404: {"model": Error, "description": "No such job is held."},
    **FEW,
}
COUNTERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Counters.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
EVENT: dict[str, Any] = {
    "type": "object",
    "description": "One event; its data is a Progress as JSON.",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
    "required": ["id", "event", "data"],
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events.", "content": {"text/event-stream": {"schema": EVENT}}}
}
EXAMINED: dict[int | str, dict[str, Any]] = {
    200: {**OBJECT, "description": "The report; its schema is /v1/schema."},
    202: {
        "model": Progress,
        "description": "A job; ask for it at its address.",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "/v1/jobs/{job_id}"}},
    },
    **REFUSALS,
}
