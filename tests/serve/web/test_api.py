"""The JSON service: reports and answers about parts, limits, and what is held."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from PIL import Image

from ifdl.intake import Limits
from ifdl.serve.web import jobs, worker
from ifdl.serve.web.app import create
from ifdl.serve.web.settings import Settings
from ifdl.verdict import battery
from tests.intake import hostile
from tests.serve.test_cli import EXAMPLES, SPLICE
from tests.serve.web.conftest import HOME, PORT

DIGEST = hashlib.sha256(SPLICE.read_bytes()).hexdigest()


def test_examine_and_fetch_again(service: TestClient) -> None:
    done = service.post("/v1/examine?name=splice.jpg", content=SPLICE.read_bytes())
    assert done.status_code == 200, done.text
    report = done.json()
    Draft202012Validator(service.get("/v1/schema").json()).validate(report)
    assert report["item"]["name"] == "splice.jpg" and report["item"]["sha256"] == DIGEST and report["redacted"]
    answers = {a["question"]: a["state"] for a in report["verdict"]["answers"]}
    assert answers["local_edit"] == "SUPPORTED"
    again = service.get(f"/v1/reports/{DIGEST}")
    assert again.json() == report
    assert not service.get(f"/v1/reports/{DIGEST}?full=true").json()["redacted"]
    assert service.get(f"/v1/reports/{'0' * 64}").status_code == 404
    assert service.get("/v1/reports/x").status_code == 422


def test_region(service: TestClient) -> None:
    data = SPLICE.read_bytes()
    for query in ("box=465,49,113,115", "polygon=465,49 578,49 578,164 465,164"):
        told = service.post(f"/v1/region?{query}&name=splice.jpg", content=data).json()
        assert any(t["say"] == "supports" and not t["experimental"] for t in told["tests"]), told
    for wrong in ("", "box=1,2,3", "box=1,2,3,4&polygon=1,1 2,2 3,3", "polygon=1,1", "box=9000,0,5,5", "polygon=a,b c"):
        refused = service.post(f"/v1/region?{wrong}", content=data)
        assert refused.status_code == 422 and refused.json()["error"]["reason"], wrong


def test_models_health_and_openapi(service: TestClient) -> None:
    assert {c["id"] for c in service.get("/v1/models").json()} == set(battery.names())
    assert service.get("/healthz").json()["status"] == "ok"
    described = service.get("/v1/openapi.json").json()
    assert set(described["paths"]) == {
        "/v1/examine", "/v1/region", "/v1/reports/{sha256}", "/v1/models", "/v1/schema", "/healthz", "/metrics"
    }  # fmt: skip
    assert service.get("/docs").status_code in (401, 404), "its page would load scripts from the network"


@pytest.mark.parametrize("data", [b"", b"not a picture", SPLICE.read_bytes()[:3000], hostile.saved("PNG")[:60]])
def test_refused_files_get_a_reason(service: TestClient, data: bytes) -> None:
    refused = service.post("/v1/examine", content=data)
    assert refused.status_code == 422
    assert set(refused.json()["error"]) == {"kind", "reason"} and refused.json()["error"]["reason"]


def test_metrics(service: TestClient) -> None:
    service.get("/nowhere/at/all")
    text = service.get("/metrics").text
    assert 'ifdl_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert 'route="none"' in text and "/nowhere" not in text, "no visitor makes new series"
    assert "ifdl_examination_seconds_count" in text and "ifdl_open 0" in text
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.rsplit(" ", 1)[1]) >= 0


def test_too_large_is_refused_unread() -> None:
    settings = Settings(port=PORT, limits=Limits(file_bytes=1000))
    client = TestClient(create(settings), base_url=HOME)
    assert client.post("/v1/examine", content=bytes(1001)).status_code == 413

    def parts() -> object:
        for _ in range(4):
            yield bytes(400)

    assert client.post("/v1/examine", content=parts()).status_code == 413  # type: ignore[arg-type]


class Stuck:
    """A worker that waits until it is let go."""

    go = threading.Event()

    def __init__(self, _settings: Settings) -> None: ...

    def examine(self, _data: bytes, _name: str, tell: worker.Tell) -> None:
        self.go.wait(30)
        tell("refused", ("corrupt", "let go"))

    def close(self) -> None: ...


def test_full_queue_answers_503_with_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_Worker", Stuck)
    Stuck.go.clear()
    with TestClient(create(Settings(port=PORT, queue=1, workers=1)), base_url=HOME) as client:
        waiting = [
            threading.Thread(target=client.post, args=("/v1/examine",), kwargs={"content": bytes([n])}) for n in (1, 2)
        ]
        for thread in waiting:
            thread.start()
        until = time.monotonic() + 20
        while "ifdl_open 2" not in client.get("/metrics").text and time.monotonic() < until:
            time.sleep(0.05)
        busy = client.post("/v1/examine", content=b"\x03")
        assert busy.status_code == 503 and int(busy.headers["retry-after"]) > 0, busy.text
        assert client.get("/healthz").status_code == 200, "the event loop is free while workers work"
        Stuck.go.set()
        for thread in waiting:
            thread.join(20)
        assert client.post("/v1/examine", content=b"\x03").status_code == 422


def test_time_limit_ends_the_worker_and_the_next_picture_is_examined() -> None:
    crew = jobs._Worker(Settings(seconds=300.0))
    try:
        assert crew._ready()
        told: list[tuple[str, object]] = []
        crew.settings = Settings(seconds=0.0)
        crew.examine(SPLICE.read_bytes(), "a", lambda kind, what: told.append((kind, what)))
        assert told[-1][0] == "refused" and told[-1][1][0] == "timed_out", told  # type: ignore[index]
        crew.settings = Settings(seconds=300.0)
        crew.examine((EXAMPLES / "untouched.jpg").read_bytes(), "b", lambda kind, what: told.append((kind, what)))
        assert told[-1][0] == "report"
    finally:
        crew.close()


def test_few_pictures_are_held_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jobs, "_Worker", Stuck)
    Stuck.go.set()
    with TestClient(create(Settings(port=PORT, held=3)), base_url=HOME) as client:
        for n in range(8):
            client.post("/v1/examine", content=bytes([n, n]))
        assert "ifdl_held 3" in client.get("/metrics").text


def test_kept_reports_only_where_asked(tmp_path: Path) -> None:
    place = tmp_path / DIGEST[:16]
    place.mkdir()
    (place / "report.json").write_text(json.dumps({"item": {"sha256": DIGEST}}))
    with_folder = TestClient(create(Settings(port=PORT, keep=tmp_path)), base_url=HOME)
    assert with_folder.get(f"/v1/reports/{DIGEST}").json()["item"]["sha256"] == DIGEST
    assert with_folder.get(f"/v1/reports/{DIGEST[:16]}{'0' * 48}").status_code == 404
    without = TestClient(create(Settings(port=PORT)), base_url=HOME)
    assert without.get(f"/v1/reports/{DIGEST}").status_code == 404


def test_hostile_name_is_text(service: TestClient) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((80, 80), 30).save(buffer, "PNG")
    done = service.post("/v1/examine", params={"name": "../../<b>\u202egpj"}, content=buffer.getvalue())
    assert done.status_code == 200 and done.json()["item"]["name"] == "../../<b>\u202egpj"
    assert "\u202e" not in done.text, "it must not turn text around in a terminal"
