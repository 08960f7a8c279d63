"""A training run keeps to its budget, survives an interruption and stops on a loss that is not finite."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from eadnet.errors import InputError
from eadnet.training.processes import make_accelerator
from eadnet.training.trainer import CsvLog, ExponentialMovingAverage, Trainer


def new_trainer(folder: Path, minutes: float = 1.0) -> Trainer:
    torch.manual_seed(0)
    module = nn.Linear(3, 1)
    return Trainer(folder, module, torch.optim.AdamW(module.parameters(), 0.1), minutes=minutes, warmup=1)


def train(trainer: Trainer, steps: int) -> None:
    for _ in trainer.steps():
        x = torch.randn(8, 3, generator=trainer.generator)
        trainer.optimize((trainer.module(x) - x.sum(1, keepdim=True)).square().mean())
        trainer.seconds = min(trainer.seconds, 0.0)  # the clock plays no part in what is compared
        if trainer.step + 1 >= steps:
            break
    trainer.step = steps


@pytest.mark.slow
def test_a_resumed_run_has_the_same_weights_average_and_random_numbers(tmp_path):
    first = new_trainer(tmp_path)
    train(first, 5)
    first.save()
    again = new_trainer(tmp_path)
    assert again.step == 5
    for key, value in first.module.state_dict().items():
        assert torch.equal(again.module.state_dict()[key], value)
        assert torch.equal(again.average.weights[key], first.average.weights[key])
    assert torch.equal(torch.rand(4, generator=again.generator), torch.rand(4, generator=first.generator))


def test_a_run_whose_budget_is_used_takes_no_step(tmp_path):
    trainer = new_trainer(tmp_path)
    trainer.seconds = 61.0
    assert list(trainer.steps()) == []


def test_a_loss_that_is_not_finite_stops_and_leaves_the_saved_state_alone(tmp_path):
    trainer = new_trainer(tmp_path)
    trainer.save()
    before = trainer.state_path.read_bytes()
    with pytest.raises(FloatingPointError, match="step 0"):
        trainer.optimize(trainer.module(torch.full((1, 3), torch.nan)).sum())
    assert trainer.state_path.read_bytes() == before


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(tmp_path):
    trainer = new_trainer(tmp_path)
    weight = trainer.module.get_parameter("weight")
    before = weight.detach().clone()
    with pytest.raises(FloatingPointError, match="gradient became .* nothing was saved yet"):
        trainer.optimize((0 * weight).sum().abs().sqrt())  # 0, with a slope of infinity times 0
    assert torch.equal(weight, before)


def follow(folder: Path, killed_at: int | None = None) -> Trainer:
    """A run of 12 steps that saves after each; it may be killed within a step."""
    torch.manual_seed(0)
    module = nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(module.parameters(), 0.1)
    trainer = Trainer(folder, module, optimizer, minutes=1, steps=12, warmup=3, save_every=-1)
    for step in trainer.steps():
        x = torch.randn(8, 3) + torch.rand(8, 3, generator=trainer.generator)
        loss = (module(x) - x.sum(1, keepdim=True)).square().mean()
        trainer.log.write({"step": step, "loss": float(loss.detach())})
        if step == killed_at:
            break
        trainer.optimize(loss)
    return trainer


@pytest.mark.slow
def test_a_run_of_so_many_steps_ends_with_the_same_numbers_however_often_it_was_killed(tmp_path):
    whole = follow(tmp_path / "whole")
    for killed_at in (2, 3, 7):
        follow(tmp_path / "parts", killed_at)
    parts = follow(tmp_path / "parts")
    assert whole.step == parts.step == 12
    for key, value in whole.module.state_dict().items():
        assert torch.equal(parts.module.state_dict()[key], value)
        assert torch.equal(parts.average.weights[key], whole.average.weights[key])
    assert (tmp_path / "parts" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()
    assert (tmp_path / "whole" / "curves.png").is_file()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("file write failed")])
def test_a_full_disk_keeps_the_last_state_and_says_so(tmp_path, monkeypatch, error):
    trainer = new_trainer(tmp_path)
    trainer.save()
    before = trainer.state_path.read_bytes()

    def half_written(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(InputError, match="No space is left .* at step 0"):
        trainer.save()
    assert trainer.state_path.read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


def test_another_failure_to_write_is_not_called_a_full_disk(tmp_path, monkeypatch):
    def broken(state: object, path: Path) -> None:
        raise RuntimeError("cannot pickle")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(RuntimeError, match="cannot pickle"):
        new_trainer(tmp_path).save()


def test_the_average_lies_between_old_and_new_weights():
    module = nn.Linear(1, 1, bias=False)
    average = ExponentialMovingAverage(module, decay=0.9)
    old = float(module.weight.detach())
    module.weight.data += 1.0
    average.update(module, step=10_000)
    assert float(average.weights["weight"]) == pytest.approx(old + 0.1, abs=1e-5)


def test_a_log_goes_on_under_its_first_columns(tmp_path):
    CsvLog(tmp_path / "log.csv").write({"step": 0, "loss": 1.5})
    CsvLog(tmp_path / "log.csv").write({"step": 1, "loss": 1.25, "new": 3})
    assert (tmp_path / "log.csv").read_text().split() == ["step,loss", "0,1.5", "1,1.25"]


def one_step(folder: Path, accumulation: int) -> torch.Tensor:
    """The weights after a step on the same eight rows, in as many batches."""
    torch.manual_seed(0)
    module = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    accelerator = make_accelerator(accumulation=accumulation, cpu=True)
    trainer = Trainer(
        folder, module, optimizer, minutes=1, steps=1, warmup=1, accelerator=accelerator, wrap=True
    )
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    for _ in trainer.steps():
        trainer.optimize((trainer.model(part).square().mean() for part in x.chunk(accumulation)), clip=1e9)
    return module.weight.detach()


@pytest.mark.slow
def test_a_step_of_four_batches_is_that_of_their_sum(tmp_path):
    whole, parts = one_step(tmp_path / "one", 1), one_step(tmp_path / "four", 4)
    assert torch.allclose(whole, parts, atol=1e-6)


def identified(folder: Path, identity: dict[str, str]) -> Trainer:
    module = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    return Trainer(folder, module, optimizer, minutes=1, identity=identity)


def test_a_state_of_other_settings_is_refused_by_name(tmp_path):
    identified(tmp_path, {"preset": "ead-256"}).save()
    with pytest.raises(InputError, match="preset ead-256, not ead-512: choose another folder"):
        identified(tmp_path, {"preset": "ead-512"})


@pytest.mark.parametrize(
    ("theirs", "ours", "problem"),
    [
        ({"recipe": "a", "set": "1"}, {"recipe": "a"}, "with set 1, not unknown"),
        ({"recipe": "a"}, {"recipe": "a", "set": "1"}, "with set unknown, not 1"),
        ({"recipe": "a"}, {}, "with recipe a, not unknown"),
    ],
)
def test_a_state_that_knows_more_or_less_of_its_run_is_refused(
    tmp_path, theirs: dict[str, str], ours: dict[str, str], problem: str
) -> None:
    identified(tmp_path, theirs).save()
    with pytest.raises(InputError, match=problem):
        identified(tmp_path, ours)


@pytest.mark.parametrize("ours", [{}, {"recipe": "a"}])
def test_a_state_that_does_not_say_whose_it_is_is_taken(tmp_path, ours: dict[str, str]) -> None:
    first = identified(tmp_path, {})
    first.step = 3
    first.save()
    assert identified(tmp_path, ours).step == 3


def test_a_state_of_another_network_is_refused(tmp_path):
    new_trainer(tmp_path).save()
    module = nn.Linear(4, 1)
    with pytest.raises(InputError, match="of another network: choose another folder"):
        Trainer(tmp_path, module, torch.optim.AdamW(module.parameters(), 0.1), minutes=1)


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "taken").touch()
    for folder in (tmp_path / "taken", tmp_path / "taken" / "inside"):
        with pytest.raises(InputError, match="taken is a file, and results need a folder"):
            new_trainer(folder)


def test_frozen_weights_are_neither_saved_nor_averaged(tmp_path):
    module = nn.Sequential(nn.Linear(3, 3).requires_grad_(False), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(module[1].parameters(), 0.1)
    trainer = Trainer(tmp_path, module, optimizer, minutes=1, trained_only=True)
    trainer.save()
    state = torch.load(trainer.state_path, weights_only=True)
    assert state["module"].keys() == state["average"].keys() == {"1.weight", "1.bias"}


def test_a_stream_goes_on_where_the_saved_state_left_it(tmp_path):
    class Stream:
        def __init__(self) -> None:
            self.at = 0

        def state_dict(self) -> dict[str, int]:
            return {"at": self.at}

        def load_state_dict(self, state: dict[str, int]) -> None:
            self.at = state["at"]

    def start(stream: Stream) -> Trainer:
        module = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(module.parameters(), 0.1)
        return Trainer(tmp_path, module, optimizer, minutes=1, position=stream)

    first = Stream()
    trainer = start(first)
    first.at = 17
    trainer.save()
    start(second := Stream())
    assert second.at == 17


@pytest.mark.parametrize("name", ["no-such-tracker", "comet_ml"])
def test_a_tracker_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(InputError, match=name):
        make_accelerator(cpu=True, trackers=name, folder=tmp_path)
