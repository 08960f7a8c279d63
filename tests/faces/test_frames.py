from __future__ import annotations

import pytest

from eadnet.errors import InputError
from eadnet.faces.frames import as_ranges, bounce


def test_a_short_video_turns_round_without_a_halt() -> None:
    assert bounce(3, 9).tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0]


def test_a_portrait_is_held() -> None:
    assert bounce(1, 4).tolist() == [0, 0, 0, 0]


def test_a_long_video_is_cut() -> None:
    assert bounce(10, 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("available", range(1, 8))
def test_neighbours_are_neighbours_in_the_source(available: int) -> None:
    steps = bounce(available, 40).diff().abs()
    assert (steps == (0 if available == 1 else 1)).all()


@pytest.mark.parametrize(("available", "wanted"), [(0, 5), (5, 0)])
def test_nothing_to_show_is_an_error(available: int, wanted: int) -> None:
    with pytest.raises(InputError):
        bounce(available, wanted)


def test_frames_are_listed_in_short() -> None:
    assert as_ranges([]) == "" and as_ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
