"""The process in which inputs are tried: `python -m tests.fuzz.child BORDER FIRST COUNT FOLDER BYTES`."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.judge import judged, watched_log

_PAGE = resource.getpagesize()
_SYSTEM = ("/dev/", "/proc/")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "socket.connect",
    "socket.getaddrinfo",
)
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "shutil.rmtree",
)


class Guard:
    """Notes whatever an input does beyond its folder: files it writes, programs it starts, hosts it calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder.resolve())
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in ("os.remove", "os.rmdir") and arguments[1] != -1:
            return  # within a folder that shutil.rmtree names
        if event in _FORBIDDEN:
            self.seen.append(f"{event} {str(arguments)[:200]}")
        elif event in _CHANGES or (event == "open" and self._writes(arguments)):
            path = (
                os.path.realpath(os.fsdecode(arguments[0])) if not isinstance(arguments[0], int) else "/dev/"
            )
            if not path.startswith((self.folder, *_SYSTEM)) and "__pycache__" not in path:
                self.seen.append(f"{event} {path}")

    @staticmethod
    def _writes(arguments: tuple[Any, ...]) -> bool:
        _, mode, flags = arguments
        return bool(set(mode or "") & set("wax+")) or bool((flags or 0) & _WRITING and not mode)


def _resident(peak: bool = False) -> int:
    """Bytes of memory that this process has in use, or had at most since the last call of `_forget_peak`."""
    if not os.path.exists("/proc/self/status"):
        return 0
    name = "VmHWM:" if peak else "VmRSS:"
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def _forget_peak() -> None:
    if os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")


def main(border: str, first: str, count: str, folder: str, most: str) -> None:
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever prints goes into the log
    place = Path(folder)
    warnings.simplefilter("ignore")
    subject = importlib.import_module(f"tests.fuzz.{border}").Subject(place)
    guard = Guard(place)
    # Far above the limit that is measured: it ends what would take the machine down.
    if sys.platform == "linux":
        virtual = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * _PAGE
        resource.setrlimit(resource.RLIMIT_AS, (virtual + 4 * int(most), resource.RLIM_INFINITY))
    with watched_log() as log:
        for number in range(int(first), int(count)):
            given = subject.make(Random(f"{border} {number}"))
            log.lines.clear()
            guard.seen.clear()
            _forget_peak()
            before = _resident()
            out.write(json.dumps({"begin": number}) + "\n")
            begun = time.perf_counter()
            guard.on = True
            kind, said = judged(subject, given)
            guard.on = False
            seconds, growth = time.perf_counter() - begun, max(0, _resident(peak=True) - before)
            if kind != "fault" and (problem := log.problem()):
                kind, said = "fault", problem
            if kind != "fault" and guard.seen:
                kind, said = "fault", f"it did {guard.seen[0]}"
            if kind != "fault" and growth > int(most):
                kind, said = "fault", f"it took {growth / 1e9:.1f} GB ({said})"
            if kind == "fault" and hasattr(subject, "about"):
                said += f" [{subject.about(given)}]"
            event = {"number": number, "kind": kind, "said": said, "seconds": seconds, "growth": growth}
            out.write(json.dumps(event) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
