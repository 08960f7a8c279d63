"""Lips that shut where a closure is heard."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eadnet.checkpoints import save_checkpoint
from eadnet.driving.closures import heard_closures, load_listener, with_closures
from eadnet.errors import CheckpointError
from eadnet.media.speech import SpeechInMemory
from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.rig.track import Track


def open_mouth(frames: int) -> Track:
    values = torch.full((frames, len(PARAMETERS)), 0.1)
    values[:, INDEX["lip_close"]] = 0.6
    return Track(values)


def test_lips_shut_where_it_is_sure_and_are_free_where_it_is_not() -> None:
    close = with_closures(open_mouth(6), torch.tensor([0.0, 0.1, 0.4, 0.9, 1.0, 0.0]))["lip_close"]
    assert close[[0, 1, 5]].tolist() == [0, 0, 0] and close[[3, 4]].tolist() == [1, 1]
    assert 0 < close[2] < 1


def test_nothing_else_moves() -> None:
    before = open_mouth(4)
    after = with_closures(before, torch.tensor([0.0, 0.4, 0.5, 1.0]))
    others = [column for column in range(len(PARAMETERS)) if column != INDEX["lip_close"]]
    assert torch.equal(after.values[:, others], before.values[:, others])


@pytest.fixture(scope="module")
def listener() -> MiniAudioEncoder:
    torch.manual_seed(0)
    return MiniAudioEncoder(width=16, dim=1, dilations=(1, 2), groups=4).eval()


@pytest.mark.parametrize("frames", [1, 7, 50])
def test_every_frame_is_heard_from_its_beginning_to_its_end(listener: MiniAudioEncoder, frames: int) -> None:
    """Row r is 20 ms x r into the sound; frame i lies from row 2 i to row 2 i + 2."""
    waveform = torch.randn(32_000, generator=torch.Generator().manual_seed(1))
    heard = heard_closures(listener, SpeechInMemory(waveform), frames)
    with torch.no_grad():
        rows = listener(listener.log_mel(waveform)[None])[0, :, 0].sigmoid()
    assert heard.shape == (frames,)
    middle = frames // 2
    assert float(heard[middle]) == pytest.approx(float(rows[2 * middle : 2 * middle + 3].max()), abs=1e-4)


def test_beyond_the_sound_there_is_silence(listener: MiniAudioEncoder) -> None:
    heard = heard_closures(listener, SpeechInMemory(torch.zeros(1600)), 40)
    assert heard.shape == (40,) and heard.isfinite().all()


def test_a_file_with_another_network_is_a_sentence(listener: MiniAudioEncoder, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "listener.safetensors", {"closures": listener}, {})
    assert load_listener(tmp_path / "listener.safetensors").config == listener.config
    other = MiniAudioEncoder(width=16, dim=8, dilations=(1, 2), groups=4)
    save_checkpoint(tmp_path / "other.safetensors", {"closures": other}, {})
    with pytest.raises(CheckpointError, match="hears no closures"):
        load_listener(tmp_path / "other.safetensors")
