"""A render into a file: safe against crashes, continued where it stopped."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..errors import InputError
from ..fingerprints import fingerprint
from ..media.background_writer import BackgroundWriter, in_thread
from ..media.places import Named, Place, check_place
from ..media.resumable_video import ResumableVideo, most_waiting, writer_identity
from ..memory import with_less
from ..sampling import Sampling
from .estimate import estimate_render
from .frames import render_frames
from .networks import Networks
from .progress import OnProgress, StageProgress
from .scene import Scene
from .unfinished import FOLDER, Unfinished, unfinished_video

logger = logging.getLogger(__name__)

SMALLEST_WINDOW = 4  # frames, to which a window shrinks when memory runs out


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


def render_to_file(
    place: str | os.PathLike[str] | Place,
    networks: Networks,
    scene: Scene,
    sampling: Sampling,
    *,
    smoothing: float = 1.0,
    quality: int = 16,
    resume: bool = False,
    unfinished: Path | None = None,
    on_progress: OnProgress | None = None,
    check: Callable[[], object] = lambda: None,
) -> RenderedFile:
    """Render a scene into an MP4 file with its sound.

    Until it is whole, the video lies in the folder ``unfinished`` (by default `FOLDER` beside the finished
    one) and plays; when rendering is broken off, it stays there (see `unfinished_video`). With ``resume`` it
    is continued, with identical pixels, by whatever render makes the same video, under whatever name. When
    memory runs out while pictures are encoded or decoded, fewer are at a time (see `render_frames`). When it
    runs out in the U-Net before the first frame is written, the window is halved, and a message says so:
    another window gives a slightly different clip. To cancel, raise inside ``on_progress`` or ``check``,
    which is called while there is nothing to report.
    Raises InputError for whatever cannot work, in one sentence.
    """
    if isinstance(place, (str, os.PathLike)):
        path = Path(place)
        if not path.name or path.is_dir():
            raise InputError(f"'{path}' is a folder: give the name of the video's file in it.")
        place = Named(path.absolute())
    folder = unfinished or place.folder / FOLDER
    check_place(place)
    started = time.monotonic()
    plan = estimate_render(networks, scene, sampling)
    logger.info("Rendering %s.", plan)
    for warning in plan.warnings(place.folder):
        logger.warning(warning)
    key = render_key(networks, scene, sampling, smoothing, quality)
    with unfinished_video(folder, key, resume) as ours:
        earlier = ours.window() if resume else None
        if resume and earlier is None:
            logger.info("There is nothing to resume in %s: starting from the beginning.", folder)

        def attempt(window: int) -> RenderedFile:
            ours.write(window)
            video = in_thread(
                lambda: ResumableVideo(
                    ours.path, scene.fps, scene.sound, _sound_end(scene), quality, resume=window == earlier
                )
            )
            continued = video.frames
            try:
                if continued < scene.length.frames:
                    frames = render_frames(
                        networks,
                        scene,
                        sampling.with_window(window),
                        smoothing=smoothing,
                        first_frame=continued,
                        on_progress=on_progress,
                    )
                    waiting = most_waiting(*scene.pictures.size)
                    with BackgroundWriter(video.write, waiting, give_up=video.give_up, check=check) as write:
                        for frame in frames:
                            write(frame)
                heard = _report_finish(scene, on_progress)
                count = in_thread(lambda: video.finish(place, heard), video.give_up)
            except BaseException:  # Ctrl-C too: what is written is to play
                video.close()
                _leave(ours, video)
                raise
            return RenderedFile(video.path, count, continued, time.monotonic() - started, window)

        made = with_less(
            attempt,
            sampling.window if earlier is None else earlier,
            SMALLEST_WINDOW,
            "frames in a window; the result differs a little",
            may_repeat=lambda: not ours.video.exists(),
        )
        ours.discard()
        return made


def render_key(
    networks: Networks, scene: Scene, sampling: Sampling, smoothing: float = 1.0, quality: int = 16
) -> str:
    """The name of a render's unfinished video: it changes with whatever decides the finished one."""
    return fingerprint(
        scene.fingerprint(networks, sampling, smoothing), writer_identity(quality), __version__
    )


def _report_finish(scene: Scene, on_progress: OnProgress | None) -> Callable[[int], None] | None:
    if on_progress is None:
        return None
    return lambda done: on_progress(StageProgress("finish", done, scene.length.frames))


def _leave(ours: Unfinished, video: ResumableVideo) -> None:
    """After a failure: keep what plays and can be continued, remove what does neither."""
    if video.frames == 0:
        ours.discard()
    else:
        logger.warning("%d frames are finished in %s.", video.frames, ours.video)


def _sound_end(scene: Scene) -> float | None:
    """Where the sound is to end: with the picture, unless they end within half a frame anyway."""
    if scene.sound is None:
        return None
    seconds = float(scene.length.frames / scene.fps)
    speech = getattr(scene.speech, "seconds", scene.speech.samples / 16000)
    return None if abs(speech - seconds) <= 0.5 / float(scene.fps) + 1e-6 else seconds
