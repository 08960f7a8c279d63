"""UniPC without diffusers: its numbers, and where its steps lie."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from eadnet.presets import PRESETS
from eadnet.rendering import RenderSettings
from eadnet.sampling import LATENTSYNC_DDIM, make_scheduler, sample, stream
from eadnet.sampling.unipc import LOG_SNR, UniPCScheduler
from tests.sampling.test_wavefront import Mixer, conditions

KINDS = ("epsilon", "v_prediction", "sample")


def network(x: Tensor, timestep: Tensor) -> Tensor:
    """Some smooth answer."""
    return torch.tanh(1.3 * x + 0.2) * 0.8 + float(timestep) / 3000


def diffusers_own(config: dict[str, Any], timesteps: Tensor) -> Any:
    """Its class, with the timesteps put in by hand, which it has no setting for."""
    import diffusers

    known = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type")
    clean = config["set_alpha_to_one"]
    scheduler: Any = diffusers.UniPCMultistepScheduler(
        **{name: config[name] for name in known},
        solver_order=2,
        final_sigmas_type="zero" if clean else "sigma_min",
    )
    scheduler.set_timesteps(len(timesteps))
    signal = scheduler.alphas_cumprod.double()
    sigmas = ((1 - signal) / signal).sqrt()
    scheduler.timesteps = timesteps.clone()
    scheduler.sigmas = torch.cat([sigmas[timesteps], torch.zeros(1) if clean else sigmas[:1]])
    return scheduler


@pytest.mark.slow  # imports diffusers
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("clean", [True, False])
def test_its_numbers_are_those_of_diffusers(kind: str, steps: int, clean: bool) -> None:
    config = {**LATENTSYNC_DDIM, "prediction_type": kind, "set_alpha_to_one": clean}
    own = UniPCScheduler(**config)
    own.set_timesteps(steps)
    other = diffusers_own(config, own.timesteps)
    mine = theirs = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for timestep in own.timesteps:
        mine = own.step(network(mine, timestep), timestep, mine).prev_sample
        theirs = other.step(network(theirs, timestep), timestep, theirs).prev_sample
    assert torch.isfinite(mine).all() and torch.allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize("steps", [2, 3, 5, 8])
def test_steps_lie_evenly_in_the_logarithm_of_signal_over_noise(steps: int) -> None:
    scheduler = UniPCScheduler(**LATENTSYNC_DDIM)
    scheduler.set_timesteps(steps)
    signal = scheduler.alphas_cumprod.double()
    logs = (signal / (1 - signal)).log()
    taken = torch.cat([logs[scheduler.timesteps], logs[:1]]).diff()
    assert len(taken) == steps and torch.allclose(taken, taken.mean().expand(steps), rtol=0.1)
    assert scheduler.timesteps[0] == 981  # where 50 steps of the published schedule begin


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 200, 999, 1000])
def test_there_are_as_many_steps_as_asked_for_and_all_differ(steps: int) -> None:
    scheduler = make_scheduler("unipc", {**LATENTSYNC_DDIM, "timestep_spacing": LOG_SNR})
    scheduler.set_timesteps(steps)
    assert len(scheduler.timesteps) == steps
    assert (scheduler.timesteps.diff() < 0).all()
    assert 0 <= scheduler.timesteps[-1] and scheduler.timesteps[0] < 1000


@pytest.mark.parametrize("count", [1, 10, 333])
def test_a_model_may_be_trained_with_fewer_steps(count: int) -> None:
    scheduler = UniPCScheduler(**{**LATENTSYNC_DDIM, "num_train_timesteps": count})
    scheduler.set_timesteps(count)
    assert scheduler.timesteps.tolist() == list(range(count))[::-1]


@pytest.mark.parametrize("clean", [True, False])
def test_a_network_that_knows_the_picture_gives_it_back(clean: bool) -> None:
    """With the noise of the first training step where the configuration ends there, as DDIM does."""
    config = {**LATENTSYNC_DDIM, "prediction_type": "sample", "set_alpha_to_one": clean}
    scheduler = UniPCScheduler(**config)
    scheduler.set_timesteps(4)
    noise = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    picture = torch.full((1000,), 3.0)
    sample = noise
    for timestep in scheduler.timesteps:
        sample = scheduler.step(picture, timestep, sample).prev_sample
    left = 0.0 if clean else float((1 - scheduler.alphas_cumprod[0]) ** 0.5)
    assert (sample - picture).std() == pytest.approx(left, abs=0.004)
    assert sample.mean() == pytest.approx(3.0, abs=0.02)


def test_copies_of_it_do_not_share_what_they_remember() -> None:
    """Every stretch of a clip has one of its own."""
    scheduler = UniPCScheduler(**LATENTSYNC_DDIM)
    scheduler.set_timesteps(3)
    first, second = copy.deepcopy(scheduler), copy.deepcopy(scheduler)
    start = torch.ones(4)

    def run(one: UniPCScheduler) -> Tensor:
        sample = start
        for timestep in one.timesteps:
            sample = one.step(network(sample, timestep), timestep, sample).prev_sample
        return sample

    assert torch.equal(run(first), run(second))


@pytest.mark.parametrize("mode", ["overlap", "moving"])
def test_a_clip_that_is_streamed_is_the_one_made_at_once(mode: str) -> None:
    """Every stretch between borders takes its steps with what it remembers itself."""
    how = RenderSettings(window_mode=mode, window=8, overlap=2).sampling(PRESETS["latentsync-1.5"])
    assert how.steps == 4
    c = conditions(45)
    whole = sample(Mixer(), c, how)
    pieces = stream(Mixer(), lambda first: [c[first:]], c.num_frames, how)
    assert torch.isfinite(whole).all() and torch.allclose(torch.cat(list(pieces)), whole, atol=1e-5)


def test_what_it_cannot_do_is_left_to_diffusers() -> None:
    """Also another solver with this spacing, which its class does not know: that takes its own."""
    odd = {**LATENTSYNC_DDIM, "timestep_spacing": LOG_SNR, "clip_sample": True}
    assert type(make_scheduler("unipc", odd)).__module__.startswith("diffusers")
    other = make_scheduler("dpmpp_2m", {**LATENTSYNC_DDIM, "timestep_spacing": LOG_SNR})
    assert other.config.timestep_spacing == "trailing"
