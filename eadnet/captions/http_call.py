"""One HTTP request that ends when it is told to: at a deadline for all of it, and when the caller gives up.

A timeout of the standard library is for each read, so a server that sends a byte now and then, in its headers
or its body, could hold a caller for ever. Here a thread of its own reads, and its connection is cut.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LARGEST_REPLY = 1 << 20
_STEP = 0.05  # seconds between two looks


@dataclass(frozen=True)
class Reply:
    """What a server answered: its status, at most `LARGEST_REPLY` bytes, and when it may be asked again."""

    status: int
    data: bytes
    retry_after: str = ""
    whole: bool = True


class NoReply(Exception):
    """The server did not answer: too late, or for the reason of the operating system."""

    def __init__(self, reason: str, late: bool = False) -> None:
        super().__init__(reason)
        self.late = late


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    timeout: float,
    waiting: Callable[[float], None] = time.sleep,
) -> Reply:
    """Ask with a body. Redirects are not followed; this computer is asked without a proxy.

    ``waiting`` sleeps a moment while the answer is awaited; to cancel, raise inside it. Raises NoReply, with
    nothing in its chain: errors of the standard library quote addresses and headers.
    """
    call = _Call(urllib.request.Request(url, body, headers), timeout)
    try:
        failed = call.wait(waiting)
    finally:
        call.cut()
    if call.reply is None:
        raise NoReply(failed or "no answer in time", late=not failed)
    return call.reply


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class _Call:
    """A request in a thread. `reply` is there when `wait` found no failure and the time was enough."""

    def __init__(self, request: urllib.request.Request, timeout: float) -> None:
        self.reply: Reply | None = None
        self._request, self._end = request, time.monotonic() + timeout
        self._timeout, self._failed = timeout, ""
        self._sockets: list[socket.socket] = []
        self._gone = False
        self._done = threading.Event()
        threading.Thread(target=self._run, name="eadnet endpoint", daemon=True).start()

    def wait(self, waiting: Callable[[float], None]) -> str:
        """Until the reply is there; what failed, empty for nothing or for a lack of time."""
        while not self._done.wait(_STEP):
            if time.monotonic() > self._end:
                return ""
            waiting(_STEP)
        return self._failed

    def cut(self) -> None:
        """End the connection, if it is still there: the thread ends with it."""
        self._gone = True
        for connected in self._sockets:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def keep(self, connected: socket.socket | None) -> None:
        if connected is not None:
            self._sockets.append(connected)
        if self._gone:
            self.cut()

    def _run(self) -> None:
        try:
            self.reply = self._ask()
        except TimeoutError:
            self._failed = ""
        except Exception as error:
            reason = getattr(error, "reason", error)
            late = isinstance(reason, TimeoutError)
            self._failed = "" if late else str(reason) or type(reason).__name__
        finally:
            self._done.set()

    def _ask(self) -> Reply:
        try:
            with _opener(self._request, self).open(self._request, timeout=self._timeout) as response:
                data = self._read(response)
                return Reply(200, data[:LARGEST_REPLY], whole=len(data) <= LARGEST_REPLY)
        except urllib.error.HTTPError as error:
            with error:
                data, after = b"", str(error.headers.get("Retry-After") or "").strip()
                with suppress(OSError, http.client.HTTPException, ValueError):
                    data = self._read(error)[:LARGEST_REPLY]
                return Reply(error.code, data, after)

    def _read(self, response: Any) -> bytes:
        data = bytearray()
        while len(data) <= LARGEST_REPLY and (part := response.read1(65536)):
            data += part
            if time.monotonic() > self._end:
                raise TimeoutError
        return bytes(data)


def _opener(request: urllib.request.Request, call: _Call) -> urllib.request.OpenerDirector:
    """Without redirects, and for this very computer without a proxy; sockets are kept in the call."""

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            call.keep(self.sock)

    class Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            call.keep(self.sock)

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req)

    host = urlsplit(request.full_url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    proxies = [urllib.request.ProxyHandler({})] if local else []
    return urllib.request.build_opener(_NoRedirect, PlainHandler, SecureHandler, *proxies)
