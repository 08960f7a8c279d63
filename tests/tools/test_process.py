"""Child processes end with what started them, and tell why they failed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tools.errors import SetupError
from tools.process import WINDOWS, run_in_foreground, run_quietly, start_group, stop_group, tail

SLEEP = "import time; time.sleep(600)"
PARENT = (
    f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', '{SLEEP}']); "
    "print(child.pid, flush=True); child.wait()"
)
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(code: str) -> tuple[subprocess.Popen[str], str]:
    """A group that runs some Python, and the first line it prints."""
    process = start_group([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.slow
def test_a_group_ends_with_all_its_members() -> None:
    process, child = start(PARENT)
    assert runs(int(child))
    stop_group(process)
    assert process.poll() is not None
    assert not runs(int(child))


@pytest.mark.skipif(WINDOWS, reason="Windows ends processes by force in any case")
def test_a_process_that_ignores_the_request_is_ended_by_force() -> None:
    process, _ = start(DEAF)
    stop_group(process, grace=0.3)
    assert not runs(process.pid)


def test_stopping_what_has_already_ended_is_quick_and_harmless() -> None:
    process, _ = start("print('done')")
    process.wait()
    begun = time.monotonic()
    stop_group(process, grace=60)
    stop_group(process, grace=60)
    assert time.monotonic() - begun < 30


def test_a_failing_command_tells_its_last_words_and_where_the_rest_is(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    log.parent.mkdir()
    log.write_text("of an earlier command\n")
    with pytest.raises(SetupError) as failed:
        run_quietly(
            [sys.executable, "-c", "print('trying'); raise SystemExit('no such wheel')"], log=log, what="Pip"
        )
    message = str(failed.value)
    assert message.startswith("Pip failed (exit status 1).")
    assert "trying" in message and "no such wheel" in message and str(log) in message
    assert "earlier" not in message
    assert "earlier" in log.read_text()


def test_every_line_is_passed_on_while_the_command_runs(tmp_path: Path) -> None:
    lines: list[str] = []
    run_quietly(
        [sys.executable, "-c", "print('a'); print('b')"], log=tmp_path / "l", on_line=lines.append, what="x"
    )
    assert lines == ["a", "b"]


@pytest.mark.slow
def test_an_interruption_ends_the_command(tmp_path: Path) -> None:
    children: list[int] = []

    def interrupt(line: str) -> None:
        children.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_quietly([sys.executable, "-c", PARENT], log=tmp_path / "l", on_line=interrupt, what="x")
    assert not runs(children[0])


def test_a_command_in_the_foreground_returns_its_status_and_sees_its_environment(tmp_path: Path) -> None:
    code = "import os, sys; sys.exit(7 if os.environ.get('ONLY') == 'this' else 1)"
    assert run_in_foreground([sys.executable, "-c", code], cwd=tmp_path, env={"ONLY": "this"}) == 7


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(str(i) for i in range(100)))
    assert tail(log, lines=3) == "97\n98\n99"
