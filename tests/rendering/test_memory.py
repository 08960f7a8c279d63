"""Bytes that networks need beside their weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from eadnet.modules.tfrm import TFRM
from eadnet.presets import PRESETS
from eadnet.rendering import RenderSettings
from eadnet.rendering.memory import (
    branches,
    deep_memory,
    render_memory,
    tfrm_memory,
    unet_memory,
    vae_batch,
    vae_memory,
)
from eadnet.sampling import Savings
from eadnet.sampling.guidance import evaluations


@pytest.fixture
def published() -> torch.nn.Module:
    """Something with the shape of LatentSync's U-Net, in half precision."""
    module = torch.nn.Linear(1, 1).half()
    module.config = {"block_out_channels": [320]}  # type: ignore[assignment]
    return module


def test_the_estimate_covers_what_the_denoiser_needs(published: torch.nn.Module) -> None:
    """LatentSync's U-Net has 547 MiB alive at its peak: 256 pixels, three evaluations of 16 frames."""
    assert 547 < unet_memory(published, 16, 32, branches=3) / 2**20 < 1.3 * 547


@pytest.mark.parametrize(
    ("audio", "emotion", "evaluated"),
    [(1.5, 2.0, 3), (1.5, 1.5, 2), (1.0, 1.0, 1), (1.0, 2.0, 2), (1.5, 0.0, 2)],
)
def test_memory_goes_by_the_evaluations_that_the_guidance_takes(
    published: torch.nn.Module, audio: float, emotion: float, evaluated: int
) -> None:
    settings = RenderSettings(audio_guidance=audio, emotion_guidance=emotion)
    sampling = settings.sampling(PRESETS["mini"])
    tokens = torch.ones(1, 1, 1)
    assert branches(sampling) == evaluated == len(evaluations(tokens, tokens, tokens, audio, emotion))
    assert unet_memory(published, 16, 32, branches=evaluated) == evaluated * unet_memory(published, 16, 32)


def test_a_number_type_that_is_given_counts_and_not_the_networks(published: torch.nn.Module) -> None:
    assert unet_memory(published, 16, 32, torch.float32) == 2 * unet_memory(published, 16, 32)


def test_tfrm_needs_no_more_for_a_long_clip_than_its_latents() -> None:
    tfrm = TFRM(hidden=8, top_k=3)
    short, long = (tfrm_memory(tfrm, (frames, 4, 16, 16)) for frames in (1000, 2000))
    assert long - short == 4 * 2 * 4 * 1000 * 16 * 16


def test_the_vaes_peak_is_that_of_stable_diffusions() -> None:
    """6.4 GB in float32 for 8 frames of 512 pixels, counted."""
    assert 6.4e9 < 8 * vae_memory(512 * 512) < 1.3 * 6.4e9


def test_the_vae_takes_no_more_than_the_u_net_did(published: torch.nn.Module) -> None:
    evaluated = unet_memory(published, 16, 64, branches=3)
    together = vae_batch(evaluated, 512 * 512, 8)
    assert 1 < together < 8 and together * vae_memory(512 * 512) <= evaluated
    assert vae_batch(0, 128 * 128, 8) == 8  # a small picture is no reason to go slowly
    assert vae_batch(0, 2048 * 2048, 8) == 1


def test_a_larger_picture_needs_more() -> None:
    assert vae_memory(512 * 512) == 4 * vae_memory(256 * 256)


def test_a_render_holds_more_windows_the_more_steps_there_are(published: torch.nn.Module) -> None:
    few, many = (
        render_memory(published, RenderSettings(steps=n).sampling(PRESETS["mini"]), 100, 32, (64, 64))
        for n in (2, 20)
    )
    assert few < many and few > unet_memory(published, 16, 32)


def test_kept_features_count_for_one_window_where_windows_move(published: torch.nn.Module) -> None:
    def needed(interval: int, mode: str) -> float:
        how = RenderSettings(steps=20, window_mode=mode, savings=Savings(cache_interval=interval))
        return render_memory(published, how.sampling(PRESETS["mini"]), 100, 32, (64, 64))

    without = needed(1, "moving")
    assert without == needed(1, "overlap")
    assert needed(3, "overlap") - without == 22 * (needed(3, "moving") - without) > 0


def test_a_clip_shorter_than_a_window_needs_its_own_length(published: torch.nn.Module) -> None:
    sampling = RenderSettings(window=16).sampling(PRESETS["mini"])
    short, window = (render_memory(published, sampling, n, 32, (64, 64)) for n in (8, 16))
    assert short < window == render_memory(published, sampling, 100, 32, (64, 64))


def test_kept_features_are_of_one_moving_window_or_of_those_under_way_that_overlap() -> None:
    moving = RenderSettings(window_mode="moving", savings=Savings(2), window=16).sampling(PRESETS["mini"])
    unet = torch.nn.Conv2d(1, 1, 1)
    one = deep_memory(unet, moving, 16, 32)
    assert one > 0 and deep_memory(unet, moving, 16, 32, 160) == one
    overlapping = replace(moving, window_mode="overlap", overlap=0)
    assert deep_memory(unet, replace(overlapping, steps=20), 16, 32, 160) == 10 * one
    assert deep_memory(unet, replace(overlapping, steps=4), 16, 32, 160) == 6 * one
    assert deep_memory(unet, replace(moving, savings=Savings()), 16, 32, 160) == 0
