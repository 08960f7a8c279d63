"""The description as data: what fits goes to JSON and back, what does not is refused."""

from __future__ import annotations

import json

import pytest

from eadnet.captions.schema import EMOTIONS, ActionUnit, Description, prototypes
from eadnet.errors import InputError

WHOLE = Description(
    "angry",
    0.8,
    -0.6,
    0.7,
    (ActionUnit(4, "both", 0.9), ActionUnit(2, "left", 0.4)),
    "tilted left",
    "down",
    "angry, “quite” 怒",
)


def test_json_and_back_is_the_same() -> None:
    assert Description.from_json(WHOLE.to_json()) == WHOLE
    assert "\n" not in WHOLE.to_json()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not JSON"),
        ("[1]", "not a JSON object"),
        ("{}", "names no emotion"),
        ('{"emotion": "bored"}', "emotion 'bored' is not known"),
        ('{"emotion": 3}', "is not a string"),
        ('{"emotion": "sad", "mood": 1}', "unknown field 'mood'"),
        ('{"emotion": "sad", "intensity": 2}', "intensity is 2"),
        ('{"emotion": "sad", "intensity": "high"}', "intensity is 'high'"),
        ('{"emotion": "sad", "intensity": NaN}', "intensity is nan"),
        ('{"emotion": "sad", "valence": true}', "valence is True"),
        ('{"emotion": "sad", "gaze": "inward"}', "gaze 'inward'"),
        ('{"emotion": "sad", "action_units": 4}', "not a list"),
        ('{"emotion": "sad", "action_units": [4]}', "has no number"),
        ('{"emotion": "sad", "action_units": [{"number": 3}]}', "no action unit 3"),
        ('{"emotion": "sad", "action_units": [{"number": 4, "side": "top"}]}', "side of action unit 4"),
        ('{"emotion": "sad", "action_units": [{"number": 4, "strength": -1}]}', "strength of action unit 4"),
        (json.dumps({"emotion": "sad", "caption": "a" * 601}), "601 characters"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        Description.from_json(text)


def test_strength_counts_sides() -> None:
    assert WHOLE.strength(4) == WHOLE.strength(4, "left") == 0.9
    assert WHOLE.strength(2, "left") == 0.4
    assert WHOLE.strength(2, "right") == WHOLE.strength(2) == 0


def test_every_emotion_has_a_face_of_its_own() -> None:
    assert set(prototypes()) == set(EMOTIONS)
    assert len({prototype.action_units for prototype in prototypes().values()}) == len(EMOTIONS)
    assert not prototypes()["neutral"].action_units


def test_the_summary_has_everything_but_the_caption_in_words() -> None:
    units = (ActionUnit(4, strength=0.856), ActionUnit(12, "left", 0.5))
    told = Description("angry", 0.9, -0.7, 0.72, units, head="raised", gaze="left", caption="so angry")
    assert told.summary() == (
        "angry 0.9, valence -0.7, arousal 0.72, brow_lower 0.86, lip_corner_pull 0.5 (left), head raised, "
        "gaze left"
    )
    assert Description("neutral", 0.0).summary() == "neutral 0, valence 0, arousal 0"
