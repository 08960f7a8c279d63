"""One holder at a time, whoever it is; and none after its end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from eadnet.media import locks
from eadnet.media.locks import try_lock

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time; from pathlib import Path
from eadnet.media.locks import try_lock
lock = try_lock(Path(sys.argv[1]))
print(lock is not None, flush=True)
time.sleep(60)
"""


def test_it_is_exclusive_within_a_process_and_gone_after_its_release(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "a.lock")
    assert first is not None and first.certain and try_lock(tmp_path / "a.lock") is None
    first.release()
    first.release()
    assert list(tmp_path.iterdir()) == []
    again = try_lock(tmp_path / "a.lock")
    assert again is not None
    again.release()


def test_of_many_threads_one_gets_it_at_a_time(tmp_path: Path) -> None:
    inside, most, taken = 0, 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most, taken
        for _ in range(300):
            lock = try_lock(tmp_path / "a.lock")
            if lock is None:
                continue
            with guard:
                inside, taken = inside + 1, taken + 1
                most = max(most, inside)
            with guard:
                inside -= 1
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and taken > 8, "the file is removed and made anew all the time"


def test_it_is_held_by_another_process_until_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == "True\n"
        assert try_lock(path) is None
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    assert path.exists(), "what a dead process leaves is no obstacle"
    lock = try_lock(path)
    assert lock is not None
    lock.release()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks otherwise")
def test_a_file_system_without_locks_gives_an_uncertain_one(tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    lock = try_lock(tmp_path / "a.lock")
    assert lock is not None and not lock.certain
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        try_lock(tmp_path / "nowhere" / "a.lock")
