from __future__ import annotations

import pytest

from eadnet.captions.schema import EMOTIONS
from eadnet.captions.template import TemplateCaptioner, describe
from eadnet.errors import InputError


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_gets_a_caption_and_a_seed_decides_it(emotion: str) -> None:
    assert describe(emotion, 0.8, seed=4) == describe(emotion, 0.8, seed=4)
    assert describe(emotion, 0.8).emotion == emotion
    assert len({describe(emotion, 0.8, seed).caption for seed in range(20)}) > 3


def test_intensity_scales_the_face() -> None:
    faint, full = describe("angry", 0.3), describe("angry", 1.0)
    assert 0 < faint.strength(4) < 0.5 < full.strength(4)
    assert describe("angry", 0.0).action_units == ()
    assert abs(faint.valence) < abs(full.valence)


@pytest.mark.parametrize(("emotion", "intensity"), [("bored", 0.5), ("sad", 1.5), ("sad", float("nan"))])
def test_nonsense_is_refused(emotion: str, intensity: float) -> None:
    with pytest.raises(InputError):
        describe(emotion, intensity)


def test_as_a_captioner_it_looks_at_nothing() -> None:
    assert TemplateCaptioner("sad").describe([], seed=2).description.emotion == "sad"
