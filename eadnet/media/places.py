"""Where a finished file goes: under its own name, or under the next free number. It appears whole."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import InputError


class Place(Protocol):
    """A name to be, in a ``folder``; ``what`` names it in messages, for example as a widget."""

    @property
    def folder(self) -> Path: ...

    @property
    def what(self) -> str: ...

    @property
    def likely(self) -> Path:
        """The name it will have, unless somebody else takes that first."""
        ...

    def give(self, file: Path) -> Path:
        """Give a file of this folder's file system its name, and return that."""
        ...


@dataclass(frozen=True)
class Named:
    """This very name; what is there is replaced."""

    path: Path
    what: str = "the video"

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def likely(self) -> Path:
        return self.path

    def give(self, file: Path) -> Path:
        os.replace(file, self.path)
        return self.path


@dataclass(frozen=True)
class Numbered:
    """NAME_00001_.mp4 and so on, as ComfyUI counts: the first from ``first`` on that is free. Nothing is ever
    replaced, whoever else writes into the folder.
    """

    folder: Path
    name: str
    first: int = 1
    what: str = "filename_prefix"

    @property
    def likely(self) -> Path:
        return self._path(self.first)

    def give(self, file: Path) -> Path:
        number = self.first
        while not _take_free(file, self._path(number)):
            number += 1
        return self._path(number)

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.name}_{number:05}_.mp4"


def check_place(place: Place) -> None:
    """Make the folder. Raises InputError where a file of that name cannot be written there."""
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place.folder):
            pass
        _look_for(place.likely)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{place.what}: {place.likely} cannot be written ({error}): choose another place or name."
        ) from error


def _look_for(path: Path) -> None:
    """Raises OSError or ValueError for a name that is too long, or has signs that no name may have."""
    try:
        os.stat(path)
    except FileNotFoundError:
        pass


def move_to(place: Place, file: Path) -> Path:
    """Move a whole file to its place, even from another disk; it is never seen there in part."""
    place.folder.mkdir(parents=True, exist_ok=True)
    try:
        return place.give(file)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    near = place.folder / f".{file.name}"
    try:
        shutil.copyfile(file, near)
        moved = place.give(near)
    except BaseException:
        near.unlink(missing_ok=True)
        raise
    file.unlink()
    return moved


def _take_free(file: Path, path: Path) -> bool:
    """Rename the file to ``path`` unless something is there; whether it was."""
    if os.name == "nt":  # renames to no name that exists
        try:
            os.rename(file, path)
        except FileExistsError:
            return False
        return True
    try:
        os.link(file, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise
        try:  # on a file system without second names, an empty file keeps the name
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        os.replace(file, path)
        return True
    os.unlink(file)
    return True
