"""The bundled model of motion on sounds that people bring, wanted or not."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.driving.idle import Idle
from eadnet.driving.motion import MotionModel
from eadnet.driving.speech import track_from_speech
from eadnet.errors import InputError
from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.rig.expression import RANGES
from eadnet.rig.track import Track
from eadnet.synthetic.anywhere import music
from experiments.paths import ASSETS

STILL = Idle(blinks=0, gaze=0, head=0)


@lru_cache(maxsize=1)
def model() -> MotionModel:
    return MotionModel.load()


@lru_cache(maxsize=1)
def spoken() -> Tensor:
    """Two seconds of the bundled recording."""
    return to_mono_16k(*load_audio(ASSETS / "speech.wav"))[16_000:48_000]


def noise(samples: int = 32_000) -> Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(2))


def whisper() -> Tensor:
    """The speech's spectrum without its voice: every sample's sign is drawn."""
    spectrum = torch.stft(spoken(), 512, 128, window=torch.hann_window(512), return_complex=True)
    phases = torch.rand(spectrum.shape, generator=torch.Generator().manual_seed(3)) * 2 * torch.pi
    return torch.istft(torch.polar(spectrum.abs(), phases), 512, 128, window=torch.hann_window(512))


def eight_kilohertz() -> Tensor:
    return to_mono_16k(spoken()[None, ::2], 8000)


SOUNDS: dict[str, Callable[[], Tensor]] = {
    "silence": lambda: torch.zeros(32_000),
    "noise": lambda: 0.1 * noise(),
    "music": lambda: torch.from_numpy(np.asarray(music(32_000, np.random.default_rng(0)), np.float32)) * 0.2,
    "clipped": lambda: (20 * spoken()).clamp(-1, 1),
    "8 kHz": eight_kilohertz,
    "a whisper": lambda: 0.05 * whisper(),
    "a shout": lambda: (6 * spoken()).tanh(),
    "two at once": lambda: spoken() + spoken().roll(9_000),
    "0.1 s": lambda: spoken()[:1600],
}


def made(sound: Tensor, text: str = "") -> Track:
    return track_from_speech(sound, text, model=model(), idle=STILL)


def opening(track: Track) -> Tensor:
    return track["jaw_open"] * (1 - track["lip_close"])


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUNDS)
def test_any_sound_is_a_face(name: str) -> None:
    track = made(SOUNDS[name](), "happy")
    assert len(track) == {"0.1 s": 3}.get(name, 50)
    low, high = torch.from_numpy(RANGES).unbind(1)
    assert track.values.isfinite().all() and (track.values >= low).all() and (track.values <= high).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["silence", "noise", "music"])
def test_where_nobody_speaks_the_mouth_stays_shut(name: str) -> None:
    speaking = opening(made(spoken()))
    assert float(opening(made(SOUNDS[name]())).mean()) < 0.3 * float(speaking.mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clipped", "8 kHz", "a whisper", "a shout"])
def test_poor_speech_moves_the_mouth_as_the_clean_speech_does(name: str) -> None:
    clean, poor = opening(made(spoken())), opening(made(SOUNDS[name]()))
    count = min(len(clean), len(poor))
    assert float(torch.corrcoef(torch.stack([clean[:count], poor[:count]]))[0, 1]) > 0.6


@pytest.mark.slow
def test_in_silence_the_face_lives() -> None:
    track = track_from_speech(torch.zeros(16_000 * 10), "", model=model())
    assert track["blink"].amax() > 0.9 and track["head"].std(0).amax() > 0.01
    assert float(opening(track).amax()) < 0.05


def test_less_than_half_a_frame_is_a_sentence() -> None:
    with pytest.raises(InputError, match="shorter than half a frame"):
        made(torch.zeros(100))
