"""A larger audio encoder computes at first what the smaller one does."""

from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.modules.widening import widened


def test_a_deeper_audio_encoder_begins_as_the_smaller_one() -> None:
    torch.manual_seed(0)
    small = MiniAudioEncoder(width=32, dim=8, dilations=(1, 2))
    deep = widened(small, {"dilations": [1, 2, 8, 1]})
    sound = torch.rand(1, 80, 200)
    assert len(deep.blocks) == 4
    torch.testing.assert_close(deep(sound), small(sound), rtol=1e-5, atol=1e-5)


def test_a_wider_audio_encoder_begins_as_the_smaller_one() -> None:
    torch.manual_seed(0)
    small = MiniAudioEncoder(width=32, dim=8, dilations=(1, 2), groups=4)
    wide = widened(small, {"width": 48, "groups": 6, "dilations": [1, 2, 4]})
    sound = torch.rand(1, 80, 200)
    assert wide.config["width"] == 48 and len(wide.blocks) == 3
    torch.testing.assert_close(wide(sound), small(sound), rtol=1e-5, atol=1e-5)


def test_new_channels_can_learn() -> None:
    torch.manual_seed(0)
    wide = widened(MiniAudioEncoder(width=32, dim=8, dilations=(1,), groups=4), {"width": 48, "groups": 6})
    wide(torch.rand(1, 80, 100)).square().sum().backward()
    read = dict(wide.named_parameters())["blocks.0.conv2.weight"].grad
    assert read is not None and read[:32, 32:].abs().max() > 0


@pytest.mark.parametrize("config", [{"width": 24, "groups": 3}, {"width": 48}, {"width": 64, "groups": 4}])
def test_an_encoder_cannot_shrink_or_regroup(config: dict[str, int]) -> None:
    with pytest.raises(InputError, match="whole groups of 8"):
        widened(MiniAudioEncoder(width=32, dim=8, dilations=(1,), groups=4), config)


def test_what_was_added_can_learn() -> None:
    torch.manual_seed(0)
    deep = widened(MiniAudioEncoder(width=32, dim=8, dilations=(1,)), {"dilations": [1, 4]})
    deep(torch.rand(1, 80, 100)).square().sum().backward()
    added = dict(deep.named_parameters())["blocks.1.conv2.weight"]
    assert added.grad is not None and added.grad.abs().max() > 0
