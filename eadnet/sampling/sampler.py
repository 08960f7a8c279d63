"""From noise to the latents of a whole clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .guidance import Guidance
from .schedulers import advance, denoised_estimate, make_scheduler, set_steps
from .windows import blend_weights, windows


@dataclass(frozen=True)
class Conditions:
    """What one clip of T frames is generated from. Latents are scaled as the U-Net expects them.

    masked_latents    [T, 4, h, w]  the crops with the region hidden
    mask              [T, 1, h, w]  1 where the picture is kept (see `eadnet.faces.masks.latent_mask`)
    reference_latents [T, 4, h, w]  the whole crops
    audio             [T, N, D]     tokens of the sound around each frame
    emotion           [L, De], or [T, L, De] when it changes over time, or None
    null_emotion      [L, De] embedding of the empty sentence; None means the model's path without emotion
    """

    masked_latents: Tensor
    mask: Tensor
    reference_latents: Tensor
    audio: Tensor
    emotion: Tensor | None = None
    null_emotion: Tensor | None = None

    @property
    def num_frames(self) -> int:
        return self.masked_latents.shape[0]

    def check(self) -> None:
        """Raise InputError when the parts do not belong together or hold numbers that are not finite."""
        frames, grid = self.num_frames, self.masked_latents.shape[-2:]
        for name, channels in (("masked_latents", 4), ("mask", 1), ("reference_latents", 4)):
            shape = tuple(getattr(self, name).shape)
            if shape != (frames, channels, *grid):
                raise InputError(
                    f"{name} has the shape {list(shape)} where {[frames, channels, *grid]} is needed: "
                    "prepare picture and mask with the same resolution and number of frames."
                )
        if self.audio.ndim != 3 or self.audio.shape[0] != frames:
            raise InputError(
                f"The sound covers {self.audio.shape[0]} frames and the picture {frames}: encode the sound "
                "for the same number of frames."
            )
        if self.emotion is not None and self.emotion.ndim == 3 and self.emotion.shape[0] != frames:
            raise InputError(
                f"The emotion covers {self.emotion.shape[0]} frames and the picture {frames}: encode it for "
                "the same number of frames."
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not torch.isfinite(value).all():
                raise InputError(f"{field.name} holds numbers that are not finite: check what made it.")

    def to(self, device: torch.device, dtype: torch.dtype) -> Conditions:
        moved: dict[str, Any] = {
            name: None if value is None else value.to(device, dtype) for name, value in vars(self).items()
        }
        return Conditions(**moved)


@dataclass(frozen=True)
class SamplingProgress:
    """Where the sampler is. Made after every window of every step; ``done`` of ``total`` such pieces are
    finished.

    ``latents`` [T, 4, h, w] are the noisy latents the step started from until its last window, and those it
    ended with there; ``denoised`` is the estimate of the clean latents, known at a step's last window only.
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


def clip_noise(shape: tuple[int, ...], generator: torch.Generator, shared: float = 0.0) -> Tensor:
    """Unit Gaussian noise for a clip [T, C, h, w]: one field, drawn frame by frame on the generator's device.

    A longer clip starts with the same noise as a shorter one. ``shared`` in [0, 1] is the share of the
    variance that all frames have in common: LatentSync samples with 1 (one frame's noise repeated) and
    trains with 0.5, the mixed noise model of PYoCo (arXiv 2305.10474, section 3.3).
    """
    if not 0 <= shared <= 1:
        raise InputError(
            f"The shared part of the noise is {shared}: use 0 (each frame its own) to 1 (one for all)."
        )
    common = torch.randn(shape[1:], generator=generator)
    own = torch.stack([torch.randn(shape[1:], generator=generator) for _ in range(shape[0])])
    return shared**0.5 * common + (1 - shared) ** 0.5 * own


class _Denoiser:
    """One guided model output for the whole clip: every window denoised, overlaps averaged."""

    def __init__(
        self, unet: nn.Module, conditions: Conditions, guidance: Guidance, parts: list[tuple[int, int]]
    ) -> None:
        self.unet = unet
        self.guidance = guidance
        self.parts = parts
        self.weights = blend_weights(parts)
        self.conditions = conditions
        fixed = (conditions.mask, conditions.masked_latents, conditions.reference_latents)
        self.fixed = torch.cat(fixed, dim=1)

    def window_output(self, index: int, model_input: Tensor, timestep: Tensor) -> Tensor:
        """Guided output of one window [n, 4, h, w], float32."""
        start, stop = self.parts[index]
        c = self.conditions
        sample = torch.cat([model_input[start:stop].to(self.fixed.dtype), self.fixed[start:stop]], dim=1)
        emotion = c.emotion[start:stop] if c.emotion is not None and c.emotion.ndim == 3 else c.emotion
        null = c.null_emotion
        if emotion is not None and null is not None and emotion.ndim > null.ndim:
            null = null.expand(stop - start, *null.shape)  # a batch of both needs one shape

        def call(batch: Tensor, audio: Tensor, emotion: Tensor | None) -> Tensor:
            return self.unet(batch, timestep, audio, emotion)

        output = self.guidance(
            call,
            sample.transpose(0, 1)[None],
            c.audio[start:stop][None],
            None if emotion is None else emotion[None],
            None if null is None else null[None],
        )
        return output[0].transpose(0, 1)


