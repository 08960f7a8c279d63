"""What supervises the model of motion learns which sound belongs to a mouth, and how faces move."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.rig.track import GROUPS
from eadnet.training.data.motion import MotionSet
from eadnet.training.tasks import map_critics
from eadnet.training.tasks.map_critics import train_map_syncnet, train_map_videomae
from eadnet.training.tasks.motion import MotionTask
from tests.tiny_motion import MOTION, tiny_codec, tiny_model
from tests.training.tasks.test_motion import FLEETING, performer

FRAMES, WIDTH = 64, 8


@pytest.fixture
def task() -> MotionTask:
    return MotionTask(tiny_model(), MOTION, tiny_codec(), GROUPS["mouth"], FLEETING, (GROUPS["head"],))


@pytest.fixture
def data(tmp_path: Path) -> MotionSet:
    """Mouths that can be heard: the first number of every row is how far the jaw is down."""
    rng = np.random.default_rng(0)
    mouths = rng.uniform(0, 1, (6, FRAMES, 9)).astype(np.float16)
    audio = np.zeros((6, 2 * FRAMES, WIDTH), np.float16)
    audio[:, :, 0] = np.repeat(mouths[:, :, 0], 2, 1)
    for name, array in (("audio", audio), ("mouths", mouths), ("levels", mouths[:, :, 0])):
        np.save(tmp_path / f"{name}.npy", array)
    return MotionSet(tmp_path, performer)


def column(path: Path, name: str) -> list[float]:
    with path.open(encoding="utf-8", newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


@pytest.mark.slow
def test_syncnet_learns_which_sound_belongs_to_a_mouth(
    task: MotionTask, data: MotionSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_critics, "_LOGGED_EVERY", 40)
    model = train_map_syncnet(task, data, data, tmp_path / "run", steps=81)
    found = column(tmp_path / "run" / "log.csv", "found")
    assert found[0] < 0.1 and found[-1] > 0.5
    assert not any(p.requires_grad for p in model.parameters())
    again = train_map_syncnet(task, data, data, tmp_path / "run", steps=81)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.slow
def test_videomae_learns_to_paint_hidden_parts_of_a_face(
    task: MotionTask, data: MotionSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_critics, "_LOGGED_EVERY", 30)
    model = train_map_videomae(task, data, tmp_path / "run", steps=61)
    losses = column(tmp_path / "run" / "log.csv", "loss")
    assert losses[-1] < losses[0]
    assert model.features(torch.zeros(2, 16, 4, 8, 4)).shape == (2, 64, 64)
