"""An exclusive lock on a file, between processes: it ends with whoever holds it, however that ends."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import BinaryIO

_HELD = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK)
# Tries to lock a file that its owner removes in the same moment, before the file system is given up on.
_TRIES = 100


class Lock:
    """A lock that is held; made by `try_lock`. ``certain`` is False where the file system knows no locks, as
    some network folders do: then another process may hold it, too.
    """

    def __init__(self, path: Path, file: BinaryIO, certain: bool) -> None:
        self.path, self.certain = path, certain
        self._file = file

    def release(self) -> None:
        """Give it up, and remove its file."""
        if self._file.closed:
            return
        if sys.platform != "win32":  # while it is held: nobody else has a file that is about to vanish
            _remove(self.path)
        self._file.close()
        if sys.platform == "win32":  # which removes no open file
            _remove(self.path)


def try_lock(path: Path) -> Lock | None:
    """The lock of the file ``path``, made where there is none; None where somebody else holds it.

    A file that a dead process left is taken over: the system ended its lock. Two threads exclude each other
    as two processes do. Raises OSError where the file cannot be made.
    """
    for _ in range(_TRIES):
        file = open(path, "a+b", buffering=0)  # noqa: SIM115
        try:
            locked = _lock(file.fileno())
            if locked is None:
                return Lock(path, file, certain=False)
            if locked and _is_at(file, path):
                return Lock(path, file, certain=True)
        except BaseException:
            file.close()
            raise
        file.close()
        if not locked:
            return None
    return None


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the open file is still the one of that name: its owner may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # on Windows, somebody has just opened it
        pass


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool | None:
        """Whether it is locked now; None where there are no locks."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return False if error.errno in _HELD else None
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool | None:
        """Whether it is locked now; None where there are no locks."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return False if error.errno in _HELD else None
        return True
