"""Unfinished videos: found again by what decides them, and by nothing else; only one render's at a time.

They lie in a folder of their own, each under the key of its render (see `Scene.fingerprint`), so that neither
the name of the finished video nor the time in it matters. Beside KEY.partial.mp4 lie KEY.lock, which is held
while somebody renders it, KEY.partial.json and, once the VAE has gone over to float32, KEY.float32. Who finds
the lock held renders the same video on its own, as KEY-2. What nobody has touched for `KEPT_DAYS` is removed
by the next render into that folder.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..media.locks import Lock, try_lock
from ..media.resumable_video import discard_partial, partial_path
from ..printable import get_logger

logger = get_logger(__name__)

FOLDER = "eadnet_unfinished"
KEPT_DAYS = 14
_LARGEST_WINDOW = 1 << 16  # frames
_OURS = re.compile(
    r"([0-9a-f]{16}(?:-[0-9]+)?)\.(?:partial\.mp4|previous\.mp4|whole\.mp4|partial\.json|float32|lock)"
)


class Unfinished:
    """The place of one unfinished video, KEY.mp4 by the name that `ResumableVideo` takes, while it is ours.

    The window is noted beside the video, because memory may have made it smaller than requested.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.video = partial_path(path)
        self._note = path.with_name(f"{path.stem}.partial.json")
        self._float32 = path.with_name(f"{path.stem}.float32")

    def window(self) -> int | None:
        """The window of the earlier attempt; None where there is none, or the note about it is damaged."""
        try:
            window = json.loads(self._note.read_text(encoding="utf-8"))["window"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return window if type(window) is int and 1 <= window <= _LARGEST_WINDOW else None

    def write(self, window: int) -> None:
        """Raises InputError where nothing can be written."""
        if window == self.window():  # on a full disk, writing it anew would lose it
            return
        try:
            self._note.write_text(json.dumps({"window": window}), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self._note} cannot be written ({error}): choose another place.") from error

    def in_float32(self) -> bool:
        """Whether frames of it were made by a VAE that had gone over to float32."""
        return self._float32.exists()

    def note_float32(self) -> None:
        """Raises InputError where nothing can be written. An empty file: a full disk has room for it."""
        if self.in_float32():
            return
        try:
            self._float32.parent.mkdir(parents=True, exist_ok=True)  # somebody may have removed it
            self._float32.touch()
        except OSError as error:
            raise InputError(f"{self._float32} cannot be written ({error}): choose another place.") from error

    def forget_float32(self) -> None:
        """The video begins anew."""
        self._float32.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the video and its note."""
        discard_partial(self.path)
        self._note.unlink(missing_ok=True)
        self.forget_float32()


@contextmanager
def unfinished_video(folder: Path, key: str, resume: bool) -> Iterator[Unfinished]:
    """The unfinished video of this key in ``folder`` (which is made), locked meanwhile: with ``resume`` the
    one that has got furthest and that nobody renders now. Without, and where there is none, an empty place.

    What is found is not touched, and what is there at the end stays. Old ones are swept.
    Raises InputError where nothing can be written.
    """
    try:
        stem, lock = _locked(folder, key, resume)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be written ({error}): choose another place.") from error
    if not lock.certain:
        logger.warning(
            "%s is in a file system without locks: do not render the same video twice at once.", folder
        )
    try:
        sweep(folder, KEPT_DAYS)
        yield Unfinished(folder / f"{stem}.mp4")
    finally:
        lock.release()
        _remove_if_empty(folder)


def sweep(folder: Path, days: float) -> None:
    """Remove the unfinished videos in the folder that nobody has touched for so many days, nor holds now."""
    try:
        files = list(_files(folder).items())
    except OSError:
        return
    for stem, paths in files:
        if time.time() - _touched(paths) < 86400 * days:
            continue
        try:
            lock = try_lock(folder / f"{stem}.lock")
            if lock is None:
                continue
            try:
                logger.info("%s is removed: nobody has continued it for %g days.", stem, days)
                for path in paths:
                    if path != lock.path:
                        path.unlink(missing_ok=True)
            finally:
                lock.release()
        except OSError as error:
            logger.info("%s cannot be removed (%s).", stem, error)


def _locked(folder: Path, key: str, resume: bool) -> tuple[str, Lock]:
    found = _found(folder, key) if resume else []
    for stem in [*found, *(key if number == 1 else f"{key}-{number}" for number in range(1, 1000))]:
        lock = _try_lock(folder, stem)
        if lock is not None:
            return stem, lock
        logger.warning("Somebody else renders the same video now: this one is rendered on its own.")
    raise OSError("too many of the same video are rendered at once")


def _try_lock(folder: Path, stem: str) -> Lock | None:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return try_lock(folder / f"{stem}.lock")
        except FileNotFoundError:  # somebody has finished, and removed the folder
            if folder.is_dir():
                raise


def _found(folder: Path, key: str) -> list[str]:
    """Unfinished videos of this key, the largest first."""
    sizes = {
        stem: max(_size(path) for path in paths)
        for stem, paths in _files(folder).items()
        if stem.split("-")[0] == key
    }
    return sorted((stem for stem, size in sizes.items() if size), key=lambda stem: -sizes[stem])


def _size(path: Path) -> int:
    """Of a video; 0 for other files, and for one that was removed meanwhile."""
    try:
        return path.stat().st_size if path.suffix == ".mp4" else 0
    except OSError:
        return 0


def _files(folder: Path) -> dict[str, list[Path]]:
    """Our files in the folder, by key."""
    files: dict[str, list[Path]] = defaultdict(list)
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if ours := _OURS.fullmatch(path.name):
                files[ours[1]].append(path)
    return files


def _touched(paths: list[Path]) -> float:
    """When one of the files was last written."""
    times = []
    for path in paths:
        try:
            times.append(path.stat().st_mtime)
        except OSError:  # removed meanwhile
            times.append(time.time())
    return max(times)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass
