"""The face detectors, each in a file of its own: found by name, or by the file they are made from.

A new one is a new file in this folder with a class that keeps to `eadnet.faces.face.FaceDetector` and a
`DetectorKind` called ``KIND``: the node, the command line and the evaluation find it by themselves. Packages
that ComfyUI does not bring are imported when a detector is made, not at the top of its file. A file that
cannot be imported is left out with a message: the rest of the package does not depend on it.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError, nearest, no_such
from ...printable import get_logger
from ..face import FaceDetector
from ._kind import DetectorKind

logger = get_logger(__name__)

AUTO = "auto"


def _kinds() -> dict[str, DetectorKind]:
    found: list[DetectorKind] = []
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        try:
            found.append(importlib.import_module(f"{__name__}.{module.name}").KIND)
        except Exception:
            logger.exception("The face detector in %s.py cannot be loaded: it is left out.", module.name)
    return {kind.name: kind for kind in sorted(found, key=lambda kind: kind.order)}


DETECTORS: dict[str, DetectorKind] = _kinds()
FORMER: dict[str, DetectorKind] = {name: kind for kind in DETECTORS.values() for name in kind.former}
_EASIEST = "landmarks"  # to set up: a file and no package


def make_detector(name: str, folders: Sequence[Path], by_hand: str = "") -> FaceDetector:
    """A new detector by name.

    Args:
        name: one of `DETECTORS` or `FORMER`, or `AUTO`: the face given by hand, if there is one; else the
            first detector whose file is in the folders and whose package is installed.
        folders: where the files are looked for; a message names the first as the place to put them.
        by_hand: a face in numbers, see `manual.parse_face`.

    Raises:
        InputError: an unknown name, no usable face by hand, or a package that is not installed.
        CheckpointError: a missing or foreign file.
    """
    kind = _automatic(folders, by_hand) if name == AUTO else DETECTORS.get(name) or FORMER.get(name)
    if kind is None:
        raise InputError(no_such("face detector", name, [AUTO, *DETECTORS]))
    if not kind.files:
        return kind.make(by_hand)
    return kind.make(kind.find(folders) or folders[0] / kind.files[0])


def _automatic(folders: Sequence[Path], by_hand: str) -> DetectorKind:
    if by_hand.strip():
        return next(kind for kind in DETECTORS.values() if not kind.files)
    return _first_there(folders) or DETECTORS[_EASIEST]


def _first_there(folders: Sequence[Path]) -> DetectorKind | None:
    """The first kind whose file is in the folders; one whose package is missing comes after all others."""
    there = [kind for kind in DETECTORS.values() if kind.find(folders)]
    return next((kind for kind in there if kind.installed), there[0] if there else None)


def find_detector_file(folders: Sequence[Path]) -> Path | None:
    """The file from which `AUTO` makes a detector; None where none is in the folders."""
    kind = _first_there(folders)
    return None if kind is None else kind.find(folders)


def detector_from_file(file: str | os.PathLike[str]) -> FaceDetector:
    """A new detector from its file, known by its name or, when that was changed, by its suffix; of several
    with this suffix it is the first.

    Raises InputError for a suffix that belongs to none, or where a package is not installed; CheckpointError
    for a missing or foreign file.
    """
    path = Path(file)
    by_name = (kind for kind in DETECTORS.values() if kind.owns(path))
    by_suffix = (kind for kind in DETECTORS.values() if path.suffix.lower() in kind.suffixes)
    if kind := next(by_name, None) or next(by_suffix, None):
        return kind.make(path)
    usual = {kind.name: kind.files[0] for kind in DETECTORS.values() if kind.files}
    meant = nearest(path.stem, [*usual, *usual.values()])
    raise InputError(
        f"{path.name} is no face detector's file: did you mean {usual.get(meant, meant)}? Give one of "
        + ", ".join(f"{file} ({name})" for name, file in usual.items())
        + "."
    )
