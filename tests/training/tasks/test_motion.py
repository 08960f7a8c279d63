"""A step of the motion model: what it is given, what it costs, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.rig.track import GROUPS
from eadnet.training.data.motion import MotionBatch, MotionSet, Performance
from eadnet.training.tasks import motion
from eadnet.training.tasks.denoiser import Schedule, step_loss, train_denoiser
from eadnet.training.tasks.motion import MotionTask
from tests.tiny_motion import MOTION, tiny_codec, tiny_model

FRAMES, FLEETING = 64, (*GROUPS["blink"], *GROUPS["gaze"], *GROUPS["head"])


def performer(rng: np.random.Generator, mouth: np.ndarray, level: np.ndarray, changes: bool) -> Performance:
    params = np.zeros((len(mouth), len(PARAMETERS)), np.float32)
    params[:, INDEX["jaw_open"]] = mouth[:, 0]
    params[:, INDEX["smile_l"]] = smile = float(rng.uniform(0.2, 1))
    rest = np.zeros(len(PARAMETERS), np.float32)
    change = np.linspace(0, 1, len(mouth), dtype=np.float32) * changes
    return Performance(
        params, rest, f"smile {smile:.1f}", "a frown" if changes else f"smile {smile:.1f}", change
    )


@pytest.fixture
def data(tmp_path: Path) -> MotionSet:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "audio.npy", rng.normal(size=(6, 2 * FRAMES, 8)).astype(np.float16))
    np.save(tmp_path / "mouths.npy", rng.uniform(0, 1, (6, FRAMES, 9)).astype(np.float16))
    np.save(tmp_path / "levels.npy", rng.uniform(0, 1, (6, FRAMES)).astype(np.float16))
    return MotionSet(tmp_path, performer)


@pytest.fixture
def task() -> MotionTask:
    kept = (GROUPS["head"], GROUPS["gaze"], GROUPS["mouth"])
    return MotionTask(tiny_model(), MOTION, tiny_codec(), GROUPS["mouth"], FLEETING, kept)


def draw(task: MotionTask, data: MotionSet, count: int = 4, seed: int = 0) -> MotionBatch:
    return task.draw(data, count, 16, torch.Generator().manual_seed(seed))


def test_a_batch_is_a_performance_of_the_recordings_as_maps(task: MotionTask, data: MotionSet) -> None:
    batch = draw(task, data)
    assert batch.target.shape == (4, 16, 4, 8, 4) and batch.reference.shape == (4, 4, 8, 4)
    shown = task.codec.decode(batch.target)
    for row, (clip, start) in enumerate(zip(batch.clips.tolist(), batch.starts.tolist(), strict=True)):
        jaw = data.mouths[clip, start : start + 16, 0].float()
        assert torch.allclose(shown[row, :, INDEX["jaw_open"]], jaw, atol=1e-5)
        assert task.codec.decode(batch.reference[row]).abs().max() < 1e-6
    again = draw(task, data)
    assert torch.equal(batch.target, again.target) and batch.texts == again.texts


def test_what_is_kept_is_given_whole_and_nothing_else_is(task: MotionTask, data: MotionSet) -> None:
    batches = [draw(task, data, 6, seed) for seed in range(10)]
    masks = torch.cat([batch.keep for batch in batches])
    some = masks.flatten(1).any(1)
    assert 0.1 < float(some.float().mean()) < 0.7
    assert set(masks[:, 0].amin(2).nonzero()[:, 1].tolist()) == {2, 4, 5, 6, 7}
    for batch in batches:
        assert torch.equal(batch.masked, batch.target * batch.keep[:, None])


def test_what_is_not_to_be_learned_costs_nothing(task: MotionTask, data: MotionSet) -> None:
    batch = draw(task, data)
    batch = MotionBatch(**{**vars(batch), "keep": torch.zeros(4, 1, 8, 4)})
    alpha, truth = torch.full((4, 1, 1, 1, 1), 0.5), torch.zeros_like(batch.target)

    def cost(name: str) -> dict[str, float]:
        velocity = task.codec.cells([name]).expand_as(truth)
        noisy = alpha.sqrt() * batch.target + (1 - alpha).sqrt() * velocity  # its estimate is off there alone
        found = task.losses(noisy, velocity, truth, alpha, batch)
        return {key: float(value) for key, value in found.items()}

    whole = cost("smile_l")
    assert min(whole.values()) > 0 and min(cost("jaw_open").values()) > 0
    task.learn_only(["jaw_open", "lip_close"])
    assert cost("smile_l")["velocity"] == 0 and cost("smile_l") != whole
    assert cost("jaw_open")["velocity"] > 0
    with pytest.raises(InputError, match="No facial parameter is left"):
        task.learn_only([])
    with pytest.raises(InputError, match="facial parameter of the map"):
        task.learn_only(["nostrils"])


def test_errors_where_motion_is_given_cost_nothing_and_others_do(task: MotionTask, data: MotionSet) -> None:
    batch = draw(task, data)
    keep = task.codec.keep_mask(GROUPS["mouth"])[None].expand(4, -1, -1, -1)
    batch = MotionBatch(**{**vars(batch), "keep": keep})
    alpha = torch.full((4, 1, 1, 1, 1), 0.5)
    truth = torch.zeros_like(batch.target)
    noisy = alpha.sqrt() * batch.target  # of which velocity 0 times itself is the clean estimate
    right = -((1 - alpha).sqrt() / (1 - alpha)) * (batch.target - alpha.sqrt() * noisy)

    def cost(place: str) -> torch.Tensor:
        wrong = right + 3 * task.codec.keep_mask(GROUPS[place])
        return task.losses(noisy, wrong, right, alpha, batch)["expression"]

    nothing = task.losses(noisy, right, right, alpha, batch)
    assert nothing["velocity"] == 0 and float(nothing["expression"]) == pytest.approx(0, abs=1e-6)
    assert cost("mouth") == nothing["expression"] and cost("brows") > 0.01
    assert cost("head") == nothing["expression"]  # neither sound nor sentence decides it
    assert truth.shape == right.shape


def test_conditions_follow_sentence_and_sound_and_are_dropped(task: MotionTask, data: MotionSet) -> None:
    batch = draw(task, data)
    audio, emotion = task.conditions(data, batch, None)
    assert audio.shape == (4, 16, 10, 8) and audio.abs().sum((1, 2, 3)).min() > 0
    other = task.model.text_encoder.encode(list(batch.texts))
    assert torch.allclose(emotion if emotion.ndim == 3 else emotion[:, 0], other, atol=1e-6)
    dropped = torch.Generator().manual_seed(4)
    silent = [task.conditions(data, batch, dropped)[0].abs().sum((1, 2, 3)) == 0 for _ in range(60)]
    assert 0.02 < float(torch.stack(silent).float().mean()) < 0.25


def test_a_feeling_that_turns_has_tokens_for_every_frame(
    task: MotionTask, data: MotionSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion, "CHANGING", 1.0)
    batch = draw(task, data)
    _, emotion = task.conditions(data, batch, None)
    assert emotion.shape[:2] == (4, 16)
    frown = task.model.text_encoder.encode(["a frown"])[0]
    assert torch.allclose(emotion[0, -1], frown, atol=1e-5) and not torch.allclose(emotion[0, 0], frown)


@pytest.mark.slow
def test_training_lowers_the_loss_and_leaves_the_encoders_alone(
    task: MotionTask, data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "windows", (16, 8))
    before = {k: v.clone() for k, v in task.model.state_dict().items()}

    def loss() -> float:
        with torch.no_grad():
            values = [
                step_loss(task, data, draw(task, data, 6, s), torch.Generator().manual_seed(s), 1.0, ())[0]
                for s in range(3)
            ]
        return float(sum(values))

    first = loss()
    trained = train_denoiser(
        task, data, data, tmp_path / "run", Schedule(steps=25, frames=48, stda_from=0, rate=5e-3)
    )
    assert loss() < 0.9 * first
    assert not any(
        torch.equal(v, before[k]) for k, v in trained.state_dict().items() if k.startswith("unet.conv")
    )
    assert all(torch.equal(v, before[k]) for k, v in trained.state_dict().items() if "encoder" in k)
