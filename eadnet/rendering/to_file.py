"""A render into a file: safe against crashes, continued where it stopped."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..media.background_writer import BackgroundWriter
from ..media.resumable_video import ResumableVideo, discard_partial, most_waiting, partial_path
from ..memory import with_less
from ..printable import get_logger
from ..sampling import Sampling
from .estimate import estimate_render
from .frames import render_frames
from .networks import Networks
from .progress import OnProgress
from .scene import Scene
from .unfinished import Note

logger = get_logger(__name__)

SMALLEST_WINDOW = 4  # frames, to which a window shrinks when memory runs out


@dataclass(frozen=True)
class RenderedFile:
    """What came out: ``frames`` of which ``continued`` were there from an earlier attempt, in ``seconds``;
    the ``window`` that memory allowed.
    """

    frames: int
    continued: int
    seconds: float
    window: int


def render_to_file(
    path: str | os.PathLike[str],
    networks: Networks,
    scene: Scene,
    sampling: Sampling,
    *,
    smoothing: float = 1.0,
    quality: int = 16,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> RenderedFile:
    """Render a scene into an MP4 file with its sound.

    Until it is whole, the video lies beside ``path`` as NAME.partial.mp4 and plays; when rendering is broken
    off, it stays there. With ``resume`` it is continued, with identical pixels, if the fingerprint of the
    scene is that of the earlier attempt. When memory runs out while pictures are encoded or decoded, fewer
    are at a time (see `render_frames`). When it runs out in the U-Net before the first frame is written,
    the window is halved, and a message says so: another window gives a slightly different clip.
    Raises InputError for whatever cannot work, in one sentence.
    """
    path = Path(path)
    if not path.name or path.is_dir():
        raise InputError(f"'{path}' is a folder: give the name of the video's file in it.")
    started = time.monotonic()
    plan = estimate_render(networks, scene, sampling)
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    logger.info("Rendering %s.", plan)
    for warning in plan.warnings(folder):
        logger.warning(warning)
    note = Note(path, {"scene": scene.fingerprint(networks, sampling, smoothing), "quality": quality})
    earlier = note.read() if resume else None

    def attempt(window: int) -> RenderedFile:
        video = ResumableVideo(
            path, scene.fps, scene.sound, _sound_end(scene), quality, resume=window == earlier
        )
        note.write(window)
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
                with BackgroundWriter(video.write, most_waiting(*scene.pictures.size)) as write:
                    for frame in frames:
                        write(frame)
            count = video.finish()
        except BaseException:  # Ctrl-C too: what is written is to play
            video.close()
            _leave(path, note, video)
            raise
        return RenderedFile(count, continued, time.monotonic() - started, window)

    made = with_less(
        attempt,
        sampling.window if earlier is None else earlier,
        SMALLEST_WINDOW,
        "frames in a window; the result differs a little",
        may_repeat=lambda: not partial_path(path).exists(),
    )
    note.remove()
    return made


def _leave(path: Path, note: Note, video: ResumableVideo) -> None:
    """After a failure: keep what plays and can be continued, remove what does neither."""
    if video.frames == 0:
        discard_partial(path)
        note.remove()
    else:
        logger.warning("%d frames are finished in %s.", video.frames, partial_path(path).name)


def _sound_end(scene: Scene) -> float | None:
    """Where the sound is to end: with the picture, unless they end within half a frame anyway."""
    if scene.sound is None:
        return None
    seconds = float(scene.length.frames / scene.fps)
    speech = getattr(scene.speech, "seconds", scene.speech.samples / 16000)
    return None if abs(speech - seconds) <= 0.5 / float(scene.fps) + 1e-6 else seconds
