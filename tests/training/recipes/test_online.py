"""Online training end to end in small: real speech and faces, tiny networks, seconds on a processor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")
pytest.importorskip("espeakng_loader", reason="speech needs the 'synthetic' extra (espeakng-loader)")

from eadnet.checkpoints import load_checkpoint  # noqa: E402
from eadnet.errors import InputError  # noqa: E402
from eadnet.training.recipes import mini_data, online, online_data  # noqa: E402
from eadnet.training.recipes.budget import Budget  # noqa: E402
from eadnet.training.recipes.config import Config, read_config  # noqa: E402
from eadnet.training.tasks import denoiser  # noqa: E402
from eadnet.training.tasks.denoiser import Schedule  # noqa: E402
from tests.tiny import write_tiny_checkpoint  # noqa: E402
from tests.training.tiny_world import tiny_model  # noqa: E402

SMALL = Config(
    budget=Budget(
        people=2,
        clips=2,
        held_out_clips=2,
        frames=16,
        spoken=4,
        voices=1,
        audio=1e-6,
        regressor=1e-6,
        changing=0.5,
    ),
    denoiser=Schedule(frames=16, stda_from=0.0),
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_data, "PART", 2)
    monkeypatch.setattr(mini_data, "HELD_OUT_RECORDINGS", 4)
    monkeypatch.setattr(denoiser, "EVALUATED_CLIPS", 2)
    monkeypatch.setattr(online, "LAST_SECONDS", 0.0)
    monkeypatch.setattr(online, "new_model", lambda *_: tiny_model())


@pytest.fixture
def start(tmp_path: Path) -> Path:
    return write_tiny_checkpoint(tmp_path / "start.safetensors")


@pytest.mark.slow
def test_a_checkpoint_goes_on_and_keeps_what_is_not_trained(
    tmp_path: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Steps instead of minutes, so that it takes as long as it must on any machine.
    train = online.train_denoiser

    def two_steps(task, data, held_out, folder, how, **hooks):
        return train(task, data, held_out, folder, Schedule(**{**vars(how), "steps": 2}), **hooks)

    monkeypatch.setattr(online, "train_denoiser", two_steps)
    out = tmp_path / "model.safetensors"
    online.train_online(tmp_path / "work", out, start, SMALL, minutes=30, workers=1)
    before, after = load_checkpoint(start), load_checkpoint(out)
    assert after.components.keys() == before.components.keys()

    def same(name: str) -> bool:
        old, new = (c.component(name).state_dict() for c in (before, after))
        return all(torch.equal(old[key], new[key]) for key in old)

    assert same("vae") and same("tfrm") and not same("unet")
    assert (tmp_path / "work" / "denoiser" / "log.csv").is_file()


@pytest.mark.slow
def test_too_little_time_is_said_before_the_denoiser_begins(tmp_path: Path, start: Path) -> None:
    with pytest.raises(InputError, match="minutes are over before the U-Net is trained"):
        online.train_online(tmp_path, tmp_path / "m", start, SMALL, minutes=1e-3, workers=1)


def test_the_configuration_for_a_gpu_can_be_read() -> None:
    config = read_config(Path(online.__file__).parent / "configs" / "online.toml")
    assert config.denoiser.device == "cuda" and config.denoiser.frames == 512
