"""Runs a script and ends it, with everything it started, as soon as the process that started it is gone.

`python guarded.py PARENT_PID script.py arguments...`, as the head of a process group of its own. The ordinary
way to stop is a signal to the group; this covers the parent that was killed outright and could send none.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time


def wait_for_end_of(parent: int) -> None:
    """Returns when the parent process has ended."""
    if os.name != "nt":
        while os.getppid() == parent:  # an orphan is given to another process at once
            time.sleep(0.5)
        return
    import ctypes

    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined, unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    synchronize, forever = 0x00100000, 0xFFFFFFFF
    handle = kernel.OpenProcess(synchronize, False, parent)
    if not handle or kernel.WaitForSingleObject(handle, forever):
        threading.Event().wait()  # it cannot be watched: then only the signal ends us


def end_with(parent: int) -> None:
    """Ends this process and its group when the parent has ended."""
    wait_for_end_of(parent)
    if os.name != "nt":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(int(sys.argv[1]),), daemon=True).start()
    sys.argv = sys.argv[2:]
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [
        os.path.dirname(os.path.abspath(sys.argv[0])),
        *(path for path in sys.path if path != here),
    ]
    runpy.run_path(sys.argv[0], run_name="__main__")
