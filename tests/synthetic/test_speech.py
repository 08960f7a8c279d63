"""Speech: what espeak-ng says, and when."""

from __future__ import annotations

import wave
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from itertools import combinations

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.synthetic import augment, speech
from eadnet.synthetic.speech import PAUSE, speak

pytest.importorskip("espeakng_loader", reason="speech synthesis is part of the training extras")

SENTENCE = "My mother bought a purple map."


def test_phonemes_tile_the_whole_utterance() -> None:
    spoken = speak(SENTENCE, "en-us+f2")
    assert spoken.phonemes[0].start == 0.0
    assert spoken.phonemes[-1].end == pytest.approx(len(spoken.waveform) / speech.SAMPLE_RATE, abs=0.002)
    for before, after in zip(spoken.phonemes, spoken.phonemes[1:], strict=False):
        assert before.end == after.start
    assert all(p.end > p.start for p in spoken.phonemes)


def test_names_are_ipa_in_spoken_order() -> None:
    sounds = [p.name for p in speak("Bob met five fish", "en-us").phonemes if p.name != PAUSE]
    assert sounds == ["b", "ɑː", "b", "m", "ɛ", "t", "f", "aɪ", "v", "f", "ɪ", "ʃ"]


def test_waveform_is_16_khz_float_and_audible() -> None:
    waveform = speak(SENTENCE).waveform
    assert waveform.dtype == np.float32 and waveform.ndim == 1
    assert 0.05 < np.abs(waveform).max() <= 1.0


def test_pauses_are_silent_and_vowels_are_not() -> None:
    spoken = speak("Go. Now! A car.", "en-gb+m3")

    def level(start: float, end: float) -> float:
        cut = spoken.waveform[int(start * 16000) : int(end * 16000)]
        return float(np.sqrt(np.mean(cut**2)))

    pauses = [
        level(p.start + 0.03, p.end) for p in spoken.phonemes if p.name == PAUSE and p.end - p.start > 0.1
    ]
    vowels = [level(p.start, p.end) for p in spoken.phonemes if p.stress == 2]
    assert pauses and vowels
    assert max(pauses) < 0.1 * min(vowels)


def test_the_lips_meet_in_the_quiet_before_the_burst_of_p() -> None:
    """espeak-ng marks a stop at its burst; the sound falls silent earlier, where the lips close."""
    spoken = speak("a paper upon a pile of papers", "en-us+m3")
    pairs = list(zip(spoken.phonemes, spoken.phonemes[1:], strict=False))
    assert sum(p.name == "p" for p, _ in pairs) >= 5
    for p, vowel in pairs:
        if p.name == "p" and p.start > 0.1:
            closed = spoken.waveform[int((p.start + 0.01) * 16000) : int((p.end - 0.01) * 16000)]
            after = spoken.waveform[int((vowel.start + 0.04) * 16000) : int(vowel.end * 16000)]
            assert np.sqrt(np.mean(closed**2)) < 0.35 * np.sqrt(np.mean(after**2))


def test_same_arguments_same_samples_whatever_was_said_before() -> None:
    first = speak(SENTENCE, "en-us+f2")
    speak("something else entirely", "de+m1")
    again = speak(SENTENCE, "en-us+f2")
    assert np.array_equal(first.waveform, again.waveform)
    assert first.phonemes == again.phonemes


def test_threads_do_not_disturb_each_other() -> None:
    texts = ["one apple", "two small boats", "three more mumbling bees"] * 2
    alone = [speak(text).waveform for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: speak(text).waveform, texts))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_rate_and_pitch_do_what_they_say() -> None:
    def pitch(value: int) -> float:
        waveform = speak("aaaaah, oh no", "en-us+m3", pitch=value).waveform
        spectrum = np.fft.rfft(waveform, 2 * len(waveform))
        lags = np.fft.irfft(np.abs(spectrum) ** 2)[40:400]
        return 16000 / (40 + int(np.argmax(lags)))

    assert len(speak(SENTENCE, rate=240).waveform) < 0.8 * len(speak(SENTENCE, rate=120).waveform)
    assert pitch(90) > 1.2 * pitch(10)


