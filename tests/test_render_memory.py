"""What a render at the default steps holds does not grow with its length."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile
from torch import Tensor, nn

from eadnet.pipeline import Model, Settings, job, load_model
from eadnet.render import render
from tests.tiny import RESOLUTION, write_tiny_checkpoint

LOOK_EVERY = 50


class StandIn(nn.Module):
    """As good as no work, but the shapes of a U-Net that hears and feels."""

    emotion_dim = 12

    def forward(self, sample: Tensor, timestep: Tensor, audio: Tensor, emotion: Tensor | None) -> Tensor:
        return 0.1 * sample[:, :4] + 0.01 * audio.mean()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def held(model: Model, folder: Path, frames: int, steps: int) -> int:
    """The most bytes of tensors that lived at once, beside those from before, looked at now and then."""
    rows = np.linspace(0, 255, RESOLUTION * RESOLUTION * 3).astype(np.uint8)
    Image.fromarray(rows.reshape(RESOLUTION, RESOLUTION, 3)).save(folder / "face.png")
    sound = 0.1 * np.random.default_rng(0).normal(size=frames * 640).astype(np.float32)
    wavfile.write(folder / "a.wav", 16000, sound)
    before, most, count = _alive(), 0, 0
    how = Settings(steps=steps)
    with job(folder / "a.wav", "happy", portrait=folder / "face.png", model=model, settings=how) as todo:
        networks = replace(todo.networks, unet=StandIn())
        for count, _ in enumerate(render(networks, todo.scene, todo.how), 1):
            if count % LOOK_EVERY == 0:
                most = max(most, _alive() - before)
    assert count == frames
    return most


def _alive() -> int:
    gc.collect()
    tensors = (thing for thing in gc.get_objects() if isinstance(thing, Tensor) and not thing.is_meta)
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def test_four_times_the_length_holds_the_same_at_the_default_steps(model: Model, tmp_path: Path) -> None:
    steps = model.checkpoint.defaults["steps"]
    short, long = (held(model, tmp_path, frames, steps) for frames in (250, 1000))
    # The gate of silence is a number a frame, of the sound there are ten seconds at a time.
    assert long <= short + 4 * 2 * 1000 + 0.02 * short
    # Control: what is looked at does see the windows that are held, which are more for more steps.
    assert held(model, tmp_path, 250, 2 * steps) > short
