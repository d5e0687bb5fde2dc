"""Fetch a picture from an address that a stranger named, without becoming his way into the network.

Only http and https on their own ports. A name is resolved once for each hop, every address found must be a public one,
and the connection goes to the address that was checked: a name that resolves otherwise a moment later (DNS rebinding)
gains nothing. Redirects are followed by hand and checked alike. Proxies in the environment are not used. What the
server says of the content is not believed: the bytes decide, in intake's child process.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import ifdl

PORTS = {"http": 80, "https": 443}
REDIRECTS = (301, 302, 303, 307, 308)
HOPS = 5
# Python calls these global, but they lead on to an IPv4 address that nobody checked: NAT64, 6to4, compatible addresses.
DETOURS = tuple(ipaddress.ip_network(n) for n in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "::/96", "fec0::/10"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotFetched(Exception):
    """The picture was not fetched; `kind` is stable, the text is for people."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True)
class Fetched:
    """The bytes, and in words where they came from."""

    data: bytes
    origin: str


def public(address: Address) -> bool:
    """Whether an address is one of the open internet: not private, local, shared, reserved or multicast."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return public(address.ipv4_mapped)
        if any(address in network for network in DETOURS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to exactly that address."""
    return socket.create_connection((address, port), seconds)


@dataclass(frozen=True)
class Fetcher:
    """Fetches at most `most` bytes in at most `seconds`, redirects included."""

    most: int
    seconds: float = 20.0
    resolve: Callable[[str, int], list[str]] = resolve
    connect: Callable[[str, int, float], socket.socket] = connect

    def get(self, url: str) -> Fetched:
        """The bytes at `url`. Raises NotFetched."""
        until = time.monotonic() + self.seconds
        via = ""
        for _ in range(HOPS + 1):
            parts = _parts(url)
            address = self._checked(parts)
            status, body = self._ask(parts, address, until)
            if isinstance(body, bytes):
                return Fetched(body, f"fetched {len(body)} bytes from {_shown(parts)} at {address}{via}")
            via += f", redirected by {_shown(parts)} ({status})"
            url = urljoin(url, body)
        raise NotFetched("too_many_redirects", f"more than {HOPS} redirects.")

    def _checked(self, parts: SplitResult) -> str:
        """An address of the host; every one it has must be public."""
        host, port = str(parts.hostname), PORTS[parts.scheme]
        try:
            found = [ipaddress.ip_address(address.split("%")[0]) for address in self.resolve(host, port)]
        except (OSError, UnicodeError, ValueError):
            found = []
        if not found:
            raise NotFetched("unknown_host", "the host's name cannot be resolved.")
        if not all(public(address) for address in found):
            raise NotFetched("forbidden_address", "the host is not on the public internet.")
        return str(found[0])

    def _ask(self, parts: SplitResult, address: str, until: float) -> tuple[int, bytes | str]:
        """Status, and the body or where a redirect leads."""
        late = NotFetched("too_slow", f"the address did not give the picture within {self.seconds:g} s.")
        left = until - time.monotonic()
        if left <= 0:
            raise late
        host, port = str(parts.hostname), PORTS[parts.scheme]
        asking = http.client.HTTPConnection(host, port)
        watch: threading.Timer | None = None
        lines: list[socket.socket] = []
        try:
            line = self.connect(address, port, left)
            # One timer for all of it: a server that sends a byte now and then outlives every timeout of one read.
            lines.append(line)
            watch = threading.Timer(max(0.0, until - time.monotonic()), lambda: _cut(lines[-1]))
            watch.start()
            if parts.scheme == "https":
                context = ssl.create_default_context()
                secure = context.wrap_socket(line, server_hostname=host, do_handshake_on_connect=False)
                lines.append(secure)
                secure.do_handshake()
            asking.sock = lines[-1]
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            asking.request(
                "GET",
                target,
                headers={
                    "Host": f"[{host}]" if ":" in host else host,
                    "User-Agent": f"ifdl/{ifdl.__version__}",
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                },
            )
            return self._read(asking.getresponse(), until)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= until:
                raise late from None
            raise NotFetched("unreachable", f"the address did not answer properly ({type(error).__name__}).") from None
        finally:
            if watch is not None:
                watch.cancel()
            for each in lines:
                each.close()

    def _read(self, answer: http.client.HTTPResponse, until: float) -> tuple[int, bytes | str]:
        place = answer.headers.get("location")
        if answer.status in REDIRECTS and place:
            return answer.status, place
        if answer.status != 200:
            raise NotFetched("unreachable", f"the address answered {answer.status}.")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise NotFetched("unreachable", "the address answered with compressed content, which was not asked for.")
        too_large = NotFetched("file_too_large", f"more than {self.most:,} bytes.")
        if answer.length is not None and answer.length > self.most:
            raise too_large
        body = answer.read(self.most + 1)
        if len(body) > self.most:
            raise too_large
        if time.monotonic() >= until or answer.length:
            raise OSError("cut off")
        return answer.status, body


def _parts(url: str) -> SplitResult:
    """The parts of an address that may be asked. Raises NotFetched."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        plain = url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        raise NotFetched("bad_url", "this is not an address.") from None
    if not host or not plain:
        raise NotFetched("bad_url", "an address is http:// or https://, a host and a path, in ASCII without blanks.")
    if parts.scheme not in PORTS:
        raise NotFetched("bad_url", "only http and https are fetched.")
    if parts.username is not None or parts.password is not None:
        raise NotFetched("bad_url", "an address with a user's name or password is not fetched.")
    if port not in (None, PORTS[parts.scheme]):
        raise NotFetched("bad_url", "only ports 80 (http) and 443 (https) are asked.")
    return parts


def _shown(parts: SplitResult) -> str:
    """An address as the log shows it: what follows the question mark may be a secret."""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{'?…' if parts.query else ''}"


def _cut(line: socket.socket) -> None:
    """End a connection under a thread that reads from it."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)  # not the encrypted line's own, which is not made for threads
