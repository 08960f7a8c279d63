"""DDIM without diffusers: its numbers to the last bit, and its class where a configuration asks for more."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eadnet.sampling.ddim import DDIMScheduler, is_plain
from eadnet.sampling.schedulers import LATENTSYNC_DDIM, advance, make_scheduler, set_steps
from tests.quick import examples


@pytest.mark.slow  # diffusers takes seconds to import
@examples(200)
@given(
    schedule=st.sampled_from(["linear", "scaled_linear"]),
    kind=st.sampled_from(["epsilon", "sample", "v_prediction"]),
    spacing=st.sampled_from(["leading", "trailing"]),
    ends_in_noise=st.booleans(),
    whole=st.booleans(),
    offset=st.integers(0, 1),
    steps=st.integers(1, 999),
    seed=st.integers(0, 99),
)
def test_every_step_is_the_one_of_diffusers(
    schedule: str,
    kind: str,
    spacing: str,
    ends_in_noise: bool,
    whole: bool,
    offset: int,
    steps: int,
    seed: int,
) -> None:
    import diffusers

    config = {
        **LATENTSYNC_DDIM,
        "beta_schedule": schedule,
        "prediction_type": kind,
        "timestep_spacing": spacing,
        "rescale_betas_zero_snr": ends_in_noise,
        "set_alpha_to_one": whole,
        "steps_offset": offset,
    }
    ours: Any = make_scheduler("ddim", config)
    theirs: Any = diffusers.DDIMScheduler(**config)
    assert type(ours) is DDIMScheduler
    assert torch.equal(ours.alphas_cumprod, theirs.alphas_cumprod)
    # Theirs counts one too many, to -1, for some numbers of steps (103).
    assert set_steps(ours, steps) == set_steps(theirs, steps)[:steps]
    theirs.timesteps = theirs.timesteps[:steps]
    generator = torch.Generator().manual_seed(seed)
    for timestep in ours.timesteps[:: 1 + steps // 4]:
        sample, output = torch.randn(2, 3, 4, 4, generator=generator)
        own, other = (s.step(output, timestep, sample).prev_sample for s in (ours, theirs))
        torch.testing.assert_close(own, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_there_are_as_many_steps_as_asked_for_within_the_noise_levels(spacing: str) -> None:
    scheduler = make_scheduler("ddim", {**LATENTSYNC_DDIM, "timestep_spacing": spacing})
    for steps in (*range(1, 60), 103, 206, 333, 334, 500, 501, 999, 1000):
        timesteps = torch.stack(set_steps(scheduler, steps))
        assert len(timesteps) == steps and timesteps.max() <= 999 and timesteps.min() >= 0, steps
        assert steps == 1 or timesteps.diff().max() < 0, steps


def test_as_many_steps_as_in_training_stay_within_its_noise_levels() -> None:
    """diffusers' own counts one further than there are, with the usual offset of 1."""
    scheduler = make_scheduler("ddim", LATENTSYNC_DDIM)
    assert [int(t) for t in set_steps(scheduler, 1000)] == list(range(999, -1, -1))
    x = torch.ones(1, 2)
    for t in scheduler.timesteps[:2]:
        x = advance(scheduler, torch.zeros(1, 2), t, x, torch.Generator())
    assert x.isfinite().all()


@pytest.mark.parametrize(
    "asked",
    [
        {"clip_sample": True},
        {"thresholding": True},
        {"trained_betas": [0.1, 0.2]},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"timestep_spacing": "linspace"},
    ],
)
def test_what_a_configuration_asks_beyond_it_is_left_to_diffusers(asked: dict[str, Any]) -> None:
    assert is_plain(LATENTSYNC_DDIM)
    assert not is_plain({**LATENTSYNC_DDIM, **asked})
    assert not is_plain({}), "diffusers clips where nothing is said"


@pytest.mark.slow  # imports diffusers
def test_timesteps_counted_from_the_end_are_those_of_diffusers_for_every_number_of_steps() -> None:
    """At 48 steps every third lies half-way between two training steps."""
    import diffusers

    config = {**LATENTSYNC_DDIM, "timestep_spacing": "trailing"}
    ours, theirs = DDIMScheduler(**config), diffusers.DDIMScheduler(**config)
    for steps in range(1, 1001):
        assert set_steps(ours, steps) == set_steps(theirs, steps)[:steps], steps
