"""A rigged portrait into a file, with its sound; continued where it stopped, as any render."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from ..faces.crops import without_alpha
from ..fingerprints import fingerprint
from ..media.places import Place
from ..media.resumable_video import writer_identity
from ..media.sound import Sound
from ..rendering import OnProgress, RenderedFile, StageProgress
from ..rendering.estimate import estimate_film
from ..rendering.film import Film, announce, file_place, write_film
from ..rig.rig import PIECE, Rig
from ..rig.track import Track

_PIXELS_TOGETHER = 8_000_000  # of the frames that are rendered at once: large ones come one by one
_RATES = 1001  # largest denominator of a frame rate, as in 30000/1001


def render_rig_to_file(
    place: str | os.PathLike[str] | Place,
    rig: Rig,
    track: Track,
    sound: Sound | None = None,
    *,
    seconds: float | None = None,
    quality: int = 16,
    resume: bool = False,
    unfinished: Path | None = None,
    on_progress: OnProgress | None = None,
    check: Callable[[], object] = lambda: None,
) -> RenderedFile:
    """Render a rig with a track into an MP4 file; ``seconds`` is where the sound ends (None: its own end).

    Transparency is laid on mid grey: MP4 has none. For the rest see `eadnet.rendering.render_to_file`.
    """
    height, width = rig.size
    piece = max(1, min(PIECE, _PIXELS_TOGETHER // (height * width)))
    place = file_place(place)
    announce(estimate_film(len(track), (width, height), track.fps, piece), place.folder)
    started = time.monotonic()

    def frames_from(first: int, window: int) -> Iterator[np.ndarray]:
        done = first
        for part in rig.render(track.values[first:], piece):
            for frame in part:
                yield np.ascontiguousarray(_opaque(frame).numpy())
            done += len(part)
            if on_progress:
                left = (time.monotonic() - started) / max(done - first, 1) * (len(track) - done)
                on_progress(StageProgress("render", done, len(track), left))

    film = Film(
        key=fingerprint(
            rig.fingerprint, track.values, track.fps, sound, writer_identity(quality), __version__
        ),
        frames=len(track),
        fps=Fraction(track.fps).limit_denominator(_RATES),
        size=(width, height),
        sound=sound,
        seconds=seconds,
        quality=quality,
    )
    return write_film(
        place,
        film,
        frames_from,
        1,
        1,
        resume=resume,
        unfinished=unfinished,
        on_progress=on_progress,
        check=check,
    )


def _opaque(frame: Tensor) -> Tensor:
    """A frame uint8 [H, W, 1, 3 or 4] -> [H, W, 3]."""
    if frame.shape[-1] != 4:
        return frame.expand(*frame.shape[:2], 3)
    return (without_alpha(frame[None].float() / 255)[0] * 255).round().to(torch.uint8)
