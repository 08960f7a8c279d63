"""Lips that shut, and the width of the mouth."""

from __future__ import annotations

import math

import pytest
import torch

from eadnet.synthetic.expression import expression, neutral
from eadnet.synthetic.geometry import Geometry, Pose
from eadnet.synthetic.renderer import landmarks_of
from eadnet.synthetic.speech import Phoneme
from eadnet.synthetic.studio import person
from experiments.world.lips import Stretch, closures, mouth_width, open_vowels, share_closed

SPOKEN = (
    Phoneme("p", -0.02, 0.05),
    Phoneme("ɑː", 0.05, 0.21, 2),
    Phoneme("b", 0.21, 0.25),
    Phoneme("ɪ", 0.25, 0.30),
    Phoneme("m", 0.30, 0.41),
)


def test_only_whole_bilabials_count_and_each_has_at_least_a_frame():
    assert closures(SPOKEN, 10, 25.0) == [Stretch(5, 7)]
    assert closures(SPOKEN, 11, 25.0) == [Stretch(5, 7), Stretch(7, 11)]
    assert open_vowels(SPOKEN, 11, 25.0) == [Stretch(3, 4)], "a vowel's middle; its ends touch what is shut"


def test_a_stretch_is_shut_when_the_lips_meet_in_one_of_its_frames():
    openings = torch.full((11,), 0.3)
    openings[6] = 0.01
    both = closures(SPOKEN, 11, 25.0)
    assert share_closed(openings, both) == 0.5
    assert share_closed(torch.zeros(11), both) == 1.0
    assert math.isnan(share_closed(openings, []))


def test_the_width_of_a_mouth_does_not_depend_on_the_size_of_the_picture_and_grows_with_a_stretch():
    geometry = Geometry(person(4))

    def width(params, size):
        points = landmarks_of(geometry, Pose(geometry, params), size)
        return float(mouth_width(torch.from_numpy(points)[None]))

    rest = width(neutral(), 128)
    assert width(neutral(), 512) == pytest.approx(rest, rel=1e-4)
    assert width(expression(lip_stretch=1.0), 128) > 1.05 * rest
    assert width(expression(lip_pucker=1.0), 128) < 0.95 * rest
