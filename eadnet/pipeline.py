"""From files to a talking face, without ComfyUI: what ``eadnet generate`` runs."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .checkpoints import Checkpoint, bundled_mini, load_checkpoint
from .errors import CheckpointError, InputError
from .faces.choice import Choice
from .faces.crops import prepare_portrait, to_pictures
from .faces.detectors import FaceDetector
from .faces.follow import follow, watch
from .faces.frames import bounce
from .faces.masks import composite, feathered, latent_mask, mask_image, masked_picture
from .faces.track import FaceTrack
from .media.audio import load_audio, num_frames, to_mono_16k
from .media.images import read_image
from .media.video import read_frames, video_fps
from .sampling import Conditions, SamplingProgress, sample

logger = logging.getLogger(__name__)

_PIECE = 8  # frames encoded or decoded at once


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` pieces of a stage ("encode", "denoise", "decode"); the sampler's own report,
    if any.
    """

    stage: str
    done: int
    total: int
    sampling: SamplingProgress | None = None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Clip:
    """Frames uint8 [T, H, W, 3] at ``fps`` with the sound as it was given, [C, S] at ``rate``.

    They are the model's squares, or whole frames of the video where a face was looked for in it.
    """

    frames: np.ndarray
    fps: float
    waveform: Tensor
    rate: int


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
    tfrm: nn.Module | None

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Model:
        """Move the networks; ``dtype`` applies to the U-Net, the heavy one."""
        for module in (self.unet, self.vae, self.audio_encoder, self.text_encoder, self.tfrm):
            if module is not None:
                module.to(device)
        if dtype is not None:
            self.unet.to(dtype)
        return self


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


def read_crops(
    portrait: str | os.PathLike[str] | None,
    video: str | os.PathLike[str] | None,
    frames: int,
    fps: float,
    resolution: int,
    track: FaceTrack | None = None,
) -> tuple[Tensor, list[int]]:
    """Square crops uint8 [S, R, R, 3] of a picture or a video, and which of them each of ``frames`` shows.

    A portrait is one crop. A video is shown at the model's frame rate, and back and forth when it is too
    short; its crops follow the ``track``, or are the centred squares. Raises InputError
    unless exactly one source is given, and for unreadable files.
    """
    if (portrait is None) == (video is None):
        raise InputError("One picture source is needed: give either a portrait or a video.")
    if portrait is not None:
        return _crop(read_image(portrait), resolution)[None], [0] * frames
    assert video is not None
    source_fps = video_fps(video)
    crops = []
    for frame in islice(read_frames(video), _needed(frames, source_fps, fps)):
        if track is None:
            crops.append(_crop(torch.from_numpy(frame).float() / 255, resolution))
        else:
            crops.append(_bytes(track.crop(frame[None], [len(crops)], resolution))[0])
    return torch.stack(crops), frames_shown(frames, len(crops), source_fps, fps)


def frames_shown(
    count: int, available: int, source_fps: Fraction | float, fps: Fraction | float
) -> list[int]:
    """Which of ``available`` source frames is shown at each time i / fps, i < count.

    It is the frame whose span [k, k+1) / source_fps holds that time, as a player shows it; a source that is
    too short runs back and forth.
    """
    step = source_fps / Fraction(fps).limit_denominator(1001)
    positions = [int(i * step) for i in range(count)]
    order = bounce(available, positions[-1] + 1).tolist()
    return [order[position] for position in positions]


def _needed(frames: int, source_fps: Fraction, fps: float) -> int:
    """Frames of the source that a clip of ``frames`` can show."""
    return math.ceil((frames - 1) * source_fps / Fraction(fps).limit_denominator(1001)) + 1


def find_face(
    video: str | os.PathLike[str],
    detector: FaceDetector,
    choice: Choice | None,
    frames: int,
    checkpoint: Checkpoint,
) -> FaceTrack:
    """The face in the part of a video that a clip of ``frames`` shows, framed as the model wants it.

    Raises InputError when there is none.
    """
    needed = _needed(frames, video_fps(video), checkpoint.fps)
    sighting = watch(islice(read_frames(video), needed), detector)
    return follow(sighting, checkpoint.framing, checkpoint.resolution, choice)


def put_back(
    video: str | os.PathLike[str], track: FaceTrack, faces: np.ndarray, shown: list[int], region: Tensor
) -> np.ndarray:
    """Faces uint8 [T, R, R, 3] in the frames of the video they were cropped from: uint8 [T, H, W, 3].

    Frames in which the track has no face stay as they are, and so does all outside the region.
    """
    source = list(islice(read_frames(video), max(shown) + 1))
    whole = np.empty((len(shown), *source[0].shape), np.uint8)
    for piece in _pieces(len(shown)):
        at = shown[piece]
        frames = torch.from_numpy(np.stack([source[i] for i in at]))
        whole[piece] = track.paste(frames, _floats(torch.from_numpy(faces[piece])), at, region).numpy()
    return whole


def _crop(image: Tensor, resolution: int) -> Tensor:
    return _bytes(prepare_portrait(image[None], resolution))[0]


