"""Speakers drawn from a seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.synthetic.speakers import DrawnSpeaker, draw_speaker
from eadnet.synthetic.speech import SAMPLE_RATE, VOICES_BY_SPLIT, manner_of, speak

TEXT = "The boats are moving past the old pier."


def brightness(waveform: np.ndarray) -> float:
    """Mean frequency of the sound in hertz."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    return float((power * np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)).sum() / power.sum())


@pytest.mark.slow
def test_drawn_speakers_all_speak_and_none_sounds_like_another() -> None:
    rng = np.random.default_rng(0)
    said = [speak(TEXT, "en-us", speaker=draw_speaker(rng)) for _ in range(24)]
    assert min(float(np.abs(u.waveform).max()) for u in said) > 0.02
    assert {tuple(p.name for p in u.phonemes) for u in said} == {tuple(p.name for p in said[0].phonemes)}
    bright = [brightness(u.waveform) for u in said]
    assert max(bright) > 2 * min(bright)
    assert len({u.waveform.tobytes() for u in said}) == len(said)


def test_the_same_seed_is_the_same_speaker_whoever_spoke_before() -> None:
    speaker = draw_speaker(np.random.default_rng(5))
    first = speak(TEXT, "en-us", speaker=speaker)
    speak(TEXT, "de", speaker=draw_speaker(np.random.default_rng(6)))
    again = speak(TEXT, "en-us", speaker=draw_speaker(np.random.default_rng(5)))
    np.testing.assert_array_equal(first.waveform, again.waveform)


def test_a_drawn_speaker_replaces_the_one_of_the_voice_and_no_other_voice() -> None:
    before = speak(TEXT, "en-us+m3")
    speaker = draw_speaker(np.random.default_rng(1))
    np.testing.assert_array_equal(
        speak(TEXT, "en-us+m3", speaker=speaker).waveform, speak(TEXT, "en-us+f1", speaker=speaker).waveform
    )
    np.testing.assert_array_equal(speak(TEXT, "en-us+m3").waveform, before.waveform)


def test_the_manner_of_a_written_speaker_can_be_kept() -> None:
    manner = manner_of("en-us+f1")
    assert manner.startswith("stressAdd -10 -10")
    drawn = draw_speaker(np.random.default_rng(2), manner)
    assert manner in drawn.definition and manner_of("en-us") == ""


def test_an_unknown_language_is_refused_with_a_drawn_speaker_too() -> None:
    with pytest.raises(InputError, match="There is no voice 'xx'"):
        speak(TEXT, "xx", speaker=DrawnSpeaker("language variant\n"))


def test_drawn_speakers_are_of_no_split() -> None:
    assert not any("drawn" in voice for voices in VOICES_BY_SPLIT.values() for voice in voices)


FOLDERS = """
import glob, os, tempfile
import numpy as np
from eadnet.synthetic.speakers import draw_speaker
from eadnet.synthetic.speech import speak

def say():
    speak("Hello", speaker=draw_speaker(np.random.default_rng(0)))
    return set(glob.glob(os.path.join(tempfile.gettempdir(), "eadnet-speakers-*")))

mine = say()
if hasattr(os, "fork"):
    if not (child := os.fork()):
        assert len(say()) == 2  # a folder of its own
        raise SystemExit
    assert os.waitpid(child, 0)[1] == 0
assert say() == mine, "the child removed its own folder and left this one"
print(len(mine))
"""


@pytest.mark.slow
def test_the_folder_of_drawn_speakers_is_removed_at_the_end_and_not_by_a_fork(tmp_path: Path) -> None:
    elsewhere = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(tmp_path))
    found = subprocess.run([sys.executable, "-c", FOLDERS], env=elsewhere, capture_output=True, text=True)
    assert found.returncode == 0 and found.stdout.strip() == "1", found.stderr
    assert not list(tmp_path.iterdir())
