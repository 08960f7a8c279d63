from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.errors import InputError
from eadnet.media.lengths import LENGTH_MODES, choose_length

RATES = [Fraction(25), Fraction(24), Fraction(30000, 1001), Fraction(30), Fraction(50), Fraction(60)]


@pytest.mark.parametrize("mode", LENGTH_MODES)
@given(fps=st.sampled_from(RATES), frames=st.integers(1, 200_000))
@example(Fraction(25), 1)
@example(Fraction(30000, 1001), 64)
def test_sound_of_so_many_frames_gives_so_many_frames(mode: str, fps: Fraction, frames: int) -> None:
    assert choose_length(mode, float(frames / fps), fps).frames == frames
    assert choose_length(mode, float(frames / fps), fps, frames).frames == frames


@pytest.mark.parametrize("mode", LENGTH_MODES)
@given(frames=st.integers(1, 500), available=st.integers(1, 60))
def test_every_frame_shows_one_that_is_there(mode: str, frames: int, available: int) -> None:
    length = choose_length(mode, frames / 25, 25, available)
    shown = [length.at(i) for i in range(length.frames)]
    assert set(shown) == set(range(min(available, length.frames)))
    if mode in ("bounce", "silence", "hold", "cut_off"):
        assert all(abs(a - b) <= 1 for a, b in pairwise(shown)), "the picture never jumps"


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("bounce", [0, 1, 2, 3, 2, 1, 0, 1, 2]),
        ("loop", [0, 1, 2, 3, 0, 1, 2, 3, 0]),
        ("hold", [0, 1, 2, 3, 3, 3, 3, 3, 3]),
        ("cut_off", [0, 1, 2, 3]),
        ("silence", [0, 1, 2, 3, 2, 1, 0, 1, 2]),
    ],
)
def test_sound_longer_than_the_video(mode: str, shown: list[int]) -> None:
    length = choose_length(mode, 9 / 25, 25, 4)
    assert [length.at(i) for i in range(length.frames)] == shown


@pytest.mark.parametrize("mode", LENGTH_MODES)
def test_a_video_longer_than_the_sound(mode: str) -> None:
    length = choose_length(mode, 4 / 25, 25, 9)
    assert length.frames == (9 if mode == "silence" else 4)
    assert [length.at(i) for i in range(length.frames)] == list(range(length.frames))


@pytest.mark.parametrize("mode", LENGTH_MODES)
def test_a_portrait_is_held_as_long_as_the_sound(mode: str) -> None:
    length = choose_length(mode, 2.0, 25)
    assert length.frames == 50 and {length.at(i) for i in range(50)} == {0}


def test_what_cannot_be_is_named() -> None:
    with pytest.raises(InputError, match="no length 'stretch': did you mean .*Choose one of bounce, loop"):
        choose_length("stretch", 1.0, 25)
    with pytest.raises(InputError, match="shorter than half a frame"):
        choose_length("hold", 0.01, 25)
