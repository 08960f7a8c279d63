"""Clips rendered while they are trained on: parts appear whole, are loaded once, are those of their seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")
pytest.importorskip("espeakng_loader", reason="speech needs the 'synthetic' extra (espeakng-loader)")

from eadnet.modules.autoencoder import MiniAutoencoder  # noqa: E402
from eadnet.synthetic.datasets import DatasetShape, render_dataset  # noqa: E402
from eadnet.training.recipes import online_data  # noqa: E402
from eadnet.training.recipes.online_data import ClipPlan, OnlineClips  # noqa: E402


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClipPlan:
    monkeypatch.setattr(online_data, "PART", 2)
    return ClipPlan(tmp_path / "parts", frames=4, size=32, first_seed=10, changing=0.5, voices=1)


def autoencoder() -> MiniAutoencoder:
    torch.manual_seed(0)
    return MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1)).eval()


@pytest.mark.slow
def test_a_part_holds_the_clips_of_its_seeds_and_is_made_once(plan: ClipPlan, tmp_path: Path) -> None:
    plan.make(1)
    made = plan.part(1)
    render_dataset(tmp_path / "same", "train", DatasetShape(2, 4, 32), first_seed=12, changing=0.5)
    for name in ("frames", "speech", "changes"):
        expected = np.load(tmp_path / "same" / f"{name}.npy")
        np.testing.assert_array_equal(np.load(made / f"{name}.npy"), expected)
    stamp = (made / "frames.npy").stat().st_mtime_ns
    plan.make(1)
    assert (made / "frames.npy").stat().st_mtime_ns == stamp
    assert [p.name for p in plan.folder.iterdir()] == ["part-00001"]


@pytest.mark.slow
def test_what_is_finished_is_loaded_and_its_pictures_go(plan: ClipPlan) -> None:
    plan.folder.mkdir()
    clips = OnlineClips(plan, autoencoder(), "face", workers=1)
    for index in range(2):
        plan.make(index)
        clips._load_finished()
        clips._load_finished()
    data = clips.data
    assert data is not None and len(data) == 4 and len(data.texts) == 4
    assert data.target.shape == (4, 4, 4, 4, 4) and data.changes is not None
    assert not list(plan.folder.glob("*/frames.npy"))


@pytest.mark.slow
def test_a_run_that_was_killed_loads_again_what_it_had(plan: ClipPlan) -> None:
    plan.folder.mkdir()
    plan.make(0)
    killed, again = (OnlineClips(plan, autoencoder(), "face", workers=1) for _ in range(2))
    killed._load_finished()
    again._load_finished()
    assert killed.data is not None and again.data is not None and len(again.data) == 2
    assert torch.equal(again.data.target, killed.data.target)


def test_looking_costs_nothing_until_its_time_has_come(
    plan: ClipPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = OnlineClips(plan, autoencoder(), "face", workers=1)
    looks: list[int] = []
    monkeypatch.setattr(clips, "_load_finished", lambda: looks.append(1))
    for _ in range(5):
        clips.load_now_and_then()
    assert len(looks) == 1


@dataclass
class Dead:
    def is_alive(self) -> bool:
        return False


def test_renderers_that_have_all_died_are_an_error_and_no_endless_wait(plan: ClipPlan) -> None:
    clips = OnlineClips(plan, autoencoder(), "face", workers=1)
    clips._renderers = [Dead()]  # type: ignore[list-item]
    plan.folder.mkdir()
    with pytest.raises(RuntimeError, match="renderers of training clips have died"):
        clips.at_least(1)