@pytest.mark.slow
def test_sixteen_voices_sound_different() -> None:
    assert len(set(speech.VOICES)) == len(speech.VOICES) >= 16
    said = {speak("Hello", voice).waveform.tobytes() for voice in speech.VOICES}
    assert len(said) == len(speech.VOICES)


def test_no_speaker_is_in_two_splits() -> None:
    speakers = {
        split: {voice.split("+")[1] for voice in voices} for split, voices in speech.VOICES_BY_SPLIT.items()
    }
    assert all(speakers[a].isdisjoint(speakers[b]) for a, b in combinations(speakers, 2))
    for split, by_language in speech.FOREIGN_VOICES.items():
        for voices in by_language.values():
            assert {voice.split("+")[1] for voice in voices} <= speakers[split]


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\0"])
def test_nothing_to_say(text: str) -> None:
    with pytest.raises(InputError):
        speak(text)


@pytest.mark.parametrize(
    "text", ["42", "3.14 + 2/5", "😀 hello 🎉", "Привет", "你好", "שלום", "l33t_c0de <b>&amp;", "..!?"]
)
@pytest.mark.parametrize("voice", ["en-us", "de+f1", "cmn+m1"])
def test_digits_emoji_and_other_scripts_are_said_or_refused_clearly(text: str, voice: str) -> None:
    try:
        spoken = speak(text, voice)
    except InputError as error:
        assert "nothing to say" in str(error)
    else:
        assert np.isfinite(spoken.waveform).all() and len(spoken.waveform) > 0


@pytest.mark.parametrize("voice", ["en-us+f22", "klingon", "", "en_us", "+f2", "en-us+../../x"])
def test_unknown_voices_are_named_with_near_ones(voice: str) -> None:
    with pytest.raises(InputError, match="no voice .*use for example en"):
        speak("hello", voice)


@pytest.mark.parametrize(
    "setting", [{"rate": 10}, {"rate": 1000}, {"pitch": -1}, {"pitch": 100}, {"pitch_range": 300}]
)
def test_settings_out_of_range_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(InputError, match="choose a whole number"):
        speak("hello", **setting)  # type: ignore[arg-type]


def test_the_bundled_recording_is_four_seconds_of_an_unheard_voice() -> None:
    with wave.open(str(resources.files("eadnet").joinpath("assets", "speech.wav")), "rb") as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 16000, 64000)
        bundled = np.frombuffer(file.readframes(64000), "<i2").astype(np.float32)
    text = "Hello! With a picture and a voice, I can bring any face to life."
    said = speak(text, "en-us+f5", 175, 52, pitch_range=60).waveform[:64000]
    assert "en-us+f5" in speech.VOICES_BY_SPLIT["test"]
    assert np.corrcoef(bundled, said)[0, 1] > 0.99


def test_augmentation_changes_the_recording_but_not_its_timing() -> None:
    clean = speak("Bob. Pat. Map. Pop. Bee. Paper.", "en-us+f2").waveform

    def envelope(waveform: np.ndarray) -> np.ndarray:
        return np.sqrt(np.convolve(waveform**2, np.ones(320) / 320, "same")[::80])

    for seed in range(12):
        recorded = augment.augment(clean, np.random.default_rng(seed))
        assert recorded.shape == clean.shape and recorded.dtype == np.float32
        assert np.abs(recorded).max() <= 1.0 and np.isfinite(recorded).all()
        assert not np.allclose(recorded, clean)
        a, b = envelope(clean), envelope(recorded)
        lags = range(-12, 13)
        match = [np.corrcoef(a[12:-12], np.roll(b, -lag)[12:-12])[0, 1] for lag in lags]
        assert abs(lags[int(np.argmax(match))]) <= 4  # 4 x 5 ms, half a frame: a room smears, nothing moves


def test_augmentation_is_deterministic_and_leaves_silence_finite() -> None:
    clean = speak(SENTENCE).waveform
    once, again = (augment.augment(clean, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(once, again)
    for seed in range(8):
        assert np.isfinite(augment.augment(np.zeros(640, np.float32), np.random.default_rng(seed))).all()
