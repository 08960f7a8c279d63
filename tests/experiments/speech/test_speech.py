"""Mouths made from sound against people's own, on faces and sounds made up here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from eadnet.driving.idle import idle_motion
from eadnet.errors import InputError
from eadnet.rig.track import Track
from eadnet.synthetic.openness import SOUNDS
from eadnet.synthetic.speech import PAUSE, Phoneme
from eadnet.synthetic.talk import Talk
from eadnet.training.regressors.front_end import FrontEnd
from experiments.speech import clips, command
from experiments.speech.clips import TalkingClip, _at, opening_of, recordings
from experiments.speech.ensemble import Ensemble, write_mouths
from experiments.speech.foreign import foreign, sounds
from experiments.speech.living import living, table
from experiments.speech.measures import (
    correlation,
    followed,
    interval,
    lagged,
    loudness,
    noisy,
    ridge_curves,
    ridge_driver,
    telephone,
)
from experiments.speech.reading import Heard, Reading, by_others, fit

SMALL = {"width": 8, "dim": 8, "dilations": [1], "groups": 2}


def clip(name: str, seed: int, frames: int = 100, speaker: str = "") -> TalkingClip:
    """Somebody whose mouth is as open as a tone of 500 Hz is loud."""
    rng = np.random.default_rng(seed)
    apart = np.convolve(rng.random(frames + 4), np.ones(5) / 5, mode="valid")
    points = np.zeros((frames, 478, 3), np.float32)
    points[:, 33, 0], points[:, 263, 0] = 0.0, 100.0
    points[:, [178, 14, 402], 1] = (100 * apart)[:, None]
    level = np.interp(np.arange(frames * 640) / 640 - 0.5, np.arange(frames), apart)
    tone = np.sin(2 * np.pi * 500 * np.arange(frames * 640) / 16_000)
    wave = (0.5 * level**2 * tone).astype(np.float32)
    return TalkingClip(name, speaker or name, points, np.zeros((frames, 52), np.float32), wave)


def test_the_opening_is_the_lips_over_the_eyes_whatever_the_size_of_the_face() -> None:
    one = clip("a", 0)
    assert opening_of(one.points) == pytest.approx(opening_of(3.0 * one.points), rel=1e-5)
    assert 0.2 < one.opening.mean() < 0.8


def test_films_of_another_rate_are_read_at_25_frames_a_second() -> None:
    rows = _at(np.array([0.0, 0.05, 0.2]), np.array([0.0, 0.1]), np.array([[0.0], [1.0]]))
    assert rows[:, 0] == pytest.approx([0.0, 0.5, 1.0])


def test_no_faces_are_looked_for_in_a_silent_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Network:
        def follow(self, frames: object) -> list[None]:
            raise AssertionError("landmarks take minutes")

    monkeypatch.setattr(clips, "video_fps", lambda path: 25.0)
    monkeypatch.setattr(clips, "_sound", lambda path: np.zeros(0, np.float32))
    clips._read(tmp_path / "film.mp4", Network(), tmp_path / "kept.npz")  # type: ignore[arg-type]
    with np.load(tmp_path / "kept.npz") as arrays:
        assert len(arrays["points"]) == 0


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no films"):
        recordings(tmp_path)


def test_a_driver_that_follows_is_told_from_one_that_is_late_and_from_another_sound() -> None:
    clips = [clip(str(seed), seed) for seed in range(4)]
    results = followed(clips, [one.opening for one in clips])
    assert all(result.r == pytest.approx(1.0) and result.lag == 0 for result in results)
    assert max(abs(result.mismatched) for result in results) < 0.6
    early = followed(clips, [np.roll(one.opening, -3) for one in clips])
    assert [result.lag for result in early] == [3] * 4
    assert lagged(clips[0].opening, np.roll(clips[0].opening, 2), -2) > 0.99


def test_the_control_is_another_speakers_clip() -> None:
    clips = [clip("a", 0, speaker="x"), clip("b", 0, speaker="x"), clip("c", 5, speaker="y")]
    results = followed(clips, [one.opening for one in clips])
    assert results[0].mismatched < 0.9, "the same mouth of the same speaker is no control"


def test_a_still_mouth_has_no_correlation() -> None:
    assert correlation(np.zeros(9), np.arange(9.0)) == 0.0


def test_loudness_and_ridge_hear_a_mouth_that_is_as_open_as_the_sound_is_loud() -> None:
    clips = [clip(str(seed), seed) for seed in range(4)]
    sounds = [one.waveform for one in clips]
    for made in (
        [loudness(one.waveform, len(one)) for one in clips],
        ridge_curves(clips, sounds, lambda c: c.name),
    ):
        assert min(result.r for result in followed(clips, made)) > 0.6


def test_a_ridge_for_other_sounds_is_the_one_that_is_fitted_without_a_clip() -> None:
    clips = [clip(str(seed), seed) for seed in range(4)]
    left_out = ridge_curves(clips, [one.waveform for one in clips], lambda c: c.name)[0]
    made = ridge_driver(clips[1:])(clips[0].waveform, len(clips[0]))
    assert np.allclose(made, left_out)


def test_a_mouth_that_goes_with_its_sound_is_told_from_one_that_goes_with_another(tmp_path: Path) -> None:
    clips = [clip(str(seed), seed) for seed in range(4)]
    for seed in (7, 8, 9):
        wavfile.write(tmp_path / f"{seed}.wav", 16_000, clip("", seed).waveform)
    heard = sounds(tmp_path)
    assert list(heard) == ["7", "8", "9"]
    others = dict(zip(heard, [*list(heard.values())[1:], heard["7"]], strict=True))
    mouths = iter(others.values())
    right = foreign(clips, heard, loudness)[2].split("|")
    wrong = foreign(clips, heard, lambda sound, frames: loudness(next(mouths), frames))[2].split("|")
    for column in (2, 3):
        own, other = (float(word.strip(" ()")) for word in right[column].split())
        assert own > 0.6 > abs(other)
        assert abs(float(wrong[column].split()[0])) < 0.6
    (tmp_path / "8.wav").unlink()
    (tmp_path / "9.wav").unlink()
    with pytest.raises(InputError, match="fewer than two"):
        sounds(tmp_path)


def test_the_interval_holds_the_median() -> None:
    middle, low, high = interval(np.random.default_rng(0).random(23).tolist())
    assert low < middle < high


def test_noise_is_ten_decibels_below_and_a_telephone_has_no_bass() -> None:
    time = np.arange(16_000) / 16_000
    sound = (0.3 * np.sin(2 * np.pi * 100 * time)).astype(np.float32)
    added = noisy(sound, 10.0, 0) - sound
    assert 10 * np.log10(np.mean(sound**2) / np.mean(added**2)) == pytest.approx(10, abs=0.5)
    assert np.abs(telephone(sound)).max() < 0.05


def test_living_counts_blinks_and_sees_who_moves() -> None:
    wave = np.random.default_rng(0).standard_normal(25 * 60 * 640).astype(np.float32)

    def measured(**amount: float) -> object:
        curves = idle_motion(25 * 60, 25, 3)
        curves = {name: amount.get(name.split("_")[0], 1.0) * curve for name, curve in curves.items()}
        return living(Track.of({n: torch.from_numpy(c).float() for n, c in curves.items()}, 25.0), wave)

    usual, still = measured(), measured(head=0.0, blink=0.0)
    assert 8 < usual.blinks < 32 and 0.1 < usual.shut < 0.3  # type: ignore[attr-defined]
    assert still.blinks == 0 and still.yaw == 0 < usual.yaw  # type: ignore[attr-defined]
    lines = table([usual, still], {"drawn": [usual]})  # type: ignore[list-item]
    assert lines[2].startswith("| blinks |") and "…" in lines[2]


def heard(seed: int, open_sound: int, frames: int = 120) -> Heard:
    """Somebody who says two sounds in turn, and opens the mouth on one of them."""
    rng = np.random.default_rng(seed)
    says = np.repeat(rng.random(frames // 6) < 0.5, 6)
    likely = np.full((frames, len(SOUNDS)), 1e-4)
    likely[says, open_sound], likely[~says, 0] = 0.9, 0.9
    level = torch.zeros(frames)
    return Heard(torch.from_numpy(likely).float(), level, level, torch.from_numpy(says.astype(np.float32)))


@pytest.mark.slow
def test_a_table_learns_which_sounds_open_the_mouth_and_goes_no_further_than_caution_lets_it() -> None:
    closed = SOUNDS.index("pbm")  # these people open the mouth on p
    people = [heard(seed, closed) for seed in range(2)]
    before = Reading()
    bold, cautious = (fit(people, caution, steps=60) for caution in (1e-4, 1.0))
    assert abs(float(cautious.apart[closed] - before.apart[closed])) < 0.1
    with torch.no_grad():
        r = [correlation(one(people[0]).numpy(), people[0].opening.numpy()) for one in (before, bold)]
    assert r[1] > r[0] + 0.8, "the textbook is wrong about these people"


@pytest.mark.slow
def test_other_speakers_tables_are_measured_without_the_speaker() -> None:
    clips = [clip(str(seed), seed, frames=120) for seed in range(3)]
    sounds = [heard(0, 5), heard(1, 5), heard(2, 17)]
    curves = by_others(clips, sounds, 1e-3, folds=3, steps=20)
    assert [len(curve) for curve in curves] == [120] * 3
    alone = fit(sounds[:2], 1e-3, steps=20)
    with torch.no_grad():
        assert curves[2] == pytest.approx(alone(sounds[2]).numpy(), abs=1e-5)


def test_an_ensemble_keeps_peoples_spread_and_survives_its_numbers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    front, clips = FrontEnd(10, len(SOUNDS), SMALL).eval(), [clip(str(seed), seed) for seed in range(3)]
    ensemble = Ensemble([front, front], [Reading(), Reading()]).calibrated(clips)
    spreads = [ensemble(one.waveform, len(one)).std() for one in clips]
    assert np.median(spreads) == pytest.approx(
        1.44 * np.median([one.opening.std() for one in clips]), rel=0.01
    )
    again = Ensemble.of_numbers([front, front], json.loads(json.dumps(ensemble.numbers())))
    assert again(clips[0].waveform, 100) == pytest.approx(ensemble(clips[0].waveform, 100), abs=1e-4)


def test_mouths_are_written_in_the_order_of_the_talk(tmp_path: Path) -> None:
    def talks(_: Path) -> object:
        for frames in (20, 30):
            sounds = (Phoneme(PAUSE, 0, 0.2), Phoneme("ɛ", 0.2, 0.6, 2), Phoneme(PAUSE, 0.6, 0.8))
            yield Talk(np.zeros(frames * 640, np.float32), sounds, "", "en", "piper", "x", "train")

    write_mouths(lambda wave, frames: np.full(frames, 0.1), tmp_path, tmp_path / "out", talks)  # type: ignore[arg-type]
    arrays = np.load(tmp_path / "out" / "mouths_000000.npz")
    assert arrays["ends"].tolist() == [20, 50] and arrays["mouth"].shape == (50, 9)
    assert arrays["mouth"][8, 0] > 0.1 > arrays["mouth"][19, 0], "rests are the phonemes'"


@pytest.mark.slow
def test_the_pages_rows_say_how_often_the_ridge_is_beaten(tmp_path: Path) -> None:
    clips = [clip(str(seed), seed) for seed in range(4)]
    lines = command.follow(clips, {"loudness": loudness}, tmp_path)
    assert sum(line.startswith("| loudness |") for line in lines) == 3
    assert "of 4 |" in lines[4] and lines[-1].startswith("| 3, 4 s |")


@pytest.mark.parametrize("part", ["follow", "living", "foreign", "fit"])
def test_missing_recordings_are_a_sentence(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EADNET_MEDIA", raising=False)
    with pytest.raises(InputError, match="give --media"):
        command.main([part])
