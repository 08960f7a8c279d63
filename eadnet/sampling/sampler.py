"""From noise to the latents of a clip: all at once, or window after window while the clip passes by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..modules.operations import placement
from .conditions import Conditions
from .guidance import Guidance
from .noise import clip_noise, seeded
from .plan import Plan, WindowStep
from .savings import Savings
from .schedulers import make_scheduler, set_steps
from .wavefront import Wavefront

__all__ = ["Callback", "Conditions", "Sampling", "SamplingProgress", "clip_noise", "sample", "stream"]


@dataclass(frozen=True)
class SamplingProgress:
    """Where the sampler is. Made after every window of every step; ``done`` of ``total`` such pieces are
    finished.

    Of a clip that is sampled at once, ``latents`` [T, 4, h, w] are the noisy latents the step started from
    until its last window, and those it ended with there; ``denoised`` is the estimate of the clean latents,
    known at a step's last window only (where windows move and take the steps of a cache one after the other,
    at the last of these). Of one that is streamed, or has overlapping windows and a cache, both are the
    window's own [n, 4, h, w], and ``denoised`` is known at the window's last step only.
    """

    step: int
    steps: int
    window: int
    windows: int
    done: int
    total: int
    timestep: int
    latents: Tensor
    denoised: Tensor | None


Callback = Callable[[SamplingProgress], None]


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    ``device`` and ``dtype`` default to the U-Net's. The noise comes from generators on the processor, so a
    seed means the same clip on every device. ``shared_noise`` is the share of the noise's variance that all
    frames have in common (see `eadnet.sampling.noise`). ``window_mode`` is "overlap" or "moving" (see
    `eadnet.sampling.plan`; then ``overlap`` has no meaning). ``savings`` says which evaluations are left out.
    """

    scheduler_config: Mapping[str, Any]
    scheduler: str = "ddim"
    steps: int = 20
    audio_guidance: float = 1.5
    emotion_guidance: float = 1.0
    seed: int = 0
    window: int = 16
    overlap: int = 4
    shared_noise: float = 0.0
    device: torch.device | str | None = None
    dtype: torch.dtype | None = None
    window_mode: str = "overlap"
    savings: Savings = Savings()

    def plan(self, frames: int, steps: int | None = None) -> Plan:
        """The windows of a clip; ``steps`` are those the solver takes, where they are not as many."""
        hold = self.savings.cache_interval
        return Plan(frames, steps or self.steps, self.window, self.overlap, self.window_mode, hold)

    def with_window(self, window: int) -> Sampling:
        """The same with so many frames in a window, fewer than now, and an overlap that fits into it."""
        if window == self.window:
            return self
        return replace(self, window=window, overlap=min(self.overlap, window - 1))


class _Job:
    """What a clip of ``frames`` needs before its first window; refuses settings that cannot work."""

    def __init__(self, unet: nn.Module, frames: int, sampling: Sampling) -> None:
        solver = make_scheduler(sampling.scheduler, sampling.scheduler_config)
        self.timesteps = set_steps(solver, sampling.steps)
        self.steps = len(self.timesteps)
        self.plan = sampling.plan(frames, self.steps)
        _check_window(unet, sampling.window, frames)
        clip_noise((1, 1), seeded(0), sampling.shared_noise)  # refuses a share that is none
        device, dtype = placement(unet)
        self._unet = unet
        self._settings: dict[str, Any] = {
            "solver": solver,
            "timesteps": self.timesteps,
            "guidance": Guidance(sampling.audio_guidance, sampling.emotion_guidance),
            "savings": sampling.savings,
            "noise_generator": seeded(sampling.seed),
            "shared_noise": sampling.shared_noise,
            "seed": sampling.seed,
            "device": torch.device(sampling.device or device),
            "dtype": sampling.dtype or dtype,
        }

    def begin(self, source: Iterable[Conditions], first_frame: int = 0) -> Wavefront:
        if getattr(self._unet, "emotion_dim", None) is None:  # a plain LatentSync model takes no emotion
            source = (replace(part, emotion=None, null_emotion=None) for part in source)
        return Wavefront(self._unet, source, self.plan, first_frame=first_frame, **self._settings)


def _check_window(unet: nn.Module, window: int, num_frames: int) -> None:
    limit = getattr(unet, "frame_limit", None)
    if limit is not None and window > limit:
        raise InputError(
            f"A window of {window} frames is longer than this model's position table of {limit}: use {limit} "
            f"or fewer (a clip of {num_frames} frames is still generated in full, window by window)."
        )


@torch.no_grad()
def sample(
    unet: nn.Module, conditions: Conditions, sampling: Sampling, *, callback: Callback | None = None
) -> Tensor:
    """Generate the latents [T, 4, h, w] (float32) of a clip of any length.

    ``unet`` maps (sample [1,13,n,h,w], timestep, audio [1,n,N,D], emotion) to [1,4,n,h,w]; channels are
    noise, mask, masked latents, reference latents, LatentSync's order. ``callback`` is called after every
    window of every step; to cancel, raise inside it.
    Raises InputError for settings or conditions that cannot work and for results that are not finite.
    """
    conditions.check()
    if sampling.window_mode == "overlap" and sampling.savings.cache_interval > 1:
        # Overlapping windows keep their deep features until their neighbours have taken the step: in a wave
        # those of a few at a time, step by step those of all.
        pieces = stream(
            unet, lambda first: [conditions[first:]], conditions.num_frames, sampling, callback=callback
        )
        return torch.cat(list(pieces))
    job = _Job(unet, conditions.num_frames, sampling)
    clip = job.begin([conditions])
    latents = clip.latents()
    total = job.plan.total
    for done, (step, index) in enumerate(job.plan.stepwise(), 1):
        result = clip.denoise(step, index)
        windows = len(job.plan.parts(step))
        last = job.plan.level(step, index)
        if last:
            latents = clip.latents()
        if callback is not None:
            callback(
                SamplingProgress(
                    step=step,
                    steps=job.steps,
                    window=index,
                    windows=windows,
                    done=done,
                    total=total,
                    timestep=result.timestep,
                    latents=latents,
                    denoised=clip.denoised() if last else None,
                )
            )
    return latents.float()


def stream(
    unet: nn.Module,
    source: Callable[[int], Iterable[Conditions]],
    num_frames: int,
    sampling: Sampling,
    *,
    first_frame: int = 0,
    callback: Callback | None = None,
) -> Iterator[Tensor]:
    """Generate a clip piece by piece, in memory that does not depend on its length.

    Yields the latents [n, 4, h, w] (float32) of consecutive stretches, equal to `sample`'s. ``source`` gives,
    for the number of a frame, the conditions from that frame on in pieces of any length; they are taken when
    needed, about ``steps`` windows ahead of what comes out. With ``first_frame``, the same clip from that
    frame on: the windows before it that it depends on are worked on again.
    Raises InputError as `sample` does: for settings at once, for conditions when they are taken.
    """
    job = _Job(unet, num_frames, sampling)
    if not 0 <= first_frame < num_frames:
        raise InputError(f"Frame {first_frame} is outside the clip of {num_frames} frames: start within it.")
    begin = job.plan.parts(0)[job.plan.first_windows(first_frame)[0]][0]
    order = list(job.plan.wave(first_frame))
    clip = job.begin(source(begin), begin)
    clip.begin_output(first_frame)
    return _streamed(job, clip, order, first_frame, callback)


@torch.no_grad()
def _streamed(
    job: _Job, clip: Wavefront, order: list[WindowStep], first_frame: int, callback: Callback | None
) -> Iterator[Tensor]:
    for done, (step, index) in enumerate(order, 1):
        result = clip.denoise(step, index)
        if callback is not None:
            callback(
                SamplingProgress(
                    step=step,
                    steps=job.steps,
                    window=index,
                    windows=len(job.plan.parts(step)),
                    done=done,
                    total=len(order),
                    timestep=result.timestep,
                    latents=result.latents,
                    denoised=result.denoised if step == job.steps - 1 else None,
                )
            )
        for start, latents in clip.take():
            yield latents[max(0, first_frame - start) :].float()
