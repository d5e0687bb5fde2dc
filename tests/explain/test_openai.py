"""The chat explainer against a real HTTP server on this machine: what it sends, and what it makes of bad answers."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
import pytest

from ifdl.explain import _vlm, claims
from ifdl.explain import openai_compatible as chat
from ifdl.types import Picture, Question, Sentence, Verdict
from tests.report import fixtures

PRIVATE = (fixtures.SERIAL, fixtures.OWNER, fixtures.LATITUDE)


class Stage(ThreadingHTTPServer):
    """A chat server that answers whatever a test asks it to, and keeps what it was sent."""

    daemon_threads = True
    reply: Any = None
    asked: list[tuple[str, dict[str, str], bytes]]

    def handle_error(self, *_: Any) -> None:
        """A caller that hangs up is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Stage

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.server.asked.append((self.path, dict(self.headers), body))
        status, said = self.server.reply(self) or (200, b"")
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://203.0.113.9/v1/chat/completions")
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def running() -> Iterator[Stage]:
    server = Stage(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.asked = []
    return running


@pytest.fixture(scope="module")
def case() -> tuple[Picture, Verdict]:
    made = fixtures.report()
    assert made.picture is not None
    return made.picture, made.verdict


def says(text: Any, reason: str = "stop") -> Any:
    def reply(handler: Handler) -> tuple[int, bytes]:
        if handler.path.endswith("/models"):
            return 200, b'{"data": [{"id": "eyes-1"}]}'
        return 200, json.dumps({"choices": [{"message": {"content": text}, "finish_reason": reason}]}).encode()

    return reply


def at(stage: Stage, **options: Any) -> chat.Server:
    return chat.Server(f"http://127.0.0.1:{stage.server_port}/v1", **{"timeout": 5.0, **options})


def test_what_is_sent(stage: Stage, case: tuple[Picture, Verdict], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://203.0.113.9:1")  # a proxy would carry the picture away
    stage.reply = says("The noise differs a little, but also between textures.")
    chat.tell(*case, at(stage, key="secret"))
    assert [path for path, _, _ in stage.asked] == ["/v1/models", "/v1/chat/completions"]
    _, headers, body = stage.asked[1]
    assert headers["Authorization"] == "Bearer secret"
    sent = json.loads(body)
    assert sent["model"] == "eyes-1" and sent["temperature"] == 0
    content = sent["messages"][0]["content"]
    files = [base64.b64decode(c["image_url"]["url"].split(",")[1]) for c in content if c["type"] == "image_url"]
    pictures = [cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB) for file in files]
    assert len(pictures) == 4, "picture, overlay, and a close-up of each of two parts"
    assert all(b"Exif" not in file for file in files)
    assert pictures[0].shape == pictures[1].shape == (fixtures.WIDTH, fixtures.HEIGHT, 3), "as displayed"
    changed = cv2.absdiff(pictures[0], pictures[1]).max(axis=2) > 60
    marked = _vlm.marked(*case)
    assert marked is not None and marked.shape == changed.shape
    near = cv2.dilate(marked.astype(np.uint8), np.ones((61, 41))) > 0
    assert changed.any() and not changed[~near].any(), "outlines and letters lie at the marked parts"
    words = content[-1]["text"]
    assert "The compression grid of a patch is shifted" in words and _vlm.grammar.ASK in words
    assert not any(value in body.decode() for value in PRIVATE) and _vlm.REDACTED in words
    assert case[0].item.name not in body.decode()


def test_text_is_checked_before_it_is_an_explanation(
    stage: Stage, case: tuple[Picture, Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def checked(text: str, picture: Picture, verdict: Verdict, mark: bool = False) -> tuple[Sentence, ...]:
        heard.append(text)
        kept = Sentence("The grid is shifted.", ("F1",), ("R1",), Question.LOCAL_EDIT, "rephrased")
        return (kept, Sentence("[unsupported] x", (), kind="unsupported")) if mark else (kept,)

    monkeypatch.setattr(claims, "checked", checked)
    stage.reply = says("<think>It is fake!</think>Sure.\n**Areas**: left\nTampered content: a pas", "length")
    told = chat.tell(*case, at(stage))
    assert heard[0] == "Areas: left", "thoughts, talk and the unfinished end are gone"
    assert told.explanation.explainer == "openai_compatible:eyes-1"
    assert told.explanation.sentences[0].text == "The grid is shifted." and (told.said, told.dropped) == (2, 1)
    kinds = {s.kind for s in told.explanation.sentences[1:]}
    assert {"innocent", "limit"} <= kinds, "no model can leave out harmless causes and limits"
    assert "fake" not in " ".join(s.text for s in told.explanation.sentences)


def test_an_invented_claim_never_gets_through(stage: Stage, case: tuple[Picture, Verdict]) -> None:
    stage.reply = says(
        "The compression grid of a patch is shifted by 3 pixels.\nA dog was pasted there by Bob in 2019."
    )
    told = chat.tell(*case, at(stage))
    text = " ".join(s.text for s in told.explanation.sentences)
    assert "Bob" not in text and "dog" not in text and "2019" not in text and told.dropped >= 1
    assert told.said == 2 and told.text.count("Bob") == 1


def bad(status: int, body: bytes) -> Any:
    return lambda handler: (status, body)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (bad(500, b'{"error": {"message": "out of\\nmemory"}}'), "HTTP 500: out of memory"),
        (bad(401, b""), "put the key into"),
        (bad(404, b"no"), "end in /v1"),
        (bad(302, b""), "not followed"),
        (bad(200, b"<html>"), "not JSON"),
        (bad(200, b"[" * 100_000), "not JSON"),
        (bad(200, b'{"choices": []}'), "without choices"),
        (bad(200, b'{"choices": [{"message": {"content": " "}}]}'), "empty text"),
        (bad(200, b" " * (chat.LONGEST + 9)), "more than 4 MB"),
        (lambda handler: handler.connection.shutdown(2), "broke off"),
    ],
)
def test_bad_answers_are_one_clear_sentence(
    stage: Stage, case: tuple[Picture, Verdict], reply: Any, words: str
) -> None:
    stage.reply = reply
    with pytest.raises(chat.ServerError, match=words) as said:
        chat.tell(*case, at(stage, model="m"))
    assert "\n" not in str(said.value) and "127.0.0.1" in str(said.value)


def test_a_slow_server_is_given_up(stage: Stage, case: tuple[Picture, Verdict]) -> None:
    stage.reply = lambda handler: time.sleep(0.6)
    began = time.monotonic()
    with pytest.raises(chat.ServerError, match=r"no answer in 0\.2 s; raise --timeout"):
        chat.tell(*case, at(stage, model="m", timeout=0.2))

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.06)

    stage.reply = drip
    with pytest.raises(chat.ServerError, match="no answer in"):
        chat.tell(*case, at(stage, model="m", timeout=0.2))
    assert time.monotonic() - began < 5