def _seeded(seed: int) -> torch.Generator:
    if not -(2**63) <= seed < 2**64:
        raise InputError(f"The seed {seed} has more than 64 bits: use a smaller one.")
    return torch.Generator("cpu").manual_seed(seed)


def _check_window(unet: nn.Module, window: int, num_frames: int) -> None:
    limit = getattr(unet, "frame_limit", None)
    if limit is not None and window > limit:
        raise InputError(
            f"A window of {window} frames is more than this model's position table of {limit}: use {limit} "
            f"or fewer (a clip of {num_frames} frames is still generated whole, window by window)."
        )


@torch.no_grad()
def sample(
    unet: nn.Module,
    conditions: Conditions,
    *,
    scheduler: str = "ddim",
    scheduler_config: Mapping[str, Any],
    steps: int = 20,
    audio_guidance: float = 1.5,
    emotion_guidance: float = 1.0,
    seed: int = 0,
    window: int = 16,
    overlap: int = 4,
    shared_noise: float = 0.0,
    callback: Callback | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Generate the latents [T, 4, h, w] (float32) of a clip of any length.

    ``unet`` maps (sample [1,13,n,h,w], timestep, audio [1,n,N,D], emotion) to [1,4,n,h,w]; channels are
    noise, mask, masked latents, reference latents, LatentSync's order. ``device`` and ``dtype`` default to
    the U-Net's. The noise comes from a CPU generator, so a seed means the same clip on every device.
    ``callback`` is called after every window of every step; to cancel, raise inside it.
    Raises InputError for settings or conditions that cannot work and for results that are not finite.
    """
    conditions.check()
    solver = make_scheduler(scheduler, scheduler_config)
    timesteps = set_steps(solver, steps)
    parts = windows(conditions.num_frames, window, overlap)
    _check_window(unet, window, conditions.num_frames)
    guidance = Guidance(audio_guidance, emotion_guidance)
    generator = _seeded(seed)
    parameter = next(unet.parameters(), None)
    if parameter is not None:
        device, dtype = device or parameter.device, dtype or parameter.dtype
    target = torch.device(device or "cpu")

    if getattr(unet, "emotion_dim", None) is None:  # a plain LatentSync model takes no emotion
        conditions = replace(conditions, emotion=None, null_emotion=None)
    denoiser = _Denoiser(unet, conditions.to(target, dtype or torch.float32), guidance, parts)
    shape = tuple(conditions.masked_latents.shape)
    latents = clip_noise(shape, generator, shared_noise).to(target) * solver.init_noise_sigma

    for step, timestep in enumerate(timesteps):
        model_input = solver.scale_model_input(latents, timestep)
        output = torch.zeros_like(latents)
        for index, ((start, stop), weight) in enumerate(zip(parts, denoiser.weights, strict=True)):
            piece = denoiser.window_output(index, model_input, timestep.to(target))
            output[start:stop] += piece * weight.to(target)[:, None, None, None]
            last = index == len(parts) - 1
            denoised = None
            if last:
                _check_finite(output, step, steps)
                denoised = denoised_estimate(solver, output, timestep, model_input)
                latents = advance(solver, output, timestep, latents, generator)
            if callback is not None:
                done = step * len(parts) + index + 1
                callback(
                    SamplingProgress(
                        step=step,
                        steps=len(timesteps),
                        window=index,
                        windows=len(parts),
                        done=done,
                        total=len(timesteps) * len(parts),
                        timestep=int(timestep),
                        latents=latents,
                        denoised=denoised,
                    )
                )
    return latents.float()


def _check_finite(output: Tensor, step: int, steps: int) -> None:
    if not torch.isfinite(output).all():
        raise InputError(
            f"The denoiser's result is not finite at step {step + 1} of {steps}: load the model in float32, "
            "lower the guidance, or check that the checkpoint is whole."
        )
