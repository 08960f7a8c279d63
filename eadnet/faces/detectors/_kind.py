"""What is listed about a detector, for the node, the command line and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..face import FaceDetector


@dataclass(frozen=True)
class DetectorKind:
    """One way to find faces.

    name: in lists, settings and messages.
    order: its place in lists; of detectors whose files are there, `auto` takes the one that comes first.
    summary: what it is good for and what it needs, to be read after its name.
    make: a new detector from its file, a path; or, without ``files``, from the text that is given by hand.
    files: what its file may be called, as glob patterns; the first is the usual name, without wildcards.
    package: what must be installed for it, by the name it is imported by.
    former: names that it had once, which saved settings still use.
    """

    name: str
    order: int
    summary: str
    make: Callable[[Any], FaceDetector]
    files: tuple[str, ...] = ()
    package: str | None = None
    former: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return self.package is None or find_spec(self.package) is not None

    @property
    def suffixes(self) -> set[str]:
        """Those of its files: {".onnx"}."""
        return {Path(file).suffix for file in self.files}

    def owns(self, path: Path) -> bool:
        """Whether a file has one of the names."""
        return any(fnmatch(path.name.lower(), file.lower()) for file in self.files)

    def find(self, folders: Sequence[Path]) -> Path | None:
        """Its file in the first of the folders that has one."""
        found = (path for folder in folders for file in self.files for path in sorted(folder.glob(file)))
        return next(filter(Path.is_file, found), None)
