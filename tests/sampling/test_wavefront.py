"""Streaming is the same sampling in another order: the same numbers, a bounded number of windows held."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from eadnet.errors import InputError
from eadnet.sampling import LATENTSYNC_DDIM, Conditions, Sampling, SamplingProgress, sample, stream
from eadnet.sampling.conditions import Feed, joined
from eadnet.sampling.guidance import Guidance
from eadnet.sampling.noise import clip_noise, step_generators
from eadnet.sampling.plan import Plan
from eadnet.sampling.schedulers import SCHEDULERS, advance, make_scheduler, set_steps
from eadnet.sampling.wavefront import Segment
from eadnet.sampling.windows import blend_weights, windows
from tests.quick import some


class Mixer(nn.Module):
    """A denoiser in which every frame of a window depends on every other, on its sound and on the time."""

    frame_limit = 24
    emotion_dim = 3

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Parameter(0.2 * torch.randn(4, 13, 3, 3, 3, generator=generator))
        self.calls = 0

    def forward(self, x: Tensor, timestep: Tensor, audio: Tensor, emotion: Tensor | None = None) -> Tensor:
        self.calls += 1
        heard = audio.mean(dim=(2, 3))[:, None, :, None, None]
        felt = 0.0 if emotion is None else emotion.mean()
        mixed = nn.functional.conv3d(x, self.conv, padding=1)
        return torch.tanh(mixed + x.mean(dim=(1, 2, 3, 4), keepdim=True) + heard + felt + timestep / 1000)


def conditions(frames: int) -> Conditions:
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return Conditions(
        masked_latents=draw(frames, 4, 3, 3),
        mask=torch.ones(frames, 1, 3, 3),
        reference_latents=draw(frames, 4, 3, 3),
        audio=draw(frames, 2, 5),
        emotion=draw(frames, 2, 3),
        null_emotion=draw(2, 3),
    )


def at_time(
    unet: Mixer,
    timestep: Tensor,
    batch: Tensor,
    audio: Tensor,
    emotion: Tensor | None,
    branches: Sequence[int] = (),
) -> Tensor:
    """The network in the form that guidance calls, once a step is fixed."""
    return unet(batch, timestep, audio, emotion)


def textbook(unet: Mixer, c: Conditions, how: Sampling) -> Tensor:
    """The whole clip step by step, as MultiDiffusion is written down, with one solver for all frames."""
    solver = make_scheduler(how.scheduler, how.scheduler_config)
    parts = windows(c.num_frames, how.window, how.overlap)
    guide = Guidance(how.audio_guidance, how.emotion_guidance)
    noise = clip_noise(tuple(c.masked_latents.shape), torch.Generator().manual_seed(how.seed))
    assert isinstance(c.emotion, torch.Tensor) and c.null_emotion is not None
    timesteps = set_steps(solver, how.steps)
    latents = noise * solver.init_noise_sigma
    for step, timestep in enumerate(timesteps):
        noisy = solver.scale_model_input(latents, timestep)
        output = torch.zeros_like(latents)
        for (start, stop), weight in zip(parts, blend_weights(parts), strict=True):
            x = torch.cat([noisy, c.mask, c.masked_latents, c.reference_latents], dim=1)[start:stop]
            piece = guide(
                partial(at_time, unet, timestep),
                x.transpose(0, 1)[None],
                c.audio[start:stop][None],
                c.emotion[start:stop][None],
                c.null_emotion.expand(stop - start, -1, -1)[None],
            )
            output[start:stop] += piece[0].transpose(0, 1) * weight[:, None, None, None]
        fresh = step_generators(how.seed, step, range(c.num_frames))
        latents = advance(solver, output, timestep, latents, fresh)
    return latents


def settings(**changes: Any) -> Sampling:
    return Sampling(**{"scheduler_config": LATENTSYNC_DDIM, "steps": 3, "emotion_guidance": 2.0, **changes})


def whole(unet: Mixer, c: Conditions, how: Sampling) -> Tensor:
    return sample(unet, c, how)


def in_pieces(c: Conditions, size: int = 5) -> Any:
    """The source of a stream: the conditions from a frame on, a few at a time."""
    return lambda first: (c[start : start + size] for start in range(first, c.num_frames, size))


@torch.no_grad()
@pytest.mark.parametrize("scheduler", some(2, SCHEDULERS))
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_every_sampler_gives_the_textbooks_clip_whole_and_streamed(scheduler: str, steps: int) -> None:
    unet, c, how = Mixer(), conditions(45), settings(scheduler=scheduler, steps=steps)
    expected = textbook(unet, c, how)
    assert torch.equal(whole(unet, c, how), expected)
    assert torch.equal(torch.cat(list(stream(unet, in_pieces(c), 45, how))), expected)


@st.composite
def streams(draw: st.DrawFn) -> tuple[int, int, int, Sampling]:
    """The frames of a clip, the first that is wanted, the conditions given at a time, and the settings."""
    frames, window = draw(st.integers(1, 64)), draw(st.integers(1, 24))
    how = settings(
        scheduler=draw(st.sampled_from(SCHEDULERS)),
        steps=draw(st.integers(1, 3)),
        window=window,
        overlap=draw(st.integers(0, window - 1)),
        audio_guidance=draw(st.sampled_from([1.0, 1.5])),
        shared_noise=draw(st.sampled_from([0.0, 0.5])),
    )
    return frames, draw(st.integers(0, frames - 1)), draw(st.integers(1, 9)), how


@pytest.mark.slow
@torch.no_grad()
@given(streams())
@example((1, 0, 5, settings(scheduler="dpmpp_2m", steps=2)))
@example((16, 15, 5, settings(scheduler="dpmpp_2m", steps=2)))
@example((17, 16, 5, settings(scheduler="dpmpp_2m", steps=2, audio_guidance=1.0)))
@example((61, 60, 5, settings(scheduler="lcm", shared_noise=0.5)))
@example((40, 0, 5, settings(window=16, overlap=0)))
@example((40, 12, 5, settings(window=8, overlap=7)))  # more than two windows share a frame
@example((23, 0, 5, settings(window=7, overlap=6)))
@example((40, 0, 5, settings(window=24, overlap=1)))
@example((23, 1, 1, settings(window=1, overlap=0)))
def test_from_any_frame_on_a_stream_is_the_same_clip(given_stream: tuple[int, int, int, Sampling]) -> None:
    frames, first, size, how = given_stream
    unet, c = Mixer(), conditions(frames)
    tail = torch.cat(list(stream(unet, in_pieces(c, size), frames, how, first_frame=first)))
    assert torch.equal(tail, whole(unet, c, how)[first:])


def test_starting_late_costs_a_few_windows_only() -> None:
    unet, c, how = Mixer(), conditions(160), settings(steps=3, emotion_guidance=1.5)
    windows_left = 1 + sum(stop > 130 for _, stop in windows(160, 16, 4))
    list(stream(unet, in_pieces(c), 160, how, first_frame=130))
    assert unet.calls <= 3 * windows_left + 3 * 2


def test_only_about_as_many_windows_as_steps_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments alive at any time: those of the windows under way, however long the clip is."""
    alive: weakref.WeakSet[Segment] = weakref.WeakSet()
    begin = Segment.__init__

    def counted(self: Segment, *values: Any) -> None:
        alive.add(self)
        begin(self, *values)

    monkeypatch.setattr(Segment, "__init__", counted)
    how, most = settings(steps=3, window=6, overlap=2), {}
    for frames in (60, 120):
        c = conditions(frames)
        most[frames] = max(len(alive) for _ in stream(Mixer(), in_pieces(c), frames, how))
    assert most[120] == most[60] <= 2 * (3 + 2)


