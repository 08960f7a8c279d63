"""The driver `motion`: tracks of any length from speech and a sentence, with some of the motion given."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eadnet.checkpoints import save_checkpoint
from eadnet.driving.idle import Idle
from eadnet.driving.motion import Kept, MotionModel, motion_sampling, motion_track
from eadnet.driving.speech import track_from_speech
from eadnet.errors import CheckpointError, InputError
from eadnet.media.speech import SpeechInMemory
from eadnet.rendering import RenderSettings
from eadnet.rig.expression import INDEX, PARAMETERS, RANGES
from eadnet.rig.track import Track, columns
from tests.quick import some
from tests.tiny import write_tiny_checkpoint
from tests.tiny_motion import MOTION, tiny_parts, write_tiny_motion


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MotionModel:
    return MotionModel.load(write_tiny_motion(tmp_path_factory.mktemp("motion") / "motion.safetensors"))


def speech(seconds: float) -> SpeechInMemory:
    return SpeechInMemory(
        0.1 * torch.randn(round(16000 * seconds), generator=torch.Generator().manual_seed(1))
    )


def made(
    model: MotionModel, frames: int, text: str = "happy", seed: int = 0, kept: Kept | None = None
) -> Track:
    return motion_track(
        speech(frames / 25), text, frames, model=model, settings=RenderSettings(seed=seed), kept=kept
    )


@pytest.mark.parametrize("frames", some(2, [1, 130, 3, 47]))
def test_a_track_of_any_length_within_the_ranges(model: MotionModel, frames: int) -> None:
    track = made(model, frames)
    assert len(track) == frames and track.fps == 25
    low, high = torch.from_numpy(RANGES).unbind(1)
    assert (track.values >= low).all() and (track.values <= high).all()


def test_seed_and_sentence_and_sound_decide(model: MotionModel) -> None:
    first = made(model, 30).values
    assert torch.equal(first, made(model, 30).values)
    assert not torch.equal(first, made(model, 30, seed=1).values)
    assert not torch.equal(first, made(model, 30, text="very sad").values)


@pytest.mark.slow
def test_what_was_measured_is_kept_exactly_and_the_rest_generated(model: MotionModel) -> None:
    measured = Track(torch.rand(60, len(PARAMETERS)) * 0.02)
    track = made(model, 60, kept=Kept(measured, ["head", "gaze"]))
    chosen = columns("head") + columns("gaze")
    assert torch.equal(track.values[:, chosen], measured.values[:, chosen])
    assert (track["jaw_open"] - measured["jaw_open"]).abs().max() > 0.01
    # What is kept is a condition, too: another head, another mouth.
    moved = made(model, 60, kept=Kept(measured.edited(add={"head_yaw": 0.5}), ["head", "gaze"]))
    assert not torch.equal(moved["jaw_open"], track["jaw_open"])


@pytest.mark.slow
def test_everything_or_nothing_may_be_kept(model: MotionModel) -> None:
    measured = Track(torch.rand(20, len(PARAMETERS)) * 0.02)
    assert torch.equal(made(model, 20, kept=Kept(measured, PARAMETERS)).values, measured.values)
    assert torch.equal(made(model, 20, kept=Kept(measured, [])).values, made(model, 20).values)


def test_a_track_at_another_rate_or_length_is_fitted(model: MotionModel) -> None:
    measured = Track(torch.full((10, len(PARAMETERS)), 0.01), fps=50)
    track = made(model, 30, kept=Kept(measured, ["head"]))
    assert torch.allclose(track.values[:, columns("head")], torch.tensor(0.01))


def test_unusable_motion_is_refused_in_a_sentence(model: MotionModel) -> None:
    with pytest.raises(InputError, match="did you mean head"):
        made(model, 5, kept=Kept(Track(torch.zeros(5, len(PARAMETERS))), ["haed"]))
    with pytest.raises(InputError, match="has no frames"):
        made(model, 5, kept=Kept(Track(torch.zeros(0, len(PARAMETERS))), ["head"]))


@pytest.mark.slow
def test_a_model_of_pixels_is_no_model_of_motion(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a model of tiny, not of motion"):
        MotionModel.load(write_tiny_checkpoint(tmp_path / "tiny.safetensors"))
    parts = tiny_parts()
    save_checkpoint(tmp_path / "half.safetensors", {"unet": parts["unet"]}, MOTION.info())
    with pytest.raises(CheckpointError, match="no codec"):
        MotionModel.load(tmp_path / "half.safetensors")


def test_windows_are_the_models_own_unless_others_are_asked_for(model: MotionModel) -> None:
    usual = motion_sampling(RenderSettings(), model.checkpoint)
    assert (usual.window, usual.overlap) == (MOTION.defaults["window"], MOTION.defaults["overlap"])
    other = motion_sampling(RenderSettings(window=20, overlap=4), model.checkpoint)
    assert (other.window, other.overlap) == (20, 4)


@pytest.mark.slow
def test_blinks_glances_and_head_are_drawn_by_rule_for_a_rig(model: MotionModel) -> None:
    def moved(**amount: float) -> Track:
        return track_from_speech(speech(2.0), "happy", model=model, idle=Idle(**amount))

    still = moved(blinks=0, gaze=0, head=0)
    assert not still["blink"].any() and not still["gaze"].any() and not still["head"].any()
    often = moved(blinks=120).values[:, INDEX["blink_l"]]
    assert int(((often[1:] > 0.5) & (often[:-1] <= 0.5)).sum()) > 1
    own = made(model, 50)
    assert torch.equal(still["jaw_open"], own["jaw_open"]) and own["gaze"].any()
