"""A running ComfyUI server: started on a loopback port, waited for, and ended with everything it started."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .comfyui import ComfyUI
from .console import StatusLine
from .errors import ServerError
from .process import start_group, stop_group, tail

GUARD = Path(__file__).with_name("guarded.py")
START_SECONDS = 1200.0  # a first start from a slow disk compiles and reads a great deal


def free_port(preferred: int | None = None) -> int:
    """A free loopback port: the preferred one if it is free, else one the system picks."""
    for port in (preferred, 0):
        if port is not None:
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
    raise ServerError("No free port on 127.0.0.1.")


def _answers(port: int) -> bool:
    """Whether the server is up. On loopback, so that no proxy is used."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", "/system_stats")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Server:
    """A server as a context: ready inside the block, gone after it, whatever ends the block.

    Args:
        comfy: the installation.
        log: the file that gets the server's output.
        port: a loopback port, by default a free one.
        arguments: further options for the server.
    """

    def __init__(
        self, comfy: ComfyUI, log: Path, port: int | None = None, arguments: Sequence[str] = ()
    ) -> None:
        self.comfy = comfy
        self.log = log
        self.port = port or free_port()
        self._arguments = list(arguments)
        self._process: subprocess.Popen[str] | None = None
        self._temp = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Server:
        try:
            self._start()
            with StatusLine() as status:
                status.show("starting ComfyUI")
                self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def log_tail(self, lines: int = 30) -> str:
        """The end of the log, with the name of its file."""
        return f"{tail(self.log, lines=lines)}\nThe whole log: {self.log}"

    def follow_log(self) -> None:
        """Copies the log to the terminal until the server ends."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(0, os.SEEK_END)
            while True:
                alive = self.is_alive()
                sys.stdout.write(log.read())
                sys.stdout.flush()
                if not alive:
                    return
                time.sleep(0.3)

    def _start(self) -> None:
        # A folder of its own: every server empties its temporary folder when it starts, and the user may have
        # another one running on the same installation.
        self._temp = tempfile.mkdtemp(prefix="ead-net-")
        command: list[str | Path] = [self.comfy.python, GUARD, str(os.getpid()), self.comfy.tree / "main.py"]
        options = ["--listen", "127.0.0.1", "--port", str(self.port), "--temp-directory", self._temp]
        options += [*self.comfy.arguments(), *self._arguments]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
        with open(self.log, "w", encoding="utf-8") as log:
            self._process = start_group(
                [*command, *options], cwd=self.comfy.tree, env=environment, stdout=log
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if not self.is_alive():
                raise ServerError(f"ComfyUI did not start.\n{self.log_tail()}")
            if _answers(self.port):
                break
            if time.monotonic() > deadline:
                raise ServerError(f"ComfyUI gave no answer within {START_SECONDS:g} s.\n{self.log_tail()}")
            time.sleep(0.25)
        self._check_pack()

    def _check_pack(self) -> None:
        """The server starts without a pack whose import fails, and says so in its log only."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        names = {str(entry) for entry in self.comfy.custom_nodes.iterdir() if (entry / "run.py").is_file()}
        failed = [line for line in lines if "IMPORT FAILED" in line and any(name in line for name in names)]
        if failed:
            raise ServerError(f"ComfyUI could not import the pack: {failed[0].strip()}\n{self.log_tail(60)}")

    def _stop(self) -> None:
        if self._process is not None:
            stop_group(self._process)
        if self._temp:
            shutil.rmtree(self._temp, ignore_errors=True)
