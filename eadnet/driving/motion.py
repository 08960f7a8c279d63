"""A track from speech and a sentence by the model `motion`, which samples facial parameters themselves.

The same sampler, windows, guidance and TFRM as with pixels, on maps of a face (`modules.motion_codec`). Where
a track was measured from a video, any of it may be kept and the rest be generated: inpainting.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import Checkpoint, load_checkpoint, named_checkpoint, read_info
from ..errors import CheckpointError, InputError
from ..finite import TEXT_ADVICE, check_result
from ..media.silence import fade_to_silence, silence_tokens, speech_gate
from ..media.speech import Speech
from ..mixed_tokens import MixedTokens
from ..modules.joined import lay_out_projections
from ..modules.motion_codec import MotionCodec
from ..modules.tfrm import smooth_stream
from ..rendering import OnProgress, RenderSettings, StageProgress
from ..rendering.conditions import Pieces
from ..rig.expression import PARAMETERS
from ..rig.track import GROUPS, Track, columns
from ..sampling import Conditions, Sampling, SamplingProgress, stream
from .explained_mouth import with_explained_opening
from .meant_features import shows_rare_feature, with_meant_features
from .sentence import SentenceReader

PRESET = "motion"
FPS = 25.0


def _all_but(group: str) -> tuple[str, ...]:
    return tuple(name for name in PARAMETERS if name not in GROUPS[group])


KEPT: dict[str, tuple[str, ...]] = {
    "head": ("head",),
    "head, gaze and blinks": ("head", "gaze", "blink"),
    "all but the brows": _all_but("brows"),
    "all but the emotion": _all_but("emotion"),
    "all but the mouth": _all_but("mouth"),
}
"""What people keep of a measured track, for `Kept`."""

_PIECE = 64  # frames whose conditions are made at a time


def is_motion(path: str | os.PathLike[str]) -> bool:
    """Whether a file, or the bundled one's name, is a model of motion; errors are left to who loads it."""
    if path == PRESET:
        return True
    try:
        return read_info(path).get("preset") == PRESET
    except CheckpointError:
        return False


@dataclass(frozen=True)
class MotionModel:
    """The networks of the model `motion`; ``tfrm`` may be None."""

    checkpoint: Checkpoint
    unet: nn.Module
    codec: MotionCodec
    audio_encoder: Any
    text_encoder: Any
    tfrm: Any

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> MotionModel:
        """From a file ("motion", None: the bundled one). Raises CheckpointError for another preset."""
        file = load_checkpoint(named_checkpoint(PRESET if path is None else path))
        if file.preset != PRESET:
            raise CheckpointError(
                f"{file.path.name} is a model of {file.preset}, not of motion: choose another."
            )
        parts = {name: file.component(name) for name in ("unet", "codec", "audio_encoder", "text_encoder")}
        return cls(file, tfrm=file.components.get("tfrm"), **parts)

    @cached_property
    def sentences(self) -> SentenceReader:
        """What reads a face off the tokens of its text encoder; fitted when it is first asked for."""
        return SentenceReader.fit(self.text_encoder.encode)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> MotionModel:
        """Move the networks; ``dtype`` applies to the U-Net."""
        for module in (self.unet, self.codec, self.audio_encoder, self.text_encoder, self.tfrm):
            if module is not None:
                module.to(device)
        if dtype is not None:
            self.unet.to(dtype)
        lay_out_projections(self.unet)
        return self

    @torch.no_grad()
    def encode_emotion(self, emotion: str | Tensor) -> tuple[Tensor | None, Tensor]:
        """(tokens of a text [L, D], or those given; None for an empty text; tokens of the empty sentence)."""
        null: Tensor = check_result(self.text_encoder.encode([""])[0], "text encoder", TEXT_ADVICE)
        if not isinstance(emotion, str):
            return emotion, null
        if not emotion.strip():
            return null, null
        return check_result(self.text_encoder.encode([emotion])[0], "text encoder", TEXT_ADVICE), null


@dataclass(frozen=True)
class Kept:
    """A track, and the names of its parameters or groups (`rig.track.GROUPS`) that stay as they are."""

    track: Track
    names: Sequence[str]

    def columns(self) -> list[int]:
        """Raises InputError for unknown names."""
        return sorted({column for name in self.names for column in columns(name)})


def motion_sampling(settings: RenderSettings, model: Any) -> Sampling:
    """The sampler's part; window and overlap are the model's own where the settings have those of pixels."""
    from dataclasses import replace

    chosen, usual = settings.sampling(model), RenderSettings()
    if (settings.window, settings.overlap) != (usual.window, usual.overlap):
        return chosen
    defaults = model.defaults
    return replace(
        chosen,
        window=int(defaults.get("window", usual.window)),
        overlap=int(defaults.get("overlap", usual.overlap)),
    )


