"""Videos: what is behind a VIDEO."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folder_paths
import torch
from comfy import model_management
from comfy_api.latest import Input, InputImpl
from comfy_api.latest._input_impl import video_types

from ...eadnet.errors import InputError

# Several files as one, in newer versions; its stream is encoded when it is asked for.
_LISTS: tuple[type, ...] = (video_types.VideoFromList,) if hasattr(video_types, "VideoFromList") else ()
_SHORTEST = 1e-3  # seconds that are a part


@dataclass(frozen=True)
class VideoPart:
    """The part of a file that a VIDEO stands for: ``seconds`` (0: all) from ``start`` on, in seconds of the
    file's own clock. ``identity`` changes with the file.
    """

    path: Path
    start: float
    seconds: float
    identity: Path | str


@dataclass(frozen=True)
class VideoFrames:
    """A VIDEO in memory: ``images`` [T, H, W, C], ``alpha`` [T, H, W] or None, an AUDIO or None, frames per
    second. As the VIDEO holds them, and so unchecked.
    """

    images: Any
    alpha: Any
    audio: Any
    fps: Any


@contextmanager
def opened_video(video: Any, name: str) -> Iterator[VideoPart | VideoFrames]:
    """What is behind the VIDEO at the input ``name``: the part of a file, for reading it frame by frame, or
    the frames themselves where it has no file or changes what is in it (a crop). Frames are never encoded
    anew on the way.

    Raises InputError for what is no VIDEO, and for a VIDEO that cannot be opened.
    """
    if not (hasattr(video, "get_components") or hasattr(video, "get_stream_source")):
        raise InputError(f"The {name} input is a {type(video).__name__}, no VIDEO: connect Load Video.")
    with tempfile.TemporaryDirectory(dir=temporary_folder()) as folder:
        try:
            found = _found(video, name, Path(folder) / "source.mp4")
        except (InputError, model_management.InterruptProcessingException):
            raise
        except Exception as error:  # other packs' classes, and core's, raise whatever they meet
            raise InputError(
                f"The VIDEO at {name} cannot be opened ({error}): save it and load the file."
            ) from error
        yield found


def _found(video: Any, name: str, copy: Path) -> VideoPart | VideoFrames:
    if _has_file(video):
        return _part(video, copy)
    if hasattr(video, "get_components"):
        return _frames(video, name)
    video.save_to(str(copy))
    return VideoPart(copy, 0.0, 0.0, _content(copy))


def _has_file(video: Any) -> bool:
    """Whether a VIDEO is a file, or a part of one, as it is."""
    stream = getattr(video, "get_stream_source", None)
    if stream is None or getattr(stream, "__func__", stream) is Input.Video.get_stream_source:
        return False  # the default encodes the frames
    return not isinstance(video, _LISTS) and not _is_edited(video)


def _is_edited(video: Any) -> bool:
    """Whether a VIDEO is more than a part of its file. Versions of ComfyUI differ in what they can do (cut,
    crop, scale) and in what they tell of it; the first ones can do nothing.
    """
    if hasattr(video, "has_pending_frame_edits") and video.has_pending_frame_edits():
        return True
    if not hasattr(video, "as_trimmed"):
        return False
    if not hasattr(video, "get_active_trim_window"):  # it may be cut: a part is shorter than its file
        return not hasattr(video, "get_duration") or video.get_duration() < _stream(video)[2] - _SHORTEST
    if isinstance(video, InputImpl.VideoFromFile) and not hasattr(video, "has_pending_frame_edits"):
        return tuple(video.get_dimensions()) != _stream(video)[:2]  # it may be cropped
    return False


def _stream(video: Any) -> tuple[int, int, float]:
    """Width and height of the pictures in a VIDEO's file as they are coded, and its seconds (0: unknown)."""
    import av

    with av.open(video.get_stream_source()) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height, (container.duration or 0) / av.time_base


def _frames(video: Any, name: str) -> VideoFrames:
    _check_room(video, name)
    parts = video.get_components()
    return VideoFrames(
        parts.images, getattr(parts, "alpha", None), getattr(parts, "audio", None), parts.frame_rate
    )


def _check_room(video: Any, name: str) -> None:
    """InputError where the frames of a file would fill the memory: core decodes them all."""
    if not isinstance(video, (InputImpl.VideoFromFile, *_LISTS)):
        return
    file: Any = video
    width, height = file.get_dimensions()
    frames = file.get_duration() * float(file.get_frame_rate())
    needed = 2 * 12 * width * height * frames  # one by one, and joined
    free = model_management.get_free_memory(torch.device("cpu"))
    if needed > free:
        raise InputError(
            f"The VIDEO at {name} was cropped, scaled or joined in the graph: its frames need "
            f"{needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free. Save it with Save Video and "
            "load that file."
        )


def _part(video: Any, copy: Path) -> VideoPart:
    source = video.get_stream_source()
    start = seconds = 0.0
    if hasattr(video, "get_active_trim_window"):
        start, seconds = video.get_active_trim_window()
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return VideoPart(path, start, seconds, path)
    with copy.open("wb") as file:
        if isinstance(source, bytes | bytearray | memoryview):
            file.write(source)
        else:
            source.seek(0)
            shutil.copyfileobj(source, file, 1 << 20)
    return VideoPart(copy, start, seconds, _content(copy))


def _content(path: Path) -> str:
    """A digest of what is in a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def temporary_folder() -> Path:
    """ComfyUI's folder for temporary files."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder
