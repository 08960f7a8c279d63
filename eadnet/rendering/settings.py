"""How to render, as a command line, a node or a program says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ..errors import InputError
from ..faces.face_track import FaceTrack
from ..sampling import MODES, AutoSampler, Sampling, Savings
from .croppers import CentreCropper, Cropper, TrackCropper

# Where a checkpoint does not say: what LatentSync is sampled with.
_STEPS, _AUDIO_GUIDANCE, _EMOTION_GUIDANCE = 20, 1.5, 1.0
_MOST_FPS = 1000


class HasDefaults(Protocol):
    """What has the default sampling settings of a model: a checkpoint, a preset."""

    @property
    def scheduler_config(self) -> Mapping[str, Any]: ...

    @property
    def defaults(self) -> Mapping[str, Any]: ...

    @property
    def auto_sampler(self) -> AutoSampler: ...


@dataclass(frozen=True)
class RenderSettings:
    """How to render. What is None is the checkpoint's default, and so are 0 steps and 0 fps.

    scheduler      None is the checkpoint's own (`AutoSampler`), with its own number of steps
    smoothing      strength of TFRM, 0 to 1
    length         what happens when sound and video last differently long (see `media.lengths`)
    fps            frames per second from a portrait or images; a video keeps its own
    silence_gate   whether the mouth closes where the recording has a pause
    colour_match   of a face that is followed: how far it takes on the colours around it, 0 to 1
    feather        of a face that is followed: width of the soft edge, 0 to 0.25 of the crop's side
    check_face     without a face that is followed: whether one must sit where the model expects it

    For the others see `Sampling`. Raises InputError for shares and frame rates out of range.
    """

    seed: int = 0
    steps: int | None = None
    audio_guidance: float | None = None
    emotion_guidance: float | None = None
    scheduler: str | None = None
    window: int = 16
    overlap: int = 4
    smoothing: float = 1.0
    length: str = "bounce"
    fps: float | None = None
    silence_gate: bool = True
    colour_match: float = 0.5
    feather: float = 0.05
    check_face: bool = True
    window_mode: str = MODES[0]
    savings: Savings = Savings()

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing <= 1:
            raise InputError(f"The smoothing is {self.smoothing}: use 0 (off) to 1.")
        if not 0 <= self.colour_match <= 1:
            raise InputError(f"The colour match is {self.colour_match}: use 0 (off) to 1.")
        if not 0 <= self.feather <= 0.25:
            raise InputError(f"The feather is {self.feather}: use 0 (a hard edge) to 0.25 of the crop.")
        if self.fps and not 1 <= self.fps <= _MOST_FPS:
            raise InputError(f"The frame rate is {self.fps} fps: use 1 to {_MOST_FPS}.")

    def sampling(self, model: HasDefaults) -> Sampling:
        """The sampler's part, with the model's own defaults where nothing else was chosen."""
        defaults = model.defaults
        own = model.auto_sampler if self.scheduler is None else AutoSampler(self.scheduler)

        def chosen(value: float | None, name: str, fallback: float) -> float:
            return float(defaults.get(name, fallback)) if value is None else value

        return Sampling(
            scheduler_config=own.config(model.scheduler_config),
            scheduler=own.scheduler,
            steps=self.steps or own.steps or int(defaults.get("steps", _STEPS)),
            audio_guidance=chosen(self.audio_guidance, "audio_guidance", _AUDIO_GUIDANCE),
            emotion_guidance=chosen(self.emotion_guidance, "emotion_guidance", _EMOTION_GUIDANCE),
            seed=self.seed,
            window=self.window,
            overlap=self.overlap,
            window_mode=self.window_mode,
            savings=self.savings,
            shared_noise=float(defaults.get("shared_noise", 0.0)),
        )

    def cropper(self, region: Tensor, track: FaceTrack | None = None) -> Cropper:
        """The face that was followed, or the centred square; region [1, R, R], 1 where pixels are
        generated.
        """
        if track is None:
            return CentreCropper(region)
        return TrackCropper(track, region, self.colour_match, round(self.feather * region.shape[-1]))