@torch.no_grad()
def sample_motion(
    unet: nn.Module,
    codec: MotionCodec,
    audio_encoder: Any,
    speech: Speech,
    frames: int,
    sampling: Sampling,
    *,
    emotion: Tensor | MixedTokens | None = None,
    null_emotion: Tensor | None = None,
    kept: Kept | None = None,
    tfrm: Any = None,
    smoothing: float = 1.0,
    silence_gate: bool = True,
    explained: bool = True,
    sentences: Callable[[], SentenceReader] | None = None,
    on_progress: OnProgress | None = None,
) -> Track:
    """The track of somebody who says ``speech`` for ``frames`` at 25 per second.

    Args:
        emotion: tokens [L, D], or [frames, L, D].
        kept: what is given; places of the map that hold something else, too, are generated and then replaced.
        silence_gate: whether the mouth closes in pauses of the recording.
        explained: whether the mouth opens as far as the sound explains it (`explained_mouth`), or as sampled.
        sentences: makes, if it is needed, what a feature is raised by that the model shows only in part
            (`meant_features`); None, or one for tokens of another encoder, leaves it as it is shown.

    Raises InputError for settings that cannot work and for results that are not finite.
    """
    source = _Source(codec, audio_encoder, speech, frames, emotion, null_emotion, kept, silence_gate)
    started = time.monotonic()

    def report(now: SamplingProgress) -> None:
        if on_progress:
            left = (time.monotonic() - started) / now.done * (now.total - now.done)
            on_progress(StageProgress("render", now.done, now.total, left, now))

    latents = stream(unet, source.from_frame, frames, sampling, callback=report)
    if tfrm is not None and smoothing > 0:
        latents = (piece for piece, _ in smooth_stream(tfrm, latents, frames, strength=smoothing))
    values = torch.cat([codec.decode(piece.float().to(codec.mean.device)).cpu() for piece in latents])
    if explained:
        varying = emotion is not None and emotion.ndim == 3
        values = with_explained_opening(values, source.heard, source.said if varying else None, source.gate)
    if sentences is not None and emotion is not None and null_emotion is not None:
        if shows_rare_feature(values, FPS) and (reader := sentences()).knows(null_emotion):
            values = with_meant_features(values, _meant(reader, emotion, frames), FPS)
    if kept is not None:
        chosen = kept.columns()
        values[:, chosen] = source.given[:, chosen]
    return Track(values, FPS)


def _meant(sentences: SentenceReader, emotion: Tensor | MixedTokens, frames: int) -> Tensor:
    """What the tokens of every frame mean, [frames, P], or [1, P] where they stay the same."""
    if emotion.ndim != 3:
        assert isinstance(emotion, Tensor)
        return sentences.beyond_none(emotion[None])
    return torch.cat(
        [sentences.beyond_none(emotion[start : start + _PIECE]) for start in range(0, frames, _PIECE)]
    )


class _Source:
    """The conditions of a track's frames, from any of them on."""

    def __init__(
        self,
        codec: MotionCodec,
        audio_encoder: Any,
        speech: Speech,
        frames: int,
        emotion: Tensor | MixedTokens | None,
        null_emotion: Tensor | None,
        kept: Kept | None,
        silence_gate: bool,
    ) -> None:
        self.codec, self.audio_encoder, self.speech, self.frames = codec, audio_encoder, speech, frames
        self.emotion, self.null = emotion, null_emotion
        device = codec.mean.device
        self.rest = codec.encode(torch.zeros(1, len(codec.names), device=device))
        self.mask = codec.keep_mask(())
        self.given = torch.zeros(0, len(codec.names))
        if kept is not None:
            self.given = kept.track.resampled(FPS).fitted(frames).values
            if len(self.given) != frames:
                raise InputError("The track to keep has no frames: connect one that has.")
            self.mask = codec.keep_mask([codec.names[column] for column in kept.columns()])
        self.gate = speech_gate(speech, FPS, frames) if silence_gate else None

    def from_frame(self, first: int) -> Iterator[Conditions]:
        tokens = Pieces(self._tokens(first))
        for start in range(first, self.frames, _PIECE):
            stop = min(start + _PIECE, self.frames)
            shape = (stop - start, -1, -1, -1)
            given = self.rest.new_zeros(stop - start, *self.rest.shape[1:])
            if len(self.given):
                given = self.codec.encode(self.given[start:stop].to(self.rest.device)) * self.mask
            emotion = self.emotion
            yield Conditions(
                masked_latents=given,
                mask=self.mask.expand(shape),
                reference_latents=self.rest.expand(shape),
                audio=tokens.take(stop - start),
                emotion=emotion[start:stop] if emotion is not None and emotion.ndim == 3 else emotion,
                null_emotion=self.null,
            )

    def heard(self) -> Iterator[Tensor]:
        """What the U-Net hears of all frames, [n, N D] at a time."""
        tokens = Pieces(self._tokens(0))
        for start in range(0, self.frames, _PIECE):
            yield tokens.take(min(_PIECE, self.frames - start)).flatten(1)

    def said(self) -> Iterator[Tensor]:
        """The mean tokens of a sentence that changes, [n, D] in the same pieces."""
        assert self.emotion is not None
        for start in range(0, self.frames, _PIECE):
            piece = self.emotion[start : min(start + _PIECE, self.frames)]
            tokens = piece.mixed() if isinstance(piece, MixedTokens) else piece
            yield tokens.float().mean(-2)

    def _tokens(self, first: int) -> Iterator[Tensor]:
        blocks = self.audio_encoder.stream_speech(self.speech, FPS, self.frames, first)
        if self.gate is None:
            yield from blocks
            return
        quiet = silence_tokens(self.audio_encoder)
        for block in blocks:
            yield fade_to_silence(block, self.gate[first : first + len(block)], quiet)
            first += len(block)


def motion_track(
    speech: Speech,
    emotion: str | Tensor,
    frames: int,
    *,
    model: MotionModel,
    settings: RenderSettings | None = None,
    kept: Kept | None = None,
    explained: bool = True,
    on_progress: OnProgress | None = None,
) -> Track:
    """`sample_motion` with a model and a render's settings; blinks, gaze and head are the model's own."""
    settings = settings or RenderSettings()
    tokens, null = model.encode_emotion(emotion)
    return sample_motion(
        model.unet,
        model.codec,
        model.audio_encoder,
        speech,
        frames,
        motion_sampling(settings, model.checkpoint),
        emotion=tokens,
        null_emotion=null,
        kept=kept,
        tfrm=model.tfrm,
        smoothing=settings.smoothing,
        silence_gate=settings.silence_gate,
        explained=explained,
        sentences=None if tokens is null else lambda: model.sentences,
        on_progress=on_progress,
    )
