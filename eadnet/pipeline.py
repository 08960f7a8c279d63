"""From files to a talking face in one call, for programs.

from eadnet.pipeline import generate_file, load_model

generate_file("out.mp4", "speech.wav", "happy", portrait="face.png", model=load_model())
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .driving.following import followed_face
from .driving.idle import Idle
from .driving.motion import MotionModel
from .driving.portrait import MOST_FACES, Order, find_portrait_face
from .driving.re_emote import ReEmote, re_emote_to_file
from .driving.speech import FPS, check_preset, track_from_speech
from .driving.to_file import render_rig_to_file
from .errors import InputError
from .faces.by_hand import face_by_hand
from .faces.choice import Choice
from .faces.face import FaceDetector
from .faces.landmarker import FaceLandmarker
from .media.audio import RATE
from .media.images import read_image
from .media.lengths import Length, choose_length
from .media.sound import Sound, SoundFile, SoundInMemory
from .printable import get_logger
from .rendering import (
    Model,
    OnProgress,
    RenderedFile,
    RenderSettings,
    load_model,
    open_pictures,
    open_scene,
    render_frames,
    render_to_file,
    speech_of,
)
from .rendering.film import file_place
from .rig.rig import Rig

logger = get_logger(__name__)

__all__ = [
    "RenderedClip",
    "animate_file",
    "generate",
    "generate_file",
    "load_model",
    "re_emote_file",
    "rig_portrait",
]


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


def rig_portrait(
    portrait: str | os.PathLike[str],
    landmarker: str | os.PathLike[str] | None = None,
    *,
    index: int = 0,
    order: Order = "largest",
    by_hand: str | None = None,
    calm: float | None = None,
    device: torch.device | str | None = None,
) -> Rig:
    """A portrait made movable, at its own size.

    Args:
        landmarker: the face landmarker's file, which finds the face (`eadnet fetch faces`); the bundled
            portrait needs none.
        index: which of several faces in this order; 0 is the largest, or the one on the left.
        by_hand: where the face is, for a picture in which none is found: see `face_by_hand`.
        calm: how far the portrait's own expression is taken back (see `Rig.build`).

    Raises InputError, one sentence, where no face is found or it cannot be moved.
    """
    picture = (read_image(portrait) * 255).round().to(torch.uint8)
    colour = picture[..., :3] if picture.shape[-1] >= 3 else picture[..., :1].expand(-1, -1, 3)
    if by_hand is not None:
        face = face_by_hand(by_hand)
    else:
        finder = None if landmarker is None else Path(landmarker)
        face = find_portrait_face(colour.numpy(), finder, index=index, order=order)
    points = torch.from_numpy(face.points)
    return Rig.build(picture, points, shapes=face.blendshapes, calm=calm, device=device)


def animate_file(
    out: str | os.PathLike[str],
    rig: Rig,
    audio: str | os.PathLike[str],
    emotion: str = "",
    *,
    model: Model | MotionModel | None = None,
    idle: Idle | None = None,
    strength: float = 1.0,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> RenderedFile:
    """Make a rigged portrait say the recording with the described emotion, as an MP4 file of any length.

    Without a ``model`` it is the bundled `motion`. ``strength`` multiplies the emotion's part of the
    expression, 0 to 2. For ``settings`` see `RenderSettings`; ``fps`` is the result's. Raises InputError, one
    sentence, for whatever cannot work.
    """
    check_strength(strength)
    file_place(out)  # before an hour of speech is listened to
    how, model, sound = RenderSettings(**settings), model or MotionModel.load(), SoundFile(audio)
    with speech_of(sound) as speech:
        track = track_from_speech(
            speech, emotion, model=model, settings=how, idle=idle, on_progress=on_progress
        )
        track = track.edited(multiply={"emotion": strength}).resampled(how.fps or track.fps)
        return render_rig_to_file(out, rig, track, sound, resume=resume, on_progress=on_progress)


def re_emote_file(
    out: str | os.PathLike[str],
    video: str | os.PathLike[str],
    emotion: str = "",
    *,
    audio: str | os.PathLike[str] | None = None,
    landmarker: str | os.PathLike[str],
    index: int | None = None,
    model: Model | MotionModel | None = None,
    strength: float = 1.0,
    device: torch.device | str = "cpu",
    resume: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> RenderedFile:
    """Give the face in a video the described emotion, as an MP4 file; its own head, eyes and lips stay.

    With an ``audio`` its lips say that instead, and the video lasts as `RenderSettings.length` says; without,
    it keeps its own sound and length.

    Args:
        landmarker: the face landmarker's file (`eadnet fetch faces`).
        index: which of several faces, from the left; None: the largest.
        strength: multiplies the emotion, 0 to 2.

    Raises InputError and CheckpointError, one sentence each, for whatever cannot work.
    """
    check_strength(strength)
    if not emotion and audio is None:
        raise InputError("There is nothing to change in the video: give an emotion, or a recording to say.")
    file_place(out)  # before an hour of video is looked at
    how, model = RenderSettings(**settings), model or MotionModel.load()
    if not isinstance(model, MotionModel):
        check_preset(model.checkpoint.preset)
    most = 1 if index is None else MOST_FACES
    finder = FaceLandmarker(landmarker, most, blendshapes=True, device=device)
    with open_pictures(video, how.fps, model.checkpoint.fps) as pictures:
        own = Length(pictures.count, pictures.count, "hold")
        sound = SoundFile(audio) if audio is not None else _own_sound(video)
        seconds = float(own.frames / pictures.fps)
        heard: Sound = sound or SoundInMemory(torch.zeros(1, max(1, round(RATE * seconds))), RATE)
        with speech_of(heard) as speech:
            length = own
            if audio is not None:
                length = choose_length(how.length, speech.seconds, pictures.fps, pictures.count)
            shown = min(length.frames, pictures.count)
            with followed_face(
                pictures,
                finder,
                frames=shown,
                index=index or 0,
                left_to_right=index is not None,
                on_progress=on_progress,
            ) as face:
                count = max(1, round(FPS * float(length.frames / pictures.fps)))
                track = track_from_speech(
                    speech, emotion, model=model, settings=how, frames=count, on_progress=on_progress
                )
                film = ReEmote(
                    pictures,
                    face,
                    track.edited(multiply={"emotion": strength}),
                    replace_lips=audio is not None,
                    length=length,
                )
                for note in (*pictures.notes, *film.notes()):
                    logger.warning(note)
                source = getattr(pictures, "files", Path(video))  # of a sequence its images
                identity = (source, Path(landmarker), index, None if audio is None else Path(audio))
                end = None if sound is None else float(length.frames / pictures.fps)
                return re_emote_to_file(
                    out, film, identity, sound, seconds=end, resume=resume, on_progress=on_progress
                )


def check_strength(strength: float) -> None:
    """Raise InputError unless the emotion's strength is 0 to 2."""
    if not 0 <= strength <= 2:
        raise InputError(f"The strength of the emotion is {strength:g}: use 0 (none) to 2.")


def _own_sound(video: str | os.PathLike[str]) -> SoundFile | None:
    """The sound of a video; None for one that is silent."""
    try:
        return SoundFile(video)
    except InputError:
        return None
