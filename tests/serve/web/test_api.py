"""The JSON service: reports and answers about parts, limits, and what is held."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from ifdl import intake
from ifdl.intake import Limits
from ifdl.serve.cli import app
from ifdl.serve.web import jobs, worker
from ifdl.serve.web.app import create
from ifdl.serve.web.settings import Settings
from ifdl.serve.web.worker import Task
from ifdl.trace.index import Index, pictures
from ifdl.verdict import battery
from tests.intake import hostile
from tests.serve.test_cli import SPLICE
from tests.serve.web.conftest import HOME, PORT
from tests.trace.pictures import archive, composite, jpeg

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


def test_a_deep_pass_is_a_job_with_events(service: TestClient) -> None:
    data = hostile.saved("JPEG", quality=90)
    begun = service.post("/v1/examine?deep=true&name=small.jpg", content=data)
    assert begun.status_code == 202 and begun.headers["location"] == f"/v1/jobs/{begun.json()['id']}"
    assert begun.json()["state"] in ("waiting", "running") and begun.json()["report"] is None
    place = begun.headers["location"]
    told = service.get(f"{place}/events")
    assert told.headers["content-type"].startswith("text/event-stream")
    events = [
        dict(line.split(": ", 1) for line in e.splitlines()) for e in told.text.strip().split("\n\n") if e[0] != ":"
    ]
    steps = [json.loads(e["data"])["step"] for e in events]
    assert events[-1]["event"] == "done" and any(s.startswith("once more, ") for s in steps), steps
    done = service.get(place).json()
    assert done["state"] == "done" and "stability" in {row["test"] for row in done["report"]["verdict"]["coverage"]}
    failed = service.post("/v1/examine?job=true", content=b"no picture").headers["location"]
    assert "event: failed" in service.get(f"{failed}/events").text
    assert service.get(failed).json()["error"]["kind"] == "not_a_picture"
    assert service.get(f"/v1/jobs/{'x' * 16}").status_code == 404


def test_trace_without_an_archive_is_refused(service: TestClient) -> None:
    refused = service.post("/v1/trace", content=SPLICE.read_bytes())
    assert refused.status_code == 404 and "--index" in refused.json()["error"]["reason"]


def test_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(tmp_path / "a")
    with Index(tmp_path / "i", write=True) as made:
        made.update(pictures(tmp_path / "a"))
    monkeypatch.setattr(jobs, "_Worker", Here)
    suspect = jpeg(composite()[0], 80)
    with TestClient(create(Settings(port=PORT, index=tmp_path / "i")), base_url=HOME) as client:
        told = client.post("/v1/trace?name=s.jpg&box=20,30,140,110", content=suspect).json()
        assert told["hosts"][0]["path"].endswith("coffee.jpg") and told["donors"][0]["path"].endswith("chelsea.jpg")
        assert client.post("/v1/trace?box=900,900,5,5", content=suspect).json()["error"]["kind"] == "bad_part"
        assert client.post("/v1/trace", content=b"x").json()["error"]["kind"] == "not_a_picture"
        assert not list(client.app.state.desk.latest()), "the page lists examinations"
    # Whoever serves an index that is none is told before anything starts.
    done = CliRunner().invoke(app, ["serve", "--no-open", "--index", str(tmp_path / "a")])
    assert done.exit_code == 2 and "index" in done.stderr


def test_no_picture_outlives_its_examination_beyond_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_Worker", Here)
    headers = {"x-api-key": "k" * 16}
    with TestClient(create(Settings(host="0.0.0.0", key="k" * 16)), headers=headers) as client:
        data = hostile.saved("PNG")
        assert client.post("/v1/region?box=5,5,20,20", content=data).status_code == 200
        assert client.post("/v1/examine", content=data).status_code == 200, "from the report that is held"
        held = list(client.app.state.desk.latest())
        assert len(held) == 1 and held[0].report is not None
        assert held[0].picture is None and held[0].report.picture is None and held[0].data == b""
        assert client.post("/v1/region?box=5,5,20,20", content=data).status_code == 200, "examined again for its pixels"


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
        "/v1/examine", "/v1/examine-url", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/events", "/v1/region", "/v1/trace",
        "/v1/reports/{sha256}", "/v1/models", "/v1/schema", "/healthz", "/metrics",
    }  # fmt: skip
    assert not any("security" in of for path in described["paths"].values() for of in path.values()), "no key is set"
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
    assert service.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert set(families) == {
        "ifdl_requests", "ifdl_refusals", "ifdl_examinations", "ifdl_examination_seconds", "ifdl_open",
        "ifdl_queue_depth", "ifdl_held",
    }  # fmt: skip
    assert families["ifdl_examination_seconds"].type == "histogram"
    refused = {s.labels["kind"]: s.value for s in families["ifdl_refusals"].samples}
    assert refused["empty"] >= 1 and families["ifdl_open"].samples[0].value == 0


def test_too_large_is_refused_unread() -> None:
    settings = Settings(port=PORT, limits=Limits(file_bytes=1000))
    client = TestClient(create(settings), base_url=HOME)
    assert client.post("/v1/examine", content=bytes(1001)).status_code == 413

    def parts() -> object:
        for _ in range(4):
            yield bytes(400)

    assert client.post("/v1/examine", content=parts()).status_code == 413  # type: ignore[arg-type]


class Here:
    """A worker in this very process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def examine(self, data: bytes, task: Task, tell: worker.Tell) -> None:
        with intake.Decoder(self.settings.limits) as decoder:
            worker.answered(decoder, data, task, tell, self.settings.index)

    def close(self) -> None: ...


