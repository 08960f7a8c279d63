"""From files to a talking face in one call, for programs.

from eadnet.pipeline import generate_file, load_model

generate_file("out.mp4", "speech.wav", "happy", portrait="face.png", model=load_model())
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .faces.choice import Choice
from .faces.face import FaceDetector
from .rendering import (
    Model,
    OnProgress,
    RenderedFile,
    RenderSettings,
    load_model,
    open_scene,
    render_frames,
    render_to_file,
)

__all__ = ["RenderedClip", "generate", "generate_file", "load_model"]


@dataclass(frozen=True)
class RenderedClip:
    """Generated frames uint8 [T, H, W, 3] at ``fps`` with the sound as it was given, [C, S] at ``rate``."""

    frames: np.ndarray
    fps: float
    waveform: Tensor
    rate: int


def generate(
    audio: str | os.PathLike[str],
    emotion: str = "",
    *,
    portrait: str | os.PathLike[str] | None = None,
    video: str | os.PathLike[str] | None = None,
    model: Model | None = None,
    detector: FaceDetector | None = None,
    choice: Choice | None = None,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> RenderedClip:
    """Make the face in ``portrait`` or ``video`` say the recording with the described emotion, in memory.

    For ``settings`` see `RenderSettings`, for the face `open_scene`; without a ``model`` it is the bundled
    one. To cancel, raise inside ``on_progress``.
    Raises InputError and CheckpointError, one sentence each, for whatever cannot work.
    """
    how, model = RenderSettings(**settings), model or load_model()
    with open_scene(
        model,
        audio,
        emotion,
        portrait=portrait,
        video=video,
        settings=how,
        detector=detector,
        choice=choice,
        on_progress=on_progress,
    ) as scene:
        frames = render_frames(
            model.networks(),
            scene,
            how.sampling(model.checkpoint),
            smoothing=how.smoothing,
            on_progress=on_progress,
        )
        pictures = np.stack(list(frames))
        assert scene.sound is not None
        waveform = torch.cat(list(scene.sound.pieces()), dim=1)
        return RenderedClip(pictures, float(scene.fps), waveform, scene.sound.rate)


def generate_file(
    out: str | os.PathLike[str],
    audio: str | os.PathLike[str],
    emotion: str = "",
    *,
    portrait: str | os.PathLike[str] | None = None,
    video: str | os.PathLike[str] | None = None,
    model: Model | None = None,
    detector: FaceDetector | None = None,
    choice: Choice | None = None,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> RenderedFile:
    """`generate` into an MP4 file with the sound, of any length; ``resume`` continues an earlier attempt."""
    how, model = RenderSettings(**settings), model or load_model()
    with open_scene(
        model,
        audio,
        emotion,
        portrait=portrait,
        video=video,
        settings=how,
        detector=detector,
        choice=choice,
        on_progress=on_progress,
    ) as scene:
        return render_to_file(
            out,
            model.networks(),
            scene,
            how.sampling(model.checkpoint),
            smoothing=how.smoothing,
            resume=resume,
            on_progress=on_progress,
        )
