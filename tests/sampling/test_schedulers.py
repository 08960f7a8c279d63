"""The samplers: LatentSync's DDIM to the last digit, and every sampler right for every prediction type."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.errors import InputError
from eadnet.sampling.schedulers import (
    LATENTSYNC_DDIM,
    SCHEDULERS,
    advance,
    denoised_estimate,
    make_scheduler,
    noise_level,
    set_steps,
)
from tests.golden_weights import load_golden


def toy_noise(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return torch.tanh(0.7 * x) + 0.01 * t / 1000


def test_ddim_follows_the_published_trajectory() -> None:
    golden = load_golden("ddim_20.safetensors")
    scheduler = make_scheduler("ddim", LATENTSYNC_DDIM)
    timesteps = set_steps(scheduler, 20)
    assert [int(t) for t in timesteps] == golden["timesteps"].tolist()
    x, seen = golden["noise"], {}
    for number, t in enumerate(timesteps, 1):
        x = advance(scheduler, toy_noise(x, t), t, x, torch.Generator())
        seen[number] = x
    for name, got in (("after5", seen[5]), ("final", x)):
        error = (got - golden[name]).norm() / golden[name].norm()
        assert error <= 1e-4, f"{name}: {error}"


def follow(name: str, kind: str, steps: int, clean: torch.Tensor) -> torch.Tensor:
    """Sample with a model that knows the clean latents; it must be led exactly there."""
    config = {
        **LATENTSYNC_DDIM,
        "prediction_type": kind,
        "set_alpha_to_one": True,
        "timestep_spacing": "trailing",
    }
    scheduler = make_scheduler(name, config)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(clean.shape, generator=generator) * scheduler.init_noise_sigma
    for t in set_steps(scheduler, steps):
        model_input = scheduler.scale_model_input(x, t)
        alpha, sigma = noise_level(scheduler, t)
        noise = (model_input - alpha * clean) / sigma
        output = noise if kind == "epsilon" else alpha * noise - sigma * clean
        torch.testing.assert_close(
            denoised_estimate(scheduler, output, t, model_input), clean, atol=1e-4, rtol=0
        )
        x = advance(scheduler, output, t, x, generator)
    return x


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULERS)
@given(kind=st.sampled_from(["epsilon", "v_prediction"]), steps=st.integers(1, 60))
@example("epsilon", 1)
@example("epsilon", 60)
@example("v_prediction", 1)
@example("v_prediction", 60)
def test_a_perfect_model_leads_every_sampler_to_the_clean_latents(name: str, kind: str, steps: int) -> None:
    clean = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(follow(name, kind, steps, clean), clean, atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", ["dpmpp_2m", "euler", "lcm"])
def test_solvers_of_few_steps_start_at_the_noisiest_level(name: str) -> None:
    assert int(set_steps(make_scheduler(name, LATENTSYNC_DDIM), 4)[0]) == 999


@pytest.mark.parametrize("steps", [0, -3, 1001])
def test_a_senseless_number_of_steps_is_named(steps: int) -> None:
    with pytest.raises(InputError, match=rf"steps is {steps}: use 1 to 1000"):
        set_steps(make_scheduler("ddim", LATENTSYNC_DDIM), steps)


def test_an_unknown_sampler_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'heun'.*ddim, dpmpp_2m, euler, lcm"):
        make_scheduler("heun", LATENTSYNC_DDIM)
