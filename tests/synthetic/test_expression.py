"""Facial parameters: names, ranges, emotions and what happens to bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.synthetic.expression import (
    EMOTIONS,
    INDEX,
    PARAMETERS,
    RANGES,
    emotion_expression,
    expression,
    neutral,
)


def test_every_parameter_has_its_own_place_and_range() -> None:
    assert len(PARAMETERS) == len(set(PARAMETERS)) >= 24
    assert [INDEX[name] for name in PARAMETERS] == list(range(len(PARAMETERS)))
    assert RANGES.shape == (len(PARAMETERS), 2)
    assert (RANGES[:, 0] <= 0).all() and (RANGES[:, 1] > 0).all()


def test_left_parameters_have_right_partners() -> None:
    left, right = ({name[:-2] for name in PARAMETERS if name.endswith(side)} for side in ("_l", "_r"))
    assert left == right != set()


def test_neutral_is_zero() -> None:
    assert neutral().dtype == np.float32
    assert neutral().shape == (len(PARAMETERS),)
    assert not neutral().any()


def test_expression_sets_only_what_is_named() -> None:
    vector = expression(jaw_open=0.5, gaze_x=-1)
    assert vector[INDEX["jaw_open"]] == 0.5
    assert vector[INDEX["gaze_x"]] == -1
    assert np.count_nonzero(vector) == 2


def test_unknown_parameter_is_named_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="'jaw_opne'.*jaw_open"):
        expression(jaw_opne=1.0)


@pytest.mark.parametrize(("name", "value"), [("jaw_open", 1.01), ("jaw_open", -0.1), ("head_roll", 5.0)])
def test_value_out_of_range_is_named(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"'{name}'"):
        expression(**{name: value})


def test_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="'jaw_open'"):
        expression(jaw_open=float("nan"))


def test_the_eight_emotions() -> None:
    assert tuple(EMOTIONS) == (
        "neutral",
        "happy",
        "sad",
        "angry",
        "fearful",
        "disgusted",
        "surprised",
        "contemptuous",
    )


@pytest.mark.parametrize("name", EMOTIONS)
def test_emotions_stay_in_range_and_scale_with_intensity(name: str) -> None:
    full = emotion_expression(name, 1.0)
    assert (full >= RANGES[:, 0]).all() and (full <= RANGES[:, 1]).all()
    assert not emotion_expression(name, 0.0).any()
    np.testing.assert_allclose(emotion_expression(name, 0.5), full / 2)


def test_emotions_are_far_apart() -> None:
    for one, other in itertools.combinations(EMOTIONS, 2):
        distance = np.abs(emotion_expression(one) - emotion_expression(other)).sum()
        assert distance > 2.0, f"{one} and {other} are too alike"


def test_unknown_emotion_and_wrong_intensity_are_refused() -> None:
    with pytest.raises(InputError, match="'joyous'.*happy"):
        emotion_expression("joyous")
    with pytest.raises(InputError, match="'happy'"):
        emotion_expression("happy", 1.5)
