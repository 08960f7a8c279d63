"""The one place where a path becomes something FFmpeg opens.

To FFmpeg a name is an address: ``http:x.mp4``, ``concat:a|b`` and ``pipe:0`` are no files. And some files are
lists of other files and addresses (HLS, DASH, SDP, concat scripts). Here a name is always a file, and a file
stands for nothing but itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer

# FFmpeg's names of formats whose files are lists of others.
_LISTS = {"concat", "dash", "hls", "imf", "rtp", "rtsp", "sdp", "vapoursynth", "webm_dash_manifest"}


def media_name(path: str | os.PathLike[str]) -> str:
    """The name under which FFmpeg finds a file for reading or writing, whatever its characters are."""
    return f"file:{Path(path).absolute()}"


def open_media(path: str | os.PathLike[str]) -> InputContainer:
    """An open media file. Nothing else is read for it, and no network is used.

    Raises PyAV's own errors for what cannot be read, InputError for a list of other files.
    """
    import av

    # For the container alone: PyAV 16.0 hands `options` on to streams, which an MPEG program stream does not
    # have yet, and the process crashes.
    container = av.open(
        media_name(path), container_options={"protocol_whitelist": "file", "pattern_type": "none"}
    )
    if not _LISTS.isdisjoint(container.format.name.split(",")):
        container.close()
        raise InputError(f"{Path(path).name} is a list of other files: choose the video or recording itself.")
    return container
