"""A track from speech and a sentence: mini performs on a drawn person, and a small network reads the face.

A first motion model, to be replaced: it knows what mini knows (its mouth follows synthetic speech well and
real speech worse, see `docs/model-card.md`), and what a rig needs beyond that is added by rule (`idle`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..captions.loudness import speech_gain
from ..checkpoints import load_checkpoint
from ..errors import CheckpointError
from ..faces.masks import mask_image
from ..media.audio import RATE, num_frames
from ..media.lengths import Length
from ..media.reader import PicturesInMemory
from ..media.sound import SoundInMemory
from ..media.speech import SpeechInMemory
from ..modules.expression_reader import ExpressionReader
from ..rendering import Model, Networks, OnProgress, RenderSettings, Scene, Sources, render_latents
from ..rig.track import Track
from ..sampling import Sampling
from .idle import Idle, idle_motion

FPS = 25.0
"""Frames per second at which the performer was trained; a track is resampled to any other."""


def bundled_reader() -> ExpressionReader:
    """The reader that comes with the package, for `mini`."""
    path = Path(__file__).with_name("mini_reader.safetensors")
    if not path.is_file():
        raise CheckpointError("The bundled mini_reader.safetensors is missing: reinstall the package.")
    reader = load_checkpoint(path, only=["reader"]).component("reader")
    assert isinstance(reader, ExpressionReader)
    return reader.float()


def performer(reader: ExpressionReader) -> np.ndarray:
    """The person who performs, uint8 [R, R, 3]."""
    return ((reader.face.float().movedim(0, -1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def performance_scene(
    reader: ExpressionReader,
    speech: Tensor,
    frames: int,
    mask_region: str,
    settings: RenderSettings,
    emotion: Tensor | None = None,
    null_emotion: Tensor | None = None,
) -> Scene:
    """The performer saying ``speech`` [S] at 16 kHz for ``frames`` at 25 per second; else see `Scene`."""
    person = PicturesInMemory(performer(reader)[None], FPS)
    sources = Sources(person, SoundInMemory(speech, RATE), (speech,), is_portrait=True)
    return sources.scene(
        SpeechInMemory(speech),
        Length(frames, 1, settings.length),
        mask_image(mask_region, reader.face.shape[-1]),
        settings,
        emotion=emotion,
        null_emotion=null_emotion,
    )


def read_performance(
    networks: Networks,
    scene: Scene,
    sampling: Sampling,
    reader: ExpressionReader,
    *,
    smoothing: float = 1.0,
    on_progress: OnProgress | None = None,
) -> Track:
    """The facial parameters of the performer in a scene, frame by frame; without blinks, gaze and head."""
    rows = [
        reader.read(piece.float().cpu())
        for piece in render_latents(networks, scene, sampling, smoothing=smoothing, on_progress=on_progress)
    ]
    values = torch.cat(rows)
    columns = {name: values[:, i] for i, name in enumerate(reader.names) if not _is_idle(name)}
    return Track.of(columns, float(scene.fps))


def with_idle_motion(
    track: Track, seed: int, amount: Idle | None = None, speech: Tensor | None = None
) -> Track:
    """The same with blinks, glances and a moving head; ``speech`` [S] at 16 kHz makes it nod."""
    level = None if speech is None else speech_gain(speech, RATE, len(track), track.fps)
    curves = idle_motion(len(track), track.fps, seed, amount, level)
    motion = Track.of({name: torch.from_numpy(curve).float() for name, curve in curves.items()}, track.fps)
    return track.replaced(motion, groups=("blink", "gaze", "head"))


def track_from_speech(
    speech: Tensor,
    emotion: str | Tensor = "",
    *,
    model: Model,
    reader: ExpressionReader | None = None,
    settings: RenderSettings | None = None,
    frames: int | None = None,
    idle: Idle | None = None,
    on_progress: OnProgress | None = None,
) -> Track:
    """What a face does that says ``speech`` [S] at 16 kHz with the emotion of a sentence.

    Args:
        emotion: a text or ready tokens [L, D], or [frames, L, D].
        model: `mini`, as `eadnet.rendering.load_model` gives it.
        frames: of the track, at 25 per second; None is as long as the speech.

    Raises InputError for speech or a length that cannot work.
    """
    reader, settings = reader or bundled_reader(), settings or RenderSettings()
    tokens, null = model.encode_emotion(emotion)
    scene = performance_scene(
        reader,
        speech,
        num_frames(len(speech) / RATE, FPS) if frames is None else frames,
        model.checkpoint.mask_region,
        settings,
        tokens,
        null,
    )
    sampling = settings.sampling(model.checkpoint)
    track = read_performance(
        model.networks(), scene, sampling, reader, smoothing=settings.smoothing, on_progress=on_progress
    )
    return with_idle_motion(track, settings.seed, idle, speech)


def _is_idle(name: str) -> bool:
    return name.startswith(("blink", "gaze", "head"))
