"""The WebSocket client against a server written down byte by byte."""

from __future__ import annotations

import base64
import hashlib
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from tools.websocket import WebSocket, WebSocketError

Script = Callable[[socket.socket], None]


def frame(kind: int, payload: bytes, final: bool = True) -> bytes:
    """A frame as a server sends it: not masked."""
    first = bytes([(0x80 if final else 0) | kind])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return first + bytes([126]) + struct.pack("!H", len(payload)) + payload
    return first + bytes([127]) + struct.pack("!Q", len(payload)) + payload


def accepted(request: bytes) -> bytes:
    key = next(
        line.split(b": ")[1] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key")
    )
    token = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-accept: "
    return head + token + b"\r\n\r\n"


@pytest.fixture
def connect() -> Iterator[Callable[[Script], WebSocket]]:
    """Connects a client to a server that, after the handshake, follows a script."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def start(script: Script, answer: Callable[[bytes], bytes] = accepted) -> WebSocket:
        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(answer(connection.recv(4096)))
                script(connection)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return WebSocket("127.0.0.1", listener.getsockname()[1], "/ws?clientId=x")

    yield start
    for thread in threads:
        thread.join(5)
    listener.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 200_000])
def test_messages_of_every_size_arrive_whole(connect: Callable[[Script], WebSocket], size: int) -> None:
    websocket = connect(
        lambda server: server.sendall(frame(0x1, b"a" * size) + frame(0x2, b"\x00\xff" * size))
    )
    assert websocket.receive(5) == "a" * size
    assert websocket.receive(5) == b"\x00\xff" * size
    websocket.close()


def test_a_message_in_parts_with_a_ping_between_is_one_message(
    connect: Callable[[Script], WebSocket],
) -> None:
    pong: queue.Queue[bytes] = queue.Queue()

    def script(server: socket.socket) -> None:
        server.sendall(
            frame(0x1, "schö".encode()[:-1], final=False) + frame(0x9, b"hi") + frame(0x0, b"\xb6n")
        )
        pong.put(server.recv(100))

    websocket = connect(script)
    assert websocket.receive(5) == "schön"
    answer = pong.get(timeout=5)
    websocket.close()
    head, mask, body = answer[:2], answer[2:6], answer[6:8]
    assert head == bytes([0x8A, 0x82]), "an answer of two masked bytes"
    assert bytes(byte ^ mask[i] for i, byte in enumerate(body)) == b"hi"


def test_a_timeout_in_the_middle_of_a_message_loses_nothing(connect: Callable[[Script], WebSocket]) -> None:
    whole = frame(0x1, b"hello")
    late = threading.Event()

    def script(server: socket.socket) -> None:
        server.sendall(whole[:4])
        late.wait(5)
        server.sendall(whole[4:])

    websocket = connect(script)
    with pytest.raises(TimeoutError):
        websocket.receive(0.1)
    late.set()
    assert websocket.receive(5) == "hello"
    websocket.close()


def test_bytes_that_follow_the_handshake_at_once_are_kept(connect: Callable[..., WebSocket]) -> None:
    websocket = connect(lambda server: None, lambda request: accepted(request) + frame(0x1, b"early"))
    assert websocket.receive(5) == "early"
    websocket.close()


@pytest.mark.parametrize("ending", [frame(0x8, b"\x03\xe8"), b""])
def test_the_end_of_the_connection_is_an_error(connect: Callable[[Script], WebSocket], ending: bytes) -> None:
    websocket = connect(lambda server: server.sendall(ending))
    with pytest.raises(WebSocketError):
        websocket.receive(5)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
    ],
)
def test_a_server_that_does_not_agree_is_refused(connect: Callable[..., WebSocket], answer: bytes) -> None:
    with pytest.raises(WebSocketError, match="no WebSocket"):
        connect(lambda server: None, lambda request: answer)
