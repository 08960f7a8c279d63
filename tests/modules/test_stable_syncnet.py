"""LatentSync's SyncNet: published keys and numbers."""

from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.features import latentsync_mel
from eadnet.modules.stable_syncnet import StableSyncNet
from tests.golden_weights import array, fill, load_golden


@pytest.fixture(scope="module")
def network() -> StableSyncNet:
    model = StableSyncNet.from_config(load_golden("stable_syncnet_tiny.config.json"))
    fill(model, "syncnet-tiny")
    return model


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    return float((value - reference).norm() / reference.norm())


def test_keys_and_shapes_are_the_published_ones() -> None:
    with torch.device("meta"):
        model = StableSyncNet.from_config(load_golden("stable_syncnet.config.json"))
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert shapes == load_golden("stable_syncnet.keys.json")
    assert (model.num_frames, model.height, model.width, model.mel_frames) == (16, 128, 256, 52)


@torch.no_grad()
def test_embeddings_equal_the_published_ones(network: StableSyncNet) -> None:
    golden = load_golden("stable_syncnet_tiny.safetensors")
    video, audio = network(
        array("syncnet-tiny:video", 2, 48, 128, 256), array("syncnet-tiny:mel", 2, 1, 80, 52)
    )
    assert relative_error(video, golden["vision_embeds"]) < 1e-4
    assert relative_error(audio, golden["audio_embeds"]) < 1e-4


@pytest.mark.slow
@torch.no_grad()
def test_a_clip_is_embedded_window_by_window(network: StableSyncNet) -> None:
    random = torch.Generator().manual_seed(0)
    frames = torch.rand(19, 3, 256, 256, generator=random)
    sound = 0.1 * torch.randn(16000, generator=random)
    video, audio = network.embed(frames, sound, batch=3)
    assert video.shape == audio.shape == (4, 64)
    lower_half = frames[2:18, :, 128:] * 2 - 1
    mel = latentsync_mel(sound)[None, None, :, 6:58]  # frame 2 is heard from mel frame 80 * 2 / 25 on
    # Another batch size sums in another order: 7e-5 was seen. A window off by one frame differs by about 1.
    assert relative_error(video[2:3], network.embed_video(lower_half.flatten(0, 1)[None])) < 1e-3
    assert relative_error(audio[2:3], network.embed_audio(mel)) < 1e-3


def test_pictures_of_any_size_become_the_lower_half_of_a_square(network: StableSyncNet) -> None:
    frames = torch.zeros(2, 3, 64, 64)
    frames[:, :, 32:] = 1.0
    window = network.window(frames)
    assert window.shape == (2, 3, 128, 256)
    assert (window[:, :, 16:] > 0.99).all()


@pytest.mark.slow
def test_supervision_reaches_the_pixels(network: StableSyncNet) -> None:
    frames = torch.rand(1, 16, 3, 64, 64, requires_grad=True)
    network.embed_video(network.window(frames).flatten(1, 2)).sum().backward()
    assert frames.grad is not None and frames.grad[..., 40:, :].abs().sum() > 0


@pytest.mark.parametrize(("frames", "samples"), [(15, 16000), (20, 8000)])
def test_a_clip_too_short_is_refused(network: StableSyncNet, frames: int, samples: int) -> None:
    with pytest.raises(InputError, match="too short"):
        network.embed(torch.rand(frames, 3, 32, 32), torch.zeros(samples))
