"""The denoiser's loop in small: extra losses, exact resume, samples, bfloat16, and a loss that breaks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.media.video import read_video
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.tfrm import TFRM
from eadnet.training import denoiser
from eadnet.training.denoiser import Schedule, train_denoiser
from eadnet.training.losses.smoothing import TfrmLoss
from eadnet.training.losses.step import Step, Weighted
from eadnet.training.run import Run
from eadnet.training.sampled import bank, sampled_back
from eadnet.training.samples import SampleVideos
from eadnet.training.smoother import train_smoother
from tests.training.tiny_world import latent_set, tiny_task, write_clips


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory):
    return latent_set(write_clips(tmp_path_factory.mktemp("clips"), 4))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer clips judged."""
    monkeypatch.setattr(denoiser, "JUDGED_CLIPS", 2)


class Killed(BaseException):
    pass


def train(data, folder: Path, **changes) -> dict[str, Tensor]:
    kill_at = changes.pop("kill_at", None)
    extra = changes.pop("extra", ())
    task = tiny_task(data)
    how = Schedule(steps=4, frames=16, stda_from=0.5, whole_from=0.75, **changes)

    def on_sample(step: int) -> None:
        if step == kill_at:
            raise Killed

    how = Schedule(**{**vars(how), "sample_every": 1 if kill_at else 0})
    talker = train_denoiser(task, data, data, folder, how, extra, on_sample)
    return dict(talker.state_dict())


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_weights_and_log(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Run, "draw", lambda self: None)
    start = Run.__init__

    def saving(self, *args, **settings) -> None:
        start(self, *args, **{**settings, "save_every": -1.0})

    monkeypatch.setattr(Run, "__init__", saving)
    extra = [Weighted(TfrmLoss(TFRM(hidden=8, top_k=3)), 0.1)]
    whole = train(data, tmp_path / "whole", extra=extra)
    with pytest.raises(Killed):
        train(data, tmp_path / "parts", extra=extra, kill_at=2)
    parts = train(data, tmp_path / "parts", extra=extra)
    assert all(torch.equal(whole[key], parts[key]) for key in whole)

    def rows(name: str) -> list[list[str]]:
        lines = (tmp_path / name / "log.csv").read_text().splitlines()
        keep = [i for i, column in enumerate(lines[0].split(",")) if column != "minutes"]
        return [[line.split(",")[i] for i in keep] for line in lines]

    assert rows("whole") == rows("parts") and "loss_tfrm" in rows("whole")[0]


@pytest.mark.slow
def test_an_extra_loss_changes_what_is_learned_and_min_snr_too(data, tmp_path) -> None:
    plain = train(data, tmp_path / "a")
    pulled = train(data, tmp_path / "b", extra=[Weighted(TfrmLoss(TFRM(hidden=8, top_k=3)), 1.0)])
    weighed = train(data, tmp_path / "c", min_snr=5.0)
    again = train(data, tmp_path / "d")
    key = "unet.conv_in.weight"
    assert torch.equal(plain[key], again[key])
    assert not torch.equal(plain[key], pulled[key]) and not torch.equal(plain[key], weighed[key])


@pytest.mark.slow
def test_in_bfloat16_the_weights_stay_float32_and_learn(data, tmp_path) -> None:
    weights = train(data, tmp_path, bf16=True)
    assert weights["unet.conv_in.weight"].dtype == torch.float32
    assert not torch.equal(weights["unet.conv_in.weight"], tiny_task(data).talker.unet.conv_in.weight)


class Broken:
    name = "broken"

    def __call__(self, step: Step) -> Tensor:
        return step.estimate.sum() * float("nan")


def test_a_device_that_is_not_there_is_refused(data) -> None:
    with pytest.raises(InputError, match="device moon cannot be used"):
        tiny_task(data).to("moon")


def test_a_loss_that_is_no_number_stops_the_training_and_says_where(data, tmp_path) -> None:
    with pytest.raises(FloatingPointError, match="loss became nan at step 0"):
        train(data, tmp_path, extra=[Weighted(Broken(), 1.0)])


def test_sample_videos_show_truth_and_sample_with_sound_and_leave_the_dice_alone(data, tmp_path) -> None:
    task = tiny_task(data)
    videos = SampleVideos(task, MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1)), data, tmp_path, 1, 4, 1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    videos(20)
    assert torch.equal(torch.get_rng_state(), before)
    film = read_video(tmp_path / "step_0000020_clip_0.mp4")
    assert film.frames.shape == (4, 128, 256, 3)


def test_clips_sampled_back_are_nearer_to_themselves_the_less_they_were_dissolved(data) -> None:
    task = tiny_task(data)
    batch = task.on_the_block(task.drawn(data, 2, 16, torch.Generator().manual_seed(0)))
    errors = []
    for start in (20, 700):
        made = sampled_back(task, data, batch, start, 1, torch.Generator().manual_seed(1))
        errors.append(float((made - batch.target).square().mean()))
    assert 0 < errors[0] < 0.2 < errors[1]


def test_tfrm_learns_from_the_denoisers_own_samples(data, tmp_path) -> None:
    pairs = bank(tiny_task(data), data, 2, torch.Generator().manual_seed(0), batch=2)
    assert pairs[0].shape == pairs[1].shape == (2, 16, 4, 12, 12)
    torch.manual_seed(0)
    model = TFRM(hidden=8, top_k=3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trained = train_smoother(model, data, data, tmp_path, steps=2, batch=1, sampled=pairs, sampled_share=1.0)
    assert any(not torch.equal(before[key], value) for key, value in trained.state_dict().items())
