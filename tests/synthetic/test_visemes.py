"""The mouth that belongs to the sounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.synthetic.openness import OPENNESS
from eadnet.synthetic.speech import PAUSE, Phoneme
from eadnet.synthetic.visemes import MOUTH, mouth_track, opening_of


def column(track: np.ndarray, name: str) -> np.ndarray:
    return track[:, MOUTH.index(name)]


def opening(track: np.ndarray) -> np.ndarray:
    return column(track, "jaw_open") * (1 - column(track, "lip_close"))


def sequence(*sounds: tuple[str, float], start: float = 0.2) -> list[Phoneme]:
    """Sounds one after another with a rest before them."""
    phonemes, time = [Phoneme(PAUSE, 0.0, start)], start
    for name, length in sounds:
        phonemes.append(Phoneme(name, time, time + length, 2))
        time += length
    return [*phonemes, Phoneme(PAUSE, time, time + 0.4)]


def test_silence_is_a_closed_resting_mouth() -> None:
    assert np.array_equal(mouth_track([], 10), np.zeros((10, len(MOUTH)), np.float32))
    track = mouth_track(sequence(("ɑː", 0.2)), 40)
    assert opening(track)[:2].max() < 0.06 and opening(track)[-8:].max() < 0.02


@given(
    lips=st.sampled_from(["p", "b", "m", "pʰ", "bʲ"]),
    length=st.floats(0.04, 0.12),
    shift=st.floats(0.0, 0.04),
)
@example("p", 0.04, 0.0)
@example("b", 0.04, 0.021)
@example("m", 0.04, 0.037)
@example("pʰ", 0.06, 0.007)
@example("bʲ", 0.1, 0.029)
def test_bilabials_of_40_ms_close_whatever_their_place_between_frames(
    lips: str, length: float, shift: float
) -> None:
    sounds = sequence(("ɑː", 0.15), (lips, length), ("ɑː", 0.15), start=0.2 + shift)
    closed = next(p for p in sounds if p.name == lips)
    track = mouth_track(sounds, 30)
    times = (np.arange(30) + 0.5) / 25
    inside = (times >= closed.start - 1e-9) & (times <= closed.end + 1e-9)
    assert inside.any()
    assert opening(track)[inside].max() < 0.01
    assert column(track, "lip_close")[inside].min() > 0.99
    assert opening(track).max() > 0.4, "the vowels around it are open"


def test_the_lips_are_free_between_two_bilabials() -> None:
    track = mouth_track(sequence(("b", 0.06), ("ɑː", 0.16), ("b", 0.06)), 30)
    assert opening(track).max() > 0.4


@pytest.mark.parametrize(
    ("wider", "narrower"), [("ɑ", "ɛ"), ("æ", "e"), ("ɔ", "o"), ("a", "ə"), ("ə", "i"), ("e", "u")]
)
def test_vowels_open_by_height(wider: str, narrower: str) -> None:
    assert (
        opening(mouth_track(sequence((wider, 0.3)), 30)).max()
        > opening(mouth_track(sequence((narrower, 0.3)), 30)).max()
    )


def test_each_kind_of_sound_has_its_lips() -> None:
    shapes = {
        "lip_pucker": ("u", "i"),
        "lip_stretch": ("i", "u"),
        "lip_funnel": ("ʃ", "k"),
        "lip_bite": ("f", "s"),
        "tongue_up": ("l", "m"),
    }
    for parameter, (has, lacks) in shapes.items():
        strong = column(mouth_track(sequence((has, 0.2)), 30), parameter).max()
        weak = column(mouth_track(sequence((lacks, 0.2)), 30), parameter).max()
        assert strong > 0.5 > weak + 0.2, parameter


def test_neighbours_colour_a_sound() -> None:
    """Coarticulation: the s of "soo" is rounder than the s of "see"."""
    rounded, spread = (mouth_track(sequence(("s", 0.12), (vowel, 0.2)), 30) for vowel in ("uː", "iː"))
    during_s = slice(5, 8)
    assert (
        column(rounded, "lip_pucker")[during_s].mean() > column(spread, "lip_pucker")[during_s].mean() + 0.05
    )


def test_lips_move_before_the_sound_more_than_they_linger() -> None:
    track = column(mouth_track(sequence(("uː", 0.2), start=0.4), 60, fps=100), "lip_pucker")
    before, after = track[30:40].sum(), track[60:].sum()
    assert before > 0 and track[38] > 0.1
    assert before > after * 0.9


def test_a_diphthong_moves() -> None:
    track = column(mouth_track(sequence(("aɪ", 0.3)), 50, fps=50), "jaw_open")
    assert track[12] > track[22] + 0.15


def test_tracks_are_smooth_bounded_and_any_rate_works() -> None:
    sounds = sequence(
        ("h", 0.05), ("ɛ", 0.1), ("l", 0.06), ("oʊ", 0.2), ("w", 0.06), ("ɜː", 0.12), ("l", 0.06), ("d", 0.05)
    )
    fine = mouth_track(sounds, 1300, fps=1000)
    assert fine.dtype == np.float32 and fine.min() >= 0 and fine.max() <= 1
    assert np.abs(np.diff(fine, axis=0)).max() < 0.06
    coarse = mouth_track(sounds, 26, fps=20)
    np.testing.assert_allclose(coarse, fine[25::50][: len(coarse)], atol=0.06)


@pytest.mark.parametrize("name", ["?", "ǃ", "123", "ʘʘ", "\u0303", "ʔ͡h", ""])
def test_unknown_sounds_still_give_a_mouth(name: str) -> None:
    track = mouth_track(sequence((name, 0.2)), 30)
    assert ((track >= 0) & (track <= 1)).all()


def test_people_keep_the_mouth_in_a_short_pause_and_shut_it_in_a_long_one() -> None:
    def least(pause: float) -> float:
        sounds = [
            Phoneme("ɛ", 0.2, 0.4, 2),
            Phoneme(PAUSE, 0.4, 0.4 + pause),
            Phoneme("ɛ", 0.4 + pause, 0.8 + pause),
        ]
        return float(opening_of(mouth_track(sounds, 60))[8 : 12 + int(25 * pause)].min())

    assert least(0.2) > 0.04 > least(1.0)


def test_the_lips_part_as_far_as_people_part_them() -> None:
    """A vowel alone comes close to its measured distance."""
    for vowel in "eɛə":
        apart = opening_of(mouth_track(sequence((vowel, 0.4)), 30)).max()
        assert apart == pytest.approx(OPENNESS[vowel].apart, rel=0.15), vowel


def test_somebody_who_heard_the_sound_may_say_how_far_the_lips_part() -> None:
    sounds = sequence(("ɛ", 0.3), ("b", 0.08), ("ɛ", 0.3))
    heard = np.full(30, 0.2)
    apart = opening_of(mouth_track(sounds, 30, apart=heard))
    assert apart[7:11] == pytest.approx(0.2, abs=0.02)
    assert apart.min() < 0.01 and apart[:2].max() < 0.03, "closures and rests are the phonemes'"
