"""Border: recordings. To 16 kHz mono on disk, in pieces, and whole."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.media.silence import speech_gate
from eadnet.media.sound import SoundFile
from eadnet.media.speech import record_speech
from tests.fuzz.strange import damaged
from tests.media_files import Track, write_media

_KINDS = (
    ("wav", "pcm_s16le"),
    ("wav", "pcm_f32le"),
    ("wav", "pcm_u8"),
    ("wav", "adpcm_ms"),
    ("flac", "flac"),
    ("mp3", "mp3"),
    ("m4a", "aac"),
    ("ogg", "libopus"),
    ("webm", "libopus"),
    ("aiff", "pcm_s16be"),
    ("au", "pcm_s16be"),
)


class Subject:
    """Half a second in every container, with bytes changed, most often in the header."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = []
        for number, (suffix, codec) in enumerate(_KINDS):
            path = write_sound(folder / f"{number}.{suffix}", codec)
            self.files.append((suffix, path.read_bytes()))
            self.attempt(path)

    def make(self, random: Random) -> Path:
        suffix, data = random.choice((*self.files[:3], *self.files))
        path = self.folder / f"strange.{suffix}"
        path.write_bytes(damaged(data, random, 0, random.choice((44, 44, 200, 1000, len(data)))))
        return path

    def about(self, path: Path) -> str:
        return f"{path.name} {path.read_bytes()[:48].hex()}"

    def attempt(self, path: Path) -> str:
        speech = record_speech(SoundFile(path), self.folder / "speech.f32")
        frames = max(1, min(250, round(speech.seconds * 25)))
        gate = speech_gate(speech, 25, frames)
        assert len(gate) == frames and bool(np.isfinite(np.asarray(gate)).all())
        waveform, rate = load_audio(path)
        to_mono_16k(waveform, rate)
        return ""


def write_sound(path: Path, codec: str, seconds: float = 0.5) -> Path:
    """Stereo noise that swells, at 22.05 kHz (Opus knows 48 kHz alone)."""
    rate = 48000 if codec == "libopus" else 22050
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (2, round(rate * seconds)))
    swelling = noise * np.abs(np.sin(np.linspace(0, 9, noise.shape[1])))
    return write_media(path, tracks=[Track(swelling, rate, codec, "stereo")])
