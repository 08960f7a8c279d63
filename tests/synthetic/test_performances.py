"""Takes of a recording: sound and sentence decide mouth and expression, chance the rest."""

from __future__ import annotations

import numpy as np

from eadnet.synthetic.captions import Description
from eadnet.synthetic.expression import HEAD_POSE, INDEX, PARAMETERS, RANGES
from eadnet.synthetic.performances import perform
from eadnet.synthetic.visemes import MOUTH

FRAMES = 500
CALM = Description("a calm face", "neutral", 0.0)
SMILE = Description("a smile", "happy", 1.0, {"smile_l": 0.8, "smile_r": 0.8})


def take(feeling: Description = CALM, seed: int = 0, later: Description | None = None, loud: float = 0.0):
    mouth = np.zeros((FRAMES, len(MOUTH)), np.float32)
    mouth[100:120, MOUTH.index("jaw_open")] = 0.7
    level = np.zeros(FRAMES)
    level[240:260] = loud
    return perform(feeling, mouth, level, np.random.default_rng(seed), later)


def curve(made, name: str) -> np.ndarray:
    return made.params[:, INDEX[name]]


def test_the_mouth_is_the_speech_and_silence_shuts_it() -> None:
    made = take()
    assert made.params.shape == (FRAMES, len(PARAMETERS)) and made.params.dtype == np.float32
    jaw = curve(made, "jaw_open")
    assert jaw[105:115].min() > 0.6 and jaw[:95].max() == 0


def test_two_takes_agree_on_what_is_said_and_felt_and_differ_in_the_rest() -> None:
    one, two = take(SMILE, 1), take(SMILE, 2)
    assert np.allclose(curve(one, "jaw_open"), curve(two, "jaw_open"))
    assert abs(curve(one, "smile_l").mean() - curve(two, "smile_l").mean()) < 0.1
    for name in ("blink_l", "gaze_x", "head_yaw"):
        assert abs(np.corrcoef(curve(one, name), curve(two, name))[0, 1]) < 0.6, name


def test_everything_stays_in_range_and_the_head_around_its_rest() -> None:
    apart = []
    for seed in range(20):
        made = take(SMILE, seed)
        assert (made.params >= RANGES[:, 0]).all() and (made.params <= RANGES[:, 1]).all()
        assert not made.rest[[INDEX[n] for n in PARAMETERS if n not in HEAD_POSE]].any()
        apart.append(curve(made, "head_yaw").mean() - made.rest[INDEX["head_yaw"]])
    assert abs(np.median(apart)) < 0.15


def test_a_feeling_may_turn_into_another() -> None:
    made = take(CALM, 3, later=SMILE)
    assert made.change[0] < 0.01 and made.change[-1] > 0.99
    smile = curve(made, "smile_r")
    assert smile[made.change == 0].max() < 0.01 and smile[made.change == 1].min() > 0.5
    assert not take(SMILE).change.any()


def test_people_blink_about_as_often_as_in_conversation() -> None:
    starts = [
        int(((curve(take(seed=s), "blink_l")[1:] > 0.5) & (curve(take(seed=s), "blink_l")[:-1] <= 0.5)).sum())
        for s in range(30)
    ]
    assert 12 < 60 * sum(starts) / (30 * FRAMES / 25) < 24
