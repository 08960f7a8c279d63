"""Names of files that somebody typed."""

from __future__ import annotations

from pathlib import Path


def is_file(path: Path) -> bool:
    """Whether there is a file; a name that no file can have (too long, with a null in it) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
