"""Frames into a file, whoever makes them: safe against crashes, continued where it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..media.background_writer import BackgroundWriter, in_thread
from ..media.places import Named, Place, check_place
from ..media.resumable_video import ResumableVideo, most_waiting
from ..media.sound import Sound
from ..memory import with_less
from ..printable import get_logger
from .estimate import Estimate
from .progress import OnProgress, StageProgress
from .unfinished import FOLDER, Unfinished, unfinished_video

logger = get_logger(__name__)

_MP4 = ("", ".mp4", ".m4v")


@dataclass(frozen=True)
class Film:
    """What is written.

    key      changes with whatever decides the finished file; an unfinished one is found by it
    frames   how many there will be, of ``size`` (width, height), at ``fps``
    sound    None for a film without
    seconds  where the sound is to end; None is its own end
    """

    key: str
    frames: int
    fps: Fraction
    size: tuple[int, int]
    sound: Sound | None
    seconds: float | None
    quality: int


@dataclass(frozen=True)
class RenderedFile:
    """What came out at ``path``: ``frames`` of which ``continued`` were there from an earlier attempt, in
    ``seconds``; the ``window`` that memory allowed.
    """

    path: Path
    frames: int
    continued: int
    seconds: float
    window: int


def announce(plan: Estimate, folder: Path) -> None:
    """Say what a render will need, and warn of what will not fit."""
    logger.info("Rendering %s.", plan)
    for warning in plan.warnings(folder):
        logger.warning(warning)


def file_place(place: str | os.PathLike[str] | Place) -> Place:
    """A path, or a place as it is. Raises InputError where no file can appear."""
    if isinstance(place, (str, os.PathLike)):
        path = Path(place)
        if not path.name or path.is_dir():
            raise InputError(f"'{path}' is a folder: give the name of the video's file in it.")
        if path.suffix.lower() not in _MP4:
            raise InputError(f"{path.name}: the video is an MP4 file, name it {path.stem}.mp4.")
        place = Named(path.absolute())
    check_place(place)
    return place


def write_film(
    place: Place,
    film: Film,
    frames_from: Callable[[int, int], Iterator[np.ndarray]],
    window: int,
    smallest_window: int,
    *,
    resume: bool = False,
    unfinished: Path | None = None,
    on_progress: OnProgress | None = None,
    check: Callable[[], object] = lambda: None,
) -> RenderedFile:
    """Write frames uint8 [H, W, 3] as MP4 (see `render_to_file` for what is kept and continued).

    Args:
        frames_from: (first frame, window) -> the frames from that one on.
        window: how many frames are worked on together; halved down to ``smallest_window`` when memory runs
            out before the first frame is written.
    """
    folder = unfinished or place.folder / FOLDER
    started = time.monotonic()
    with unfinished_video(folder, film.key, resume) as ours:
        earlier = ours.window() if resume else None
        if resume and earlier is None:
            logger.info("There is nothing to resume in %s: starting from the beginning.", folder)

        def attempt(window: int) -> RenderedFile:
            ours.write(window)
            video = in_thread(
                lambda: ResumableVideo(
                    ours.path, film.fps, film.sound, film.seconds, film.quality, resume=window == earlier
                )
            )
            continued = video.frames
            try:
                if continued < film.frames:
                    waiting = most_waiting(*film.size)
                    with BackgroundWriter(video.write, waiting, give_up=video.give_up, check=check) as write:
                        for frame in frames_from(continued, window):
                            write(frame)
                heard = _report_finish(film, on_progress)
                count = in_thread(lambda: video.finish(place, heard), video.give_up)
            except BaseException:  # Ctrl-C too: what is written is to play
                video.close()
                _leave(ours, video)
                raise
            return RenderedFile(video.path, count, continued, time.monotonic() - started, window)

        made = with_less(
            attempt,
            window if earlier is None else earlier,
            smallest_window,
            "frames in a window; the result differs a little",
            may_repeat=lambda: not ours.video.exists(),
        )
        ours.discard()
        return made


def _report_finish(film: Film, on_progress: OnProgress | None) -> Callable[[int], None] | None:
    if on_progress is None:
        return None
    return lambda done: on_progress(StageProgress("finish", done, film.frames))


def _leave(ours: Unfinished, video: ResumableVideo) -> None:
    """After a failure: keep what plays and can be continued, remove what does neither."""
    if video.frames == 0:
        ours.discard()
    else:
        logger.warning("%d frames are finished in %s.", video.frames, ours.video)