def test_conditions_are_taken_when_they_are_needed() -> None:
    taken, c = 0, conditions(160)

    def source(first: int) -> Iterator[Conditions]:
        nonlocal taken
        for start in range(first, 160, 4):
            taken = start + 4
            yield c[start : start + 4]

    emitted = 0
    for latents in stream(Mixer(), source, 160, settings(steps=3)):
        emitted += len(latents)
        assert taken - emitted <= 12 * 3 + 16
    assert emitted == taken == 160


def test_progress_of_a_stream_counts_to_the_end_and_shows_finished_windows() -> None:
    seen: list[SamplingProgress] = []
    c = conditions(40)
    list(stream(Mixer(), in_pieces(c), 40, settings(steps=2), callback=seen.append))
    assert [p.done for p in seen] == list(range(1, 7)) and {p.total for p in seen} == {6}
    assert [(p.step, p.window) for p in seen] == [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (1, 2)]
    assert [p.denoised is not None for p in seen] == [p.step == 1 for p in seen]


@pytest.mark.parametrize("mode", ["overlap", "moving"])
@pytest.mark.parametrize(
    ("frames", "steps", "window", "overlap"), [(5, 1, 16, 4), (70, 3, 16, 4), (60, 4, 8, 6), (33, 8, 16, 0)]
)
def test_every_turn_comes_once_and_after_those_it_needs(
    mode: str, frames: int, steps: int, window: int, overlap: int
) -> None:
    plan = Plan(frames, steps, window, overlap, mode)
    order = list(plan.wave())
    assert sorted(order) == sorted(plan.stepwise()) and len(order) == plan.total
    for place, (step, index) in enumerate(order):
        start, stop = plan.parts(step)[index]
        needed = {
            (step - 1, other) for other, (a, b) in enumerate(plan.parts(step - 1)) if a < stop and b > start
        }
        assert step == 0 or needed <= set(order[:place])


def test_fresh_noise_belongs_to_seed_step_and_frame() -> None:
    def draw(seed: int, step: int, frame: int) -> Tensor:
        return torch.randn(3, generator=step_generators(seed, step, range(frame, frame + 1))[0])

    assert torch.equal(draw(1, 2, 3), draw(1, 2, 3))
    for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4)]:
        assert not torch.equal(draw(1, 2, 3), draw(*other))


def test_a_feed_gives_any_length_from_any_pieces() -> None:
    c = conditions(20)
    feed = Feed(in_pieces(c, 3)(0))
    again = joined([feed.take(count) for count in (1, 7, 2, 10)])
    for name, value in vars(c).items():
        assert torch.equal(getattr(again, name), value), name


def test_a_source_that_ends_early_is_named() -> None:
    with pytest.raises(InputError, match="end 5 frames too early, after 35"):
        list(stream(Mixer(), in_pieces(conditions(35)), 40, settings()))


@pytest.mark.parametrize(
    ("changes", "first", "message"),
    [({"steps": 0}, 0, "steps is 0"), ({"window": 25}, 0, "position table"), ({}, 40, "outside the clip")],
)
def test_senseless_settings_are_refused_before_anything_is_read(
    changes: dict[str, Any], first: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        stream(Mixer(), in_pieces(conditions(40)), 40, settings(**changes), first_frame=first)
