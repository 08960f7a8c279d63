"""A server on this computer that speaks (or should speak) OpenAI's chat completions."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One answer: text for a model's message, or a whole `body`; after `delay` seconds, `drip` per byte."""

    text: str = ""
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0

    def data(self) -> bytes:
        if self.body is not None:
            return self.body
        return json.dumps({"choices": [{"message": {"role": "assistant", "content": self.text}}]}).encode()


@dataclass
class Served:
    """The running server and what it was asked."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def pictures(self) -> list[bytes]:
        """The JPEG files of the last request."""
        parts = self.requests[-1]["messages"][0]["content"]
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        return [base64.b64decode(url.removeprefix("data:image/jpeg;base64,")) for url in urls]


@contextlib.contextmanager
def serving(*answers: str | Answer) -> Iterator[Served]:
    """Gives the answers in turn, the last one for ever."""
    script: Sequence[Answer] = [a if isinstance(a, Answer) else Answer(a) for a in answers]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen = len(served.requests)
            served.paths.append(self.path)
            served.headers.append(dict(self.headers))
            served.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(script[min(seen, len(script) - 1)])

        def do_GET(self) -> None:
            served.paths.append(f"GET {self.path}")
            self.answer(Answer("followed"))

        def answer(self, answer: Answer) -> None:
            time.sleep(answer.delay)
            data = answer.data()
            with contextlib.suppress(OSError):  # the client may have given up
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if not answer.drip:
                    self.wfile.write(data)
                    return
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(answer.drip)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = Served(f"http://127.0.0.1:{server.server_address[1]}/v1")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