class Stuck:
    """A worker that waits until it is let go."""

    go = threading.Event()

    def __init__(self, _settings: Settings) -> None: ...

    def examine(self, _data: bytes, _task: Task, tell: worker.Tell) -> None:
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
        while "ifdl_open 2.0" not in client.get("/metrics").text and time.monotonic() < until:
            time.sleep(0.05)
        assert "ifdl_queue_depth 1.0" in client.get("/metrics").text
        busy = client.post("/v1/examine", content=b"\x03")
        assert busy.status_code == 503 and int(busy.headers["retry-after"]) > 0, busy.text
        assert client.get("/healthz").status_code == 200, "the event loop is free while workers work"
        Stuck.go.set()
        for thread in waiting:
            thread.join(20)
        assert client.post("/v1/examine", content=b"\x03").status_code == 422


@contextmanager
def listening(settings: Settings) -> Iterator[int]:
    """The port of a real server in this process."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        server = uvicorn.Server(uvicorn.Config(create(settings), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield place.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)


def test_a_slow_upload_holds_a_place_and_loses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_Worker", Stuck)
    Stuck.go.set()
    host = {"host": f"127.0.0.1:{PORT}"}
    with listening(Settings(port=PORT, queue=0, workers=1, upload_seconds=1.0)) as port:
        slow = socket.create_connection(("127.0.0.1", port), 20)
        slow.sendall(f"POST /v1/examine HTTP/1.1\r\nHost: {host['host']}\r\nContent-Length: 9\r\n\r\nabc".encode())
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 20
        while "ifdl_open 1.0" not in httpx.get(f"{address}/metrics", headers=host).text and time.monotonic() < until:
            time.sleep(0.02)
        large = bytes(8_000_000)  # more than sockets buffer: the refusal must not cut the sender off
        assert httpx.post(f"{address}/v1/examine", headers=host, content=large).status_code == 503
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
        slow.close()
        assert httpx.post(f"{address}/v1/examine", headers=host, content=b"a").status_code == 422


def test_time_limit_ends_the_worker_and_the_next_picture_is_examined() -> None:
    crew = jobs._Worker(Settings(seconds=300.0))
    try:
        assert crew._ready()
        told: list[tuple[str, object]] = []
        crew.settings = Settings(seconds=0.0)
        crew.examine(SPLICE.read_bytes(), Task("a"), lambda kind, what: told.append((kind, what)))
        assert told[-1][0] == "refused" and told[-1][1][0] == "timed_out", told  # type: ignore[index]
        crew.settings = Settings(seconds=300.0)
        small = hostile.saved("PNG")
        crew.examine(small, Task("b"), lambda kind, what: told.append((kind, what)))
        assert told[-1][0] == "report"
    finally:
        crew.close()


def test_few_pictures_are_held_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jobs, "_Worker", Stuck)
    Stuck.go.set()
    with TestClient(create(Settings(port=PORT, held=3)), base_url=HOME) as client:
        for n in range(8):
            client.post("/v1/examine", content=bytes([n, n]))
        assert "ifdl_held 3.0" in client.get("/metrics").text


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
