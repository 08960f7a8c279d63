"""Do lips stay in time? A whole render by the bundled model, scored by its SyncNet at both ends."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
import torch
from torch import Tensor

from eadnet.checkpoints import bundled_mini, load_checkpoint
from eadnet.media.audio import RATE, moved, to_mono_16k
from eadnet.metrics.sync import FPS, measure_sync
from eadnet.pipeline import RenderedClip, generate
from tests.in_comfy import ROOT

ASSETS = ROOT / "eadnet" / "assets"
TIMES = 4  # that the recording of 4 s is said
PART = 4  # seconds that are scored


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> RenderedClip:
    said = tmp_path_factory.mktemp("sound") / "long.wav"
    with wave.open(str(ASSETS / "speech.wav")) as once, wave.open(str(said), "wb") as often:
        often.setparams(once.getparams())
        often.writeframes(once.readframes(once.getnframes()) * TIMES)
    return generate(said, "happy", portrait=ASSETS / "portrait.png", seed=1)


def offset(clip: RenderedClip, start: int, late: int = 0) -> int:
    """By how many frames the sound is ahead of the lips, in the part from second ``start`` on."""
    network = load_checkpoint(bundled_mini(), only=["syncnet"]).component("syncnet")
    frames = torch.from_numpy(clip.frames[start * FPS : (start + PART) * FPS]).movedim(-1, 1)
    sound: Tensor = to_mono_16k(clip.waveform, clip.rate)[start * RATE : (start + PART) * RATE]
    with torch.no_grad():
        return measure_sync(network, frames, moved(sound, RATE, late / FPS), FPS).score.offset


@pytest.mark.slow
def test_the_end_of_a_long_clip_is_in_time_as_its_beginning(clip: RenderedClip, tmp_path: Path) -> None:
    seconds = len(clip.frames) // FPS
    assert seconds == 4 * TIMES
    for start in range(0, seconds - PART + 1, PART):
        assert abs(offset(clip, start)) <= 1, f"from {start} s on"


@pytest.mark.slow
def test_sound_that_comes_late_at_the_end_is_noticed(clip: RenderedClip) -> None:
    assert offset(clip, len(clip.frames) // FPS - PART, late=5) in (-6, -5, -4)
