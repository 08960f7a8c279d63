"""Losses on maps of motion: least at the truth, a pull towards it, and what each looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.map_syncnet import MapSyncNet
from eadnet.modules.tfrm import TFRM
from eadnet.modules.video_mae import MAPS, VideoEncoder
from eadnet.rig.track import GROUPS
from eadnet.training.data.motion import MotionSet
from eadnet.training.losses.motion import Critics, check_weights, motion_losses
from eadnet.training.losses.step import Loss, Step, total
from eadnet.training.losses.weights import Weights
from eadnet.training.recipes import motion
from eadnet.training.tasks.motion import MotionTask
from tests.tiny_motion import MOTION, tiny_codec, tiny_model
from tests.training.tasks.test_motion import FLEETING, performer

WIDTH, FRAMES = 8, 64
NAMES = ("sync", "trepa", "tfrm")


@pytest.fixture(scope="module")
def task() -> MotionTask:
    return MotionTask(tiny_model(), MOTION, tiny_codec(), GROUPS["mouth"], FLEETING, (GROUPS["head"],))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> MotionSet:
    folder, rng = tmp_path_factory.mktemp("motion"), np.random.default_rng(0)
    np.save(folder / "audio.npy", rng.normal(size=(6, 2 * FRAMES, WIDTH)).astype(np.float16))
    np.save(folder / "mouths.npy", rng.uniform(0, 1, (6, FRAMES, 9)).astype(np.float16))
    np.save(folder / "levels.npy", rng.uniform(0, 1, (6, FRAMES)).astype(np.float16))
    return MotionSet(folder, performer)


@pytest.fixture(scope="module")
def critics(task: MotionTask) -> Critics:
    torch.manual_seed(0)
    syncnet = MapSyncNet(int(task.spoken.sum()), 10, WIDTH, hidden=16, dim=8)
    tfrm = TFRM(hidden=8, top_k=3)
    torch.nn.init.normal_(tfrm.out.weight, std=0.1)
    return Critics(syncnet, VideoEncoder(width=16, layers=1, cubes=MAPS), tfrm)


@pytest.fixture
def losses(task: MotionTask, critics: Critics) -> dict[str, Loss]:
    found = motion_losses(Weights(sync=1, trepa=1, tfrm=1), critics, task.codec, task.spoken)
    return {one.loss.name: one.loss for one in found}


def a_step(task: MotionTask, data: MotionSet, window: int = 16, error: float = 0.0) -> Step:
    generator = torch.Generator().manual_seed(3)
    batch = task.draw(data, 3, window, generator)
    estimate = batch.target + error * torch.randn(batch.target.shape, generator=generator)
    sound = task.heard(data, batch)
    return Step(batch, estimate.requires_grad_(True), torch.tensor([0.9, 0.5, 0.0]), sound, generator)


def value(loss: Loss, step: Step) -> torch.Tensor:
    found = loss(step)
    assert found is not None
    return found


def test_what_the_encoder_heard_is_given_for_the_frames_of_the_windows(
    task: MotionTask, data: MotionSet
) -> None:
    step = a_step(task, data)
    assert step.sound.shape == (3, 16, 10, WIDTH)
    clip, start = int(step.batch.clips[0]), int(step.batch.starts[0])
    rows = data.audio[clip].float()
    middle = step.sound[0, 5, 4]  # the row at the frame's beginning
    assert torch.equal(middle, rows[2 * (start + 5)])


def test_sixteen_frames_of_maps_are_compared_by_videomae_and_the_truth_costs_nothing(
    task: MotionTask, data: MotionSet, losses: dict[str, Loss]
) -> None:
    for window in (16, 48):
        values = [float(value(losses["trepa"], a_step(task, data, window, error))) for error in (0, 0.2, 1.0)]
        assert values[0] == pytest.approx(0, abs=1e-6)
        assert 0 < values[1] < values[2]
    assert losses["trepa"](a_step(task, data, 8)) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_small_step_down_its_gradient_makes_it_smaller_and_the_networks_stay(
    task: MotionTask, data: MotionSet, losses: dict[str, Loss], critics: Critics, name: str
) -> None:
    step = a_step(task, data, error=0.5)
    before = value(losses[name], step)
    before.backward()
    gradient = step.estimate.grad
    assert gradient is not None and float(gradient.norm()) > 0
    moved = (step.estimate - 1e-2 * gradient / gradient.norm()).detach()
    assert float(value(losses[name], replace(step, estimate=moved))) < float(before)
    networks = (critics.syncnet, critics.videomae, critics.tfrm)
    assert all(p.grad is None for network in networks for p in network.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_what_was_nothing_but_noise_is_supervised_too(
    task: MotionTask, data: MotionSet, losses: dict[str, Loss], name: str
) -> None:
    step = a_step(task, data, error=0.5)
    value(losses[name], step).backward()
    gradient = step.estimate.grad
    assert gradient is not None
    assert float(step.alpha[2]) == 0 and float(gradient[2].norm()) > 0.1 * float(gradient[0].norm())


def test_sync_pulls_on_the_mouth_alone(task: MotionTask, data: MotionSet, losses: dict[str, Loss]) -> None:
    step = a_step(task, data, error=0.5)
    value(losses["sync"], step).backward()
    gradient = step.estimate.grad
    assert gradient is not None
    moved = gradient.abs().sum((0, 1, 2, 4)) > 0
    mouth = task.codec.keep_mask(GROUPS["mouth"])[0].amax(1) > 0
    assert not (moved & ~mouth).any() and moved.any()


def test_losses_without_weight_are_left_out_and_windows_too_short_cost_nothing(
    task: MotionTask, data: MotionSet, critics: Critics, losses: dict[str, Loss]
) -> None:
    assert not motion_losses(Weights(), critics, task.codec, task.spoken)
    only = motion_losses(Weights(trepa=0.5), critics, task.codec, task.spoken)
    assert [(one.loss.name, one.weight) for one in only] == [("trepa", 0.5)]
    every = motion_losses(Weights(sync=1, trepa=1, tfrm=1), critics, task.codec, task.spoken)
    _, found = total(every, a_step(task, data, window=4))
    assert set(found) == {"tfrm"}


def test_weights_of_losses_that_motion_does_not_have_are_refused() -> None:
    check_weights(Weights(sync=1, trepa=1, tfrm=1))
    for name, said in (("pixel", "no loss 'pixel'"), ("perceptual", "no loss"), ("emotion", "'expression'")):
        with pytest.raises(InputError, match=said):
            check_weights(replace(Weights(), **{name: 0.1}))  # type: ignore[arg-type]


def test_the_recipe_refuses_them_before_it_trains(tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="TOML is read by Python 3.11 and newer")
    config = tmp_path / "pixels.toml"
    config.write_text("[losses]\npixel = 0.5\n")
    with pytest.raises(InputError, match="decodes no pictures"):
        motion.main(["denoiser", "--folder", str(tmp_path / "run"), "--config", str(config)])
    assert not (tmp_path / "run").exists()
