"""The waveform in a few numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.media.peaks import wave_peaks
from tests.comfy.client import write_speech


def test_peaks_follow_the_loudness_and_lie_evenly(tmp_path: Path) -> None:
    path = write_speech(tmp_path / "a.wav", 2.0)
    seconds, peaks = wave_peaks(path)
    assert seconds == pytest.approx(2.0) and len(peaks) == 200 and peaks.max() == 255
    swell = np.abs(np.sin(np.linspace(0, 12, 200)))
    assert np.corrcoef(peaks, swell)[0, 1] > 0.9


def test_a_long_recording_has_no_more_peaks_than_are_asked_for(tmp_path: Path) -> None:
    seconds, peaks = wave_peaks(write_speech(tmp_path / "a.wav", 3.005), most=50)
    assert len(peaks) <= 50 and seconds == pytest.approx(3.005, abs=0.08)


def test_a_file_without_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"a\.wav"):
        wave_peaks(tmp_path / "a.wav")
