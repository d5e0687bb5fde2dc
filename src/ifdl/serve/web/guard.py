"""Who may call: this machine's own page after the one-time token, and programs; nothing that another site sends.

A browser on this machine is the way in for strangers: any page it shows can send requests here, and by DNS rebinding
read the answers. So the Host header must be this machine's, what comes from another site is refused, the page needs a
cookie that only the printed address gives, and whatever changes something needs the page's own token besides.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ifdl.serve.web.metrics import Metrics
from ifdl.serve.web.settings import Settings

PAGE_TOKEN = "x-ifdl-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
OPEN = ("/healthz",)  # tells nothing but that the service runs
SAFE = ("GET", "HEAD", "OPTIONS")


def refusal(status: int, kind: str, reason: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as JSON: {"error": {"kind", "reason"}}."""
    return JSONResponse({"error": {"kind": kind, "reason": reason}}, status, headers)


class Sessions:
    """The one-time token, and the cookies given for it with their page tokens."""

    def __init__(self, settings: Settings) -> None:
        self.cookie = f"ifdl_{settings.port}"
        self._token: str | None = settings.token
        self._pages: dict[str, str] = {}

    def exchange(self, token: str) -> str | None:
        """A new cookie for the one-time token, which is then spent; None for any other."""
        if self._token is None or not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        self._token = None
        cookie = secrets.token_urlsafe(32)
        self._pages[cookie] = secrets.token_urlsafe(32)
        return cookie

    def page_token(self, cookie: str) -> str | None:
        """The token that the page with that cookie must send with every change."""
        return self._pages.get(cookie)


class Guard:
    """ASGI middleware that refuses, and adds the headers; `scope["state"]["page_token"]` is set for the page."""

    def __init__(self, app: ASGIApp, settings: Settings, sessions: Sessions, metrics: Metrics) -> None:
        self.app, self.settings, self.sessions, self.metrics = app, settings, sessions, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        answer = self._answer(scope, Headers(scope=scope))

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                self.metrics.request(_method(scope), _route(scope), message["status"])
            await send(message)

        if answer is not None and answer.status_code >= 400:
            self.metrics.refused("guard")
        await (answer or self.app)(scope, receive, sent)

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """The refusal, or the redirection of a first visit; None where the call may pass."""
        path, settings = scope["path"], self.settings
        if settings.local and headers.get("host", "") not in settings.hosts:
            return refusal(421, "wrong_host", "this service answers under 127.0.0.1 only.")
        if why := self._foreign(scope, headers):
            return refusal(403, "cross_site", why)
        if path in OPEN:
            return None
        cookie = self._cookie(headers)
        token = self.sessions.page_token(cookie) if cookie and settings.local else None
        scope.setdefault("state", {})["page_token"] = token
        if path.startswith("/v1/") or path == "/metrics":
            return self._program(scope, headers, token)
        if not settings.local:
            return refusal(404, "no_page", "there is no page beyond this machine; see /v1/openapi.json.")
        return self._page(scope, headers, token)

    def _foreign(self, scope: Scope, headers: Headers) -> str:
        """Why a request comes from another site; empty if it does not."""
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "another site sent this request."
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope.get('scheme', 'http')}://{headers.get('host', '')}":
            return "another site sent this request."
        return ""

    def _program(self, scope: Scope, headers: Headers, token: str | None) -> Response | None:
        """Programs need the key where there is one; the page's own session does as well."""
        keys = self.settings.keys
        if not keys or (token is not None and (scope["method"] in SAFE or _same(headers.get(PAGE_TOKEN), token))):
            return None
        given = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")
        if any(_same(given, key) for key in keys):
            return None
        challenge = {"www-authenticate": "Bearer"}
        return refusal(401, "no_key", "send the key as `Authorization: Bearer KEY`.", challenge)

    def _page(self, scope: Scope, headers: Headers, token: str | None) -> Response | None:
        if scope["path"] == "/" and scope["method"] == "GET" and (given := _query(scope, "token")):
            cookie = self.sessions.exchange(given)
            if cookie is not None or token is not None:
                answer = RedirectResponse("/", 303)
                if cookie is not None:
                    answer.set_cookie(self.sessions.cookie, cookie, httponly=True, samesite="strict", path="/")
                return answer
        if token is None:
            words = "Open the address that `ifdl serve` printed; it works once. Start it again for a new one.\n"
            return Response(words, 401, media_type="text/plain; charset=utf-8")
        if scope["method"] not in SAFE and not _same(headers.get(PAGE_TOKEN), token):
            return refusal(403, "no_page_token", "this request did not come from the page; load it again.")
        return None

    def _cookie(self, headers: Headers) -> str:
        try:
            jar = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        return jar[self.sessions.cookie].value if self.sessions.cookie in jar else ""


def _same(given: str | None, wanted: str) -> bool:
    return hmac.compare_digest((given or "").encode(), wanted.encode())


def _query(scope: Scope, name: str) -> str:
    asked: str = scope["query_string"].decode("latin-1")
    return parse_qs(asked).get(name, [""])[0]


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    method: str = scope["method"]
    return method if method in known else "other"


def _route(scope: MutableMapping[str, Any]) -> str:
    """The pattern of the route that answered, "none" where none did."""
    return str(getattr(scope.get("route"), "path", "none"))
