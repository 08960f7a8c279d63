"""The named models agree with the published configurations and with each other."""

from __future__ import annotations

import json

import pytest
import torch

from eadnet.errors import CheckpointError
from eadnet.faces.masks import REGIONS
from eadnet.modules.unet import EADUNet
from eadnet.presets import LATENTSYNC_UNET, PRESETS, STABLE_SYNCNET, find_preset
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
