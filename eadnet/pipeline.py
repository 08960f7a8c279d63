"""From files to a talking face, without ComfyUI: what ``eadnet generate`` runs."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .checkpoints import Checkpoint, bundled_mini, load_checkpoint
from .errors import CheckpointError, InputError
from .faces.choice import Choice
from .faces.crops import without_alpha
from .faces.face import FaceDetector
from .faces.follow import follow, watch
from .faces.masks import mask_image, masked_picture
from .faces.track import FaceTrack
from .fingerprints import fingerprint
from .media.images import read_image
from .media.lengths import choose_length
from .media.reader import Pictures, PicturesInMemory, VideoReader
from .media.sound import Sound, SoundFile
from .media.speech import record_speech
from .modules.tfrm import TFRM, smooth_stream
from .produce import Produced, produce
from .render import (
    CentreSquare,
    Face,
    Networks,
    RenderProgress,
    Scene,
    TrackedFace,
    render,
    warn_of_photograph,
)
from .sampling import Sampling, SamplingProgress

logger = logging.getLogger(__name__)

_PIECE = 8  # frames encoded or decoded at once


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` pieces of a stage ("encode", "follow" the face, "render"); the sampler's own
    report, if any; seconds left in it at the pace so far, if known.
    """

    stage: str
    done: int
    total: int
    sampling: SamplingProgress | None = None
    seconds_left: float | None = None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Clip:
    """Generated frames uint8 [T, R, R, 3] at ``fps`` with the sound as it was given, [C, S] at ``rate``."""

    frames: np.ndarray
    fps: float
    waveform: Tensor
    rate: int


@dataclass(frozen=True)
class Settings:
    """How to generate. What is None is the checkpoint's default.

    smoothing      strength of TFRM, 0 to 1
    length         what happens when sound and video last differently long (see `media.lengths`)
    fps            frames per second from a portrait; a video keeps its own
    silence_gate   whether the mouth closes where the recording has a pause
    colour_match   with a detector: how far the face takes on the colours around it, 0 to 1
    feather        with a detector: width of the soft edge, as a share of the crop's side, 0 to 0.25
    """

    seed: int = 0
    steps: int | None = None
    audio_guidance: float | None = None
    emotion_guidance: float | None = None
    scheduler: str = "ddim"
    window: int = 16
    overlap: int = 4
    smoothing: float = 1.0
    length: str = "bounce"
    fps: float | None = None
    silence_gate: bool = True
    colour_match: float = 0.5
    feather: float = 0.05

    def face(self, track: FaceTrack, region: Tensor) -> TrackedFace:
        """The followed face as it is put back; InputError for settings out of range."""
        if not 0 <= self.colour_match <= 1:
            raise InputError(f"The colour match is {self.colour_match}: use 0 (off) to 1.")
        if not 0 <= self.feather <= 0.25:
            raise InputError(f"The feather is {self.feather}: use 0 (a hard edge) to 0.25 of the crop.")
        return TrackedFace(track, region, self.colour_match, round(self.feather * region.shape[-1]))

    def sampling(self, info: Checkpoint) -> Sampling:
        """The sampler's part of the settings; InputError for a smoothing that is none."""
        if not 0 <= self.smoothing <= 1:
            raise InputError(f"The smoothing is {self.smoothing}: use 0 (off) to 1.")
        defaults = info.defaults
        return Sampling(
            scheduler_config=info.scheduler_config,
            scheduler=self.scheduler,
            steps=defaults.get("steps", 20) if self.steps is None else self.steps,
            audio_guidance=_setting(self.audio_guidance, defaults, "audio_guidance", 1.5),
            emotion_guidance=_setting(self.emotion_guidance, defaults, "emotion_guidance", 1.0),
            seed=self.seed,
            window=self.window,
            overlap=self.overlap,
            shared_noise=defaults.get("shared_noise", 0.0),
        )


@dataclass(frozen=True)
class Job:
    """A render that can begin."""

    networks: Networks
    scene: Scene
    how: Sampling
    sound: Sound


