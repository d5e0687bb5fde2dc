"""Fetching from addresses: only public ones, checked at every hop and pinned, under limits of size and time.

A server on this machine plays the internet: the fetcher is given a resolver of our own, and connections to public
addresses are led here. Which address it wanted to connect to is written down.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from fastapi.testclient import TestClient

from ifdl.serve.web import fetch, jobs
from ifdl.serve.web.app import create
from ifdl.serve.web.fetch import Fetcher, NotFetched
from ifdl.serve.web.settings import Settings
from tests.intake import hostile
from tests.serve.web.conftest import HOME, PORT
from tests.serve.web.test_api import Here

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f::1"


class Internet:
    """Answers by path; `names` may list several addresses, or a list that changes with each question."""

    def __init__(self, names: dict[str, list[list[str]]] | None = None) -> None:
        self.names = names or {"pictures.example": [[PUBLIC]]}
        self.answers: dict[str, bytes] = {}
        self.asked: list[bytes] = []
        self.connected: list[str] = []
        self.drip = 0.0

    def resolve(self, host: str, _port: int) -> list[str]:
        known = self.names.get(host)
        if known is None:
            raise OSError("unknown")
        return known.pop(0) if len(known) > 1 else known[0]

    def connect(self, address: str, _port: int, seconds: float) -> socket.socket:
        self.connected.append(address)
        return socket.create_connection(self.place, seconds)

    def fetcher(self, most: int = 10_000_000, seconds: float = 20.0) -> Fetcher:
        return Fetcher(most, seconds, self.resolve, self.connect)

    @contextmanager
    def running(self) -> Iterator[Internet]:
        with socket.create_server(("127.0.0.1", 0)) as place:
            self.place = place.getsockname()
            threading.Thread(target=self._serve, args=(place,), daemon=True).start()
            yield self

    def _serve(self, place: socket.socket) -> None:
        while True:
            try:
                line, _ = place.accept()
            except OSError:
                return
            with line, suppress(OSError):
                asked = line.recv(65536)
                self.asked.append(asked)
                answer = self.answers.get(asked.split()[1].decode("latin-1"), b"HTTP/1.1 404 Not Found\r\n\r\n")
                if self.drip:
                    for n in range(len(answer)):
                        line.sendall(answer[n : n + 1])
                        time.sleep(self.drip)
                else:
                    line.sendall(answer)


@pytest.fixture
def internet() -> Iterator[Internet]:
    with Internet().running() as made:
        yield made


def ok(body: bytes, extra: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def to(place: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()


def kind(internet: Internet, url: str = "http://pictures.example/a.jpg", **limits: float) -> str:
    with pytest.raises(NotFetched) as caught:
        internet.fetcher(**limits).get(url)  # type: ignore[arg-type]
    return caught.value.kind


def test_a_picture_is_fetched_and_its_way_is_told(internet: Internet) -> None:
    internet.answers["/a.jpg?secret=1"] = ok(b"picture", "Content-Type: text/html\r\n")
    got = internet.fetcher().get("http://pictures.example/a.jpg?secret=1")
    assert got.data == b"picture" and internet.connected == [PUBLIC]
    assert got.origin == f"fetched 7 bytes from http://pictures.example/a.jpg?… at {PUBLIC}"
    asked = internet.asked[0].decode()
    assert (
        "Host: pictures.example\r\n" in asked and "cookie" not in asked.lower() and "authorization" not in asked.lower()
    )


def test_redirects_are_followed_and_told(internet: Internet) -> None:
    internet.names["other.example"] = [[OTHER]]
    internet.answers |= {"/a.jpg": to("http://other.example/b"), "/b": to("/c", 307), "/c": ok(b"x")}
    got = internet.fetcher().get("http://pictures.example/a.jpg")
    assert got.data == b"x" and internet.connected == [PUBLIC, OTHER, OTHER]
    assert "redirected by http://pictures.example/a.jpg (302)" in got.origin


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/latest/meta-data/",
        "http://inside.example/", "http://10.0.0.1/", "http://0/",
    ],
)  # fmt: skip
def test_redirects_into_the_network_are_refused(internet: Internet, place: str) -> None:
    internet.names["inside.example"] = [["192.168.1.7"]]
    real = {"127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1"}
    internet.names |= {address: [[address]] for address in real} | {"0": [["0.0.0.0"]]}
    internet.answers["/a.jpg"] = to(place)
    assert kind(internet) == "forbidden_address"
    assert internet.connected == [PUBLIC], "the second connection is never made"


def test_redirects_elsewhere_and_without_end_are_refused(internet: Internet) -> None:
    for place in (
        "file:///etc/passwd",
        "gopher://pictures.example/",
        "http://pictures.example:22/",
        "//a:b@c.example/",
    ):
        internet.answers["/a.jpg"] = to(place)
        assert kind(internet) == "bad_url", place
    internet.answers["/a.jpg"] = to("/a.jpg")
    internet.connected.clear()
    assert kind(internet) == "too_many_redirects" and len(internet.connected) == fetch.HOPS + 1


def test_rebinding_gains_nothing(internet: Internet) -> None:
    """The name is public when asked first and this machine ever after."""
    internet.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    internet.answers["/a.jpg"] = ok(b"x")
    assert internet.fetcher().get("http://rebind.example/a.jpg").data == b"x"
    assert internet.connected == [PUBLIC], "the connection goes to the address that was checked"
    internet.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    internet.answers["/a.jpg"] = to("/b")
    assert kind(internet, "http://rebind.example/a.jpg") == "forbidden_address", "and each hop is checked anew"


def test_one_private_address_among_public_ones_is_enough(internet: Internet) -> None:
    internet.names["both.example"] = [[PUBLIC, "10.1.2.3"]]
    assert kind(internet, "http://both.example/") == "forbidden_address" and not internet.connected


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1",
        "::7f00:1", "fe80::1", "fec0::1", "fd00:ec2::254", "ff0e::1", "64:ff9b::7f00:1", "64:ff9b:1::1",
        "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not fetch.public(fetch.ipaddress.ip_address(address))


def test_addresses_that_are() -> None:
    for address in (PUBLIC, OTHER, "1.1.1.1", "2a00:1450:4001:80b::200e"):
        assert fetch.public(fetch.ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "", "pictures.example/a.jpg", "ftp://pictures.example/", "file:///etc/passwd", "http://", "http://a b/",
        "http://u:p@pictures.example/", "http://pictures.example:8080/", "http://pictures.example:x/", "http://[::1",
        "http://pictures.example/\r\nX: y", "http://ｐictures.example/", "data:image/png;base64,AA==",
    ],
)  # fmt: skip
def test_bad_addresses(internet: Internet, url: str) -> None:
    assert kind(internet, url) == "bad_url" and not internet.connected


def test_the_systems_resolver_reads_disguised_addresses() -> None:
    for host in ("127.1", "0x7f000001", "2130706433", "localhost"):
        with pytest.raises(NotFetched) as caught:
            Fetcher(1000).get(f"http://{host}/")
        assert caught.value.kind in ("forbidden_address", "unknown_host"), host


def test_size_limit_announced_or_not(internet: Internet) -> None:
    internet.answers["/a.jpg"] = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n"
    assert kind(internet, most=1000) == "file_too_large"
    internet.answers["/a.jpg"] = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2000)
    assert kind(internet, most=1000) == "file_too_large"
    chunks = b"".join(b"3e8\r\n" + bytes(1000) + b"\r\n" for _ in range(3)) + b"0\r\n\r\n"
    internet.answers["/a.jpg"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    assert kind(internet, most=1000) == "file_too_large"
    assert len(internet.fetcher(most=3000).get("http://pictures.example/a.jpg").data) == 3000


def test_time_limit_holds_against_a_server_that_drips(internet: Internet) -> None:
    internet.answers["/a.jpg"] = ok(bytes(200))
    internet.drip = 0.05
    began = time.monotonic()
    assert kind(internet, seconds=0.6) == "too_slow"
    assert time.monotonic() - began < 5
    assert kind(internet, seconds=0.0) == "too_slow"


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"nonsense\r\n\r\n", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut off", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)  # fmt: skip
def test_broken_answers(internet: Internet, answer: bytes) -> None:
    internet.answers["/a.jpg"] = answer
    assert kind(internet) == "unreachable"


def test_https_needs_a_certificate_for_that_name(internet: Internet) -> None:
    internet.answers["/a.jpg"] = ok(b"x")
    assert kind(internet, "https://pictures.example/a.jpg", seconds=5.0) == "unreachable"
    assert internet.connected == [PUBLIC] and b"pictures.example" in internet.asked[0], (
        "it names the host, not the address"
    )


def test_the_service_fetches_only_when_told_to(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"url": "http://pictures.example/a.jpg"}
    off = TestClient(create(Settings(port=PORT)), base_url=HOME)
    refused = off.post("/v1/examine-url", json=asked)
    assert refused.status_code == 403 and "--allow-urls" in refused.json()["error"]["reason"] and not internet.connected

    monkeypatch.setattr(jobs, "_Worker", Here)
    internet.answers |= {"/a.jpg": ok(hostile.saved("PNG")), "/page": ok(b"<html>", "Content-Type: image/png\r\n")}
    with TestClient(create(Settings(port=PORT, urls=True), fetcher=internet.fetcher()), base_url=HOME) as client:
        done = client.post("/v1/examine-url?name=a.png", json=asked)
        assert done.status_code == 200, done.text
        log = done.json()["run"]["custody"]
        assert log[-1]["what"].startswith("fetched ") and log[-1]["previous"] == log[-2]["sha256"]
        page = client.post("/v1/examine-url", json={"url": "http://pictures.example/page"})
        assert page.status_code == 422 and page.json()["error"]["kind"] == "unsupported_format", "bytes decide"
        for url, status in (("http://10.0.0.1/", 422), ("", 422), ("x", 422)):
            assert client.post("/v1/examine-url", json={"url": url}).status_code == status
