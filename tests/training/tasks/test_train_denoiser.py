"""The denoiser's loop in small: extra losses, exact resume, samples, bfloat16, and a loss that breaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.media.video import read_video
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.tfrm import TFRM
from eadnet.presets import PRESETS
from eadnet.training.data.clips import ClipSet
from eadnet.training.losses.smoothing import TfrmLoss
from eadnet.training.losses.step import Step, Weighted
from eadnet.training.losses.weights import FrozenNetworks, Weights, build_losses
from eadnet.training.tasks import denoiser
from eadnet.training.tasks.denoiser import Schedule, train_denoiser
from eadnet.training.tasks.denoiser_task import DenoiserTask
from eadnet.training.tasks.sample_videos import SampleVideos
from eadnet.training.tasks.sampled_windows import sampled_back, sampled_windows
from eadnet.training.tasks.smoother import train_smoother
from eadnet.training.trainer import Trainer
from tests.training.tiny_world import latent_set, tiny_model, tiny_task, write_clips


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory):
    return latent_set(write_clips(tmp_path_factory.mktemp("clips"), 4))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer clips evaluated."""
    monkeypatch.setattr(denoiser, "EVALUATED_CLIPS", 2)


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
    model = train_denoiser(task, data, data, folder, how, extra, on_sample)
    return dict(model.state_dict())


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_weights_and_log(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Trainer, "draw", lambda self: None)
    start = Trainer.__init__

    def saving(self, *args, **settings) -> None:
        start(self, *args, **{**settings, "save_every": -1.0})

    monkeypatch.setattr(Trainer, "__init__", saving)
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
    assert not torch.equal(weights["unet.conv_in.weight"], tiny_task(data).model.unet.conv_in.weight)


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


@pytest.mark.slow
def test_sample_videos_show_truth_and_sample_with_sound_and_leave_the_random_numbers_alone(tmp_path) -> None:
    folder = write_clips(tmp_path / "clips", 2, pictures=True)
    task, clips = tiny_task(latent_set(folder)), ClipSet(folder)
    videos = SampleVideos(
        task, MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1)), clips, tmp_path / "videos", 1, 4, 1
    )
    torch.manual_seed(5)
    before = torch.get_rng_state()
    videos(20)
    assert torch.equal(torch.get_rng_state(), before)
    video = read_video(tmp_path / "videos" / "step_0000020_clip_0.mp4")
    assert video.frames.shape == (4, 128, 256, 3)


@pytest.mark.slow
def test_clips_sampled_back_are_nearer_to_themselves_the_less_noise_was_added(data) -> None:
    task = tiny_task(data)
    batch = task.cropped(task.draw(data, 2, 16, torch.Generator().manual_seed(0)))
    errors = []
    for start in (20, 700):
        made = sampled_back(task, data, batch, start, 1, torch.Generator().manual_seed(1))
        errors.append(float((made - batch.target).square().mean()))
    assert 0 < errors[0] < 0.2 < errors[1]


@pytest.mark.slow
def test_tfrm_learns_from_the_denoisers_own_samples(data, tmp_path) -> None:
    pairs = sampled_windows(tiny_task(data), data, 2, torch.Generator().manual_seed(0), batch=2)
    assert pairs[0].shape == pairs[1].shape == (2, 16, 4, 12, 12)
    torch.manual_seed(0)
    model = TFRM(hidden=8, top_k=3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trained = train_smoother(model, data, data, tmp_path, steps=2, batch=1, sampled=pairs, sampled_share=1.0)
    assert any(not torch.equal(before[key], value) for key, value in trained.state_dict().items())


@pytest.fixture
def without_parameters(tmp_path: Path):
    folder = write_clips(tmp_path / "clips", 4)
    for name in ("params.npy", "openings.npy", "parameters.json"):
        (folder / name).unlink()
    return latent_set(folder)


@pytest.mark.slow
def test_clips_without_facial_parameters_are_trained_on_without_the_expression_loss(
    without_parameters, tmp_path
) -> None:
    before = tiny_task(without_parameters).model.unet.conv_in.weight.detach().clone()
    weights = train(without_parameters, tmp_path / "run", expression=0.0)
    assert not torch.equal(weights["unet.conv_in.weight"], before)
    columns = (tmp_path / "run" / "log.csv").read_text().splitlines()[0].split(",")
    assert {"held_out", "audio_ratio", "text_ratio"} <= set(columns) and "expression" not in columns


def test_losses_that_need_facial_parameters_say_so(without_parameters, tmp_path) -> None:
    with pytest.raises(InputError, match="expression loss needs facial parameters"):
        train(without_parameters, tmp_path / "run")
    networks = FrozenNetworks(*[lambda: pytest.fail("no frozen network is needed")] * 4)
    with pytest.raises(InputError, match="emotion loss needs facial parameters"):
        build_losses(Weights(emotion=0.1), tiny_task(without_parameters), networks)


@pytest.mark.slow
def test_another_preset_has_its_own_region_and_noise_schedule(data) -> None:
    mini, other = PRESETS["mini"], PRESETS["latentsync-1.5"]
    task = DenoiserTask(tiny_model(), replace(other, resolution=128))
    assert not torch.equal(task.keep, tiny_task(data).keep) and task.crop != tiny_task(data).crop
    assert not torch.equal(
        DenoiserTask(
            tiny_model(), replace(mini, scheduler_config={**mini.scheduler_config, "beta_end": 0.03})
        ).diffusion.alphas,
        tiny_task(data).diffusion.alphas,
    )
