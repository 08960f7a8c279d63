"""The client half of RFC 6455, as much as ComfyUI's messages need: text, binary, ping, close."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # fixed by RFC 6455, section 1.3
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class WebSocketError(ConnectionError):
    """The other side does not speak WebSocket, broke off, or closed."""


class WebSocket:
    """A connection that receives whole messages; a time-out loses nothing that has already arrived."""

    def __init__(self, host: str, port: int, path: str, timeout: float = 10.0) -> None:
        self._buffer = bytearray()
        self._parts = bytearray()
        self._kind = CONTINUATION
        self._socket = socket.create_connection((host, port), timeout=timeout)
        try:
            self._handshake(f"{host}:{port}", path)
        except BaseException:
            self._socket.close()
            raise

    def receive(self, timeout: float) -> str | bytes:
        """The next message: text as str, anything else as bytes.

        Raises:
            TimeoutError: none was complete within `timeout` seconds; call again.
            WebSocketError: the connection is closed.
        """
        self._socket.settimeout(timeout)
        while True:
            final, kind, payload = self._frame()
            if kind == PING:
                self._send(PONG, payload)
            elif kind == CLOSE:
                raise WebSocketError("the server closed the connection")
            elif kind != PONG:
                if kind != CONTINUATION:
                    self._kind = kind
                self._parts += payload
                if final:
                    message, self._parts = bytes(self._parts), bytearray()
                    return message.decode("utf-8") if self._kind == TEXT else message

    def close(self) -> None:
        """Says goodbye and closes; never fails."""
        try:
            self._send(CLOSE, struct.pack("!H", 1000))
        except OSError:
            pass
        self._socket.close()

    def _handshake(self, host: str, path: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(request.encode("ascii"))
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        accept = base64.b64encode(
            hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()
        ).decode()
        if status.split(" ")[1:2] != ["101"] or headers.get("sec-websocket-accept") != accept:
            raise WebSocketError(f"no WebSocket at {host}{path}: {status}")

    def _frame(self) -> tuple[bool, int, bytes]:
        """One frame: (last of its message, opcode, payload). Takes nothing before it is whole."""
        self._need(2)
        first, second = self._buffer[0], self._buffer[1]
        head, length = 2, second & 0x7F
        if length >= 126:
            size, layout = (2, "!H") if length == 126 else (8, "!Q")
            self._need(head + size)
            length = struct.unpack(layout, self._buffer[head : head + size])[0]
            head += size
        self._need(head + length)
        payload = bytes(self._buffer[head : head + length])
        del self._buffer[: head + length]
        return bool(first & 0x80), first & 0x0F, payload

    def _need(self, count: int) -> None:
        while len(self._buffer) < count:
            self._fill()

    def _fill(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise WebSocketError("the server broke off the connection")
        self._buffer += data

    def _send(self, kind: int, payload: bytes) -> None:
        """A control frame; a client's frames are masked (RFC 6455, section 5.3)."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self._socket.sendall(bytes((0x80 | kind, 0x80 | len(payload))) + mask + masked)
