"""A render into a file: reckoned beforehand, safe against crashes, continued where it stopped."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .errors import InputError
from .media.behind import Behind
from .media.film import GROUP, Film, discard_partial, partial_path
from .media.silence import quiet_tokens
from .media.sound import Sound
from .memory import free_cached, is_out_of_memory
from .render import Networks, RenderProgress, Scene, render
from .sampling import Conditions, Sampling, sample
from .sampling.windows import windows

logger = logging.getLogger(__name__)

_SMALLEST_WINDOW = 4
# What H.264 needs at most for a pixel of a talking face at our quality, in bytes; measured 0.02 to 0.1.
_BYTES_PER_PIXEL = 0.1
_READER_BYTES = 64 << 20
WAITING = 8  # finished frames that wait for the encoder
# Windows from which on two more evaluations of the denoiser, to know its pace, are nothing.
_WORTH_TRYING = 20


@dataclass(frozen=True)
class Estimate:
    """What a render will need: bytes of memory beside the networks' weights, and of disk until it is done
    (the film twice for a moment, and the speech); the denoiser's seconds, where it is long enough to try.
    """

    frames: int
    seconds: float | None
    memory: float
    disk: float

    def warnings(self, folder: Path) -> list[str]:
        """What will not fit, one sentence each."""
        found = []
        free = shutil.disk_usage(folder).free
        if free < self.disk:
            found.append(
                f"The film may need {_size(self.disk)} and {folder} has {_size(free)} free: make room."
            )
        spare = _free_memory()
        if spare is not None and spare < self.memory:
            found.append(
                f"Rendering may need {_size(self.memory)} of memory and {_size(spare)} are free: choose "
                "fewer frames in a window, or close other programs."
            )
        return found

    def __str__(self) -> str:
        time = "" if self.seconds is None else f" about {_duration(self.seconds)} of denoising,"
        return f"{self.frames} frames:{time} {_size(self.memory)} of memory and {_size(self.disk)} of disk"


def estimate(networks: Networks, scene: Scene, how: Sampling) -> Estimate:
    """What a render will need, before it starts."""
    width, height = scene.pictures.size
    side = scene.region.shape[-1] // 8
    config = getattr(networks.unet, "config", {})
    channels = dict(config).get("block_out_channels", [64])[0]
    # As in the sampler node: 40 values per first-level channel and site, for up to three evaluations at once.
    activations = 3 * 40 * channels * how.window * side * side * 4
    held = (how.steps + 2) * how.window * side * side * 4 * (4 * 5 + 9)
    films = (2 * GROUP + WAITING) * width * height * 3
    frames = scene.length.frames
    disk = 2 * frames * width * height * _BYTES_PER_PIXEL + 64_000 * float(frames / scene.fps)
    memory = activations + held + films + _READER_BYTES
    return Estimate(frames, _denoising_seconds(networks, scene, how), memory, disk)


def _denoising_seconds(networks: Networks, scene: Scene, how: Sampling) -> float | None:
    """How long all windows will take, from trying one of silence and darkness; None for a film of few
    windows, or where that fails (the render itself then says why).
    """
    count = len(windows(scene.length.frames, how.window, how.overlap))
    if count < _WORTH_TRYING:
        return None
    side = scene.region.shape[-1] // 8
    dark = torch.zeros(how.window, 4, side, side)
    emotion = scene.emotion
    try:
        conditions = Conditions(
            masked_latents=dark,
            mask=dark[:, :1],
            reference_latents=dark,
            audio=quiet_tokens(networks.audio_encoder).float().cpu().expand(how.window, -1, -1),
            emotion=emotion[: how.window] if emotion is not None and emotion.ndim == 3 else emotion,
            null_emotion=scene.null_emotion,
        )
        for _ in range(2):  # the first includes what is done once
            begun = time.monotonic()
            sample(networks.unet, conditions, **{**vars(how), "steps": 1})
        return (time.monotonic() - begun) * count * how.steps
    except (InputError, RuntimeError):
        return None


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _free_memory() -> int | None:
    """Bytes of the computer's memory that can be had; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, AttributeError, OSError):  # not on every system
        return None


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
                with Behind(film.write, WAITING) as write:
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