def test_several_models_ask_for_a_name(stage: Stage, case: tuple[Picture, Verdict]) -> None:
    stage.reply = bad(200, b'{"data": [{"id": "a"}, {"id": "b"}]}')
    with pytest.raises(chat.ServerError, match="2 models; name one with --model: a, b"):
        chat.tell(*case, at(stage))


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("http://192.168.0.7/v1", {}, "--allow-remote"),
        ("https://api.example.org/v1", {}, "--allow-remote"),
        ("http://localhost.example.org/v1", {}, "--allow-remote"),
        ("http://2130706433/v1", {}, "--allow-remote"),
        ("ftp://127.0.0.1/", {}, "no address"),
        ("http://u:p@127.0.0.1/", {}, "not into the address"),
        ("http://api.example.org/v1", {"remote": True, "key": "k"}, "in the clear"),
    ],
)
def test_a_picture_leaves_this_machine_only_when_told(url: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(chat.ServerError, match=words):
        chat.Server(url, **options)


def test_permitted_places() -> None:
    for url in ("http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1"):
        assert chat.Server(url)
    remote = chat.Server("https://api.example.org/v1/chat/completions", remote=True, key="k")
    assert remote.base == "https://api.example.org/v1"


def test_no_server_there(case: tuple[Picture, Verdict]) -> None:
    with pytest.raises(chat.ServerError, match="is the server running"):
        chat.tell(*case, chat.Server("http://127.0.0.1:9/v1", "m"))
