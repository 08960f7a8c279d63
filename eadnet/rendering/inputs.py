"""What a scene is made from, opened: files, or arrays in memory."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..faces.choice import Choice
from ..faces.crops import without_alpha
from ..faces.face import FaceDetector
from ..faces.face_track import FaceTrack
from ..faces.masks import mask_image
from ..faces.tracking import detect_faces, track_face
from ..media.animation import AnimatedImage
from ..media.audio import RATE
from ..media.images import read_image
from ..media.lengths import Length, choose_length
from ..media.reader import Pictures, PicturesInMemory, VideoReader
from ..media.sequence import ImageSequence
from ..media.silence import speech_notes
from ..media.sound import Sound, SoundFile, SoundInMemory
from ..media.speech import Speech, SpeechFile, SpeechInMemory, record_speech
from ..media.watched import WatchedPictures, WatchedSound
from ..mixed_tokens import MixedTokens
from ..printable import get_logger
from .model import Model
from .photograph import photograph_note
from .progress import OnProgress, StageProgress
from .scene import Scene
from .settings import RenderSettings

logger = get_logger(__name__)

# Seconds by which the sound of a video may outlast its pictures without having anything to say.
_PADDING = 0.15


@dataclass(frozen=True)
class Sources:
    """Pictures and a recording, opened.

    identity      changes with either: paths, arrays (see `Scene.sources`)
    is_portrait   one picture, shown as long as the sound lasts
    is_own_sound  the sound comes from the pictures' file
    """

    pictures: Pictures
    sound: Sound
    identity: tuple[Any, ...]
    is_portrait: bool
    is_own_sound: bool = False

    def length(self, mode: str, seconds: float) -> Length:
        """How long the result is, for ``seconds`` of sound (see `media.lengths`)."""
        apart = abs(seconds - float(self.pictures.count / self.pictures.fps))
        if self.is_own_sound and apart < _PADDING:  # a codec's padding is no reason to turn round
            mode = "cut_off"
        available = None if self.is_portrait else self.pictures.count
        return choose_length(mode, seconds, self.pictures.fps, available)

    def watched(self, check: Callable[[], None]) -> Sources:
        """The same, with ``check`` called before every frame and every stretch of sound that is read: what it
        raises ends whatever reads.
        """
        return replace(
            self, pictures=WatchedPictures(self.pictures, check), sound=WatchedSound(self.sound, check)
        )

    def notes(self, speech: SpeechFile) -> list[str]:
        """What the user should know about the pictures, the recording and its speech; it grows while pictures
        are read.
        """
        return [*self.pictures.notes, *self.sound.notes, *speech.notes]

    def scene(
        self,
        speech: Speech,
        length: Length,
        region: Tensor,
        settings: RenderSettings,
        *,
        track: FaceTrack | None = None,
        emotion: Tensor | MixedTokens | None = None,
        null_emotion: Tensor | None = None,
        reference: Tensor | None = None,
    ) -> Scene:
        """A scene of these, with the speech of the recording; for the rest see `Scene`."""
        return Scene(
            sources=self.identity,
            pictures=self.pictures,
            cropper=settings.cropper(region, track),
            region=region,
            sound=self.sound,
            speech=speech,
            fps=self.pictures.fps,
            length=length,
            emotion=emotion,
            null_emotion=null_emotion,
            silence_gate=settings.silence_gate,
            reference=reference,
        )


@contextmanager
def speech_of(sound: Sound, folder: str | os.PathLike[str] | None = None) -> Iterator[SpeechFile]:
    """The speech at 16 kHz, kept in a temporary file meanwhile (64 kB per second), by default in the
    system's folder for such files. It is listened to: where there is none, its notes say so.
    """
    with tempfile.TemporaryDirectory(prefix="eadnet-", dir=folder) as place:
        speech = record_speech(sound, Path(place) / "speech.f32")
        speech.notes.extend(speech_notes(speech))
        yield speech


@contextmanager
def open_scene(
    model: Model,
    audio: str | os.PathLike[str],
    emotion: str | Tensor = "",
    *,
    portrait: str | os.PathLike[str] | None = None,
    video: str | os.PathLike[str] | None = None,
    settings: RenderSettings | None = None,
    detector: FaceDetector | None = None,
    choice: Choice | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[Scene]:
    """A scene from files, open until the end of the ``with``.

    With a ``detector`` the face is found and followed, the one of the ``choice``, and the result shows the
    whole frames, or the whole portrait; without, the face must be in the middle, and the result is the
    centred square. ``emotion`` is a text or ready tokens; ``on_progress`` reports the search for the face.
    Raises InputError, one sentence, for whatever cannot work.
    """
    settings = settings or RenderSettings()
    info, networks = model.checkpoint, model.networks()
    tokens, null = model.encode_emotion(emotion)
    with ExitStack() as stack:
        sources = _open_files(stack, audio, portrait, video, settings.fps, info.fps)
        speech = stack.enter_context(speech_of(sources.sound))
        for note in sources.notes(speech):
            logger.warning(note)
        length = sources.length(settings.length, speech.seconds)
        track = None
        if detector is not None:
            shown = _shown(sources.pictures, min(sources.pictures.count, length.frames), on_progress)
            track = track_face(detect_faces(shown, detector), info.framing, info.resolution, choice)
        region = mask_image(info.mask_region, info.resolution)
        scene = sources.scene(
            speech, length, region, settings, track=track, emotion=tokens, null_emotion=null
        )
        if settings.check_face:
            scene.check_face(info.framing, detector)
        if note := photograph_note(
            info.preset, scene.first_crop(), lambda crop: networks.decode(networks.encode(crop))
        ):
            logger.warning(note)
        yield scene


def _open_files(
    stack: ExitStack,
    audio: str | os.PathLike[str],
    portrait: str | os.PathLike[str] | None,
    video: str | os.PathLike[str] | None,
    wanted: float | None,
    usual: float,
) -> Sources:
    """Files as sources, closed with the ``stack``.

    The rate ``wanted`` is of a portrait, an image sequence or a WebP; where none is, a WebP has its own and
    the others the ``usual`` one.
    """
    fps = wanted or usual
    sound = SoundFile(audio)
    if (portrait is None) == (video is None):
        raise InputError("Two sources or none: give either a portrait or a video.")
    if video is None:
        assert portrait is not None
        image = (without_alpha(read_image(portrait)[None]) * 255).round().to(torch.uint8)
        still = PicturesInMemory(image.numpy(), fps)
        return Sources(still, sound, (Path(audio), Path(portrait)), is_portrait=True)
    source = Path(video)
    frames = stack.enter_context(open_pictures(source, wanted, usual))
    # Of a sequence the images and not their folder, in which the result may be written, too.
    known = frames.files if isinstance(frames, ImageSequence) else source
    return Sources(frames, sound, (Path(audio), known), is_portrait=False)


@contextmanager
def open_pictures(
    video: str | os.PathLike[str], wanted: float | None = None, usual: float = 25.0
) -> Iterator[Pictures]:
    """The pictures of a video, an animated image, or a folder with an image sequence.

    For the rates see `_open_files`. Raises InputError for what is none of them.
    """
    source = Path(video)
    if source.is_dir():
        yield ImageSequence(source, wanted or usual)
    elif source.suffix.lower() == ".webp":  # FFmpeg reads no animated WebP
        with AnimatedImage(source, wanted or None) as animation:
            yield animation
    else:
        with VideoReader(source) as reader:
            yield reader


def _shown(pictures: Pictures, count: int, on_progress: OnProgress | None) -> Iterator[np.ndarray]:
    """The first ``count`` pictures, with a report after each was looked at."""
    started = time.monotonic()
    for done in range(1, count + 1):
        yield pictures.picture(done - 1)
        if on_progress:
            left = (time.monotonic() - started) / done * (count - done)
            on_progress(StageProgress("follow", done, count, left))


def scene_in_memory(
    model: Model,
    pictures: np.ndarray,
    waveform: Tensor,
    emotion: str | Tensor = "",
    *,
    frames: int | None = None,
    reference: np.ndarray | None = None,
    settings: RenderSettings | None = None,
) -> Scene:
    """A scene from arrays, for experiments: nothing is read or written.

    Args:
        pictures: uint8 [H, W, 3], a portrait, or [T, H, W, 3], frames whose face is regenerated.
        waveform: [S] at 16 kHz.
        emotion: a text or ready tokens [L, D], or [frames, L, D].
        frames: of the result, whatever the sound lasts: where it ends before, silence follows. None is as
            long as `RenderSettings.length` says.
        reference: uint8 [H, W, 3], what the person looks like; None: the pictures themselves.
        settings: frames per second (None: the checkpoint's), length and silence gate; the others are for
            `RenderSettings.sampling`.

    Raises InputError for a waveform or a length that cannot work.
    """
    settings = settings or RenderSettings()
    info = model.checkpoint
    region = mask_image(info.mask_region, info.resolution)
    is_portrait = pictures.ndim == 3
    source = PicturesInMemory(pictures[None] if is_portrait else pictures, settings.fps or info.fps)
    sources = Sources(source, SoundInMemory(waveform, RATE), (waveform, pictures), is_portrait)
    speech = SpeechInMemory(waveform)
    length = (
        sources.length(settings.length, speech.samples / RATE)
        if frames is None
        else Length(frames, source.count, settings.length)
    )
    tokens, null = model.encode_emotion(emotion)
    person = None if reference is None else settings.cropper(region).crop(reference[None], [0])[0]
    return sources.scene(
        speech, length, region, settings, emotion=tokens, null_emotion=null, reference=person
    )
