"""Who may call: not another site, not another name for this machine, not without token, cookie or key."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from ifdl.serve.web.app import create
from ifdl.serve.web.guard import Sessions
from ifdl.serve.web.settings import Settings
from tests.serve.web.conftest import HOME, PORT, TOKEN

KEY = "a-key-of-more-than-16-characters"


def fresh(**settings: object) -> TestClient:
    """Without workers: nothing is examined here."""
    app = create(Settings(**{"port": PORT, "token": TOKEN} | settings))  # type: ignore[arg-type]
    return TestClient(app, base_url=HOME, follow_redirects=False)


def test_token_works_once_and_gives_a_strict_cookie() -> None:
    client = fresh()
    assert client.get("/").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    first = client.get(f"/?token={TOKEN}")
    assert first.status_code == 303 and first.headers["location"] == "/"
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and TOKEN not in cookie
    assert client.get("/").status_code == 200
    client.cookies.clear()
    assert client.get(f"/?token={TOKEN}").status_code == 401, "the token is spent"


def test_other_host_names_are_refused() -> None:
    """DNS rebinding: a stranger's name that resolves to this machine."""
    client = fresh()
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", ""):
        for path in ("/", "/healthz", "/v1/models"):
            assert client.get(path, headers={"host": host}).status_code == 421, host
    for host in (f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}"):
        assert client.get("/healthz", headers={"host": host}).status_code == 200


def test_other_sites_are_refused() -> None:
    client = fresh()
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{PORT + 1}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert client.get("/v1/models", headers=headers).status_code == 403, headers
        assert client.post("/v1/examine", content=b"x", headers=headers).status_code == 403, headers
    assert client.get("/v1/models", headers={"origin": HOME, "sec-fetch-site": "same-origin"}).status_code == 200


def test_changes_need_the_page_token() -> None:
    client = fresh()
    client.get(f"/?token={TOKEN}")
    assert client.post("/pictures", content=b"x").status_code == 403
    assert client.post("/pictures", content=b"x", headers={"x-ifdl-token": "wrong"}).status_code == 403
    token = client.get("/").text.split('name="page-token" content="')[1].split('"')[0]
    assert client.post("/pictures", content=b"", headers={"x-ifdl-token": token}).status_code == 422


def test_every_answer_has_the_headers() -> None:
    client = fresh()
    for path in ("/", "/healthz", "/v1/models", "/nowhere"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer" and "access-control-allow-origin" not in headers


def test_key() -> None:
    client = fresh(key=KEY)
    assert client.get("/v1/models").status_code == 401
    for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}):
        assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/healthz").status_code == 200


def test_beyond_this_machine_only_with_a_key_and_without_a_page() -> None:
    for key in ("", "short"):
        with pytest.raises(ValueError, match="key"):
            Settings(host="0.0.0.0", key=key)
    client = fresh(host="0.0.0.0", key=KEY)
    headers = {"host": "forensics.example"}
    assert client.get("/", headers=headers).status_code == 404
    assert client.get("/v1/models", headers=headers).status_code == 401
    assert client.get("/v1/models", headers=headers | {"x-api-key": KEY}).status_code == 200


def test_cookie_of_another_session_is_nothing() -> None:
    sessions = Sessions(Settings(token=TOKEN))
    assert sessions.page_token("guess") is None
    cookie = sessions.exchange(TOKEN)
    assert cookie and sessions.page_token(cookie) and sessions.exchange(TOKEN) is None


def test_several_keys_and_none_that_is_short() -> None:
    client = fresh(key=f"{KEY}\n{KEY[::-1]}\n")
    for key, status in ((KEY, 200), (KEY[::-1], 200), (f"{KEY}\n{KEY[::-1]}", 401), ("", 401)):
        answer = client.get("/v1/models", headers={"authorization": b"Bearer " + key.replace("\n", " ").encode()})
        assert answer.status_code == status, key
    with pytest.raises(ValueError, match="16 characters"):
        Settings(key=f"{KEY} short")
    described = client.get("/v1/openapi.json", headers={"x-api-key": KEY}).json()
    assert described["paths"]["/v1/examine"]["post"]["security"] and "HTTPBearer" in str(described["components"])
