"""The listener for closures: what it takes over, and that it learns when lips are shut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.driving.closures import heard_closures
from eadnet.media.speech import SpeechInMemory
from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.synthetic.heard import Backgrounds
from eadnet.synthetic.speech import Phoneme
from eadnet.synthetic.talk import Talk, write_shard
from eadnet.training.recipes.closures import new_listener, train
from eadnet.training.recipes.front_end import Talks

QUIET = Backgrounds((np.full((80, 40), 1e-6, np.float32),))


def talk() -> Talk:
    """An m, which hums, and a vowel, which rings, by turns."""
    time = np.arange(4 * 16_000) / 16_000
    hums = (time % 0.8) < 0.4
    wave = np.where(hums, np.sin(2 * np.pi * 200 * time), np.sin(2 * np.pi * 2500 * time))
    sounds = [
        Phoneme(name, 0.8 * k + start, 0.8 * k + start + 0.4)
        for k in range(5)
        for name, start in (("m", 0.0), ("ɛ", 0.4))
    ]
    return Talk((0.3 * wave).astype(np.float32), tuple(sounds), "", "en", "espeak", "x", "train")


def encoder() -> MiniAudioEncoder:
    torch.manual_seed(3)
    return MiniAudioEncoder(width=16, dim=8, dilations=(1, 2), groups=4)


def test_it_begins_as_the_encoder_with_one_output() -> None:
    first, listener = encoder(), new_listener(encoder())
    assert listener.config == {**first.config, "dim": 1}
    assert torch.equal(listener.conv_in.weight, first.conv_in.weight)
    kept, known = listener.state_dict(), first.state_dict()
    assert torch.equal(kept["blocks.1.conv1.weight"], known["blocks.1.conv1.weight"])


@pytest.mark.slow
def test_it_learns_to_hear_when_lips_are_shut(tmp_path: Path) -> None:
    said = talk()
    write_shard(tmp_path / "a.npz", [said])
    listener = train(
        Talks(tmp_path, backgrounds=QUIET),
        new_listener(encoder()).train(),
        tmp_path / "log",
        minutes=1.0,
        steps=60,
    )
    heard = heard_closures(listener, SpeechInMemory(torch.from_numpy(said.waveform)), 100)
    shut = (torch.arange(100) * 0.04 + 0.02) % 0.8 < 0.4
    assert float(heard[shut].mean()) > float(heard[~shut].mean()) + 0.3
