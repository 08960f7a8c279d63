"""Windows of a clip denoised in any order that respects their dependencies.

A window's step needs the step before of itself and of the windows it overlaps, and of no others. So all
windows may go through a step together, or a wave of work may pass along the clip: while the first window
takes its last step, the one `steps` further on takes its first. Both give the same numbers; the wave holds
about `steps` windows at a time, however long the clip is.
"""

from __future__ import annotations

import copy
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
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
from .schedulers import advance, denoised_estimate
from .windows import Window, blend_weights

WindowStep = tuple[int, int]  # (step, window)


def stepwise_order(count: int, steps: int) -> Iterator[WindowStep]:
    """Every step of ``count`` windows before the next step."""
    return ((step, window) for step in range(steps) for window in range(count))


def wavefront_order(count: int, steps: int, reach: int = 1, first: int = 0) -> Iterator[WindowStep]:
    """An order in which windows finish one after the other, for windows that overlap the ``reach`` next ones.

    With ``first``, only the steps that windows from that one on depend on: at each earlier step ``reach``
    windows more to the left.
    """
    start = max(0, first - reach * (steps - 1))
    for front in range(start, count + reach * (steps - 1)):
        for step in range(steps):
            window = front - reach * step
            if max(0, first - reach * (steps - 1 - step)) <= window < count:
                yield step, window


def overlap_reach(parts: list[Window]) -> int:
    """How many following windows a window shares frames with, at most; 1 for windows without overlap."""
    reach = 1
    for index, (_, stop) in enumerate(parts):
        while index + reach + 1 < len(parts) and parts[index + reach + 1][0] < stop:
            reach += 1
    return reach


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
        self._begin_step()

    def _begin_step(self) -> None:
        self.output = torch.zeros_like(self.latents)
        self.missing = self.users  # windows still to come at this step
        if self.level < len(self.timesteps):
            self.input = self.solver.scale_model_input(self.latents, self.timesteps[self.level])

    def add(self, piece: Tensor) -> None:
        """Take one window's weighted output; with that of the last window, take the step."""
        self.missing -= 1
        self.output += piece
        if self.missing:
            return
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

    Steps may come in any order in which a window's neighbours are at the same step (see `stepwise_order` and
    `wavefront_order`). Conditions are taken from ``source``, which begins with ``first_window``, when a
    window first needs them.
    """

    def __init__(
        self,
        unet: nn.Module,
        source: Iterable[Conditions],
        parts: list[Window],
        *,
        solver: Any,
        timesteps: list[Tensor],
        guidance: Guidance,
        noise_generator: torch.Generator,
        shared_noise: float,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        first_window: int = 0,
    ) -> None:
        self.unet, self.guidance, self.parts = unet, guidance, parts
        self.solver, self.timesteps, self.seed = solver, timesteps, seed
        self.device, self.dtype = device, dtype
        self.weights = blend_weights(parts)
        self._stops = [stop for _, stop in parts]
        self.borders = sorted({border for part in parts for border in part})
        self._place = {border: index for index, border in enumerate(self.borders)}
        begin = parts[first_window][0]
        self._next = self._out = self._place[begin]
        self._feed = Feed(source)
        self._segments: dict[int, Segment] = {}
        self._noise: ClipNoise | None = None
        self._generator, self._shared_noise, self._skipped = noise_generator, shared_noise, begin

    def denoise(self, step: int, window: int) -> WindowResult:
        """Take ``step`` of ``window``."""
        start, stop = self.parts[window]
        members = [self._segment(index) for index in range(self._place[start], self._place[stop])]
        if any(member.level != step for member in members):
            raise RuntimeError(f"window {window} cannot take step {step} before its neighbours have")
        noisy = torch.cat([member.input for member in members])
        conditions = joined([member.conditions for member in members])
        output = self._output(noisy, conditions, self.timesteps[step].to(self.device))
        weighted = output * self.weights[window].to(self.device)[:, None, None, None]
        latents = torch.cat([member.latents for member in members])
        timestep = self.timesteps[step]
        denoised = denoised_estimate(members[0].solver, output, timestep, noisy)
        for member in members:
            member.add(weighted[member.start - start : member.stop - start])
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

    def _users(self, start: int) -> int:
        """How many windows see the segment that starts there."""
        return bisect_right(self.parts, (start, math.inf)) - bisect_right(self._stops, start)

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
                self._users(start),
                self.seed,
            )
            self._next += 1
        return self._segments[index]

    def _drawn(self, count: int, shape: tuple[int, ...]) -> Tensor:
        if self._noise is None:
            self._noise = ClipNoise(shape, self._generator, self._shared_noise)
            self._noise.skip(self._skipped)
        return self._noise.take(count).to(self.device)

    def _output(self, noisy: Tensor, c: Conditions, timestep: Tensor) -> Tensor:
        """Guided output of one window [n, 4, h, w], float32."""
        sample = torch.cat([noisy.to(self.dtype), c.mask, c.masked_latents, c.reference_latents], dim=1)
        emotion, null = c.emotion, c.null_emotion
        assert not isinstance(emotion, MixedTokens)  # `Conditions.to` has mixed them
        if emotion is not None and null is not None and emotion.ndim > null.ndim:
            # A batch of both needs one shape.
            null = repeat(null, "l d -> t l d", t=c.num_frames)

        def call(batch: Tensor, audio: Tensor, emotion: Tensor | None) -> Tensor:
            return self.unet(batch, timestep, audio, emotion)

        output = self.guidance(
            call,
            rearrange(sample, "t c h w -> 1 c t h w"),
            c.audio[None],
            None if emotion is None else emotion[None],
            None if null is None else null[None],
        )
        return rearrange(output, "1 c t h w -> t c h w")
