"""A render into a file: safe against crashes, continued where it stopped."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..media.behind import Behind
from ..media.film import Film, discard_partial, most_waiting, partial_path
from ..media.sound import Sound
from ..memory import free_cached, is_out_of_memory
from ..sampling import Sampling
from .estimate import estimate
from .frames import Networks, RenderProgress, Scene, render

logger = logging.getLogger(__name__)

_SMALLEST_WINDOW = 4


@dataclass(frozen=True)
class Produced:
    """What came out: ``frames`` of which ``continued`` were there from an earlier attempt, in ``seconds``;
    the ``window`` that memory allowed.
    """

    frames: int
    continued: int
    seconds: float
    window: int


def produce(
    path: str | os.PathLike[str],
    networks: Networks,
    scene: Scene,
    how: Sampling,
    sound: Sound | None = None,
    *,
    smoothing: float = 1.0,
    quality: int = 16,
    resume: bool = False,
    fingerprint: str = "",
    on_progress: Callable[[RenderProgress], None] | None = None,
) -> Produced:
    """Render a scene into an MP4 file with its sound.

    Until it is whole, the film lies beside ``path`` as NAME.partial.mp4 and plays; when rendering is broken
    off, it stays there. With ``resume`` it is continued, with identical pixels, if ``fingerprint`` (of
    everything that decides the result, `how` excepted) is that of the earlier attempt. When memory runs out
    while pictures are encoded or decoded, fewer are at a time (see `render`). When it runs out in the
    denoiser before the first frame is written, the window is halved, and a message says so: another window
    gives a slightly different clip.
    Raises InputError for whatever cannot work, in one sentence.
    """
    path = Path(path)
    begun = time.monotonic()
    plan = estimate(networks, scene, how)
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    logger.info("Rendering %s.", plan)
    for warning in plan.warnings(folder):
        logger.warning(warning)
    note = _Note(path, {"result": fingerprint, "sampling": _described(how), "smoothing": smoothing})
    earlier = note.read() if resume else None
    if earlier is not None:
        how = replace(how, window=earlier, overlap=min(how.overlap, earlier - 1))
    end = _sound_end(scene, sound)
    while True:
        film = Film(path, scene.fps, sound, end, quality, resume=earlier is not None)
        note.write(how.window)
        continued = film.frames
        try:
            if continued < scene.length.frames:
                frames = render(
                    networks,
                    scene,
                    how,
                    smoothing=smoothing,
                    first_frame=continued,
                    on_progress=on_progress,
                )
                with Behind(film.write, most_waiting(*scene.pictures.size)) as write:
                    for frame in frames:
                        write(frame)
            count = film.finish()
            break
        except BaseException as error:  # Ctrl-C too: what is written is to play
            film.close()
            if not (is_out_of_memory(error) and film.frames == 0 and how.window > _SMALLEST_WINDOW):
                _leave(path, note, film)
                raise
        # Outside the handler, where the failed attempt's tensors are no longer referenced.
        smaller = max(_SMALLEST_WINDOW, how.window // 2)
        how = replace(how, window=smaller, overlap=min(how.overlap, smaller - 1))
        earlier = None
        free_cached()
        logger.warning(
            "EAD-Net ran out of memory and starts again with %d frames in a window; "
            "the result differs a little.",
            smaller,
        )
    note.remove()
    return Produced(count, continued, time.monotonic() - begun, how.window)


def _leave(path: Path, note: _Note, film: Film) -> None:
    """After a failure: keep what plays and can be continued, remove what does neither."""
    if film.frames == 0:
        discard_partial(path)
        note.remove()
    else:
        logger.warning("%d frames are finished in %s.", film.frames, partial_path(path).name)


def _sound_end(scene: Scene, sound: Sound | None) -> float | None:
    """Where the sound is to end: with the picture, unless they end within half a frame anyway."""
    if sound is None:
        return None
    seconds = float(scene.length.frames / scene.fps)
    speech = getattr(scene.speech, "seconds", scene.speech.samples / 16000)
    return None if abs(speech - seconds) <= 0.5 / float(scene.fps) + 1e-6 else seconds


def _described(how: Sampling) -> dict[str, object]:
    left_out = {"window", "device"}  # the window is noted beside it: memory may have made it smaller
    values = {key: value for key, value in vars(how).items() if key not in left_out}
    return {**values, "scheduler_config": dict(how.scheduler_config), "dtype": str(how.dtype)}


class _Note:
    """What an unfinished film was made with, beside it, so that only the same render continues it."""

    def __init__(self, path: Path, made_with: dict[str, object]) -> None:
        self.path = path.with_name(f"{path.stem}.partial.json")
        self.film = partial_path(path)
        self.made_with = json.loads(json.dumps(made_with, default=str))

    def read(self) -> int | None:
        """The window of the earlier attempt; None where there is none, or it was another render."""
        try:
            note = json.loads(self.path.read_text(encoding="utf-8"))
            same, window = note["made_with"] == self.made_with, int(note["window"])
        except (OSError, ValueError, KeyError, TypeError):
            logger.info("There is nothing to continue at %s: starting anew.", self.film.name)
            return None
        if not same:
            logger.warning("%s was made with other settings: starting anew.", self.film.name)
            return None
        return window

    def write(self, window: int) -> None:
        text = json.dumps({"made_with": self.made_with, "window": window}, indent=1)
        try:
            self.path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self.path} cannot be written ({error}): choose another place.") from error

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
