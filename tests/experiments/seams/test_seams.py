"""The benchmark of long clips: a planted seam and a planted drift are seen, a stopped rendering goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile

from eadnet.rendering import Model, RenderSettings, load_model, open_scene
from experiments.seams.bench import Bench
from experiments.seams.changes import seam_table
from experiments.seams.kept_frames import KeptFrames, OpenRender
from experiments.seams.parts import moments
from experiments.seams.speakers import difference
from tests.tiny import RESOLUTION, write_tiny_checkpoint

pytestmark = pytest.mark.slow


def frames_with(seam: float) -> np.ndarray:
    """300 frames that flicker by 20 grey levels, and into each thirteenth by ``seam`` times as much."""
    steps = np.where(np.arange(300) % 2, 20.0, -20.0)
    steps[::13] *= seam
    levels = 120 + np.cumsum(steps)
    return np.broadcast_to(levels.round()[:, None, None, None], (300, 4, 4, 3)).astype(np.uint8)


@pytest.mark.parametrize("seam", [1.0, 1.5])
def test_a_seam_at_window_borders_is_told_in_its_size(seam: float) -> None:
    lines = seam_table({0: frames_with(seam)}, set(range(0, 300, 13)))
    ratio = float(
        next(line for line in lines if "over the median elsewhere" in line).split("|")[3].split()[0]
    )
    assert ratio == pytest.approx(seam, abs=0.06)


class Flickers:
    """Stands for `KeptFrames`: every pair of frames differs by 20 grey levels, the one into 30 s by 40."""

    left = None

    def frames(self, name: str, opens: object, start: int, count: int) -> np.ndarray:
        level = np.array([0, 40 if start == 749 else 20], np.uint8)
        return np.broadcast_to(level[:count, None, None, None], (count, 4, 4, 3))


def test_a_seam_at_30_s_is_told_in_its_size(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bench, "kept", lambda self, **settings: Flickers())
    lines = moments(Bench(model, steps=1, work=tmp_path, data=None, turns=3))
    told = {line.split("|")[1].strip(): float(line.split("|")[3].split()[0]) for line in lines[2:] if line}
    assert told["into 30 s, over the same moment 4 s before and after"] == 2.0
    assert told["into 60 s, over the same moment 4 s before and after"] == 1.0
    assert told["into 30 s, median over the median elsewhere"] == 2.0


def test_no_frames_are_no_error() -> None:
    assert "Too few" in " ".join(seam_table({}, {12}))


def test_an_end_that_follows_less_is_told_from_one_that_follows_as_well() -> None:
    random = torch.Generator().manual_seed(0)
    truth = torch.randn(250, generator=random)
    first, last = (truth + 0.5 * torch.randn(250, generator=random) for _ in range(2))
    gap, low, high = difference(first, last, truth)
    assert low < 0 < high and abs(gap) < 0.1
    gap, low, high = difference(first, torch.randn(250, generator=random), truth)
    assert high < 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def test_a_stopped_rendering_goes_on_to_the_same_frames(model: Model, tmp_path: Path) -> None:
    rows = np.linspace(0, 255, RESOLUTION * RESOLUTION * 3).astype(np.uint8)
    Image.fromarray(rows.reshape(RESOLUTION, RESOLUTION, 3)).save(tmp_path / "face.png")
    sound = 0.1 * np.random.default_rng(0).normal(size=60 * 640).astype(np.float32)
    wavfile.write(tmp_path / "a.wav", 16000, sound)
    opened = 0

    @contextmanager
    def opens() -> Iterator[OpenRender]:
        nonlocal opened
        opened += 1
        how = RenderSettings(steps=1)
        with open_scene(model, tmp_path / "a.wav", portrait=tmp_path / "face.png", settings=how) as scene:
            yield OpenRender(model.networks(), scene, how.sampling(model.checkpoint))

    def kept(folder: str, most: int | None = None) -> KeptFrames:
        return KeptFrames(tmp_path / folder, [model.unet], "test", RESOLUTION, most)

    whole = kept("whole").frames("a", opens, 20, 25)
    assert whole.shape == (25, RESOLUTION, RESOLUTION, 3)
    assert len(kept("stopped", 9).frames("a", opens, 20, 25)) == 9
    (file,) = (tmp_path / "stopped").rglob("*.u8")
    with file.open("ab") as torn:
        torn.write(b"half a frame")
    assert len(kept("stopped", 0).frames("a", opens, 20, 25)) == 9
    assert np.array_equal(kept("stopped").frames("a", opens, 20, 25), whole)
    opened = 0
    assert np.array_equal(kept("stopped").frames("a", opens, 20, 25), whole) and opened == 0
