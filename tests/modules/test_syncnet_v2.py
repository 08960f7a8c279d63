"""SyncNet v2: published keys and numbers."""

from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.features import int16_scaled, mfcc
from eadnet.modules.syncnet_v2 import SyncNetV2
from tests.golden_weights import array, fill, load_golden


@pytest.fixture(scope="module")
def network() -> SyncNetV2:
    model = SyncNetV2.from_config({"dim": 1024})
    fill(model, "syncnet-v2")
    return model


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    return float((value - reference).norm() / reference.norm())


def test_keys_and_shapes_are_the_published_ones() -> None:
    with torch.device("meta"):
        model = SyncNetV2()
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert shapes == load_golden("syncnet_v2.keys.json")


@torch.no_grad()
def test_embeddings_equal_the_published_ones(network: SyncNetV2) -> None:
    golden = load_golden("syncnet_v2.safetensors")
    lips = (array("syncnet-v2:lip", 2, 3, 5, 224, 224) * 40 + 128).clamp(0, 255)
    sound = array("syncnet-v2:audio", 2, 1, 13, 20) * 10
    assert relative_error(network.embed_lips(lips), golden["lip_embed"]) < 1e-4
    assert relative_error(network.embed_audio(sound), golden["audio_embed"]) < 1e-4


@pytest.mark.slow
@torch.no_grad()
def test_a_clip_is_embedded_window_by_window(network: SyncNetV2) -> None:
    frames, sound = torch.rand(9, 3, 224, 224), 0.1 * torch.randn(9 * 640)
    video, audio = network.embed(frames, sound, batch=3)
    assert video.shape == audio.shape == (4, 1024)
    blue_green_red = 255 * frames[2:7].flip(1).transpose(0, 1)
    torch.testing.assert_close(video[2:3], network.embed_lips(blue_green_red[None]), rtol=1e-4, atol=1e-4)
    cepstra = mfcc(int16_scaled(sound)).T[None, None, :, 8:28]
    torch.testing.assert_close(audio[2:3], network.embed_audio(cepstra), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_pictures_of_any_size_are_accepted(network: SyncNetV2) -> None:
    video, _ = network.embed(torch.rand(6, 3, 40, 30), torch.zeros(6 * 640))
    assert video.shape == (1, 1024) and torch.isfinite(video).all()


@pytest.mark.parametrize(("frames", "samples"), [(5, 16000), (20, 5 * 640)])
def test_a_clip_too_short_is_refused(network: SyncNetV2, frames: int, samples: int) -> None:
    with pytest.raises(InputError, match="too short"):
        network.embed(torch.rand(frames, 3, 32, 32), torch.zeros(samples))
