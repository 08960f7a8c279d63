"""How to render: the model's own defaults, and what makes no sense."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from eadnet.errors import InputError
from eadnet.faces.masks import mask_image
from eadnet.presets import PRESETS
from eadnet.rendering import CentreCropper, RenderSettings
from eadnet.sampling import AutoSampler, Savings, make_scheduler
from eadnet.sampling.unipc import LOG_SNR, UniPCScheduler


@pytest.mark.parametrize("steps", [None, 0])
@pytest.mark.parametrize(("preset", "expected"), [("mini", 1), ("latentsync-1.5", 4), ("ead-512", 4)])
def test_no_steps_are_the_models_own(steps: int | None, preset: str, expected: int) -> None:
    assert RenderSettings(steps=steps).sampling(PRESETS[preset]).steps == expected


def test_steps_that_were_chosen_stay() -> None:
    assert RenderSettings(steps=7).sampling(PRESETS["mini"]).steps == 7


@pytest.mark.parametrize("preset", ["latentsync-1.5", "ead-512"])
def test_without_a_sampler_it_is_the_models_own(preset: str) -> None:
    own, sampling = PRESETS[preset].auto_sampler, RenderSettings().sampling(PRESETS[preset])
    assert own != AutoSampler()
    assert (sampling.scheduler, sampling.steps) == (own.scheduler, own.steps)


@pytest.mark.parametrize("preset", ["latentsync-1.5", "ead-512"])
def test_only_the_models_own_sampler_has_its_steps_where_they_count(preset: str) -> None:
    """A workflow that was saved with "unipc" keeps its frames."""
    model = PRESETS[preset]
    own = RenderSettings().sampling(model)
    assert isinstance(make_scheduler(own.scheduler, own.scheduler_config), UniPCScheduler)
    assert own.scheduler_config == {**model.scheduler_config, "timestep_spacing": LOG_SNR}
    assert RenderSettings(scheduler="unipc").sampling(model).scheduler_config == model.scheduler_config


@pytest.mark.parametrize("preset", PRESETS)
def test_with_a_sampler_steps_are_the_models_usual_number(preset: str) -> None:
    """As in workflows that were saved with one."""
    model = PRESETS[preset]
    sampling = RenderSettings(scheduler="ddim", steps=0).sampling(model)
    assert sampling.steps == model.defaults["steps"]
    assert (sampling.scheduler, sampling.window_mode, sampling.savings) == ("ddim", "overlap", Savings())


def test_what_was_chosen_stays_beside_the_models_own_sampler() -> None:
    own = {"steps": 12, "window_mode": "moving", "savings": Savings(3)}
    sampling = RenderSettings(**own).sampling(PRESETS["latentsync-1.6"])  # type: ignore[arg-type]
    assert sampling.scheduler == "unipc"
    assert {name: getattr(sampling, name) for name in own} == own


class Silent:
    """A model whose checkpoint says nothing about sampling."""

    scheduler_config: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    auto_sampler = AutoSampler()


def test_without_defaults_it_is_as_latentsync_samples() -> None:
    sampling = RenderSettings().sampling(Silent())
    assert (sampling.steps, sampling.audio_guidance, sampling.emotion_guidance) == (20, 1.5, 1.0)
    assert sampling.shared_noise == 0.0


def test_guidance_of_zero_is_a_choice() -> None:
    sampling = RenderSettings(audio_guidance=0.0, emotion_guidance=0.0).sampling(PRESETS["mini"])
    assert (sampling.audio_guidance, sampling.emotion_guidance) == (0.0, 0.0)


@pytest.mark.parametrize(
    "wrong", [{"smoothing": 2.0}, {"smoothing": -0.1}, {"colour_match": 1.5}, {"feather": 0.5}]
)
def test_shares_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="use 0"):
        RenderSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("fps", [-5.0, 0.01, 1e9, float("nan"), float("inf")])
def test_frame_rates_that_make_no_video_are_refused(fps: float) -> None:
    with pytest.raises(InputError, match="use 1 to 1000"):
        RenderSettings(fps=fps)


def test_without_a_track_the_face_is_the_centred_square() -> None:
    cropper = RenderSettings().cropper(mask_image("face", 32))
    assert isinstance(cropper, CentreCropper)
    assert torch.equal(cropper.weight > 0, mask_image("face", 32) > 0)
