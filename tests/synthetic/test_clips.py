"""A clip: who, what, how, and every parameter of every frame."""

from __future__ import annotations

import hashlib
import inspect
import os
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.synthetic.clips import FPS, animate, make_changing_clip, make_clip
from eadnet.synthetic.expression import EMOTIONS, INDEX, PARAMETERS, RANGES
from eadnet.synthetic.sentences import SPLITS, split_of
from eadnet.synthetic.speech import PAUSE, SAMPLE_RATE, Phoneme, speak

pytest.importorskip("espeakng_loader", reason="speech synthesis is part of the training extras")


def digest(seed: int, split: str) -> str:
    clip = make_clip(seed, split, 16)
    facts = repr((clip.text, clip.voice, clip.description, clip.identity, clip.phonemes)).encode()
    return hashlib.sha256(clip.waveform.tobytes() + clip.params.tobytes() + facts).hexdigest()


def at(params: np.ndarray, name: str) -> np.ndarray:
    return params[:, INDEX[name]]


@pytest.mark.parametrize("num_frames", [1, 16, 40, 130])
def test_shapes_and_ranges(num_frames: int) -> None:
    clip = make_clip(3, "train", num_frames)
    samples = num_frames * SAMPLE_RATE // FPS
    assert clip.waveform.shape == clip.clean.shape == (samples,)
    assert clip.params.shape == (num_frames, len(PARAMETERS)) and clip.params.dtype == np.float32
    assert (clip.params >= RANGES[:, 0]).all() and (clip.params <= RANGES[:, 1]).all()


@pytest.mark.slow
def test_the_same_seed_is_the_same_clip_in_another_process() -> None:
    code = inspect.getsource(digest) + "\nprint(digest(11, 'test'))"
    code = "import hashlib\nfrom eadnet.synthetic.clips import make_changing_clip, make_clip\n" + code
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert other.stdout.strip() == digest(11, "test")


def test_seeds_and_splits_differ() -> None:
    assert len({digest(seed, split) for seed in range(3) for split in SPLITS}) == 9


@pytest.mark.slow
def test_splits_share_nobody_no_voice_no_sentence_and_no_phrasing() -> None:
    clips = {split: [make_clip(seed, split, 8) for seed in range(25)] for split in SPLITS}
    for a, b in combinations(SPLITS, 2):
        for what in (
            lambda clip: repr(clip.identity),
            lambda clip: clip.voice.split("+")[1],
            lambda clip: clip.text,
            lambda clip: clip.description.text.lower(),
        ):
            assert {what(c) for c in clips[a]}.isdisjoint({what(c) for c in clips[b]})


def test_sentences_come_from_their_split() -> None:
    for seed in range(10):
        clip = make_clip(seed, "validation", 8)
        assert split_of(clip.text) == "validation"


@pytest.mark.slow
def test_most_of_a_clip_is_speech_and_some_begin_in_silence() -> None:
    clips = [make_clip(seed, "train", 25) for seed in range(60)]
    heard = [np.abs(clip.clean).max() > 0.02 for clip in clips]
    late = [np.abs(clip.clean[: 3 * 640]).max() < 1e-3 for clip in clips]
    assert all(heard)
    assert 0 < np.mean(late) < 0.35


def test_speech_closes_the_lips_through_every_emotion() -> None:
    spoken = speak("Bob made a map, my mother bumps a purple pipe.", "en-us+f2")
    frames = len(spoken.waveform) // 640
    times = (np.arange(frames) + 0.5) / FPS
    closed = np.zeros(frames, bool)
    for phoneme in spoken.phonemes:
        if phoneme.name in ("p", "b", "m"):
            closed |= (times >= phoneme.start) & (times <= phoneme.end)
    for emotion in EMOTIONS.values():
        params = animate(emotion, spoken.phonemes, frames, np.random.default_rng(0))
        assert at(params, "lip_close")[closed].min() > 0.99
        assert at(params, "jaw_open")[closed].max() < 0.02
        assert at(params, "jaw_open").max() > 0.4


def test_silence_keeps_the_mouth_shut_and_the_feeling_on() -> None:
    rest = (Phoneme(PAUSE, 0.0, 2.0),)
    params = animate(EMOTIONS["surprised"], rest, 50, np.random.default_rng(0))
    assert at(params, "jaw_open").max() < 0.02
    assert at(params, "outer_brow_up_l").min() > 0.7


def test_the_description_sets_the_face() -> None:
    spoken = speak("The number is nineteen.", "en-us+f2")
    params = animate({"brow_lower_l": 0.8, "gaze_y": 0.5}, spoken.phonemes, 30, np.random.default_rng(1))
    assert 0.6 < at(params, "brow_lower_l").mean() < 0.9
    assert at(params, "brow_lower_r").max() == 0.0
    assert 0.3 < at(params, "gaze_y").mean() < 0.7


def test_people_blink_every_few_seconds_and_move_a_little() -> None:
    params = animate({}, (Phoneme(PAUSE, 0.0, 60.0),), 1500, np.random.default_rng(2))
    lids = at(params, "blink_l")
    blinks = int(np.sum((lids[1:] >= 0.9) & (lids[:-1] < 0.9)))
    assert 8 <= blinks <= 30
    assert at(params, "head_yaw").std() > 0.02
    assert np.abs(np.diff(at(params, "head_yaw"))).max() < 0.06  # 0.15 % of the picture a frame
    assert len(np.unique(at(params, "gaze_x"))) > 10


@pytest.mark.parametrize(("seed", "split", "frames"), [(0, "trian", 8), (-1, "train", 8), (0, "train", 0)])
def test_impossible_clips_are_refused(seed: int, split: str, frames: int) -> None:
    with pytest.raises(InputError):
        make_clip(seed, split, frames)


def test_a_changing_clip_begins_as_its_seed_says_and_ends_with_the_later_feeling() -> None:
    plain, clip = make_clip(3, "train", 50), make_changing_clip(3, "train", 50)
    assert clip.later is not None and clip.change is not None and plain.later is None
    np.testing.assert_array_equal(clip.waveform, plain.waveform)
    assert clip.change.shape == (50,) and np.all(np.diff(clip.change) >= 0)
    before, after = clip.change == 0, clip.change == 1
    brows = INDEX["inner_brow_up_l"]
    np.testing.assert_allclose(clip.params[before, brows], plain.params[before, brows], atol=0.15)
    wanted = clip.later.parameters.get("inner_brow_up_l", 0.0)
    assert after.any() and abs(float(clip.params[after, brows].mean()) - wanted) < 0.2


@pytest.mark.slow
def test_changes_lie_anywhere_and_none_jumps() -> None:
    changes = [make_changing_clip(seed, "train", 32).change for seed in range(24)]
    middles = [int(np.argmax(change >= 0.5)) for change in changes if change is not None]
    assert min(middles) < 10 and max(middles) > 22
    assert max(float(np.diff(change).max()) for change in changes if change is not None) < 0.6
