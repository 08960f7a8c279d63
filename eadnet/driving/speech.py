"""A track from speech and a sentence: mini performs on a drawn person, and a small network reads the face.

A first motion model, to be replaced: it knows what mini knows (its mouth follows synthetic speech well and
real speech worse, see `docs/model-card.md`), and what a rig needs beyond that is added by rule (`idle`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..captions.loudness import frame_power, gain_of_power
from ..checkpoints import bundled_mini, load_checkpoint
from ..errors import CheckpointError, InputError
from ..faces.masks import mask_image
from ..media.audio import RATE, num_frames
from ..media.lengths import Length
from ..media.reader import PicturesInMemory
from ..media.sound import SoundInMemory
from ..media.speech import Speech, SpeechInMemory
from ..modules.expression_reader import ExpressionReader
from ..rendering import Model, Networks, OnProgress, RenderSettings, Scene, Sources, render_latents
from ..rig.track import Track
from ..sampling import Sampling
from .closures import with_heard_closures
from .idle import Idle, idle_motion
from .meant_eyes import meant_eyes, with_meant_eyes
from .mixer import beside_speech
from .motion import MotionModel, motion_track
from .sentence import SentenceReader

_PIECE = 1000  # frames whose sound is read at a time

FPS = 25.0
"""Frames per second at which the performer was trained; a track is resampled to any other."""

PERFORMS = "mini"
"""The preset that performs."""


def bundled_reader() -> ExpressionReader:
    """The reader that comes with the package, for `mini`."""
    path = Path(__file__).with_name("mini_reader.safetensors")
    if not path.is_file():
        raise CheckpointError("The bundled mini_reader.safetensors is missing: reinstall the package.")
    reader = load_checkpoint(path, only=["reader"]).component("reader")
    assert isinstance(reader, ExpressionReader)
    return reader.float()


@lru_cache(maxsize=1)
def bundled_sentences() -> SentenceReader:
    """What reads the tokens of the bundled text encoder."""
    encoder = load_checkpoint(bundled_mini(), only=["text_encoder"]).component("text_encoder")
    return SentenceReader.fit(encoder.float().encode)


def performer(reader: ExpressionReader) -> np.ndarray:
    """The person who performs, uint8 [R, R, 3]."""
    return ((reader.face.float().movedim(0, -1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def performance_scene(
    reader: ExpressionReader,
    speech: Speech,
    frames: int,
    mask_region: str,
    settings: RenderSettings,
    emotion: Tensor | None = None,
    null_emotion: Tensor | None = None,
) -> Scene:
    """The performer saying ``speech`` for ``frames`` at 25 per second; else see `Scene`."""
    person = PicturesInMemory(performer(reader)[None], FPS)
    silent = SoundInMemory(torch.zeros(1, 1), RATE)  # only the speech is listened to
    return Sources(person, silent, (), is_portrait=True).scene(
        speech,
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
    sentences: SentenceReader | None = None,
    on_progress: OnProgress | None = None,
) -> Track:
    """The facial parameters of the performer in a scene, frame by frame; without blinks, gaze and head.

    The performer shows a sentence weaker than it means: its own face plays beside (see `mixer`).
    ``sentences`` reads it off the scene's tokens; None is for the bundled text encoder.
    """
    rows = [
        reader.read(piece.float().cpu())
        for piece in render_latents(networks, scene, sampling, smoothing=smoothing, on_progress=on_progress)
    ]
    values = torch.cat(rows)
    columns = {name: values[:, i] for i, name in enumerate(reader.names) if not _is_idle(name)}
    track = Track.of(columns, float(scene.fps))
    sentences = sentences or bundled_sentences()
    if scene.emotion is None or scene.emotion.shape[-1] != sentences.dim:
        return track
    return beside_speech(track, sentences.face(scene.emotion))


def with_idle_motion(
    track: Track, seed: int, amount: Idle | None = None, speech: Speech | None = None
) -> Track:
    """The same with blinks, glances, a moving head and brows, which follow the ``speech`` a little. Lids and
    gaze that the track means stay beneath them, unless ``amount`` stills the eyes.
    """
    amount = amount or Idle()
    level = None if speech is None else _level(speech, len(track), track.fps)
    curves = idle_motion(len(track), track.fps, seed, amount, level)
    motion = Track.of({name: torch.from_numpy(curve).float() for name, curve in curves.items()}, track.fps)
    moved = track.replaced(motion, groups=("blink", "gaze", "head")).added(motion, groups=("brows",))
    meant = meant_eyes(track, lids=min(amount.blinks, 1), gaze=min(amount.gaze, 1))
    return with_meant_eyes(moved, meant)


def _level(speech: Speech, frames: int, fps: float) -> np.ndarray:
    """How loudly is spoken in every frame, 0..1; read piece by piece."""
    powers = []
    for first in range(0, frames, _PIECE):
        count = min(_PIECE, frames - first)
        start, stop = round(first * RATE / fps), round((first + count) * RATE / fps)
        powers.append(frame_power(speech.read(start, stop), RATE, count, fps))
    return gain_of_power(np.concatenate(powers) if powers else np.zeros(0), fps)


def track_from_speech(
    speech: Speech | Tensor,
    emotion: str | Tensor = "",
    *,
    model: Model | MotionModel,
    reader: ExpressionReader | None = None,
    settings: RenderSettings | None = None,
    frames: int | None = None,
    idle: Idle | None = None,
    on_progress: OnProgress | None = None,
) -> Track:
    """What a face does that says ``speech`` (or a waveform [S] at 16 kHz) with the emotion of a sentence.

    Args:
        emotion: a text or ready tokens [L, D], or [frames, L, D].
        model: `mini`, as `eadnet.rendering.load_model` gives it, or `motion`.
        frames: of the track, at 25 per second; None is as long as the speech.

    Raises InputError for a model that cannot be read, and for speech that is shorter than half a frame.
    """
    settings = settings or RenderSettings()
    speech = SpeechInMemory(speech) if isinstance(speech, Tensor) else speech
    frames = num_frames(speech.samples / RATE, FPS) if frames is None else frames
    if frames == 0:
        raise InputError("The recording is shorter than half a frame: use a longer one.")
    if isinstance(model, MotionModel):
        track = motion_track(speech, emotion, frames, model=model, settings=settings, on_progress=on_progress)
        return with_idle_motion(with_heard_closures(track, speech), settings.seed, idle, speech)
    check_preset(model.checkpoint.preset)
    reader = reader or bundled_reader()
    tokens, null = model.encode_emotion(emotion)
    scene = performance_scene(reader, speech, frames, model.checkpoint.mask_region, settings, tokens, null)
    sampling = settings.sampling(model.checkpoint)
    track = read_performance(
        model.networks(), scene, sampling, reader, smoothing=settings.smoothing, on_progress=on_progress
    )
    return with_idle_motion(track, settings.seed, idle, speech)


def check_preset(preset: str) -> None:
    """Raise InputError unless a checkpoint of this preset can perform."""
    if preset != PERFORMS:
        raise InputError(
            f"The expression of the model {preset} cannot be read: choose the bundled {PERFORMS} or motion, "
            "which move a portrait."
        )


def _is_idle(name: str) -> bool:
    return name.startswith(("blink", "gaze", "head"))
