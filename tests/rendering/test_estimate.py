"""What a render will need is said before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from eadnet.pipeline import generate_file
from eadnet.rendering import Model, RenderSettings, estimate_render, load_model, open_scene
from eadnet.rendering.estimate import Estimate
from tests.tiny import RESOLUTION, write_tiny_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    Image.new("RGB", (RESOLUTION, RESOLUTION), (200, 120, 90)).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def speech(folder: Path, frames: int) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, 640 * frames).astype(np.float32)
    wavfile.write(folder / "a.wav", 16000, noise)
    return folder / "a.wav"


def planned(model: Model, audio: Path, portrait: Path, **settings: Any) -> Estimate:
    sampling = RenderSettings(**settings).sampling(model.checkpoint)
    with open_scene(model, audio, portrait=portrait) as scene:
        return estimate_render(model.networks(), scene, sampling)


def test_what_will_not_fit_is_said_before_it_starts(
    model: Model, portrait: Path, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    plan = planned(model, speech(tmp_path, 30), portrait)
    assert plan.frames == 30 and 0 < plan.disk < 1e6 and 64 << 20 < plan.memory < 1 << 30
    monkeypatch.setattr(
        "eadnet.rendering.estimate.shutil.disk_usage", lambda _: type("Free", (), {"free": 10})()
    )
    monkeypatch.setattr("eadnet.rendering.estimate._free_memory", lambda: 1000)
    generate_file(tmp_path / "a.mp4", speech(tmp_path, 3), portrait=portrait, model=model, steps=1)
    assert "has 10 B free: make room" in caplog.text and "1 kB are free" in caplog.text


def test_a_long_render_says_beforehand_how_long_it_will_take(
    model: Model, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one window that is tried: each costs 2 s here, and the video has 21 of them, with 3 steps."""
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr("eadnet.rendering.estimate.time.monotonic", lambda: next(clock))
    plan = planned(model, speech(tmp_path, 250), portrait, steps=3)
    assert plan.seconds == 2 * 21 * 3 and "250 frames: about 2 minutes of denoising, " in str(plan)
    assert planned(model, speech(tmp_path, 30), portrait).seconds is None