@dataclass(frozen=True)
class Model:
    """The networks of one talking face. ``text_encoder`` and ``tfrm`` are None where the checkpoint has
    none.
    """

    checkpoint: Checkpoint
    unet: nn.Module
    vae: Any
    audio_encoder: Any
    text_encoder: Any
    tfrm: TFRM | None

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Model:
        """Move the networks; ``dtype`` applies to the U-Net, the heavy one."""
        for module in (self.unet, self.vae, self.audio_encoder, self.text_encoder, self.tfrm):
            if module is not None:
                module.to(device)
        if dtype is not None:
            self.unet.to(dtype)
        return self

    def networks(self) -> Networks:
        """The networks as a render uses them."""
        vae = self.vae

        def on_device(run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
            return lambda batch: run(batch.to(next(vae.parameters()).device)).float().cpu()

        return Networks(
            unet=self.unet,
            audio_encoder=self.audio_encoder,
            tfrm=self.tfrm,
            encode=on_device(vae.encode),
            decode=on_device(vae.decode),
        )


def load_model(
    checkpoint: str | os.PathLike[str] | None = None,
    *,
    audio_encoder: str | os.PathLike[str] | None = None,
    vae: str | os.PathLike[str] | None = None,
    text_encoder: str | os.PathLike[str] | None = None,
) -> Model:
    """Load a checkpoint ("mini" or None: the bundled one) and the parts it lacks from files of their own.

    ``audio_encoder`` is a converted Whisper, ``vae`` a Stable Diffusion autoencoder, ``text_encoder`` a
    folder of CLIP ViT-L/14. Raises CheckpointError when a needed part is missing or does not fit.
    """
    path = bundled_mini() if checkpoint in (None, "mini") else checkpoint
    main = load_checkpoint(path)
    parts: dict[str, Any] = dict(main.components)
    if audio_encoder is not None:
        parts["audio_encoder"] = load_checkpoint(audio_encoder, only=["audio_encoder"]).component(
            "audio_encoder"
        )
    if vae is not None:
        from .modules.vae import SDAutoencoder

        parts["vae"] = SDAutoencoder.from_file(vae)
    if text_encoder is not None:
        from .modules.clip_text import CLIPTextEncoder

        parts["text_encoder"] = CLIPTextEncoder.from_files(text_encoder)
    for name, option in (("unet", "--checkpoint"), ("audio_encoder", "--audio-encoder"), ("vae", "--vae")):
        if name not in parts:
            raise CheckpointError(f"{main.path.name} has no {name}: give one with {option}.")
    return Model(
        checkpoint=main,
        unet=parts["unet"],
        vae=parts["vae"],
        audio_encoder=parts["audio_encoder"],
        text_encoder=parts.get("text_encoder"),
        tfrm=parts.get("tfrm"),
    )


def _floats(crops: Tensor) -> Tensor:
    """Crops uint8 [B, R, R, 3] to [B, 3, R, R] in [-1, 1]."""
    return crops.permute(0, 3, 1, 2).float() / 127.5 - 1


def _pieces(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _PIECE, count)) for start in range(0, count, _PIECE))


@torch.no_grad()
def encode_crops(
    vae: Any, crops: Tensor, region: Tensor, on_progress: OnProgress | None = None
) -> tuple[Tensor, Tensor]:
    """Crops uint8 [S, R, R, 3] to (masked latents, reference latents), both [S, 4, R/8, R/8]."""
    device = next(vae.parameters()).device
    masked, whole = [], []
    for piece in _pieces(len(crops)):
        pictures = _floats(crops[piece]).to(device)
        masked.append(vae.encode(masked_picture(pictures, region)).float().cpu())
        whole.append(vae.encode(pictures).float().cpu())
        if on_progress:
            on_progress(Progress("encode", piece.stop, len(crops)))
    return torch.cat(masked), torch.cat(whole)


@torch.no_grad()
def encode_emotion(text_encoder: Any, text: str) -> tuple[Tensor | None, Tensor | None]:
    """(emotion, null emotion), [L, D] each; the emotion is None for an empty text, both without an
    encoder.
    """
    if text_encoder is None:
        if text.strip():
            logger.warning("This model takes no emotion: the text is not used.")
        return None, None
    null = text_encoder.encode([""])[0]
    return (text_encoder.encode([text])[0] if text.strip() else None), null


@contextmanager
def job(
    audio: str | os.PathLike[str],
    emotion: str = "",
    *,
    portrait: str | os.PathLike[str] | None = None,
    video: str | os.PathLike[str] | None = None,
    model: Model,
    settings: Settings,
    detector: FaceDetector | None = None,
    choice: Choice | None = None,
    workplace: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[Job]:
    """Everything a render needs, opened; closed again at the end.

    With a ``detector`` the face of a video is found and followed, the one of the ``choice``, and the result
    shows the video's whole frames; without, the face must be in the middle, and the result is the centred
    square.
    ``workplace`` is the folder in which the speech is kept at 16 kHz meanwhile (64 kB per second); by default
    one of the system's for temporary files. ``on_progress`` hears how far following the face is.
    Raises InputError and CheckpointError, one sentence each, for whatever cannot work.
    """
    if (portrait is None) == (video is None):
        raise InputError("One picture source is needed: give either a portrait or a video.")
    info = model.checkpoint
    sound = SoundFile(audio)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="eadnet-", dir=workplace))
        speech = record_speech(sound, Path(folder) / "speech.f32")
        pictures: Pictures
        if portrait is not None:
            image = (without_alpha(read_image(portrait)[None]) * 255).round().to(torch.uint8)
            fps = Fraction(settings.fps or info.fps).limit_denominator(1001)
            pictures = PicturesInMemory(image.numpy(), fps)
            length = choose_length(settings.length, speech.seconds, fps)
        else:
            assert video is not None
            pictures = stack.enter_context(VideoReader(video))
            fps = pictures.fps
            length = choose_length(settings.length, speech.seconds, fps, pictures.count)
        region = mask_image(info.mask_region, info.resolution)
        face: Face = CentreSquare(region)
        if video is not None and detector is not None:
            shown = _shown(pictures, min(pictures.count, length.frames), on_progress)
            track = follow(watch(shown, detector), info.framing, info.resolution, choice)
            face = settings.face(track, region)
        feeling, null = encode_emotion(model.text_encoder, emotion)
        scene = Scene(
            pictures=pictures,
            face=face,
            region=region,
            speech=speech,
            fps=fps,
            length=length,
            emotion=feeling,
            null_emotion=null,
            silence_gate=settings.silence_gate,
        )
        networks = model.networks()
        warn_of_photograph(info.preset, networks, scene)
        yield Job(networks, scene, settings.sampling(info), sound)


