"""The talker's networks before training."""

from __future__ import annotations

import torch

from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.training.talker import grown


def test_a_deeper_audio_encoder_begins_as_the_one_it_grew_from() -> None:
    torch.manual_seed(0)
    small = MiniAudioEncoder(width=32, dim=8, dilations=(1, 2))
    deep = grown(small, {"dilations": [1, 2, 8, 1]})
    sound = torch.rand(1, 80, 200)
    assert len(deep.blocks) == 4
    torch.testing.assert_close(deep(sound), small(sound), rtol=1e-5, atol=1e-5)


def test_what_was_added_can_learn() -> None:
    torch.manual_seed(0)
    deep = grown(MiniAudioEncoder(width=32, dim=8, dilations=(1,)), {"dilations": [1, 4]})
    deep(torch.rand(1, 80, 100)).square().sum().backward()
    added = dict(deep.named_parameters())["blocks.1.conv2.weight"]
    assert added.grad is not None and added.grad.abs().max() > 0
