"""The named models agree with the published configurations and with each other."""

from __future__ import annotations

import json

import pytest
import torch

from eadnet.checkpoints import BUNDLED, named_checkpoint, read_info
from eadnet.errors import CheckpointError
from eadnet.faces.masks import REGIONS
from eadnet.modules.unet import EADUNet
from eadnet.presets import (
    LATENTSYNC_UNET,
    PRESETS,
    STABLE_SYNCNET,
    auto_sampler_of,
    current_defaults,
    find_preset,
)
from eadnet.sampling import AutoSampler
from tests.golden_weights import load_golden
from tests.quick import some


def test_the_published_configurations_are_reproduced() -> None:
    assert load_golden("latentsync_1.5_unet.config.json") == LATENTSYNC_UNET
    assert load_golden("stable_syncnet.config.json") == STABLE_SYNCNET


@pytest.mark.parametrize("name", some(1, PRESETS))
def test_every_preset_is_a_network_that_can_be_built(name: str) -> None:
    preset = PRESETS[name]
    with torch.device("meta"):
        unet = EADUNet.from_config(preset.unet_config)
    assert unet.frame_limit == (64 if name == "motion" else 24)
    assert (unet.emotion_dim is None) == name.startswith("latentsync")
    assert preset.mask_region in REGIONS and preset.resolution % 8 == 0
    assert json.loads(json.dumps(preset.info())) == preset.info()


def test_latentsync_versions_differ_in_resolution_only() -> None:
    old, new = PRESETS["latentsync-1.5"], PRESETS["latentsync-1.6"]
    assert (old.resolution, new.resolution) == (256, 512)
    assert old.unet_config == new.unet_config and old.defaults == new.defaults


def test_mini_is_small_and_its_parts_fit_together() -> None:
    mini = PRESETS["mini"]
    with torch.device("meta"):
        unet = EADUNet.from_config(mini.unet_config)
    assert 5e6 < sum(p.numel() for p in unet.parameters()) < 15e6
    assert mini.unet_config["cross_attention_dim"] == mini.audio_config["dim"]
    assert mini.unet_config["ead"]["emotion_dim"] == mini.text_config["dim"]


@pytest.mark.parametrize(
    ("name", "nearest"), [("maxi", "mini"), ("latentsync", "latentsync-1.[56]"), ("EAD-512px", "ead-512")]
)
def test_an_unknown_preset_is_answered_with_the_nearest_and_all(name: str, nearest: str) -> None:
    message = rf"no preset '{name}': did you mean {nearest}\? Choose one of mini, motion, latentsync-1.5"
    with pytest.raises(CheckpointError, match=message):
        find_preset(name)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_files_take_the_defaults_of_today(name: str) -> None:
    """They were written when two steps were the default of both."""
    written = read_info(named_checkpoint(name))["defaults"]
    assert written["steps"] == 2
    assert current_defaults(name, written) == PRESETS[name].defaults


def test_a_file_with_settings_of_its_own_keeps_them() -> None:
    own = {**PRESETS["motion"].defaults, "steps": 2, "audio_guidance": 2.0}
    assert current_defaults("motion", own) == own
    assert current_defaults("ead-256", {"steps": 7}) == {"steps": 7}


def test_only_files_with_the_settings_of_their_preset_take_its_sampler() -> None:
    assert (
        auto_sampler_of("ead-256", PRESETS["ead-256"].defaults)
        == PRESETS["ead-256"].auto_sampler
        != AutoSampler()
    )
    assert auto_sampler_of("ead-256", {**PRESETS["ead-256"].defaults, "steps": 50}) == AutoSampler()
    assert (
        auto_sampler_of("another", {})
        == auto_sampler_of("mini", read_info(named_checkpoint("mini"))["defaults"])
        == AutoSampler()
    )
