"""Bytes that networks need beside their weights."""

from __future__ import annotations

import pytest
import torch

from eadnet.modules.tfrm import TFRM
from eadnet.presets import PRESETS
from eadnet.rendering import RenderSettings
from eadnet.rendering.memory import render_memory, tfrm_memory, unet_memory, vae_memory
from eadnet.sampling import Savings


@pytest.fixture
def published() -> torch.nn.Module:
    """Something with the shape of LatentSync's U-Net, in half precision."""
    module = torch.nn.Linear(1, 1).half()
    module.config = {"block_out_channels": [320]}  # type: ignore[assignment]
    return module


def test_the_estimate_covers_what_the_denoiser_needs(published: torch.nn.Module) -> None:
    """LatentSync's U-Net has 727 MiB alive at its peak: 256 pixels, three evaluations of 16 frames."""
    assert 727 < unet_memory(published, 16, 32) / 2**20 < 1500


def test_a_number_type_that_is_given_counts_and_not_the_networks(published: torch.nn.Module) -> None:
    assert unet_memory(published, 16, 32, torch.float32) == 2 * unet_memory(published, 16, 32)


def test_tfrm_needs_no_more_for_a_long_clip_than_its_latents() -> None:
    tfrm = TFRM(hidden=8, top_k=3)
    short, long = (tfrm_memory(tfrm, (frames, 4, 16, 16)) for frames in (1000, 2000))
    assert long - short == 4 * 2 * 4 * 1000 * 16 * 16


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