def _shown(pictures: Pictures, count: int, on_progress: OnProgress | None) -> Iterator[np.ndarray]:
    """The first ``count`` pictures, with a report after each was looked at."""
    begun = time.monotonic()
    for done in range(1, count + 1):
        yield pictures.picture(done - 1)
        if on_progress:
            left = (time.monotonic() - begun) / done * (count - done)
            on_progress(Progress("follow", done, count, seconds_left=left))


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
) -> Clip:
    """Make the face in ``portrait`` or ``video`` say the recording with the described emotion, in memory.

    For ``settings`` see `Settings`, for the face `job`. To cancel, raise inside ``on_progress``.
    Raises InputError and CheckpointError, one sentence each, for whatever cannot work.
    """
    chosen, model = Settings(**settings), model or load_model()
    sources: dict[str, Any] = {"portrait": portrait, "video": video, "detector": detector, "choice": choice}
    with job(audio, emotion, model=model, settings=chosen, on_progress=on_progress, **sources) as todo:
        frames = render(
            todo.networks, todo.scene, todo.how, smoothing=chosen.smoothing, on_progress=_told(on_progress)
        )
        pictures = np.stack(list(frames))
        waveform = torch.cat(list(todo.sound.pieces()), dim=1)
        return Clip(pictures, float(todo.scene.fps), waveform, todo.sound.rate)


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
) -> Produced:
    """`generate` into an MP4 file with the sound, of any length; ``resume`` continues an earlier attempt."""
    chosen, model = Settings(**settings), model or load_model()
    sources: dict[str, Any] = {"portrait": portrait, "video": video, "detector": detector, "choice": choice}
    with job(audio, emotion, model=model, settings=chosen, on_progress=on_progress, **sources) as todo:
        return produce(
            out,
            todo.networks,
            todo.scene,
            todo.how,
            todo.sound,
            smoothing=chosen.smoothing,
            resume=resume,
            fingerprint=_decides(todo, model, chosen, audio, portrait or video),
            on_progress=_told(on_progress),
        )


def _decides(
    todo: Job,
    model: Model,
    settings: Settings,
    audio: str | os.PathLike[str],
    pictures: str | os.PathLike[str] | None,
) -> str:
    """Changes with whatever decides a result beside the sampler's settings: files, networks, the face's
    place, the sentence.
    """
    scene = todo.scene
    return fingerprint(
        Path(audio),
        None if pictures is None else Path(pictures),
        [model.unet, model.vae, model.audio_encoder, model.tfrm],
        [scene.face, scene.region, scene.emotion, scene.null_emotion],
        [settings.length, scene.fps, settings.silence_gate],
    )


def _told(on_progress: OnProgress | None) -> Callable[[RenderProgress], None] | None:
    if on_progress is None:
        return None
    return lambda now: on_progress(Progress("render", now.done, now.total, now.sampling, now.seconds_left))


def _setting(given: float | None, defaults: dict[str, Any], name: str, fallback: float) -> float:
    return float(defaults.get(name, fallback)) if given is None else given


@torch.no_grad()
def smooth(tfrm: TFRM | None, latents: Tensor, strength: float) -> Tensor:
    """TFRM over the latents [T, 4, h, w] of a clip; unchanged without a TFRM or at strength 0."""
    if not 0 <= strength <= 1:
        raise InputError(f"The smoothing is {strength}: use 0 (off) to 1.")
    if tfrm is None or strength == 0:
        return latents
    pieces = smooth_stream(tfrm, [latents], len(latents), strength=strength)
    return torch.cat([piece for piece, _ in pieces])
