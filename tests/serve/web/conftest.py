"""One running service for all tests of the page and the service: its worker takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")

from fastapi.testclient import TestClient

from ifdl.serve.web.app import create
from ifdl.serve.web.settings import Settings

PORT = 8123
HOME = f"http://127.0.0.1:{PORT}"
TOKEN = "a-token-that-works-once"


@pytest.fixture(scope="session")
def service() -> Iterator[TestClient]:
    """The application on this machine, without a key; no cookie yet."""
    with TestClient(create(Settings(port=PORT, token=TOKEN)), base_url=HOME, follow_redirects=False) as client:
        yield client


@pytest.fixture(scope="session")
def page(service: TestClient) -> TestClient:
    """The same after the first visit: with the cookie, and the page's token in every request."""
    visit = service.get("/", params={"token": TOKEN})
    assert visit.status_code == 303, visit.text
    start = service.get("/")
    token = start.text.split('name="page-token" content="')[1].split('"')[0]
    visitor = TestClient(service.app, base_url=HOME, headers={"x-ifdl-token": token}, cookies=dict(service.cookies))
    visitor.portal = service.portal  # the same event loop: on another, events would wait for the next beat
    service.cookies.clear()
    return visitor
