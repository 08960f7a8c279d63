"""Features that are kept beside a clip: those that training would compute from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eadnet.errors import CheckpointError
from eadnet.faces.masks import mask_image, masked_picture
from eadnet.media.audio import RATE
from eadnet.preparation.features import Features
from eadnet.preparation.settings import Cache
from tests.tiny import RESOLUTION, tiny_components

FRAMES = 11


def crops() -> np.ndarray:
    chance = np.random.default_rng(0)
    return chance.integers(0, 255, (FRAMES, RESOLUTION, RESOLUTION, 3)).astype(np.uint8)


def features(**without: None) -> Features:
    parts: dict[str, Any] = tiny_components()
    made = {"vae": parts["vae"], "whisper": parts["audio_encoder"], "text": parts["text_encoder"], **without}
    return Features(region=mask_image("face", RESOLUTION), **made)


def test_latents_are_those_of_the_crops_and_of_what_the_mask_leaves() -> None:
    made = features()(crops(), torch.randn(FRAMES * 640) * 0.1, "happy")
    vae: Any = features().vae
    pictures = torch.from_numpy(crops()).movedim(-1, 1) / 127.5 - 1
    masked = masked_picture(pictures, mask_image("face", RESOLUTION))
    with torch.no_grad():
        expected = vae.encode(pictures), vae.encode(masked)
    for name, values in zip(("latents", "masked_latents"), expected, strict=True):
        assert made[name].dtype == torch.float16 and made[name].shape == values.shape
        assert torch.allclose(made[name].float(), values, atol=2e-3)
    assert not torch.equal(made["latents"], made["masked_latents"])


def test_rows_of_the_sound_and_tokens_of_the_caption_are_kept() -> None:
    sound = torch.sin(torch.arange(RATE) * 0.3) * 0.2
    made = features()(crops(), sound, "a broad smile")
    whole = features()
    assert torch.allclose(made["whisper"].float(), whole.whisper.all_rows(sound), atol=1e-2)
    assert torch.allclose(made["tokens"].float(), whole.text.encode(["a broad smile"])[0], atol=1e-2)


def test_what_has_no_network_is_left_out() -> None:
    made = features(vae=None, text=None)(crops(), torch.zeros(RATE), "happy")
    assert set(made) == {"whisper"}


@pytest.mark.parametrize("part", ["vae", "whisper", "text"])
def test_missing_files_are_named(tmp_path: Path, part: str) -> None:
    with pytest.raises(CheckpointError, match="none"):
        Features.load(Cache("ead-256", **{part: tmp_path / "none.safetensors"}))
