"""A render into a file: safe against crashes, continued where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .. import __version__
from ..fingerprints import fingerprint
from ..media.places import Place
from ..media.resumable_video import writer_identity
from ..sampling import Sampling
from .estimate import estimate_render
from .film import Film, RenderedFile, announce, file_place, write_film
from .frames import render_frames
from .networks import Networks
from .progress import OnProgress
from .scene import Scene

SMALLEST_WINDOW = 4  # frames, to which a window shrinks when memory runs out


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
    plan = estimate_render(networks, scene, sampling)
    place = file_place(place)
    announce(plan, place.folder)

    def frames_from(first: int, window: int) -> Iterator[np.ndarray]:
        return render_frames(
            networks,
            scene,
            sampling.with_window(window),
            smoothing=smoothing,
            first_frame=first,
            on_progress=on_progress,
        )

    return write_film(
        place,
        Film(
            key=render_key(networks, scene, sampling, smoothing, quality),
            frames=scene.length.frames,
            fps=scene.fps,
            size=scene.pictures.size,
            sound=scene.sound,
            seconds=_sound_end(scene),
            quality=quality,
        ),
        frames_from,
        sampling.window,
        SMALLEST_WINDOW,
        resume=resume,
        unfinished=unfinished,
        on_progress=on_progress,
        check=check,
    )


def render_key(
    networks: Networks, scene: Scene, sampling: Sampling, smoothing: float = 1.0, quality: int = 16
) -> str:
    """The name of a render's unfinished video: it changes with whatever decides the finished one."""
    return fingerprint(
        scene.fingerprint(networks, sampling, smoothing), writer_identity(quality), __version__
    )


def _sound_end(scene: Scene) -> float | None:
    """Where the sound is to end: with the picture, unless they end within half a frame anyway."""
    if scene.sound is None:
        return None
    seconds = float(scene.length.frames / scene.fps)
    speech = getattr(scene.speech, "seconds", scene.speech.samples / 16000)
    return None if abs(speech - seconds) <= 0.5 / float(scene.fps) + 1e-6 else seconds
