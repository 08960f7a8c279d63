"""Child processes that never outlive us: own groups, ended as a whole, on Linux, macOS and Windows."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from .errors import SetupError

WINDOWS = os.name == "nt"
Command = Sequence[str | os.PathLike[str]]


@contextlib.contextmanager
def signals_unwind() -> Iterator[None]:
    """Makes a termination signal unwind the stack as Ctrl-C does, so that every `finally` ends its child."""

    def unwind(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    names = ("SIGTERM", "SIGHUP", "SIGBREAK")
    previous = {
        getattr(signal, n): signal.signal(getattr(signal, n), unwind) for n in names if hasattr(signal, n)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def start_group(
    command: Command,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | IO | None = None,
) -> subprocess.Popen[str]:
    """Starts a command as the head of a process group of its own, without input, errors among the output."""
    creation = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(
        [os.fspath(part) for part in command],
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=not WINDOWS,
        creationflags=creation,
    )


def stop_group(process: subprocess.Popen, grace: float = 10.0) -> None:
    """Ends a group started by `start_group`, after `grace` seconds by force; returns when it is gone.

    A second Ctrl-C during the wait only shortens the grace: the group is ended in any case.
    """
    if WINDOWS:
        if process.poll() is None:
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False
            )
        process.wait()
        return
    try:
        _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while _group_alive(process) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _group_alive(process: subprocess.Popen) -> bool:
    process.poll()  # reaps the head, which would otherwise count as a member of the group for ever
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def run_quietly(
    command: Command,
    *,
    log: Path,
    on_line: Callable[[str], None] = lambda line: None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    what: str,
) -> None:
    """Runs a command with its output in `log`, each line also handed to `on_line`.

    Raises:
        SetupError: the command failed; the message carries `what`, the end of the log and where it is.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8") as record:
        start = record.tell()
        process = start_group(command, cwd=cwd, env=env, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                record.write(line)
                on_line(line.rstrip())
            code = process.wait()
        finally:
            stop_group(process)
            process.stdout.close()
    if code:
        raise SetupError(f"{what} failed (exit status {code}).\n{tail(log, start)}\nThe whole log: {log}")


def run_in_foreground(
    command: Command, *, cwd: Path, env: Mapping[str, str] | None = None, grace: float = 20.0
) -> int:
    """Runs a command that owns the terminal (pytest, a training run) and returns its exit status.

    It stays in our process group, so that a Ctrl-C in the terminal reaches it at once; it then gets `grace`
    seconds to finish by itself.
    """
    process = subprocess.Popen(
        [os.fspath(part) for part in command], cwd=cwd, env=None if env is None else dict(env)
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        raise
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def tail(log: Path, start: int = 0, lines: int = 30) -> str:
    """The last lines of a log file, from byte `start` on."""
    with open(log, encoding="utf-8", errors="replace") as file:
        file.seek(start)
        return "\n".join(file.read().splitlines()[-lines:])
