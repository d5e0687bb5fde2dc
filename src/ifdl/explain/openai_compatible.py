"""Any server with a chat endpoint as OpenAI has it (vLLM, llama.cpp, Ollama, LM Studio, …), asked to rephrase findings.

It is sent the picture, an overlay, close-ups and the measured findings: pixels and words, no file, no metadata, no
private value. Only a server on this machine is spoken to unless `remote` says that the picture may leave it. No
proxy, no redirect: either could carry a picture somewhere that nobody named.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from ifdl.explain import _exhibits, _vlm
from ifdl.types import Explanation, Picture, Verdict

KEY = "IFDL_API_KEY"  # an environment variable, so that no key is seen in a list of processes
LONGEST = 4 * 1024**2  # bytes of an answer
TOKENS = 800


class ServerError(ValueError):
    """The server could not be asked, or gave no usable answer; one sentence that names it and the cure."""


@dataclass(frozen=True)
class Server:
    """Where to ask. `url` is its base ("http://127.0.0.1:8000/v1") or the whole chat endpoint.

    `model` is the name it knows its model by, "" where it has just one; `timeout` in seconds for the whole answer.
    """

    url: str
    model: str = ""
    timeout: float = 120.0
    remote: bool = False
    key: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServerError(f"{self.url} is no address of a server; give one as http://127.0.0.1:8000/v1")
        if parts.username or parts.password:
            raise ServerError(f"put a key into ${KEY}, not into the address")
        if not self.remote and not loopback(parts.hostname):
            raise ServerError(
                f"{parts.hostname} is not this machine, and the picture would leave it; --allow-remote permits that"
            )
        if self.key and parts.scheme == "http" and not loopback(parts.hostname):
            raise ServerError(f"a key is never sent to {parts.hostname} in the clear; use https")

    @property
    def base(self) -> str:
        return self.url.rstrip("/").removesuffix("/chat/completions")


def explain(picture: Picture, verdict: Verdict, url: str, **options: Any) -> Explanation:
    """Sentences of the server's model that findings support; `options` are fields of `Server`."""
    return tell(picture, verdict, Server(url, **{"key": os.environ.get(KEY, ""), **options})).explanation


def tell(
    picture: Picture, verdict: Verdict, server: Server, progress: Callable[[str], None] = lambda said: None
) -> _vlm.Told:
    """What the server's model says, checked. Raises ServerError with the cure."""
    model = server.model or _only_model(server)
    shown = _exhibits.exhibits(picture, verdict)
    progress(f"asking {model} at {urlsplit(server.url).netloc}, with {len(shown)} pictures")
    text, cut = _answer(_sent(server, "/chat/completions", request(picture, verdict, model, shown)), server)
    return _vlm.told(f"openai_compatible:{model}", text, picture, verdict, cut)


def request(picture: Picture, verdict: Verdict, model: str, shown: list[tuple[str, bytes]]) -> dict[str, Any]:
    """The body of the request."""
    content: list[dict[str, Any]] = []
    for caption, data in shown:
        address = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        content += [{"type": "text", "text": f"Shown next: {caption}."}]
        content += [{"type": "image_url", "image_url": {"url": address}}]
    content.append({"type": "text", "text": _vlm.question(picture, verdict)})
    messages = [{"role": "user", "content": content}]
    return {"model": model, "messages": messages, "max_tokens": TOKENS, "temperature": 0, "seed": 0, "stream": False}


def loopback(host: str) -> bool:
    """Whether a host is this machine for certain: by number, or called localhost. Other names are not looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# ---------------------------------------------------------------- talking to the server


def ask(server: Server, body: dict[str, Any]) -> tuple[str, bool]:
    """(the text that answers a chat request, whether it was cut short). Raises ServerError."""
    return _answer(_sent(server, "/chat/completions", body), server)


def model_of(server: Server) -> str:
    """The model that a server is asked for: the one named, or the only one that it has. Raises ServerError."""
    return server.model or _only_model(server)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def _sent(server: Server, path: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON that the server answers. Raises ServerError."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if server.key:
        headers["Authorization"] = f"Bearer {server.key}"
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(server.base + path, data, headers)
    where = f"{server.base}{path}"
    until = time.monotonic() + server.timeout
    try:
        with _OPENER.open(asked, timeout=server.timeout) as reply:
            raw = _read(reply, until)
    except urllib.error.HTTPError as error:
        with error:
            said = _said(error.read(2000))
        if 300 <= error.code < 400:
            raise ServerError(
                f"{where} sends elsewhere (HTTP {error.code}), which is not followed; name the place itself"
            ) from error
        cure = {401: f"; put the key into ${KEY}", 404: "; does the address end in /v1?"}.get(error.code, "")
        raise ServerError(f"{where} answered HTTP {error.code}{said}{cure}") from error
    except TimeoutError as error:
        raise ServerError(f"{where} gave no answer in {server.timeout:g} s; raise --timeout") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | socket.timeout):
            raise ServerError(f"{where} gave no answer in {server.timeout:g} s; raise --timeout") from error
        raise ServerError(f"{where} cannot be reached ({error.reason}); is the server running?") from error
    except (OSError, HTTPException) as error:
        raise ServerError(f"{where} broke off its answer ({type(error).__name__})") from error
    if len(raw) > LONGEST:
        raise ServerError(f"{where} answered with more than {LONGEST // 1024**2} MB")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ServerError(f"{where} answered with something that is not JSON") from error


def _read(reply: Any, until: float) -> bytes:
    """All of a reply. Raises TimeoutError where it drips for longer than that."""
    raw = b""
    while len(raw) <= LONGEST and (piece := reply.read1(65536)):
        raw += piece
        if time.monotonic() > until:
            raise TimeoutError
    return raw


def _answer(reply: Any, server: Server) -> tuple[str, bool]:
    """(the text, whether it was cut short). Raises ServerError."""
    try:
        choice = reply["choices"][0]
        text = choice["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise ServerError(f"{server.base} answered without choices[0].message.content") from error
    if isinstance(text, list):
        text = "".join(str(p.get("text", "")) for p in text if isinstance(p, dict))
    if not isinstance(text, str) or not text.strip():
        raise ServerError(f"{server.base} answered with an empty text; has its model eyes for pictures?")
    return text, choice.get("finish_reason") == "length"


def _only_model(server: Server) -> str:
    listed = _sent(server, "/models")
    try:
        names = [str(row["id"]) for row in listed["data"]]
    except (KeyError, TypeError) as error:
        raise ServerError(f"{server.base}/models lists no models; name one with --model") from error
    if len(names) != 1:
        raise ServerError(f"{server.base} has {len(names)} models; name one with --model: {', '.join(names[:8])}")
    return names[0]


def _said(body: bytes) -> str:
    """What the server says is wrong, made one short line."""
    try:
        told = json.loads(body)
        told = told.get("error", told) if isinstance(told, dict) else told
        text = str(told.get("message", told) if isinstance(told, dict) else told)
    except ValueError:
        text = body.decode(errors="replace")
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    return f": {text[:200]}" if text else ""
