"""A portrait is cropped once for all frames of its film, and looks as if each had been."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.faces.masks import mask_image
from eadnet.rendering import CentreCropper, RenderSettings, load_model, render_frames, scene_in_memory
from eadnet.rendering.croppers import StillCropper
from tests.tiny import RESOLUTION, write_tiny_checkpoint


def test_a_still_pastes_what_its_pictures_one_by_one_would() -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (50, 70, 3), np.uint8)
    crops = torch.rand(3, 3, RESOLUTION, RESOLUTION) * 2 - 1
    cropper = CentreCropper(mask_image("face", RESOLUTION))
    expected = cropper.paste(np.stack([picture] * 3), crops, [0, 0, 0])
    still = StillCropper(cropper, picture)
    assert np.array_equal(still.paste(np.stack([picture] * 3), crops, [0, 0, 0]), expected)


@pytest.mark.slow
def test_a_portrait_is_cropped_for_its_latents_and_for_its_film_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(write_tiny_checkpoint(tmp_path / "tiny.safetensors"))
    scene = scene_in_memory(model, np.zeros((64, 64, 3), np.uint8), torch.zeros(16000), frames=25)
    calls: list[int] = []
    crop = CentreCropper.crop

    def counted(self: CentreCropper, frames: np.ndarray, numbers: list[int]) -> torch.Tensor:
        calls.append(len(frames))
        return crop(self, frames, numbers)

    monkeypatch.setattr(CentreCropper, "crop", counted)
    settings = RenderSettings(steps=1).sampling(model.checkpoint)
    assert len(list(render_frames(model.networks(), scene, settings))) == 25
    assert calls == [1, 1]
