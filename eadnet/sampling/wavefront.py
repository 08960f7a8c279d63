"""Windows of a clip denoised in any order that respects their dependencies.

A window's step needs the step before of the frames it sees, and of no others. So all windows may go through a
step together, or a wave of work may pass along the clip: while the first window takes its last step, one
about `steps` further on takes its first. Both give the same numbers; the wave holds about `steps` windows at
a time, however long the clip is. Which windows there are, and in which order, is in `plan`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from ..errors import InputError
from ..finite import all_finite
from ..mixed_tokens import MixedTokens
from .conditions import Conditions, Feed, joined
from .guidance import Guidance
from .noise import ClipNoise, step_generators
from .plan import Plan
from .savings import DeepStore, Reuse, Savings
from .schedulers import advance, denoised_estimate


@dataclass(frozen=True)
class WindowResult:
    """What one step of one window gave: its noisy latents [n, 4, h, w] and the estimate of the clean ones
    (from this window alone), on the compute device.
    """

    step: int
    window: int
    timestep: int
    latents: Tensor
    denoised: Tensor


class Segment:
    """A stretch of frames between two borders of windows, so that the same windows see all of it.

    It has a solver of its own: the solvers' arithmetic is per element, their history per segment.
    """

    def __init__(
        self,
        start: int,
        conditions: Conditions,
        noise: Tensor,
        solver: Any,
        timesteps: list[Tensor],
        users: int,
        seed: int,
    ) -> None:
        self.start = start
        self.stop = start + len(noise)
        self.conditions = conditions
        self.solver, self.timesteps = solver, timesteps
        self.users, self.seed = users, seed
        self.level = 0  # steps taken
        self.latents = noise * solver.init_noise_sigma
        self.change: Tensor | None = None  # what guidance last added
        self._begin_step()

    def _begin_step(self) -> None:
        self.output = torch.zeros_like(self.latents)
        self._change: Tensor | None = None
        self.missing = self.users  # windows still to come at this step
        if self.level < len(self.timesteps):
            self.input = self.solver.scale_model_input(self.latents, self.timesteps[self.level])

    def add(self, piece: Tensor, change: Tensor | None = None) -> None:
        """Take one window's weighted output, and what guidance added to it where that is to be used again;
        with that of the last window, take the step.
        """
        self.missing -= 1
        self.output += piece
        if change is not None:
            self._change = change if self._change is None else self._change + change
        if self.missing:
            return
        if self._change is not None:
            self.change = self._change
        steps = len(self.timesteps)
        if not all_finite(self.output):
            raise InputError(
                f"The U-Net's result is not finite at step {self.level + 1} of {steps}: load the model in "
                "float32, lower the guidance, or download the checkpoint again."
            )
        fresh = step_generators(self.seed, self.level, range(self.start, self.stop))
        timestep = self.timesteps[self.level]
        self.denoised = denoised_estimate(self.solver, self.output, timestep, self.input)
        self.latents = advance(self.solver, self.output, timestep, self.latents, fresh)
        self.level += 1
        self._begin_step()


class Wavefront:
    """Holds the segments of a clip that are being denoised, and denoises windows step by step.

    Steps may come in any order in which what a window sees is at the step before (see `Plan`). Conditions are
    taken from ``source``, which begins with ``first_frame``, a border, when a window first needs them.
    """

    def __init__(
        self,
        unet: nn.Module,
        source: Iterable[Conditions],
        plan: Plan,
        *,
        solver: Any,
        timesteps: list[Tensor],
        guidance: Guidance,
        savings: Savings,
        noise_generator: torch.Generator,
        shared_noise: float,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        first_frame: int = 0,
    ) -> None:
        self.unet, self.guidance, self.plan = unet, guidance, plan
        self.solver, self.timesteps, self.seed = solver, timesteps, seed
        self.device, self.dtype = device, dtype
        self.borders = plan.borders
        self._savings, self._deep = savings, DeepStore(savings, len(timesteps))
        self._place = {border: index for index, border in enumerate(self.borders)}
        self._next = self._out = self._place[first_frame]
        self._feed = Feed(source)
        self._segments: dict[int, Segment] = {}
        self._noise: ClipNoise | None = None
        self._generator, self._shared_noise, self._skipped = noise_generator, shared_noise, first_frame

    def denoise(self, step: int, window: int) -> WindowResult:
        """Take ``step`` of ``window``."""
        start, stop = self.plan.parts(step)[window]
        members = [self._segment(index) for index in range(self._place[start], self._place[stop])]
        if any(member.level != step for member in members):
            raise RuntimeError(f"window {window} cannot take step {step} before its neighbours have")
        noisy = torch.cat([member.input for member in members])
        conditions = joined([member.conditions for member in members])
        changes = [member.change for member in members if member.change is not None]
        earlier = torch.cat(changes) if len(changes) == len(members) else None
        output, change = self._output(noisy, conditions, step, window, earlier)
        self._deep.finish(step, window)
        weight = self.plan.weight(window)
        spread = 1.0 if weight is None else weight.to(self.device)[:, None, None, None]
        weighted = output * spread
        weighted_change = None if change is None else change * spread
        latents = torch.cat([member.latents for member in members])
        timestep = self.timesteps[step]
        denoised = denoised_estimate(members[0].solver, output, timestep, noisy)
        for member in members:
            own = slice(member.start - start, member.stop - start)
            member.add(weighted[own], None if weighted_change is None else weighted_change[own])
        return WindowResult(step, window, int(timestep), latents, denoised)

    def take(self) -> list[tuple[int, Tensor]]:
        """(first frame, latents) of the next stretches that took their last step; they are freed."""
        finished = []
        while (segment := self._segments.get(self._out)) and segment.level == len(self.timesteps):
            finished.append((segment.start, segment.latents))
            for index in [index for index in self._segments if index <= self._out]:
                del self._segments[index]
            self._out += 1
        return finished

    def begin_output(self, frame: int) -> None:
        """Frames before this one are not returned (and may never be finished)."""
        self._out = max(i for i, border in enumerate(self.borders[:-1]) if border <= frame)

    def latents(self) -> Tensor:
        """The latents of all frames at the step they are at, [T, 4, h, w]."""
        return torch.cat([self._segment(index).latents for index in range(len(self.borders) - 1)])

    def denoised(self) -> Tensor:
        """The estimate of the clean latents of all frames at the step they took last."""
        return torch.cat([self._segment(index).denoised for index in range(len(self.borders) - 1)])

    def _segment(self, index: int) -> Segment:
        while index not in self._segments:
            start, stop = self.borders[self._next], self.borders[self._next + 1]
            conditions = self._feed.take(stop - start)
            noise = self._drawn(stop - start, tuple(conditions.masked_latents.shape[1:]))
            self._segments[self._next] = Segment(
                start,
                conditions.to(self.device, self.dtype),
                noise,
                copy.deepcopy(self.solver),
                self.timesteps,
                self.plan.users(start),
                self.seed,
            )
            self._next += 1
        return self._segments[index]

    def _drawn(self, count: int, shape: tuple[int, ...]) -> Tensor:
        if self._noise is None:
            self._noise = ClipNoise(shape, self._generator, self._shared_noise)
            self._noise.skip(self._skipped)
        return self._noise.take(count).to(self.device)

    def _output(
        self, noisy: Tensor, c: Conditions, step: int, window: int, earlier: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Guided output of one window [n, 4, h, w], float32, and what guidance added to it where a later step
        is to use that again. ``earlier`` is what it added at an earlier step.
        """
        sample = torch.cat([noisy.to(self.dtype), c.mask, c.masked_latents, c.reference_latents], dim=1)
        emotion, null = c.emotion, c.null_emotion
        assert not isinstance(emotion, MixedTokens)  # `Conditions.to` has mixed them
        if emotion is not None and null is not None and emotion.ndim > null.ndim:
            # A batch of both needs one shape.
            null = repeat(null, "l d -> t l d", t=c.num_frames)
        timestep = self.timesteps[step].to(self.device)

        def call(batch: Tensor, audio: Tensor, emotion: Tensor | None, branches: Sequence[int]) -> Tensor:
            return self._deep.call(self.unet, (batch, timestep, audio, emotion), branches, window)

        given = (
            rearrange(sample, "t c h w -> 1 c t h w"),
            c.audio[None],
            None if emotion is None else emotion[None],
            None if null is None else null[None],
        )
        reuse = self._savings.reuse(step, len(self.timesteps))
        if reuse is Reuse.NONE or (reuse is Reuse.EARLIER and earlier is not None):
            output = rearrange(self.guidance.unguided(call, *given), "1 c t h w -> t c h w")
            return (output if reuse is Reuse.NONE or earlier is None else output + earlier), None
        guided, base = self.guidance.parts(call, *given)
        output = rearrange(guided, "1 c t h w -> t c h w")
        if self._savings.guidance_every == 1:
            return output, None
        return output, output - rearrange(base, "1 c t h w -> t c h w")