def _bytes(crops: Tensor) -> Tensor:
    """Crops [B, 3, R, R] in [-1, 1] to uint8 [B, R, R, 3]."""
    return (to_pictures(crops) * 255).round().to(torch.uint8)


def _floats(crops: Tensor) -> Tensor:
    """The inverse of `_bytes`."""
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
def decode_frames(
    vae: Any,
    latents: Tensor,
    crops: Tensor,
    shown: list[int],
    region: Tensor,
    on_progress: OnProgress | None = None,
) -> np.ndarray:
    """Latents [T, 4, h, w] to frames uint8 [T, R, R, 3]; outside the region the crop's own pixels,
    bit-exact.
    """
    device = next(vae.parameters()).device
    weight = feathered(region, region.shape[-1] // 32)
    frames = []
    for piece in _pieces(len(latents)):
        original = _floats(crops[shown[piece]])
        generated = vae.decode(latents[piece].to(device)).float().cpu().clamp(-1, 1)
        frames.append(_bytes(composite(generated, original, weight)))
        if on_progress:
            on_progress(Progress("decode", piece.stop, len(latents)))
    return torch.cat(frames).numpy()


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


def generate(
    audio: str | os.PathLike[str],
    emotion: str = "",
    *,
    portrait: str | os.PathLike[str] | None = None,
    video: str | os.PathLike[str] | None = None,
    model: Model | None = None,
    seed: int = 0,
    steps: int | None = None,
    audio_guidance: float | None = None,
    emotion_guidance: float | None = None,
    scheduler: str = "ddim",
    window: int = 16,
    overlap: int = 4,
    smoothing: float = 1.0,
    detector: FaceDetector | None = None,
    choice: Choice | None = None,
    on_progress: OnProgress | None = None,
) -> Clip:
    """Make the face in ``portrait`` or ``video`` say the recording with the described emotion.

    The clip has round(duration * fps) frames. Settings left None are the checkpoint's defaults;
    ``smoothing`` in [0, 1] is TFRM's strength. With a ``detector`` the face of a video is found and followed,
    the one of the ``choice``, and the clip shows the video's whole frames; without, the face must be in the
    middle of the video, and the clip shows the centred square. To cancel, raise inside ``on_progress``.
    Raises InputError and CheckpointError, one sentence each, for whatever cannot work.
    """
    model = model or load_model()
    info, defaults = model.checkpoint, model.checkpoint.defaults
    waveform, rate = load_audio(audio)
    speech = to_mono_16k(waveform, rate)
    frames = num_frames(waveform.shape[-1] / rate, info.fps)
    if frames < 1:
        raise InputError("The recording is shorter than half a frame: give a longer one.")
    track = None
    if video is not None and portrait is None and detector is not None:
        track = find_face(video, detector, choice, frames, info)
    crops, shown = read_crops(portrait, video, frames, info.fps, info.resolution, track)
    region = mask_image(info.mask_region, info.resolution)
    masked, whole = encode_crops(model.vae, crops, region, on_progress)
    with torch.no_grad():
        tokens = model.audio_encoder.encode_speech(speech, info.fps, frames)
    feeling, null = encode_emotion(model.text_encoder, emotion)
    conditions = Conditions(
        masked_latents=masked[shown],
        mask=latent_mask(region).expand(frames, -1, -1, -1),
        reference_latents=whole[shown],
        audio=tokens,
        emotion=feeling,
        null_emotion=null,
    )

    def report(progress: SamplingProgress) -> None:
        if on_progress:
            on_progress(Progress("denoise", progress.done, progress.total, progress))

    latents = sample(
        model.unet,
        conditions,
        scheduler=scheduler,
        scheduler_config=info.scheduler_config,
        steps=defaults.get("steps", 20) if steps is None else steps,
        audio_guidance=_setting(audio_guidance, defaults, "audio_guidance", 1.5),
        emotion_guidance=_setting(emotion_guidance, defaults, "emotion_guidance", 1.0),
        shared_noise=defaults.get("shared_noise", 0.0),
        seed=seed,
        window=window,
        overlap=overlap,
        callback=report,
    )
    latents = smooth(model.tfrm, latents, smoothing)
    pictures = decode_frames(model.vae, latents, crops, shown, region, on_progress)
    if track is not None and video is not None:
        pictures = put_back(video, track, pictures, shown, region)
    return Clip(pictures, info.fps, waveform, rate)


def _setting(given: float | None, defaults: dict[str, Any], name: str, fallback: float) -> float:
    return float(defaults.get(name, fallback)) if given is None else given


@torch.no_grad()
def smooth(tfrm: nn.Module | None, latents: Tensor, strength: float) -> Tensor:
    """TFRM over the latents [T, 4, h, w] of a clip; unchanged without a TFRM or at strength 0."""
    if not 0 <= strength <= 1:
        raise InputError(f"The smoothing is {strength}: use 0 (off) to 1.")
    if tfrm is None or strength == 0:
        return latents
    smoothed, _ = tfrm(latents.transpose(0, 1)[None], strength=strength)
    return smoothed[0].transpose(0, 1)
