"""Recording conditions on spectra and on sound."""

import numpy as np
import pytest

from eadnet.synthetic.anywhere import anywhere, compress, gate, mixed, music, quantise
from eadnet.synthetic.heard import Backgrounds, band, gated, heard, in_room, levelled, spectrum, warped


@pytest.fixture(scope="module")
def backgrounds():
    return Backgrounds((np.ones((80, 50), np.float32), np.random.default_rng(1).random((80, 70), np.float32)))


def tone(hertz, seconds=0.5):
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * 16_000)) / 16_000)).astype(np.float32)


def test_conditions_are_drawn_from_the_seed_and_stay_finite(backgrounds):
    power = spectrum(tone(300))
    for seed in range(30):
        one, again = (heard(power, np.random.default_rng(seed), backgrounds, (power,)) for _ in range(2))
        assert np.array_equal(one, again)
        assert one.shape == power.shape and np.isfinite(one).all() and (one > 0).all()


def test_silence_stays_finite(backgrounds):
    for seed in range(20):
        assert np.isfinite(
            heard(np.zeros((80, 30), np.float32), np.random.default_rng(seed), backgrounds)
        ).all()


def test_a_warp_moves_a_tone_as_far_as_the_tone_of_the_other_pitch():
    moved, other = warped(spectrum(tone(1000)), 1.2), spectrum(tone(1200))
    assert abs(int(moved.mean(1).argmax()) - int(other.mean(1).argmax())) <= 1


def test_a_room_is_heard_after_the_sound_and_never_before():
    power = np.zeros((80, 60), np.float32)
    power[:, 20] = 1.0
    echo = in_room(power, 0.5, 0.3, np.random.default_rng(0))
    assert echo[:, :20].max() < 1e-6
    assert (np.diff(echo[:, 25:50], axis=1) < 0).all()


def test_a_telephone_band_keeps_its_middle_alone():
    gains = band(300.0, 3400.0)
    assert gains[0] < 0.01 and gains[-1] < 0.01 and gains[30] > 0.99


def test_level_control_brings_quiet_closer_to_loud_and_a_gate_takes_it_away():
    power = np.full((80, 100), 1.0, np.float32)
    power[:, 50:] = 1e-3
    assert levelled(power, 0.5, 5)[0, 75] / levelled(power, 0.5, 5)[0, 25] > 5e-3
    assert gated(power, 2.0, 0.0)[0, 75] < 1e-6


def test_a_recording_of_sound_keeps_its_length_and_place():
    wave = np.zeros(16_000, np.float32)
    wave[8000:12_000] = tone(500, 0.25)
    for seed in range(12):
        sound = anywhere(wave, np.random.default_rng(seed), (tone(200),))
        assert sound.shape == wave.shape and np.isfinite(sound).all() and np.abs(sound).max() <= 1.0
    loud = np.abs(compress(wave, 0.3, 0.05))
    assert loud[:7800].max() < 0.01 and loud[9000:11_000].max() > 0.29


def test_noise_below_speech_is_as_far_below_as_asked():
    wave, behind = tone(500), music(8000, np.random.default_rng(0))
    added = mixed(wave, behind, 10.0) - wave
    assert 10 * np.log10(np.mean(wave**2) / np.mean(added**2)) == pytest.approx(10, abs=0.1)


def test_a_gate_silences_what_is_quiet_and_few_steps_are_coarse():
    wave = np.concatenate([tone(500, 0.25), 0.003 * tone(500, 0.25)])
    gated_wave = gate(wave, 20.0, 0.0)
    assert np.abs(gated_wave[5000:]).max() < 0.2 * np.abs(wave[5000:]).max()
    assert len(np.unique(quantise(tone(123), 16))) <= 17
