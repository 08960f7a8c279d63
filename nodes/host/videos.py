"""Videos: the file behind a VIDEO."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folder_paths


@dataclass(frozen=True)
class VideoPart:
    """The part of a file that a VIDEO stands for: ``seconds`` (0: all) from ``start`` on, in seconds of the
    file's own clock. ``identity`` changes with the file.
    """

    path: Path
    start: float
    seconds: float
    identity: Path | str


@contextmanager
def video_part(video: Any) -> Iterator[VideoPart]:
    """The file behind a VIDEO, for reading it frame by frame; one in memory, or one with edits that its file
    does not show (a crop), is written to ComfyUI's temporary folder meanwhile.
    """
    with tempfile.TemporaryDirectory(dir=temporary_folder()) as folder:
        copy = Path(folder) / "source.mp4"
        start = seconds = 0.0
        if _is_edited(video):
            video.save_to(str(copy))
        else:
            file = video.get_stream_source()
            if not isinstance(file, str):
                copy.write_bytes(file.getbuffer())
            if hasattr(video, "get_active_trim_window"):
                start, seconds = video.get_active_trim_window()
            if isinstance(file, str):
                yield VideoPart(Path(file), start, seconds, Path(file))
                return
        yield VideoPart(copy, start, seconds, _content(copy))


def _content(path: Path) -> str:
    """A digest of what is in a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _is_edited(video: Any) -> bool:
    """Whether a VIDEO is more than a part of its file. Old versions of ComfyUI know neither parts nor edits;
    some know parts (`as_trimmed`) and do not say which.
    """
    if hasattr(video, "has_pending_frame_edits"):
        return bool(video.has_pending_frame_edits())
    return hasattr(video, "as_trimmed") and not hasattr(video, "get_active_trim_window")


def temporary_folder() -> Path:
    """ComfyUI's folder for temporary files."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder
